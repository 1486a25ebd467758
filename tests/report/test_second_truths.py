"""What the page says of truths beside the annotation, and of several base models and ablations."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.evaluate.result import EvaluationResult, load_evaluation
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.explain.ablation import ablation
from meta_spliceai.report.page import minus, shown, signed
from meta_spliceai.report.run import report
from tests.evaluate import toys
from tests.evaluate.test_junctions import star_file
from tests.evaluate.test_usage import psi_file

MEAN = {"name": "base_mean", "title": "mean of base models", "profile": "", "note": "untrained"}
BEST_MEAN = {"name": "best_mean", "title": "best mean of base models", "profile": "base_only", "note": "untrained"}
OTHER = {
    "name": "second",
    "training_build": "GRCh38",
    "training_chromosomes": ["2", "4"],
    "licence": "GPL-3.0",
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    table = toys.frame()
    evaluate(
        predictions=toys.write(folder / "predictions", table),
        out_dir=folder / "evaluation",
        psi=psi_file(folder / "psi.tsv", table)[0],
        junctions=[star_file(folder / "SJ.out.tab", table)],
        draws=60,
    )
    return folder


@pytest.fixture(scope="module")
def html(run_dir: Path) -> str:
    return report(run_dir=run_dir).read_text()


@pytest.fixture(scope="module")
def result(run_dir: Path) -> EvaluationResult:
    return load_evaluation(run_dir / "evaluation")


def part(html: str) -> str:
    found = re.search(r"<section><h2>Truths beside the annotation</h2>.*?</section>", html, flags=re.DOTALL)
    assert found
    return found[0]


def test_auc_of_used_against_unused_sites_is_shown_with_intervals_for_each_arm(
    html: str, result: EvaluationResult
) -> None:
    own = part(html)
    assert 'aria-label="AUC of used against unused sites by arm"' in own
    for row in result.about["site_usage"]:
        if row["arm"] == "recalibrated":
            continue
        assert f"{shown(row['auc'])}<br><small>{shown(row['auc_low'])} to {shown(row['auc_high'])}</small>" in own
        assert f">{row['auc']:.3f}</text>" in own  # in the picture
        if row["arm"] != "base":
            assert f"{signed(row['difference'])}<br><small>{signed(row['difference_low'])} to" in own
    assert f"{row['used']} used, {row['unused']} unused" in own
    assert "base model, recalibrated" not in own.split("Sites that RNA-seq junctions support")[0]


def test_junctions_have_a_picture_and_a_table_of_their_own_and_are_no_stratum(
    html: str, result: EvaluationResult
) -> None:
    own = part(html)
    assert 'aria-label="Forest plot with junctions as the truth"' in own
    for kind in ("donor", "acceptor"):
        row = result.ranking("junctions", kind, "meta")
        assert f"{shown(row['average_precision'])}<br>" in own
        assert minus(f"{row['difference']:+.4f} [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]") in own
        assert f"{row['sites']} supported sites" in own
    strata = html[html.index("Where the change is") : html.index("Truths beside the annotation")]
    assert "junctions" not in strata


def test_there_is_no_such_part_without_second_truths(tmp_path: Path) -> None:
    evaluate(predictions=toys.write(tmp_path / "p", toys.frame(groups=6)), out_dir=tmp_path / "evaluation", draws=20)
    assert "Truths beside the annotation" not in report(run_dir=tmp_path).read_text()


def test_words_for_a_terminal_name_arms_by_their_titles_and_judge_the_main_one(result: EvaluationResult) -> None:
    words = result.summary()
    assert re.search(r"used against \d+ unused annotated donors, by PSI: base model, raw 0\.\d{3} \[", words)
    assert re.search(r"Meta-model against the base model: (a gain|a loss|no gain shown), [+-]0\.\d{4} \[", words)
    assert re.search(r"junctions support as the truth, meta-model against the base model: \d+ donors, ", words)


def test_the_best_untrained_mean_is_named_on_top_and_in_pictures(tmp_path: Path) -> None:
    table = toys.frame()
    means = [
        (0.5 * (pl.col(f"base_{kind}") + pl.col(f"meta_{kind}"))).alias(f"{arm}_{kind}")
        for arm in ("base_mean", "best_mean")
        for kind in ("donor", "acceptor")
    ]
    arms = [*toys.ARMS[:2], MEAN, BEST_MEAN, *toys.ARMS[2:]]
    folder = toys.write(tmp_path / "predictions", table.with_columns(means), arms=arms, further_base_models=[OTHER])
    found = evaluate(predictions=folder, out_dir=tmp_path / "evaluation", draws=60)
    html = report(run_dir=tmp_path).read_text()
    cards = html[: html.index("What was measured")]
    assert "toy + second" in cards
    assert "second; trained on GRCh38, chromosomes 2, 4; GPL-3.0" in html
    for kind in ("donor", "acceptor"):
        row = found.contrasts.filter(splice_type=kind, arm="meta", other="best_mean").row(0, named=True)
        assert f"{kind}s (all bases): change in average precision, meta-model against the best untrained mean" in cards
        assert signed(row["difference"]) in cards
    picture = re.search(r'aria-label="Forest plot of changes in average precision by arm".*?</svg>', html, re.DOTALL)
    assert picture
    assert ">best mean of base models<" in picture[0]
    pl.DataFrame({"feature": ["a"], "origin": ["base_score"], "donor_gain": [1.0], "acceptor_gain": [1.0]}).write_csv(
        tmp_path / "feature_manifest.csv"
    )
    assert "logits that corrections start from is no part of it" in report(run_dir=tmp_path).read_text()


def test_arms_of_an_ablation_have_a_part_of_their_own(tmp_path: Path) -> None:
    table = toys.frame()
    ablated = [
        {"name": name, "title": f"meta-model {name}", "profile": "de_novo", "note": ""}
        for name in ("without_kmer", "only_all_base_score")
    ]
    copies = [
        pl.col(f"{source}_{kind}").alias(f"{arm['name']}_{kind}")
        for arm, source in zip(ablated, ("meta", "base_scores"), strict=True)
        for kind in ("donor", "acceptor")
    ]
    folder = toys.write(
        tmp_path / "predictions",
        table.with_columns(copies),
        arms=[*toys.ARMS, *ablated],
        feature_profile="de_novo",
    )
    found = evaluate(predictions=folder, out_dir=tmp_path / "evaluation", draws=60)
    ablation(run_dir=tmp_path)
    html = report(run_dir=tmp_path).read_text()
    own = re.search(r"<section><h2>What each family of features adds</h2>.*?</section>", html, flags=re.DOTALL)
    assert own
    assert ">without kmer<" in own[0]
    assert ">only all base score features<" in own[0]
    assert "meta-model without_kmer" not in html.replace(own[0], "")
    assert "without_kmer" not in " ".join(sentence for sentence in found.summary().splitlines() if sentence[:2] == "- ")
    row = found.contrasts.filter(splice_type="donor", arm="only_all_base_score", other="meta").row(0, named=True)
    assert signed(row["difference"]) in own[0]
