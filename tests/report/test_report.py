import re
from html.parser import HTMLParser

import polars as pl
import pytest

from meta_spliceai.errors import StoreError
from meta_spliceai.evaluate.result import load_evaluation
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.evaluate.words import change
from meta_spliceai.report.page import minus, shown, signed, table
from meta_spliceai.report.run import report
from tests.evaluate import toys

FEATURES = pl.DataFrame(
    {
        "feature": ["donor_score", "gc_content"],
        "role": ["feature", "feature"],
        "origin": ["base_score", "sequence"],
        "donor_gain": [3.0, 1.0],
        "acceptor_gain": [1.0, 1.0],
    }
)
SAMPLING = {"site": {"rows_seen": 10, "rows_kept": 10, "rows_dropped": 0}, "easy": {"rows_seen": 90, "rows_kept": 45, "rows_dropped": 45}}  # fmt: skip


def _evaluated(folder, frame, **changed):
    evaluate(predictions=toys.write(folder / "predictions", frame, **changed), out_dir=folder / "evaluation", draws=60)
    return folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = _evaluated(tmp_path_factory.mktemp("run"), toys.frame(), dataset={"sampling": SAMPLING}, build="GRCh37")
    FEATURES.write_csv(folder / "feature_manifest.csv")
    return folder


@pytest.fixture(scope="module")
def html(run_dir):
    return report(run_dir=run_dir).read_text()


class _Balanced(HTMLParser):
    void = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)


def _read(html):
    parser = _Balanced()
    parser.feed(html)
    return parser


def _words(html):
    return " ".join("".join(_read(html).text).split())


def test_page_is_one_balanced_file_that_fetches_nothing(html):
    assert _read(html).open == []
    assert not re.search(r"<(script|link|img|iframe|object|image)\b", html)
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", html)
    assert "url(http" not in html
    assert "@import" not in html


def test_every_figure_comes_with_words_and_numbers(html):
    figures = re.findall(r"<figure>.*?</figure><details><summary>the numbers</summary>", html, flags=re.DOTALL)
    assert len(figures) == html.count("<figure>") == html.count('role="img"') == 7


def test_the_numbers_in_the_table_are_those_of_the_evaluation(html, run_dir):
    for row in load_evaluation(run_dir / "evaluation").arms.iter_rows(named=True):
        assert f"{row['average_precision']:.4f}" in html
        if row["difference"]:
            assert minus(f"{row['difference']:+.4f}<br><small>{row['difference_low']:+.4f} to ") in html


def test_pictures_follow_the_theme_of_the_page(html):
    assert html.count("var(--ink)") > 20
    assert "#1f2630" not in re.sub(r"<style>:root.*?</style>|<style>\n:root.*?</style>", "", html, flags=re.DOTALL)
    assert "prefers-color-scheme: dark" in html


def test_the_same_run_gives_the_same_bytes_and_names_no_time(run_dir, html):
    assert report(run_dir=run_dir).read_text() == html
    assert not re.search(r"<dc:date>|20\d\d-\d\d-\d\d", html)


def test_the_page_can_be_written_elsewhere(run_dir, tmp_path):
    assert report(run_dir=run_dir, out=tmp_path / "pages" / "one.html") == tmp_path / "pages" / "one.html"
    assert (tmp_path / "pages" / "one.html").is_file()


def test_it_says_what_was_measured_and_what_it_was_made_from(html):
    words = _words(html)
    assert "toy on GRCh37 · 24 genes in 24 groups · 48,000 bases" in words
    assert "none, chromosomes 2" in words
    assert "60 draws of gene groups, seed 42" in words
    assert "Truth is the annotation with all its transcripts" in words


def test_the_share_of_rows_learnt_from_is_shown_or_said_to_be_missing(html, tmp_path):
    rows = re.findall(r'<tr><td class="text">(\w+)</td><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td></tr>', html)
    assert rows[-3:] == [("easy", "90", "45", "45"), ("site", "10", "10", "0"), ("all", "100", "55", "45")]
    page = report(run_dir=_evaluated(tmp_path, toys.frame(groups=4))).read_text()
    assert "The predictions carry no sampling ledger" in page


