"""Cross-validation of three classes at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.crossval.run import cv
from meta_spliceai.train.classes import OUTPUTS, Objective
from tests.crossval.conftest import options
from tests.train.conftest import FOLDS, RECIPE, Inputs
from tests.train.test_run import predictions

SETTINGS: dict[Objective, dict[str, str]] = {
    "sigmoid": {"model": "log_reg"},
    "multiclass": {"model": '{"rounds": 20, "eta": 0.3, "min_child_weight": 1, "max_depth": 3}'},
}


@pytest.mark.rows("R23")
@pytest.mark.parametrize("objective", ["sigmoid", "multiclass"])
def test_three_classes_are_learnt_and_score_rows_and_bases_alike(
    inputs: Inputs, tmp_path: Path, objective: Objective
) -> None:
    out = tmp_path / "cv"
    result = cv(**options(inputs, out, objective=objective, arms=(), **SETTINGS[objective]))  # type: ignore[arg-type]
    saved = {path.relative_to(out / "folds").with_suffix("").as_posix() for path in (out / "folds").rglob("meta_*")}
    assert saved == {f"fold_{fold + 1}/meta_{output}" for fold in range(FOLDS) for output in OUTPUTS[objective]}

    bases = predictions(out)
    for kind in ("donor", "acceptor"):
        below = bases.filter(pl.col(f"base_{kind}") < RECIPE.gate)
        assert below[f"meta_{kind}"].equals(below[f"base_{kind}"].rename(f"meta_{kind}"))
    above = bases.filter(pl.min_horizontal("base_donor", "base_acceptor") >= RECIPE.gate)
    assert above.height
    assert (above["meta_donor"] + above["meta_acceptor"]).max() <= 1 + 1e-5  # type: ignore[operator]

    rows = pl.read_parquet(out / "predictions" / "rows.parquet")
    both = rows.join(bases, on=["chrom", "position", "strand"], suffix="_of_base", how="left")
    for name in ("meta_donor", "meta_acceptor"):
        np.testing.assert_allclose(both[name].to_numpy(), both[f"{name}_of_base"].to_numpy(), rtol=1e-3, atol=1e-6)

    found = result.pooled.filter(pl.col("arm") == "meta")["average_precision"]
    assert found.min() > 0.5  # type: ignore[operator]
    told = json.loads((out / "metrics.json").read_text())
    assert told["objective"] == objective
    assert "neither" in told["arms"][-1]["note"]
