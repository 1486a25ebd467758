"""Fitting the maps of `meta_spliceai.calibration` to sampled rows, each counting as the bases it stands for.

The parametric kinds maximise the weighted likelihood of labels; a weak prior keeps few data near the identity. The isotonic
map minimises weighted squares, which the likelihood of labels agrees with, and has no prior: it needs many sites.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from meta_spliceai.calibration import (
    CALIBRATION_KINDS,
    IDENTITY,
    BetaMap,
    CalibrationKind,
    CalibrationMap,
    IsotonicMap,
)
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.logistic import fit_logistic

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

CalibrationChoice = Literal["beta", "platt", "temperature", "isotonic", "none", "auto"]
CALIBRATION_CHOICES: tuple[CalibrationChoice, ...] = get_args(CalibrationChoice)
DEFAULT_CHOICE: CalibrationChoice = "beta"

SMALLEST_SLOPE = 0.05
"""Keeps maps increasing."""

_PRIOR = 1.0
_SMALLEST_LOG = -50.0
_SURE = 1e-9
"""No probability counts as surer than this when kinds are compared, or one site at a level of 0 would decide alone."""


def fit_calibration(
    log_p: Floats, log_not_p: Floats, label: BoolArray, weight: Floats, kind: CalibrationKind = "beta"
) -> CalibrationMap:
    """The map of a kind that fits labels best.

    Parameters
    ----------
    log_p, log_not_p
        ln p and ln(1 - p) of the scores, shape (n,).
    label, weight
        The truth, and how many bases each row stands for, shape (n,): weighted, the rows have the true prevalence.
    kind
        Of `CALIBRATION_KINDS`.
    """
    if kind == "none" or label.size == 0:
        return IDENTITY
    if kind == "isotonic":
        return _isotonic(np.exp(log_p), label, weight)
    x, y = np.maximum(log_p, _SMALLEST_LOG), np.maximum(log_not_p, _SMALLEST_LOG)
    one = np.ones_like(x)
    columns = {"beta": (x, -y, one), "platt": (x - y, one), "temperature": (x - y,)}[kind]
    slopes = len(columns) - (kind != "temperature")
    found = fit_logistic(
        columns,
        label,
        weight,
        start=[1.0] * slopes + [0.0] * (len(columns) - slopes),
        prior=[_PRIOR] * len(columns),
        lowest=[SMALLEST_SLOPE] * slopes + [-np.inf] * (len(columns) - slopes),
    ).tolist()
    a, b = found[0], found[slopes - 1]
    return BetaMap(a, b, found[-1] if kind != "temperature" else 0.0, kind)


def _isotonic(p: Floats, label: BoolArray, weight: Floats) -> IsotonicMap:
    """The non-decreasing function of p with the least weighted squares, straight between the ends of its level stretches."""
    # scores are kept as float32, so that is what may tie
    points, place = np.unique(p.astype(np.float32).astype(np.float64), return_inverse=True)
    total = np.bincount(place, weight)
    share = np.bincount(place, np.where(label, weight, 0.0)) / total
    level = np.clip(isotonic_regression(share, weights=total).x, 0.0, 1.0)
    end = np.ones(points.size, dtype=bool)
    end[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])
    return IsotonicMap(tuple(points[end].tolist()), tuple(level[end].tolist()))


def choose_calibration(
    log_p: Floats, log_not_p: Floats, label: BoolArray, weight: Floats, part: Indices
) -> CalibrationKind:
    """The kind with the least log loss on rows that it was not fitted on; the first of `CALIBRATION_KINDS` among equals.

    Parameters
    ----------
    log_p, log_not_p, label, weight
        As for `fit_calibration`.
    part
        Which part each row belongs to, shape (n,): each part in turn is mapped by what the others gave. With a single part
        nothing can be compared, and the default is taken.
    """
    parts = np.unique(part)
    if parts.size < 2:
        return "beta"
    loss = dict.fromkeys(CALIBRATION_KINDS, 0.0)
    probability = np.exp(log_p).astype(np.float32)
    for one in parts:
        held = part == one
        for kind in CALIBRATION_KINDS:
            fitted = fit_calibration(log_p[~held], log_not_p[~held], label[~held], weight[~held], kind)
            loss[kind] += log_loss(fitted.of_probability(probability[held]), label[held], weight[held])
    return min(CALIBRATION_KINDS, key=loss.__getitem__)


def log_loss(probability: npt.NDArray[np.float32], label: BoolArray, weight: Floats) -> float:
    """Weighted sum of -ln of the probability that was given to the truth."""
    given = np.where(label, probability, 1.0 - probability.astype(np.float64))
    return float(-(weight * np.log(np.maximum(given, _SURE))).sum())
