"""Do probabilities mean what they say, at the prevalence nature has?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.calibration import CalibrationMap
from meta_spliceai.evaluate.tally import CHUNK, Flags, Scores

FROM = 0.01
"""Only bases with at least this probability enter the bins and the error: the others are nearly all no sites, and their
sheer number would make any model look calibrated."""

EQUAL_COUNT, FIXED = "equal_count", "fixed"
EQUAL_BINS = 10
FIXED_EDGES = (FROM, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The same bins for every arm, so that their shares can be compared."""

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Bin:
    """Bases with similar probabilities.

    Parameters
    ----------
    bases, sites
        How many there are, and how many of them are true sites.
    predicted, observed
        Mean probability, and share of true sites.
    low, high
        Wilson's 95 % interval of the share, as if bases were independent.
    """

    bases: int
    sites: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability of one arm and site type.

    Parameters
    ----------
    bins
        By kind of bins (EQUAL_COUNT, FIXED), by ascending probability; empty bins are left out.
    expected_calibration_error
        Mean over the bases of the bins of equal counts of |predicted - observed|; None where no base reaches `FROM`.
    brier
        Mean squared error over all bases.
    predicted_sites
        Sum of the probabilities of all bases; the number of sites for a model that is calibrated on the whole.
    """

    bins: dict[str, tuple[Bin, ...]]
    expected_calibration_error: float | None
    brier: float
    predicted_sites: float


def calibration_of(probability: Scores, truth: Flags) -> Calibration:
    """Reliability among bases with a probability of at least `FROM`, and Brier score over all bases."""
    shown = probability >= FROM
    high, true = probability[shown].astype(np.float64), truth[shown]
    edges = {EQUAL_COUNT: equal_count_edges(high), FIXED: np.array(FIXED_EDGES)}
    bins = {name: tuple(_bins(high, true, found)) for name, found in edges.items()}
    equal = bins[EQUAL_COUNT]
    error = sum(item.bases * abs(item.predicted - item.observed) for item in equal) / high.size if equal else None
    total = float(probability.sum(dtype=np.float64))
    # the sum of (p - t)^2 without a second array of that size: sum p^2 - 2 sum of p at sites + number of sites
    squares = float(np.einsum("i,i->", probability, probability, dtype=np.float64))
    at_sites = float(probability[truth].sum(dtype=np.float64))
    brier = (squares - 2 * at_sites + int(truth.sum())) / truth.size
    return Calibration(bins, error, brier, total)


def mapped_by_fold(probability: Scores, fold: npt.NDArray[np.int8], maps: Mapping[int, CalibrationMap]) -> Scores:
    """Each base mapped by its own fold's map, which was fitted on the other folds; folds without a map stay as they are.

    A model in use has one map for all genes, which never puts a base before a better one, so calibration gains nothing in
    ranking. Rankings and cuts are therefore measured on the scores as they are, and only calibration on the mapped ones.
    """
    mapped = probability.copy()
    for first in range(0, probability.size, CHUNK):
        rows = slice(first, first + CHUNK)
        for number, own in maps.items():
            of_fold = np.flatnonzero(fold[rows] == number) + first
            mapped[of_fold] = own.of_probability(probability[of_fold])
    return mapped


def equal_count_edges(probability: npt.NDArray[np.float64], bins: int = EQUAL_BINS) -> npt.NDArray[np.float64]:
    """Edges of up to `bins` bins with equal numbers of bases; equal probabilities always share a bin."""
    if probability.size == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1), method="higher"))
    return edges if edges.size > 1 else np.repeat(edges, 2)


def _bins(probability: npt.NDArray[np.float64], truth: Flags, edges: npt.NDArray[np.float64]) -> Iterator[Bin]:
    """The bins [edge, next edge), the last one closed, that hold a base."""
    inner = edges[1:-1]
    place = np.searchsorted(inner, probability, side="right")
    bases = np.bincount(place, minlength=inner.size + 1)
    sites = np.bincount(place[truth], minlength=inner.size + 1)
    total = np.bincount(place, probability, minlength=inner.size + 1)
    for n, found, mass in zip(bases.tolist(), sites.tolist(), total.tolist(), strict=True):
        if n:
            yield Bin(n, found, mass / n, found / n, *_wilson(found, n))


def _wilson(found: int, n: int) -> tuple[float, float]:
    share, z = found / n, _Z**2 / n
    middle = (share + z / 2) / (1 + z)
    half = _Z * np.sqrt(share * (1 - share) / n + z / (4 * n)) / (1 + z)
    # the interval holds the share; rounding must not push an end past it where the share is 0 or 1
    return max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))
