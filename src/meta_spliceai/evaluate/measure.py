"""One site type, all arms: every measure of every arm on the same bases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate import thresholds as cuts
from meta_spliceai.evaluate.bases import Bases
from meta_spliceai.evaluate.bootstrap import FEW_GROUPS, Draws, Drawn, bootstrap, interval
from meta_spliceai.evaluate.calibration import calibration_of
from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.ranking import (
    average_precision,
    group_average_precision,
    precision_recall_curve,
    top_k_accuracy,
)
from meta_spliceai.evaluate.strata import ALL, FEW_SITES, STRATA, TRAITS, Stratum, without_class
from meta_spliceai.evaluate.tally import Flags, Scores, Tally, tally_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of every table, as they are found."""

    ranking: list[Row] = field(default_factory=list)
    contrasts: list[Row] = field(default_factory=list)
    thresholds: list[Row] = field(default_factory=list)
    calibration: list[Row] = field(default_factory=list)
    calibration_summary: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    per_group: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One arm in one stratum; None where there are too few sites."""

    average_precision: float | None
    top_k_accuracy: float | None
    draws: Draws | None


@dataclass(frozen=True, slots=True)
class _Stratum:
    """A stratum of one site type: how many sites, bases and groups with sites it holds."""

    stratum: Stratum
    sites: int
    bases: int
    groups: int


def measure_kind(
    predictions: Predictions, bases: Bases, kind: str, drawn: Drawn, rows: Rows, arm_done: Callable[[], None]
) -> None:
    """Measure all arms on one site type and add what is found to `rows`.

    Parameters
    ----------
    drawn
        From `multiplicities`, the same for every arm.
    arm_done
        Called after each arm.
    """
    truth: Flags = predictions.column(f"is_{kind}")
    strata = _strata_of(bases, truth)
    reference = _Arm.measured(predictions, bases, predictions.reference_arm, kind, truth, strata, drawn)
    budget = cuts.budget_of(reference.counts)
    before: list[_Arm] = []
    for arm in predictions.arms:
        measured = (
            reference
            if arm.name == predictions.reference_arm
            else _Arm.measured(predictions, bases, arm.name, kind, truth, strata, drawn)
        )
        rows.ranking.extend(_ranking_rows(kind, measured, reference, strata))
        rows.contrasts.extend(_contrast_rows(kind, measured, before))
        rows.thresholds.append(_threshold_row(kind, measured, budget, bases))
        rows.calibration.extend(measured.calibration_rows)
        rows.calibration_summary.append(measured.calibration_summary)
        rows.curves.extend(measured.curve_rows)
        rows.per_group.extend(measured.group_rows)
        before.append(measured)
        arm_done()
