"""Do probabilities mean what they say, at the prevalence nature has?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meta_spliceai.evaluate.ranking import Flags, Scores

FROM = 0.01
"""Only bases with at least this probability enter the bins and the error: the others are nearly all true negatives."""

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Bases with similar probabilities: how many, their mean probability, and the share that is true."""

    bases: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability of one arm and site type.

    Parameters
    ----------
    bins
        Of equal numbers of bases, by ascending probability.
    expected_calibration_error
        Mean over the bases of the bins of |predicted - observed|; None where no base reaches `FROM`.
    brier
        Mean squared error over all bases.
    """

    bins: tuple[Bin, ...]
    expected_calibration_error: float | None
    brier: float


def calibration_of(probability: Scores, truth: Flags, bins: int = BINS) -> Calibration:
    """Reliability in bins of equal counts among bases with probability of at least `FROM`."""
    brier = float(np.mean((probability.astype(np.float64) - truth) ** 2))
    shown = np.flatnonzero(probability >= FROM)
    if shown.size == 0:
        return Calibration((), None, brier)
    order = shown[np.argsort(probability[shown], kind="stable")]
    parts = [part for part in np.array_split(order, min(bins, order.size)) if part.size]
    found = tuple(
        Bin(part.size, float(probability[part].mean(dtype=np.float64)), float(truth[part].mean())) for part in parts
    )
    error = sum(item.bases * abs(item.predicted - item.observed) for item in found) / order.size
    return Calibration(found, float(error), brier)
