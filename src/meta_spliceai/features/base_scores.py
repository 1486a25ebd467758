"""What the base model's scores say about a base: its own, its neighbours', and those within `REACH` nt.

Every formula is computed in float64 from the float32 scores and rounded once, so differences of nearly equal scores
keep their digits. With e = 1e-10 in every denominator and logarithm all values are finite for all scores from 0 to 1;
a ratio whose denominator is a zero score is then as large as 1e10 (and a ratio of two such ratios 1e20), which says
"nothing beside it" and is one end of the order that trees look at. The one denominator that may be negative,
acceptor_signal_strength + e, is replaced by e where it is exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.features.neighbourhood import next_distances, window_maxima
from meta_spliceai.features.stretch import Floats, Indices, RowChoice, Stretch, require_reach, tiles
from meta_spliceai.schema.features import BASE_SCORE_FEATURES, CHANNELS, DISTANCE_THRESHOLDS, REACH

EPSILON = 1e-10
LOGIT_MARGIN = 1e-7
PEAK_FLOOR = 0.001
"""Scores up to this are noise of the base model, never a local peak."""

Doubles = npt.NDArray[np.float64]


def base_score_features(stretch: Stretch, index: npt.ArrayLike) -> dict[str, Floats]:
    """All `BASE_SCORE_FEATURES` of bases of a stretch, in declared order.

    Parameters
    ----------
    stretch
        Bases and scores in the direction of transcription.
    index
        0-based indices into the stretch, shape (n,), in any order.

    Returns
    -------
    dict
        Feature name to float32 of shape (n,). The values of a row depend on nothing but the scores within `REACH`
        bases of it, so rows may be computed together or in pieces.

    Raises
    ------
    ValueError
        A base has fewer than `REACH` bases on one side.
    """
    rows = np.asarray(index, dtype=np.int64)
    require_reach(rows, REACH, REACH, stretch.length)
    columns = dict(
        zip(
            (column.name for column in BASE_SCORE_FEATURES),
            np.empty((len(BASE_SCORE_FEATURES), rows.size), dtype=np.float32),
            strict=True,
        )
    )
    for chosen in tiles(rows):
        _fill(columns, chosen, stretch, rows[chosen])
    return columns


def _fill(columns: dict[str, Floats], chosen: RowChoice, stretch: Stretch, index: Indices) -> None:
    first, last = int(index.min()) - REACH, int(index.max()) + REACH + 1
    local = index - first
    donor, acceptor = stretch.donor[first:last], stretch.acceptor[first:last]
    columns["spread"][chosen] = stretch.spread[index]
    for name, values in _local_features(donor, acceptor, local).items():
        columns[name][chosen] = values
    for channel, scores in zip(CHANNELS, (donor, acceptor), strict=True):
        for (direction, near, far), maxima in window_maxima(scores, local):
            columns[f"{channel}_max_{direction}_{near}_{far}"][chosen] = maxima
        for suffix, threshold in DISTANCE_THRESHOLDS:
            up, down = next_distances(scores, local, threshold)
            columns[f"{channel}_distance_up_{suffix}"][chosen] = up
            columns[f"{channel}_distance_down_{suffix}"][chosen] = down
            if threshold == 0.5:
                columns[f"distance_to_nearest_{channel}"][chosen] = np.minimum(up, down)


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """A base's value and those up to two bases before (m) and after (p) it, each of shape (n,)."""

    m2: Doubles
    m1: Doubles
    s: Doubles
    p1: Doubles
    p2: Doubles

    @classmethod
    def of(cls, values: Floats, index: Indices) -> _Neighbours:
        return cls(*(values[index + offset].astype(np.float64) for offset in (-2, -1, 0, 1, 2)))

    def plus(self, other: _Neighbours) -> _Neighbours:
        """The sum of both, at most 1: base models that score the two types apart may exceed it."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return _Neighbours(*(np.minimum(mine + theirs, 1.0) for mine, theirs in pairs))

    @property
    def mean_beside(self) -> Doubles:
        return (self.m2 + self.m1 + self.p1 + self.p2) / 4

    @property
    def max_beside(self) -> Doubles:
        return np.maximum(np.maximum(self.m2, self.m1), np.maximum(self.p1, self.p2))


def _local_features(donor: Floats, acceptor: Floats, index: Indices) -> dict[str, npt.NDArray[np.generic]]:
    d, a = _Neighbours.of(donor, index), _Neighbours.of(acceptor, index)
    features: dict[str, npt.NDArray[np.generic]] = {}
    features |= _own_scores(d.s, a.s)
    features |= _context(d.plus(a))
    features |= _relations(d.s, a.s)
    features |= _beside("donor", d) | _beside("acceptor", a)
    donor_strength, acceptor_strength = d.s - d.mean_beside, a.s - a.mean_beside
    donor_height, acceptor_height = d.s / (d.mean_beside + EPSILON), a.s / (a.mean_beside + EPSILON)
    strength_below = acceptor_strength + EPSILON
    features["donor_acceptor_peak_ratio"] = donor_height / (acceptor_height + EPSILON)
    features["type_signal_difference"] = donor_strength - acceptor_strength
    features["signal_strength_ratio"] = donor_strength / np.where(strength_below == 0, EPSILON, strength_below)
    return features


def _neither(d: Doubles, a: Doubles) -> Doubles:
    return np.clip(1 - d - a, 0, 1)


def logit(probability: npt.ArrayLike) -> Doubles:
    """ln(p / (1 - p)) in float64, shape kept, with p kept within `LOGIT_MARGIN` of 0 and 1."""
    kept = np.clip(np.asarray(probability, dtype=np.float64), LOGIT_MARGIN, 1 - LOGIT_MARGIN)
    return np.log(kept / (1 - kept))


def _own_scores(d: Doubles, a: Doubles) -> dict[str, Doubles]:
    return {
        "donor_score": d,
        "acceptor_score": a,
        "neither_score": _neither(d, a),
        "score": np.maximum(d, a),
        "donor_logit": logit(d),
        "acceptor_logit": logit(a),
    }


def _context(c: _Neighbours) -> dict[str, Doubles]:
    return {
        "context_score_m2": c.m2,
        "context_score_m1": c.m1,
        "context_score_p1": c.p1,
        "context_score_p2": c.p2,
        "context_neighbor_mean": c.mean_beside,
        "context_asymmetry": (c.m1 + c.m2) - (c.p1 + c.p2),
        "context_max": c.max_beside,
    }


def _relations(d: Doubles, a: Doubles) -> dict[str, Doubles]:
    n, larger = _neither(d, a), np.maximum(d, a)
    entropy = d * np.log(d + EPSILON) + a * np.log(a + EPSILON) + n * np.log(n + EPSILON)
    return {
        "relative_donor_probability": d / (d + a + EPSILON),
        "splice_probability": (d + a) / (d + a + n + EPSILON),
        "donor_acceptor_diff": (d - a) / (larger + EPSILON),
        "splice_neither_diff": (larger - n) / (np.maximum(larger, n) + EPSILON),
        "donor_acceptor_logodds": np.log(d + EPSILON) - np.log(a + EPSILON),
        "splice_neither_logodds": np.log(d + a + EPSILON) - np.log(n + EPSILON),
        "probability_entropy": -entropy,
        "score_difference_ratio": (d - a) / (d + a + EPSILON),
    }


def _beside(channel: str, x: _Neighbours) -> dict[str, npt.NDArray[np.generic]]:
    mean, s = x.mean_beside, x.s
    features: dict[str, npt.NDArray[np.generic]] = {
        "diff_m1": s - x.m1,
        "diff_m2": s - x.m2,
        "diff_p1": s - x.p1,
        "diff_p2": s - x.p2,
        "surge_ratio": s / (x.m1 + x.p1 + EPSILON),
        "is_local_peak": (s > x.m1) & (s > x.p1) & (s > PEAK_FLOOR),
        "weighted_context": 0.1 * x.m2 + 0.2 * x.m1 + 0.4 * s + 0.2 * x.p1 + 0.1 * x.p2,
        "peak_height_ratio": s / (mean + EPSILON),
        "second_derivative": 2 * s - x.m1 - x.p1,
        "signal_strength": s - mean,
        "context_diff_ratio": s / (x.max_beside + EPSILON),
    }
    return {f"{channel}_{name}": values for name, values in features.items()}
