import re
from html.parser import HTMLParser

import polars as pl
import pytest

from meta_spliceai.errors import StoreError
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.report.run import load_evaluation, report
from tests.toys import predictions as toy


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    evaluate(predictions=toy.write(folder / "predictions", toy.frame()), out_dir=folder / "evaluation", draws=100)
    features = pl.DataFrame(
        {
            "feature": ["donor_score", "gc_content"],
            "origin": ["base_score", "sequence"],
            "donor_gain": [3.0, 1.0],
            "acceptor_gain": [1.0, 2.0],
        }
    )
    features.write_csv(folder / "feature_manifest.csv")
    return folder


class _Balanced(HTMLParser):
    void = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_one_balanced_file_that_fetches_nothing(run_dir):
    html = report(run_dir=run_dir).read_text()
    parser = _Balanced()
    parser.feed(html)
    assert parser.open == []
    assert not re.search(r"<(script|link|img|iframe)", html)
    assert not re.search(r"(src|href)=.https?:", html)


def test_every_figure_comes_with_its_numbers(run_dir):
    html = report(run_dir=run_dir).read_text()
    assert html.count("<figure>") == 5
    assert html.count("<summary>the numbers</summary>") == html.count("<figure>")


def test_the_numbers_in_the_table_are_those_of_the_evaluation(run_dir):
    html = report(run_dir=run_dir).read_text()
    for value in load_evaluation(run_dir / "evaluation").ranking.filter(pl.col("stratum") == "all")[
        "average_precision"
    ]:
        assert f"{value:.4f}" in html


def test_the_same_run_gives_the_same_bytes(run_dir):
    first = report(run_dir=run_dir).read_bytes()
    assert report(run_dir=run_dir).read_bytes() == first


def test_what_is_missing_is_said(run_dir, tmp_path):
    (run_dir / "feature_manifest.csv").rename(tmp_path / "kept.csv")
    try:
        assert "There is no feature_manifest.csv" in report(run_dir=run_dir, out=tmp_path / "r.html").read_text()
    finally:
        (tmp_path / "kept.csv").rename(run_dir / "feature_manifest.csv")


def test_a_run_without_evaluation_is_refused(tmp_path):
    with pytest.raises(StoreError, match="an evaluation in"):
        report(run_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
