"""Cross-validation as a whole, on the tiny genome."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.crossval import planning
from meta_spliceai.crossval.run import cv
from meta_spliceai.crossval.tables import FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE, row_table, scope_table
from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.evaluate.bootstrap import multiplicities
from meta_spliceai.evaluate.result import load_evaluation
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.schema.check import check_frame
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train import fit
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.plan import plan_training
from meta_spliceai.train.residual import Method
from meta_spliceai.train.split import SPLIT_TABLE
from meta_spliceai.train.split_file import read_split
from meta_spliceai.train.split_plan import split_plan
from tests.build.conftest import rows_of
from tests.crossval.conftest import DRAWS, options
from tests.train.conftest import FOLDS, RECIPE, Inputs
from tests.train.test_run import contents, other_dataset, predictions

KINDS = ("donor", "acceptor")
TRAINED = ("base_scores", "meta")
SHOWN = ("base", "recalibrated", *TRAINED)


def per_fold(folder: Path) -> pl.DataFrame:
    return read_tsv(folder / "per_fold.tsv", FOLD_TABLE)


def average_precision_slowly(scores: np.ndarray, truth: np.ndarray) -> float:
    """Sum over distinct scores of precision times the recall gained there."""
    total, before = 0.0, 0
    for cut in sorted(set(scores[truth].tolist()), reverse=True):
        called = scores >= cut
        hits = int((called & truth).sum())
        total += (hits - before) * hits / int(called.sum())
        before = hits
    return total / int(truth.sum())


def best_f1_slowly(scores: np.ndarray, truth: np.ndarray) -> float:
    def f1(cut: float) -> float:
        called = scores >= cut
        return 2 * int((called & truth).sum()) / (int(called.sum()) + int(truth.sum()))

    return max(sorted(set(scores[truth].tolist()), reverse=True), key=f1)


@pytest.mark.rows("R23")
def test_everything_promised_is_there_in_the_declared_columns(crossed: Path) -> None:
    for table in (FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE):
        read_tsv(crossed / f"{table.name}.tsv", table)
    check_frame(pl.read_parquet(crossed / "top_k_by_scope.parquet"), scope_table(SHOWN), source="scopes")
    metrics = json.loads((crossed / "metrics.json").read_text())
    assert metrics["folds"] == FOLDS
    assert metrics["row_cap"] is None
    assert "warning" not in metrics
    assert [row["arm"] for row in metrics["pooled"]["donor"]] == list(SHOWN)
    assert "acceptors" in (crossed / "summary.txt").read_text()
    assert read_manifest(crossed, "cross_validation", 1).complete


def test_each_row_of_the_dataset_is_scored_by_the_fold_that_held_its_gene_out(crossed: Path, inputs: Inputs) -> None:
    table = pl.read_parquet(crossed / "predictions" / "rows.parquet")
    check_frame(table, row_table(("base", *TRAINED)), source="rows")
    rows = rows_of(inputs.dataset)
    keys = ["gene_id", "chrom", "position", "strand", "splice_type"]
    assert table.select(pl.col(keys).cast(pl.String)).equals(rows.select(pl.col(keys).cast(pl.String)))
    split = read_tsv(crossed / "split.tsv", SPLIT_TABLE)
    fold_of = dict(split.select("gene_id", "fold").iter_rows())
    assert table["fold"].to_list() == [fold_of[gene] for gene in table["gene_id"].to_list()]
    np.testing.assert_allclose(table["inclusion_probability"].to_numpy(), rows["inclusion_probability"].to_numpy())
    here = table.join(predictions(crossed), on=["chrom", "position", "strand"], suffix="_of_base", how="left")
    for name in ("base_donor", "base_acceptor", "meta_donor", "meta_acceptor"):
        np.testing.assert_allclose(here[name].to_numpy(), here[f"{name}_of_base"].to_numpy(), rtol=1e-4, atol=1e-7)


def test_folds_are_measured_as_a_slow_twin_measures_them(crossed: Path) -> None:
    bases, found = predictions(crossed), per_fold(crossed)
    assert found.height == FOLDS * len(KINDS) * len(SHOWN)
    for row in found.iter_rows(named=True):
        inside = bases.filter(pl.col("fold") == row["fold"])
        scores, truth = (
            inside[f"{row['arm']}_{row['splice_type']}"].to_numpy(),
            inside[f"is_{row['splice_type']}"].to_numpy(),
        )
        assert (row["bases"], row["sites"]) == (inside.height, truth.sum())
        assert row["average_precision"] == pytest.approx(average_precision_slowly(scores, truth))
        assert row["average_precision_low"] <= row["average_precision_high"]
        if row["threshold"] is not None:
            called = scores >= np.float32(row["threshold"])
            assert row["false_positives"] == (called & ~truth).sum()
            assert row["false_negatives"] == (~called & truth).sum()


def test_errors_have_intervals_over_gene_groups_at_the_thresholds_given(crossed: Path) -> None:
    bases, pooled = predictions(crossed), read_tsv(crossed / "pooled.tsv", POOLED_TABLE)
    chosen = json.loads((crossed / "thresholds.json").read_text())["thresholds"]
    groups = bases["group"].unique().sort()
    drawn = multiplicities(groups.len(), DRAWS, 42).astype(int)
    for row in pooled.filter(pl.col("arm").is_in(["base", "meta"])).iter_rows(named=True):
        kind, arm = row["splice_type"], row["arm"]
        cuts = {c["fold"]: c["threshold"] for c in chosen if (c["splice_type"], c["arm"]) == (kind, arm)}
        counts = []
        for group in groups:
            own = bases.filter(group=group)
            cut = cuts[own["fold"][0]]
            called = own[f"{arm}_{kind}"].to_numpy() >= np.float32(np.inf if cut is None else cut)
            truth = own[f"is_{kind}"].to_numpy()
            counts.append(((called & truth).sum(), (called & ~truth).sum(), truth.sum()))
        by_draw = drawn @ np.array(counts)
        f1 = [2 * hits / (hits + false + sites) for hits, false, sites in by_draw]
        low, high = np.quantile(f1, [0.025, 0.975])
        assert (row["f1_low"], row["f1_high"]) == pytest.approx((low, high))
        assert row["recall_low"] <= row["recall"] <= row["recall_high"]
        assert row["top_k_accuracy_low"] <= row["top_k_accuracy_high"]
        hits, false, sites = np.array(counts).sum(axis=0)
        assert (row["false_positives"], row["false_negatives"]) == (false, sites - hits)


def test_a_threshold_is_the_best_of_the_other_folds_and_knows_nothing_of_its_own(crossed: Path) -> None:
    bases = predictions(crossed)
    chosen = json.loads((crossed / "thresholds.json").read_text())["thresholds"]
    assert len(chosen) == FOLDS * len(KINDS) * len(SHOWN)
    for one in chosen:
        assert one["fold"] not in one["chosen_on"]
        others = bases.filter(pl.col("fold").is_in(one["chosen_on"]))
        scores = others[f"{one['arm']}_{one['splice_type']}"].to_numpy()
        best = best_f1_slowly(scores, others[f"is_{one['splice_type']}"].to_numpy())
        assert one["threshold"] == pytest.approx(best, rel=1e-6)


def test_all_folds_together_are_what_evaluate_measures(crossed: Path, tmp_path: Path) -> None:
    again = evaluate(predictions=crossed / "predictions", out_dir=tmp_path, draws=DRAWS)
    assert load_evaluation(crossed / "evaluation").arms.equals(again.arms)
    pooled = read_tsv(crossed / "pooled.tsv", POOLED_TABLE)
    shared = [name for name in pooled.columns if name in again.arms.columns]
    assert pooled.select(shared).equals(again.arms.select(shared))
    by_fold = per_fold(crossed).group_by("splice_type", "arm").agg(mean=pl.col("average_precision").mean())
    both = pooled.join(by_fold, on=["splice_type", "arm"])
    np.testing.assert_allclose(both["fold_mean"].to_numpy(), both["mean"].to_numpy())


def test_a_saved_split_decides_the_folds_and_its_test_genes_stay_untouched(inputs: Inputs, tmp_path: Path) -> None:
    split_plan(reference=inputs.reference, folds=2, test_size=0.3, out=tmp_path / "split.tsv")
    saved = read_split(tmp_path / "split.tsv").table
    out = tmp_path / "cv"
    result = cv(**options(inputs, out, split=str(tmp_path / "split.tsv"), arms=()))  # type: ignore[arg-type]
    measured = saved.filter(pl.col("fold") >= 0)
    assert (result.about["folds"], result.about["genes"]) == (2, measured.height)
    groups = set(measured["group"])
    assert set(predictions(out)["group"]) == groups
    assert set(pl.read_parquet(out / "predictions" / "rows.parquet")["gene_id"]) <= set(measured["gene_id"])
    assert set(pl.read_parquet(out / "top_k_by_scope.parquet")["gene_id"]) <= set(measured["gene_id"])


def test_genes_are_divided_by_chromosome_when_asked(inputs: Inputs, tmp_path: Path) -> None:
    cv(**options(inputs, tmp_path / "cv", split="chromosome", folds=2, arms=()))  # type: ignore[arg-type]
    split = read_tsv(tmp_path / "cv" / "split.tsv", SPLIT_TABLE).filter(pl.col("fold") >= 0)
    assert split.group_by("chrom").agg(pl.col("fold").n_unique())["fold"].unique().to_list() == [1]


def _plan(inputs: Inputs, *, folds: int) -> Any:
    return plan_training(
        dataset=inputs.dataset, reference=inputs.reference, eval_dir=inputs.eval_dir, feature_profile="de_novo", arms=(), split="family",
        folds=folds, test_size=0.0, seed=42, threads=1, method=Method(), similarity=Similarity(),
    )  # fmt: skip


@pytest.mark.rows("R23")
def test_a_row_cap_is_loud_and_marks_every_result(
    inputs: Inputs, tmp_path: Path, caplog: pytest.LogCaptureFixture, crossed: Path
) -> None:
    rows = rows_of(inputs.dataset).height
    cap = rows * 2 // 3
    out = tmp_path / "cv"
    with caplog.at_level(logging.WARNING):
        result = cv(**options(inputs, out, row_cap=cap, arms=()))  # type: ignore[arg-type]
    assert any("--row-cap" in record.message and record.levelname == "WARNING" for record in caplog.records)
    mark = f"ROW CAP: models learnt from {cap:,} of {rows:,} rows"
    assert mark in result.summary()
    assert mark in (out / "summary.txt").read_text()
    for name in ("metrics.json", "thresholds.json"):
        told = json.loads((out / name).read_text())
        assert (told["row_cap"], told["warning"].startswith(mark)) == (cap, True)
    for name in ("predictions/predictions.json", "evaluation/metrics.json"):
        assert json.loads((out / name).read_text())["row_cap"] == cap
    for table in (FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE):
        assert read_tsv(out / f"{table.name}.tsv", table)["row_cap"].unique().to_list() == [cap]
    capped, whole = predictions(out), predictions(crossed)
    assert capped.height == whole.height
    assert not np.array_equal(capped["meta_donor"].to_numpy(), whole["meta_donor"].to_numpy())


def test_a_cap_above_the_rows_is_none(inputs: Inputs, caplog: pytest.LogCaptureFixture) -> None:
    plan = _plan(inputs, folds=2)
    assert planning.capped(plan, rows_of(inputs.dataset).height) is plan
    assert planning.capped(plan, None) is plan
    assert not caplog.records


def test_capped_rows_stand_for_those_left_out(inputs: Inputs) -> None:
    plan = planning.capped(_plan(inputs, folds=2), 100)
    drawn, stands_for = fit.FoldFitter(plan)._drawn
    assert (drawn.sum(), drawn.size) == (100, rows_of(inputs.dataset).height)
    assert stands_for == pytest.approx(drawn.size / 100)


@pytest.mark.rows("R23")
def test_a_cross_validation_killed_at_any_part_resumes_to_the_same_bytes(
    inputs: Inputs, crossed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cv"
    given = options(inputs, out, threads=1)
    told = {
        "paths": {name: str(given.pop(name)) for name in ("dataset", "reference", "eval_dir", "out_dir")},
        "recipe": dataclasses.asdict(RECIPE),
        "options": {name: value for name, value in given.items() if name != "recipe"},
    }
    for part in ("fold_2", "measures"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.crossval.kill_driver"],
            input=json.dumps({**told, "die_at": part}), capture_output=True, text=True, check=False,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        manifest = read_manifest(out, "cross_validation", 1)
        assert part not in manifest.parts
        assert "fold_1" in manifest.parts
    cv(**options(inputs, out))  # type: ignore[arg-type]
    assert contents(out) == contents(crossed)


def test_a_finished_cross_validation_is_left_as_it_is(
    crossed: Path, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(crossed)
    monkeypatch.setattr(fit.FoldFitter, "fit_fold", None)
    monkeypatch.setattr("meta_spliceai.crossval.run.evaluate", None)
    result = cv(**options(inputs, crossed))  # type: ignore[arg-type]
    assert result.main_table() + "\n" == (crossed / "summary.txt").read_text()
    assert contents(crossed) == before


def test_more_folds_than_groups_are_refused(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(GeneError, match="at least 90 gene groups for 90 folds"):
        cv(**options(inputs, tmp_path / "cv", folds=90))  # type: ignore[arg-type]
    assert not (tmp_path / "cv").exists()


def test_one_gene_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    single = other_dataset(inputs, tmp_path / "dataset", "PLUSALT")
    with pytest.raises(GeneError) as caught:
        cv(**options(single, tmp_path / "cv"))  # type: ignore[arg-type]
    assert caught.value.found == "1 groups of 1 genes"


def test_a_fold_without_true_sites_is_refused_by_its_genes(inputs: Inputs, tmp_path: Path) -> None:
    few = other_dataset(inputs, tmp_path / "dataset", "PLUSALT", "ONEEXON", "NOTHING")
    with pytest.raises(GeneError, match="true donors and acceptors in each of 3 folds") as caught:
        cv(**options(few, tmp_path / "cv"))  # type: ignore[arg-type]
    assert caught.value.found.startswith("no donors and no acceptors in fold ")
    assert not (tmp_path / "cv").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("split", "exon"),
        ("objective", "ordinal"),
        ("row_cap", 0),
        ("draws", 1),
        ("weights", "some"),
        ("folds", 1),
        ("model", "oracle"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    inputs: Inputs, tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(InputError):
        cv(**options(inputs, tmp_path / "cv", **{name: value}))  # type: ignore[arg-type]
    assert not (tmp_path / "cv").exists()


def test_a_changed_fold_is_made_again(crossed: Path, inputs: Inputs, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(crossed, tmp_path / "cv"))
    (copy / "pooled.tsv").write_text("nothing")
    cv(**options(inputs, copy))  # type: ignore[arg-type]
    assert contents(copy) == contents(crossed)
