"""The rows of the dataset, each scored by a model that had not seen its gene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.crossval.tables import row_table
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.arms import BASE, RECALIBRATED
from meta_spliceai.train.matrix import row_groups
from meta_spliceai.train.parts import RunParts
from meta_spliceai.train.plan import TrainPlan


def arms_of_rows(plan: TrainPlan) -> tuple[str, ...]:
    """The arms of the table: those of the predictions, but for one that only calibration tells from the base model."""
    return tuple(arm.name for arm in plan.reported_arms if arm != RECALIBRATED)


def write_rows(path: Path, plan: TrainPlan, parts: RunParts) -> int:
    """Write `row_table`, whole or not at all; returns the rows."""
    rows, fold, scores = parts.rows_out_of_fold()
    of_arm = {**scores, BASE.name: scores[RECALIBRATED.name]}
    arms = arms_of_rows(plan)
    table = row_table(arms)
    done = 0
    with TableWriter(path, table) as writer:
        for _, _, light in row_groups(plan.dataset, ["splice_type", "inclusion_probability"]):
            here = slice(done, done + light.height)
            columns = {
                f"{arm}_{kind}": np.exp(of_arm[arm][kind].log_p[here]).astype(np.float32)
                for arm in arms
                for kind in SITE_TYPES
            }
            keys = rows.keys[here.start : here.stop]
            frame = keys.with_columns(light.get_columns()).with_columns(
                fold=pl.Series(fold[here], dtype=pl.Int8), **{name: pl.Series(one) for name, one in columns.items()}
            )
            writer.append(table.conform(frame.filter(pl.col("fold") >= 0)))
            done += light.height
    return writer.rows
