"""Intervals by a paired block bootstrap: whole gene groups are drawn with replacement, the same ones for every arm.

A draw gives each group a multiplicity. Average precision under a draw depends only on how many sites and other bases of
each group lie above each cut, so all draws are a few matrix products of (counts by cut and group) and (multiplicity by
group and draw); nothing is sorted or copied per draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.tally import Counts, Tally

Wide = npt.NDArray[np.float64]
Drawn = npt.NDArray[np.float32]

LEVEL = 0.95
FEW_GROUPS = 10
"""With fewer groups that have sites an interval says little, and is marked so."""

BLOCK_CELLS = 1 << 22
"""Cells of the largest matrix at a time; bounds memory, changes no result."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of the draws, and the number of draws that gave a number."""

    low: float
    high: float
    draws: int


@dataclass(frozen=True, slots=True)
class Draws:
    """Measures by draw, each of shape (draws,); NaN in a draw without a true site.

    Top-k accuracy is a little coarser here than in `ranking`: the bases between the scores of two sites count as tied
    with the lower one, which moves a draw by less than one site in k.
    """

    average_precision: Wide
    top_k_accuracy: Wide


def multiplicities(groups: int, draws: int, seed: int) -> Drawn:
    """How often each group is drawn, shape (groups, draws); each draw takes `groups` groups."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).T.astype(np.float32)


def bootstrap(tally: Tally, drawn: Drawn) -> Draws:
    """Average precision and top-k accuracy in every draw.

    Parameters
    ----------
    tally
        The ranking.
    drawn
        From `multiplicities`.
    """
    draws = drawn.shape[1]
    sites = np.bincount(tally.site_group, minlength=drawn.shape[0]).astype(np.float64) @ drawn.astype(np.float64)
    precision, top = np.zeros(draws), np.full(draws, np.nan)
    hits_before, calls_before = np.zeros(draws), np.zeros(draws)
    for hits, others in _by_cut(tally, drawn):
        found = np.cumsum(hits, axis=0, dtype=np.float64)
        found += hits_before
        calls = np.cumsum(hits + others, axis=0, dtype=np.float64)
        calls += calls_before
        _fill_top_k(top, sites, hits, found, calls, hits_before, calls_before)
        hits_before, calls_before = found[-1].copy(), calls[-1].copy()
        np.maximum(calls, 1, out=calls)
        found *= hits
        found /= calls
        precision += found.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Draws(precision / sites, top)


def _by_cut(tally: Tally, drawn: Drawn) -> Iterator[tuple[Drawn, Drawn]]:
    """Sites and other bases first called at each cut, under each draw: blocks of shape (cuts, draws)."""
    groups, draws = drawn.shape
    rows = max(1, BLOCK_CELLS // max(groups, draws))
    for first in range(0, tally.cuts.size, rows):
        last = min(first + rows, tally.cuts.size)
        bounds = [first, last]
        site = slice(*np.searchsorted(tally.site_cut, bounds))
        cell = slice(*np.searchsorted(tally.cell_cut, bounds))
        shape = (last - first, groups)
        yield (
            _counts(tally.site_cut[site] - first, tally.site_group[site], None, shape) @ drawn,
            _counts(tally.cell_cut[cell] - first, tally.cell_group[cell], tally.cell_bases[cell], shape) @ drawn,
        )


def _counts(cut: Counts, group: Counts, bases: Counts | None, shape: tuple[int, int]) -> Drawn:
    counts = np.bincount(cut * shape[1] + group, bases, minlength=shape[0] * shape[1])
    return counts.reshape(shape).astype(np.float32)


def _fill_top_k(
    top: Wide, sites: Wide, hits: Drawn, found: Wide, calls: Wide, hits_before: Wide, calls_before: Wide
) -> None:
    """Set top-k accuracy of the draws whose k-th place falls into this block of cuts."""
    at = (calls < sites).sum(axis=0)
    here = np.flatnonzero((at < calls.shape[0]) & np.isnan(top) & (sites > 0))
    row = at[here]
    before = np.where(row > 0, calls[row - 1, here], calls_before[here])
    sure = np.where(row > 0, found[row - 1, here], hits_before[here])
    share = hits[row, here] / (calls[row, here] - before)
    top[here] = (sure + (sites[here] - before) * share) / sites[here]


def interval(values: Wide) -> Interval | None:
    """The middle 95 % of the draws that are numbers; None where fewer than half are.

    Draws that hold no true site are skipped, not drawn again; how many remain is part of the interval.
    """
    usable = values[np.isfinite(values)]
    if usable.size < max(2, values.size // 2):
        return None
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), int(usable.size))