def test_feature_gains_are_shown_as_shares_by_feature_and_origin(html):
    assert '<td class="text">gc_content</td><td class="text">sequence</td><td>0.2500</td><td>0.5000</td>' in html
    assert '<td class="text">base_score</td><td>1</td><td>0.7500</td><td>0.5000</td>' in html


@pytest.mark.parametrize(
    ("features", "words"),
    [(None, "holds no feature_manifest.csv"), (FEATURES.drop("donor_gain"), "feature_manifest.csv has no column donor_gain")],
)  # fmt: skip
def test_missing_features_are_said(run_dir, tmp_path, features, words):
    (tmp_path / "evaluation").symlink_to(run_dir / "evaluation")
    if features is not None:
        features.write_csv(tmp_path / "feature_manifest.csv")
    assert words in report(run_dir=tmp_path).read_text()


def test_damaged_features_are_refused(run_dir, tmp_path):
    (tmp_path / "evaluation").symlink_to(run_dir / "evaluation")
    (tmp_path / "feature_manifest.csv").write_text("feature,donor_gain,acceptor_gain\na,much,1\n")
    with pytest.raises(StoreError, match="a table of features in"):
        report(run_dir=tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_too_few_sites_and_a_reference_arm_alone_still_make_a_page(tmp_path):
    few = report(run_dir=_evaluated(tmp_path / "few", toys.frame(groups=3))).read_text()
    assert "too few sites" in few
    none = report(
        run_dir=_evaluated(tmp_path / "none", toys.frame(groups=4).with_columns(is_donor=pl.lit(value=False)))
    )
    assert _read(none.read_text()).open == []
    alone = report(run_dir=_evaluated(tmp_path / "alone", toys.frame(groups=4), arms=toys.ARMS[:1])).read_text()
    assert "There is no arm beside the reference arm, so nothing is compared." in alone


def test_many_groups_are_drawn_without_naming_all(tmp_path):
    page = report(run_dir=_evaluated(tmp_path, toys.frame(groups=40, bases_per_group=400))).read_text()
    picture = re.search(r'aria-label="Change in average precision by gene group".*?</svg>', page, flags=re.DOTALL)[0]
    assert 2 <= len(re.findall(r">gene\d+<", picture)) <= 16


def test_verdicts_are_about_unseen_bases_where_only_some_are(html, run_dir):
    row = load_evaluation(run_dir / "evaluation").ranking("base_unseen", "donor", "meta")
    assert "donors (base unseen)" in html
    assert "Chromosomes the base model has not seen" in html
    assert f'<div class="value gain">{signed(row["difference"])}</div>' in html
    assert change(row) in _words(html)


def test_subsets_that_are_the_whole_or_nothing_are_not_drawn(html, tmp_path):
    picture = re.search(r'aria-label="Forest plot by stratum".*?</svg>', html, flags=re.DOTALL)[0]
    assert [name for name in ("protein coding", "base unseen", "canonical") if name in picture] == [
        "protein coding", "base unseen", "canonical",
    ]  # fmt: skip
    plain = toys.frame(groups=6).with_columns(
        pl.col("base_donor", "base_acceptor") * 0.4 + 0.55,
        is_coding=pl.lit(value=True), base_unseen=pl.lit(value=True), site_class=pl.lit(0, pl.UInt8),
    )  # fmt: skip
    assert "No subset holds some of the sites and not all" in report(run_dir=_evaluated(tmp_path, plain)).read_text()


def test_a_run_without_evaluation_is_refused(tmp_path):
    with pytest.raises(StoreError, match="evaluation folder with manifest"):
        report(run_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cells_say_what_is_not_known_and_escape_what_could_be_markup():
    assert [shown(value) for value in (None, "", True, 12345, 0.5, -0.25, 1234.56, "<b>")] == [
        "–", "–", "yes", "12,345", "0.5000", "\N{MINUS SIGN}0.2500", "1,234.6", "&lt;b&gt;",
    ]  # fmt: skip
    frame = pl.DataFrame({"kind": ["a", "a", "b"], "n": [1, 2, 3]})
    assert table(frame, parted_by="kind").count("<tr class=apart>") == 1
