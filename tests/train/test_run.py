"""A training run as a whole, on the tiny genome."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError, InputError, LeakageError, PlanMismatchError, StoreError
from meta_spliceai.reference.load import load
from meta_spliceai.reference.truth import Truth
from meta_spliceai.schema.check import check_frame
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train import fit, parts
from meta_spliceai.train.model import MetaModel
from meta_spliceai.train.predictions import prediction_table
from meta_spliceai.train.run import train
from meta_spliceai.train.split import SPLIT_TABLE
from tests.train.conftest import FOLDS, Inputs

ARMS = ("base", "recalibrated", "base_scores", "meta", "gene_conditioned")
VARIES = {"run_log.jsonl", ".lock"}


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in VARIES
    }


def predictions(run: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in sorted((run / "predictions").glob("part_*.parquet")))


def split_of(run: Path) -> pl.DataFrame:
    return read_tsv(run / "split.tsv", SPLIT_TABLE)


def test_every_part_of_the_predictions_holds_the_declared_table_in_order(run: Path) -> None:
    files = sorted((run / "predictions").glob("part_*.parquet"))
    assert [path.name for path in files] == [f"part_0000{number}.parquet" for number in range(1, FOLDS + 1)]
    for fold, path in enumerate(files):
        frame = check_frame(pl.read_parquet(path), prediction_table(ARMS), source=path.name)
        assert frame["fold"].unique().to_list() == [fold]
        assert frame.select("chrom", "strand", "position").equals(
            frame.select("chrom", "strand", "position").sort(pl.all())
        )


def test_every_base_of_every_gene_is_predicted_once_by_models_that_had_not_seen_its_gene(
    run: Path, inputs: Inputs
) -> None:
    found = predictions(run)
    fold_of = {row["gene_id"]: (row["fold"], row["group"]) for row in split_of(run).iter_rows(named=True)}
    expected = {}
    for gene in load(inputs.reference).genes.iter_rows(named=True):
        for position in range(gene["start"], gene["end"] + 1):
            expected[gene["chrom"], gene["strand"], position] = fold_of[gene["gene_id"]]
    keys = list(found.select("chrom", "strand", "position").iter_rows())
    assert len(keys) == len(expected)
    assert dict(zip(keys, found.select("fold", "group").iter_rows(), strict=True)) == expected


def test_truth_scores_and_marks_are_those_of_reference_and_artifacts(run: Path, inputs: Inputs) -> None:
    reference, artifacts = load(inputs.reference), open_artifacts(inputs.eval_dir)
    truth, found = Truth(reference.splice_sites()), predictions(run)
    for gene in reference.genes.iter_rows(named=True):
        where = (gene["chrom"], gene["strand"], gene["start"] - 1, gene["end"])
        here = found.filter(
            pl.col("chrom") == gene["chrom"], pl.col("strand") == gene["strand"],
            pl.col("position").is_between(gene["start"], gene["end"]),
        ).sort("position")  # fmt: skip
        is_donor, is_acceptor = truth.on(*where)
        np.testing.assert_array_equal(here["is_donor"], is_donor)
        np.testing.assert_array_equal(here["is_acceptor"], is_acceptor)
        np.testing.assert_array_equal(here["base_donor"], artifacts.scores(*where).donor)
        assert here["base_unseen"].all() == (gene["chrom"] != "chrT2")
        assert here["is_coding"].all() or gene["gene_type"] != "protein_coding"


def test_sites_of_canonical_transcripts_are_told_from_the_others(run: Path) -> None:
    found = predictions(run).filter(pl.col("chrom") == "chrT1", pl.col("strand") == "+")
    classes = dict(found.select("position", "site_class").iter_rows())
    assert {position: classes[position] for position in (4_200, 5_001, 5_105, 7_541, 4_300)} == {
        4_200: 1, 5_001: 1, 5_105: 2, 7_541: 2, 4_300: 0,
    }  # fmt: skip


def test_arms_are_ranked_uncalibrated_and_stand_as_the_base_below_the_gate(run: Path) -> None:
    found = predictions(run)
    for kind in ("donor", "acceptor"):
        base = found[f"base_{kind}"].to_numpy()
        np.testing.assert_array_equal(found[f"recalibrated_{kind}"].to_numpy(), base)
        below = base < np.float32(1e-5)
        np.testing.assert_allclose(found[f"meta_{kind}"].to_numpy()[below], base[below], rtol=1e-5)


def test_each_fold_and_the_saved_model_have_a_calibration_map_per_arm(run: Path) -> None:
    maps = json.loads((run / "predictions" / "predictions.json").read_text())["calibrations"]
    folds = predictions(run)["fold"].unique().to_list()
    arms = set(ARMS) - {"base"}
    assert {(entry["fold"], entry["arm"], entry["splice_type"]) for entry in maps} == {
        (fold, arm, kind) for fold in (-1, *folds) for arm in arms for kind in ("donor", "acceptor")
    }
    fitted = json.loads((run / "calibrations.json").read_text())["0"]["meta"]["donor"]
    entry = next(e for e in maps if (e["fold"], e["arm"], e["splice_type"]) == (0, "meta", "donor"))
    assert {name: entry[name] for name in (*"abc", "kind")} == fitted


def test_corrections_are_learnt(run: Path) -> None:
    found = predictions(run).filter(pl.col("base_donor") > 0.05)
    assert not np.allclose(found["meta_donor"], found["base_scores_donor"], atol=1e-3)
    assert not np.allclose(found["meta_donor"], found["gene_conditioned_donor"], atol=1e-3)


def test_what_the_run_says_about_itself(run: Path, inputs: Inputs) -> None:
    about = json.loads((run / "predictions" / "predictions.json").read_text())
    assert [arm["name"] for arm in about["arms"]] == list(ARMS)
    assert [arm["profile"] for arm in about["arms"]] == ["", "", "base_only", "de_novo", "gene_conditioned"]
    assert about["reference arm"] == "base"
    assert about["skipped_arms"] == [{"name": "base_mean", "reason": "the artifacts hold the scores of one base model"}]
    assert sorted(gene for group in about["groups"] for gene in group["gene_ids"]) == sorted(
        load(inputs.reference).genes["gene_id"]
    )
    overlapping = next(group for group in about["groups"] if "TG05.1" in group["gene_ids"])
    assert overlapping["gene_names"] == ["LEFT", "RIGHT"]
    assert list(json.loads((run / "metrics.json").read_text())) == ["sampled rows"]


def test_estimates_from_sampled_rows_agree_with_whole_genes_within_their_error(run: Path) -> None:
    whole = predictions(run)
    estimated = json.loads((run / "metrics.json").read_text())["sampled rows"]["arms"]
    # what the gene-conditioned arm says of a base differs between the genes that cover it; whole genes take one score
    assert estimated.keys() == set(ARMS) - {"base"}
    for arm in ("recalibrated", "base_scores", "meta"):
        for kind, found in estimated[arm].items():
            truth, score = whole[f"is_{kind}"].to_numpy(), whole[f"{arm}_{kind}"].to_numpy()
            precision = average_precision_score(truth, score)
            off = abs(found["average_precision"] - precision)
            assert off < 4 * found["average_precision_standard_error"] + 1e-6, (arm, kind)
            false_calls = int((~truth & (score >= 0.5)).sum())
            assert abs(found["false_positives"] - false_calls) <= 4 * found["false_positives_standard_error"] + 1e-6
            assert found["false_negatives"] == pytest.approx((truth & (score < 0.5)).sum())


def test_the_feature_manifest_ranks_every_feature_of_the_saved_model(run: Path) -> None:
    manifest = pl.read_csv(run / "feature_manifest.csv")
    assert manifest.columns == ["feature", "role", "origin", "donor_gain", "acceptor_gain", "rank"]
    assert manifest["rank"].to_list() == list(range(1, manifest.height + 1))
    assert manifest["donor_gain"].sum() == pytest.approx(1.0)
    described = json.loads((run / "model" / "model.json").read_text())
    assert sorted(manifest["feature"]) == sorted(feature["name"] for feature in described["features"])


def test_a_finished_run_is_left_as_it_is(run: Path, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(run)
    monkeypatch.setattr(fit, "load_rows", lambda *_: pytest.fail("rows were loaded again"))
    result = train(**inputs.options(out_dir=run))
    assert contents(run) == before
    assert (result.bases, result.arms, result.genes) == (59_000, ARMS, 17)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(("function", "call"), [("write_bytes", 8), ("write_predictions", 2), ("write_json", 1)])
def test_a_killed_run_resumes_with_finished_folds_kept_and_leaves_the_same_bytes(
    run: Path, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, call: int
) -> None:
    """The resumed run uses another number of threads, which must show nowhere."""
    genuine, calls = getattr(parts, function), []

    def dying(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == call:
            raise Killed
        return genuine(*arguments, **options)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(parts, function, dying)
        with pytest.raises(Killed):
            train(**inputs.options(out_dir=out, threads=1))
    kept = {
        name: entry
        for name, entry in read_manifest(out, parts.KIND, parts.FORMAT_VERSION).parts.items()
        if name.startswith("fold_")
    }
    assert list(kept)
    fitted = []
    fit_fold = fit.FoldFitter.fit_fold
    monkeypatch.setattr(fit.FoldFitter, "fit_fold", lambda self, fold: fitted.append(fold) or fit_fold(self, fold))
    train(**inputs.options(out_dir=out, threads=2))
    assert fitted == list(range(len(kept), FOLDS))
    assert contents(out) == contents(run)


def test_other_options_are_refused_until_overwritten(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    with pytest.raises(PlanMismatchError, match="parameter seed: on disk 42, now 43"):
        train(**inputs.options(out_dir=copy, seed=43))
    train(**inputs.options(out_dir=copy, seed=43, arms=(), overwrite=True))
    assert predictions(copy).columns[-6:] == [
        f"{arm}_{kind}" for arm in ("base", "recalibrated", "meta") for kind in ("donor", "acceptor")
    ]


def test_genes_set_aside_are_predicted_by_the_saved_model_and_never_learnt_from(inputs: Inputs, tmp_path: Path) -> None:
    train(**inputs.options(out_dir=tmp_path / "run", test_size=0.2, arms=(), feature_profile="base_only"))
    split = split_of(tmp_path / "run")
    aside = split.filter(side="test")["gene_id"].to_list()
    assert 0 < len(aside) < 8
    described = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert sorted(described["training_genes"] + aside) == sorted(split["gene_id"])
    found = pl.read_parquet(tmp_path / "run" / "predictions" / "part_set_aside.parquet")
    assert found["fold"].unique().to_list() == [-1]
    assert found.height > 0


def other_dataset(inputs: Inputs, folder: Path, *genes: str) -> Inputs:
    build(
        reference=inputs.reference, eval_dir=inputs.eval_dir, output_dir=folder, kmer_sizes=(1,), gene_ids=list(genes)
    )  # fmt: skip
    return Inputs(folder, inputs.reference, inputs.eval_dir)


def test_one_gene_cannot_be_divided(inputs: Inputs, tmp_path: Path) -> None:
    single = other_dataset(inputs, tmp_path / "dataset", "PLUSALT")
    with pytest.raises(GeneError, match="at least 3 gene groups for 3 folds") as caught:
        train(**single.options(out_dir=tmp_path / "run"))
    assert caught.value.found == "1 groups of 1 genes"
    assert not (tmp_path / "run").exists()


def test_a_fold_that_would_learn_from_no_site_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    few = other_dataset(inputs, tmp_path / "dataset", "PLUSALT", "ONEEXON", "NOTHING")
    with pytest.raises(InputError, match=r"donors and other bases .* in the rows that the model of fold 1") as caught:
        train(**few.options(out_dir=tmp_path / "run"))
    assert caught.value.found.startswith("0 donors among")


def damaged(
    inputs: Inputs, folder: Path, name: str, made: Callable[[np.ndarray], np.ndarray] = lambda label: label
) -> Inputs:
    """A copy of the dataset in which a feature has been replaced by what is made of the label, by default the label."""
    shutil.copytree(inputs.dataset, folder)
    for path in (folder / "master").glob("*.parquet"):
        table = pq.read_table(path)
        place = table.schema.get_field_index(name)
        label = pa.array(made(np.asarray(table.column("is_donor")).astype(np.float32)).astype(np.float32))
        path.unlink()
        pq.write_table(table.set_column(place, name, label).replace_schema_metadata(table.schema.metadata), path)
    return Inputs(folder, inputs.reference, inputs.eval_dir)


def test_a_planted_leak_stops_the_training_by_name(inputs: Inputs, tmp_path: Path) -> None:
    leaky = damaged(inputs, tmp_path / "dataset", "gc_content")
    with pytest.raises(LeakageError, match="gc_content \\(origin sequence\\) is 1 exactly on one side of donors"):
        train(**leaky.options(out_dir=tmp_path / "run"))


def test_a_dataset_without_a_passed_boundary_probe_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(inputs.dataset, tmp_path / "dataset"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["facts"]["boundary_probe"]["changed"] = ["spread"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    unsafe = Inputs(folder, inputs.reference, inputs.eval_dir)
    with pytest.raises(LeakageError, match="spread changed"):
        train(**unsafe.options(out_dir=tmp_path / "run"))


def test_a_dataset_of_another_base_pass_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(inputs.dataset, tmp_path / "dataset"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"]["base_pass"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"the base pass that .* was built from \(000000000000\)"):
        train(**Inputs(folder, inputs.reference, inputs.eval_dir).options(out_dir=tmp_path / "run"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arms": ["meat"]}, "trained arms: base_scores, meta, gene_conditioned, annotated"),
        ({"feature_profile": "denovo"}, "a feature profile: base_only, de_novo"),
        ({"threads": 0}, "--threads of at least 1"),
        ({"folds": 1}, "--folds of at least 2"),
        ({"model": "xgbost"}, "'xgbost', which is near xgboost"),
        ({"weights": "inverse"}, "--weights inverse_inclusion or none"),
        ({"model": "log_reg", "early_stopping": True}, "a boosted learner"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    inputs: Inputs, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(**inputs.options(out_dir=tmp_path / "run", **options))
    assert not (tmp_path / "run").exists()


def test_a_fold_model_that_was_changed_is_made_again(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "folds" / "fold_2" / "meta_donor.ubj").write_bytes(b"")
    train(**inputs.options(out_dir=copy))
    assert contents(copy) == contents(run)


def test_a_dataset_that_is_none_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a dataset folder"):
        train(**{**inputs.options(out_dir=tmp_path / "run"), "dataset": inputs.reference.parent})


@pytest.mark.rows("R6", "R8")
@pytest.mark.parametrize(
    ("model", "suffix", "options"),
    [
        ("log_reg", ".npz", {"base_margin": False, "weights": "none"}),
        ('{"name": "sgd_logistic", "epochs": 2}', ".npz", {}),
        ('{"name": "lightgbm", "rounds": 10}', ".txt", {"early_stopping": True}),
    ],
)
def test_other_learners_are_trained_saved_and_applied_by_the_same_steps(
    inputs: Inputs, tmp_path: Path, model: str, suffix: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("sklearn" if "sgd" in model else "lightgbm" if "light" in model else "numpy")
    out = tmp_path / "run"
    train(**{**inputs.options(out_dir=out, arms=(), feature_profile="base_only"), "model": model, **options})
    files = sorted(path.name for path in (out / "model").iterdir())
    assert [name for name in files if name.startswith("donor")] == [f"donor_{fold}{suffix}" for fold in (1, 2, 3)]
    found = predictions(out)
    assert found.height == 59_000
    assert (found["base_scores_donor"] != found["base_donor"]).any()
    saved = MetaModel.load(out / "model")
    assert saved.learner["name"] in model
    assert pl.read_csv(out / "feature_manifest.csv").height == len(saved.features)
