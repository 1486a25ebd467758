"""Intervals by a paired block bootstrap: whole gene groups are drawn with replacement, the same ones for every arm.

A draw gives each group a multiplicity, and a ranking changes only through the counts of each group between its cuts. So
the counts are gathered once, and all draws are one matrix product; nothing is sorted or copied per draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.ranking import Flags, Scores, steps_of

Wide = npt.NDArray[np.float64]

LEVEL = 0.95
FEW_GROUPS = 10
"""Below this many groups with sites an interval says little, and is marked so."""

_BLOCK_CELLS = 1 << 24


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of the draws."""

    low: float
    high: float


def multiplicities(groups: int, draws: int, seed: int) -> npt.NDArray[np.float32]:
    """How often each group is drawn, shape (groups, draws); each draw takes `groups` groups."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).T.astype(np.float32)


def bootstrap_average_precision(
    scores: Scores, truth: Flags, group: npt.NDArray[np.int64], drawn: npt.NDArray[np.float32]
) -> Wide:
    """Average precision in each draw, shape (draws,); NaN in a draw that holds no true base.

    Parameters
    ----------
    scores, truth, group
        Of the bases, shape (n,); groups are numbered from 0.
    drawn
        From `multiplicities`.
    """
    groups, draws = drawn.shape
    steps = steps_of(scores, truth)
    flags, of_group = truth[steps.kept], group[steps.kept]
    order = np.argsort(steps.step, kind="stable")
    step, flags, of_group = steps.step[order], flags[order], of_group[order]
    found = np.zeros(draws)
    hits_before, calls_before = np.zeros(draws), np.zeros(draws)
    block = max(1, _BLOCK_CELLS // max(groups, draws))
    for first in range(0, steps.score.size, block):
        last = min(first + block, steps.score.size)
        rows = slice(int(np.searchsorted(step, first)), int(np.searchsorted(step, last)))
        cell = (step[rows] - first) * groups + of_group[rows]
        hits = _counts(cell[flags[rows]], last - first, groups) @ drawn
        calls = _counts(cell, last - first, groups) @ drawn
        hits_sum = hits_before + np.cumsum(hits, axis=0, dtype=np.float64)
        calls_sum = calls_before + np.cumsum(calls, axis=0, dtype=np.float64)
        found += (hits * hits_sum / np.maximum(calls_sum, 1e-300)).sum(axis=0)
        hits_before, calls_before = hits_sum[-1], calls_sum[-1]
    with np.errstate(invalid="ignore"):
        return np.where(hits_before > 0, found / np.where(hits_before > 0, hits_before, 1), np.nan)


def _counts(cells: npt.NDArray[np.int64], rows: int, groups: int) -> npt.NDArray[np.float32]:
    return np.bincount(cells, minlength=rows * groups).reshape(rows, groups).astype(np.float32)


def interval(values: Wide) -> Interval | None:
    """The middle 95 % of the draws that are numbers; None where fewer than half are."""
    usable = values[np.isfinite(values)]
    if usable.size < max(2, values.size // 2):
        return None
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
