"""`--calibration`: each kind is fitted on the other folds, recorded, and touches no ranking."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import polars.testing
import pytest
from sklearn.isotonic import IsotonicRegression

from meta_spliceai.calibration import map_from_json
from meta_spliceai.crossval.run import cv
from meta_spliceai.errors import InputError, PlanMismatchError
from meta_spliceai.reference.load import load
from meta_spliceai.train.calibrate import CalibrationChoice, choose_calibration
from meta_spliceai.train.model import MetaModel
from meta_spliceai.train.run import train
from tests.crossval.conftest import options
from tests.train.conftest import Inputs

KINDS: tuple[CalibrationChoice, ...] = ("isotonic", "auto", "none")


@pytest.fixture(scope="module")
def runs(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished cross-validations by kind."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        cv(**options(inputs, folder / kind, calibration=kind))  # type: ignore[arg-type]
    return {kind: folder / kind for kind in KINDS}


def rows_of(run: Path, inputs: Inputs) -> pl.DataFrame:
    """The rows out of fold with `weight`, the bases that each stands for, and what the annotation says of their base."""
    rows = pl.read_parquet(run / "predictions" / "rows.parquet")
    reference = load(inputs.reference)
    genes = reference.genes.select("chrom", "strand", "start", "end")
    base = ["chrom", "strand", "position"]
    held = (
        rows.select(base)
        .unique()
        .join(genes, on=["chrom", "strand"])
        .filter(pl.col("position").is_between(pl.col("start"), pl.col("end")))
        .group_by(base)
        .agg(genes=pl.len())
    )
    rows = rows.join(held, on=base, how="left", maintain_order="left")
    for kind in ("donor", "acceptor"):
        sites = reference.splice_sites().filter(splice_type=kind).select(base).unique()
        rows = rows.join(sites.with_columns(**{f"is_{kind}": True}), on=base, how="left", maintain_order="left")
    return rows.with_columns(
        pl.col("is_donor", "is_acceptor").fill_null(value=False),
        weight=1 / pl.col("inclusion_probability") / pl.col("genes"),
    )


def recorded(run: Path) -> dict[str, dict[str, dict[str, str]]]:
    found = json.loads((run / "metrics.json").read_text())["calibration"]
    assert found == json.loads((run / "evaluation" / "metrics.json").read_text())["calibration"]
    return dict(found["kinds"])


def test_no_kind_changes_a_ranking_or_a_threshold(runs: dict[str, Path], crossed: Path) -> None:
    ranked = [
        "fold", "splice_type", "arm", "average_precision", "difference", "top_k_accuracy", "threshold",
        "false_positives", "false_negatives", "f1",
    ]  # fmt: skip
    expected = pl.read_csv(crossed / "per_fold.tsv", separator="\t").select(ranked)
    for run in runs.values():
        pl.testing.assert_frame_equal(pl.read_csv(run / "per_fold.tsv", separator="\t").select(ranked), expected)
        assert (run / "top_k.tsv").read_bytes() == (crossed / "top_k.tsv").read_bytes()


def test_every_map_is_recorded_with_its_kind(runs: dict[str, Path], crossed: Path) -> None:
    for kind, run in {**runs, "beta": crossed}.items():
        kinds = {one for by_type in recorded(run).values() for by_fold in by_type.values() for one in by_fold.values()}
        assert kinds <= {"none", "temperature", "platt", "beta", "isotonic"}
        if kind != "auto":
            assert kinds == {kind}


def test_an_isotonic_map_is_scikit_learns_of_the_other_folds(runs: dict[str, Path], inputs: Inputs) -> None:
    rows = rows_of(runs["isotonic"], inputs)
    entries = json.loads((runs["isotonic"] / "predictions" / "predictions.json").read_text())["calibrations"]
    entry = next(e for e in entries if (e["fold"], e["arm"], e["splice_type"]) == (1, "meta", "acceptor"))
    others = rows.filter(pl.col("fold") != 1)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(
        others["meta_acceptor"].cast(pl.Float64),  # scikit-learn takes float32 numbers within 1e-6 for one
        others["is_acceptor"].to_numpy(),
        sample_weight=others["weight"].to_numpy(),
    )
    held = rows.filter(pl.col("fold") == 1)["meta_acceptor"].to_numpy()
    np.testing.assert_allclose(map_from_json(entry).of_probability(held), theirs.predict(held), atol=1e-5)


def test_auto_is_chosen_on_the_other_folds_alone(runs: dict[str, Path], inputs: Inputs) -> None:
    rows, kinds = rows_of(runs["auto"], inputs), recorded(runs["auto"])
    for arm in ("base_scores", "meta"):
        for kind in ("donor", "acceptor"):
            for fold in rows["fold"].unique().to_list():
                others = rows.filter(pl.col("fold") != fold)
                p = others[f"{arm}_{kind}"].to_numpy().astype(np.float64)
                with np.errstate(divide="ignore"):
                    logs = np.log(p), np.log1p(-p)
                chosen = choose_calibration(
                    *logs, others[f"is_{kind}"].to_numpy(), others["weight"].to_numpy(), others["fold"].to_numpy()
                )  # fmt: skip
                assert kinds[arm][kind][str(fold)] == chosen


def test_a_folder_of_another_kind_is_not_mixed(runs: dict[str, Path], inputs: Inputs) -> None:
    with pytest.raises(PlanMismatchError, match="calibration"):
        cv(**options(inputs, runs["isotonic"], calibration="platt"))  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--calibration beta, platt, temperature, isotonic, none, auto"):
        cv(**options(inputs, tmp_path / "cv", calibration="spline"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--calibration with cross-validation"):
        train(**inputs.options(out_dir=tmp_path / "single", single_split=True, calibration="platt"))


def test_two_folds_leave_enough_to_choose_on(inputs: Inputs, tmp_path: Path) -> None:
    run = tmp_path / "cv"
    cv(**options(inputs, run, calibration="auto", folds=2, arms=("base_scores",)))  # type: ignore[arg-type]
    assert set(recorded(run)["base_scores"]["donor"]) == {"-1", "0", "1"}


def test_a_saved_model_keeps_its_kind(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**inputs.options(out_dir=out, arms=("meta",), calibration="isotonic"))
    model = MetaModel.load(out)
    assert {one.kind for one in model.calibration.values()} == {"isotonic"}
    assert "ties bases whose scores differed" in (out / "model" / "model_card.md").read_text()
    pickled = MetaModel.load(out / "model" / "model.pkl", trust_pickle=True)
    assert pickled.calibration == model.calibration
