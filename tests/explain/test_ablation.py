"""What each family adds: the arms read what they should, are measured like all others, and stand in one table."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.explain.ablation import ablation
from meta_spliceai.report.run import report
from meta_spliceai.train.arms import ablation_arms
from meta_spliceai.train.families import families_of
from meta_spliceai.train.matrix import open_dataset
from meta_spliceai.train.run import train
from tests.train.conftest import Inputs

FEATURES = {"a": ("base_score", "own_score"), "b": ("base_score", "distance"), "c": ("sequence", "kmer")}


def test_arms_leave_out_or_keep_each_family_and_each_origin_of_several() -> None:
    origins, families = ({name: held[at] for name, held in FEATURES.items()} for at in (0, 1))
    arms = ablation_arms("de_novo", origins, families)
    kept = {arm.name: "".join(n for n in FEATURES if arm.ablation and arm.ablation.keeps(n)) for arm in arms}
    assert kept == {
        "without_own_score": "bc", "without_distance": "ac", "without_kmer": "ab", "without_all_base_score": "c",
        "only_own_score": "a", "only_distance": "b", "only_kmer": "c", "only_all_base_score": "ab",
    }  # fmt: skip
    assert {arm.profile for arm in arms} == {"de_novo"}
    assert [arm.title for arm in arms if arm.name.endswith("_kmer")] == [
        "meta-model without kmer features", "meta-model, only kmer features"
    ]  # fmt: skip
    assert "reads 2 of 3 features" in arms[0].note


def test_one_family_cannot_be_ablated() -> None:
    with pytest.raises(InputError, match="at least two families"):
        ablation_arms("base_only", {"a": "base_score"}, {"a": "own_score"})


def test_every_feature_of_a_dataset_is_of_one_family(inputs: Inputs) -> None:
    dataset = open_dataset(inputs.dataset)
    families = families_of(dataset)
    assert list(families) == [column.name for column in dataset.table if column.role == "feature"]
    assert families["donor_score"] == "own_score"
    assert families["1mer_A"] == "kmer"
    assert families["distance_to_nearest_donor"] == "distance"
    assert families["gc_content"] == "sequence"
    assert families["gene_length"] == "gene"


@pytest.fixture(scope="module")
def ablated(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablated") / "run"
    train(**inputs.options(out_dir=out, arms=(), feature_profile="base_only", ablation=True))
    return out


def test_the_table_repeats_the_paired_differences_of_the_evaluation(ablated: Path) -> None:
    result = ablation(run_dir=ablated, draws=50, seed=3)
    arms = [f"{change}_{name}" for change in ("without", "only") for name in ("own_score", "performance", "distance")]
    for kind in ("donor", "acceptor"):
        rows = result.table.filter(splice_type=kind)
        assert rows["arm"][0] == "base_scores"
        assert sorted(rows["arm"][1:]) == sorted(arms)
    contrasts = pl.read_csv(ablated / "evaluation" / "contrasts.tsv", separator="\t")
    row = result.table.row(
        by_predicate=(pl.col("splice_type") == "acceptor") & (pl.col("arm") == "without_performance"), named=True
    )
    for other, name in (("base_scores", "to_full"), ("base", "to_base")):
        found = contrasts.filter(splice_type="acceptor", arm="without_performance", other=other).row(0, named=True)
        for end in ("", "_low", "_high"):
            assert row[f"{name}{end}"] == pytest.approx(found[f"difference{end}"], abs=1e-12)
    written = json.loads((ablated / "ablation.json").read_text())
    assert (written["whole_model"], written["bootstrap"]["draws"]) == ("base_scores", 50)
    assert written["arms"] == result.table.to_dicts()
    assert "without_performance" in result.summary()
    assert ablation(run_dir=ablated).table.equals(result.table)
    page = report(run_dir=ablated).read_text()
    assert "What each family of features adds" in page
    assert "of another evaluation" not in page
    assert ">without performance<" in page


def test_a_table_of_another_evaluation_is_not_shown(ablated: Path) -> None:
    ablation(run_dir=ablated, draws=50, seed=3)
    path = ablated / "ablation.tsv"
    whole = path.read_text()
    try:
        path.write_text(whole.replace("0.", "0.1", 1))
        assert "of another evaluation" in report(run_dir=ablated).read_text()
    finally:
        path.write_text(whole)


def test_the_saved_model_reads_everything(ablated: Path) -> None:
    features = json.loads((ablated / "model" / "model.json").read_text())["features"]
    assert len(features) == sum(1 for _ in pl.read_csv(ablated / "feature_manifest.csv").iter_rows()) > 50


def test_a_run_without_such_arms_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "predictions").symlink_to(run / "predictions")
    with pytest.raises(InputError, match="train --ablation"):
        ablation(run_dir=tmp_path / "run", draws=20)


def test_ablation_is_of_whole_genes(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--ablation with cross-validation"):
        train(**inputs.options(out_dir=tmp_path / "run", ablation=True, single_split=True))
