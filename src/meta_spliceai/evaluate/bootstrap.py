"""Intervals by a paired block bootstrap: whole gene groups are drawn with replacement, the same ones for every arm.

A draw gives each group a multiplicity. Average precision under a draw depends only on how many sites and other bases of
each group lie above each cut, so all draws are a few matrix products of (multiplicity by draw and group) and (counts by
group and cut); nothing is sorted or copied per draw.
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
    """How often each group is drawn, shape (draws, groups); each draw takes `groups` groups."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float32)


def bootstrap(tally: Tally, drawn: Drawn) -> Draws:
    """Average precision and top-k accuracy in every draw.

    Average precision is the mean over true sites, each as often as its group is drawn, of the precision at its cut.

    Parameters
    ----------
    tally
        The ranking.
    drawn
        From `multiplicities`.
    """
    draws, groups = drawn.shape
    number = drawn.astype(np.float64) @ np.bincount(tally.site_group, minlength=groups)
    precision, top = np.zeros(draws), np.full(draws, np.nan)
    hits_before, calls_before = np.zeros(draws, np.float32), np.zeros(draws, np.float32)
    for weight, hits, calls in _by_site(tally, drawn):
        _fill_top_k(top, number, hits, calls, hits_before, calls_before)
        hits_before, calls_before = hits[:, -1].copy(), calls[:, -1].copy()
        np.maximum(calls, 1, out=calls)
        np.divide(hits, calls, out=calls)
        precision += np.einsum("ds,ds->d", weight, calls, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Draws(precision / number, top)


def bootstrap_within_folds(tally: Tally, drawn: Drawn, fold_of_group: Counts) -> Wide:
    """`average_precision_within_folds` in every draw, shape (draws,); NaN in a draw without a true site.

    Parameters
    ----------
    fold_of_group
        The fold of each gene group, shape (groups,).
    """
    total, number = np.zeros(drawn.shape[0]), np.zeros(drawn.shape[0])
    for fold in np.unique(fold_of_group):
        inside = np.flatnonzero(fold_of_group == fold)
        part, own = tally.of_groups(inside), drawn[:, inside]
        sites = own.astype(np.float64) @ np.bincount(part.site_group, minlength=inside.size)
        total += sites * np.nan_to_num(bootstrap(part, own).average_precision)
        number += sites
    with np.errstate(invalid="ignore"):
        return total / number


def _by_site(tally: Tally, drawn: Drawn) -> Iterator[tuple[Drawn, Drawn, Drawn]]:
    """Under each draw, for each true site: its weight, and the true sites and all bases called at its cut.

    Blocks of shape (draws, sites), by ascending cut. Counts of bases are whole numbers that float32 holds exactly up to
    16 million, and to seven digits beyond.
    """
    draws, groups = drawn.shape
    cuts = max(1, BLOCK_CELLS // max(groups, draws))
    hits_before, others_before = np.zeros((draws, 1), np.float32), np.zeros((groups, 1))
    for first in range(0, tally.cuts.size, cuts):
        width = min(cuts, tally.cuts.size - first)
        site = slice(*np.searchsorted(tally.site_cut, [first, first + width]))
        cell = slice(*np.searchsorted(tally.cell_cut, [first, first + width]))
        where = tally.cell_group[cell] * width + tally.cell_cut[cell] - first
        counts = np.bincount(where, tally.cell_bases[cell], minlength=groups * width).reshape(groups, width)
        others = np.cumsum(counts, axis=1, dtype=np.float64)
        others += others_before
        others_before = others[:, -1:].copy()
        at = tally.site_cut[site]
        if at.size:
            weight = drawn[:, tally.site_group[site]]
            hits = np.cumsum(weight, axis=1)
            hits += hits_before
            hits_before = hits[:, -1:].copy()
            hits = hits[:, np.searchsorted(at, at, side="right") - 1]  # ties are called together
            calls = (drawn @ others.astype(np.float32))[:, at - first]
            calls += hits
            yield weight, hits, calls


def _fill_top_k(top: Wide, number: Wide, hits: Drawn, calls: Drawn, hits_before: Drawn, calls_before: Drawn) -> None:
    """Set top-k accuracy of the draws whose k-th place, k their number of true sites, falls into this block."""
    at = (calls < number[:, None].astype(np.float32)).sum(axis=1)
    here = np.flatnonzero((at < calls.shape[1]) & np.isnan(top) & (number > 0))
    site = at[here]
    before = np.where(site > 0, calls[here, site - 1], calls_before[here])
    sure = np.where(site > 0, hits[here, site - 1], hits_before[here])
    share = (hits[here, site] - sure) / (calls[here, site] - before)
    top[here] = (sure + (number[here] - before) * share) / number[here]


def interval(values: Wide) -> Interval | None:
    """The middle 95 % of the draws that are numbers; None where fewer than half are.

    Draws that hold no true site are skipped, not drawn again; how many remain is part of the interval.
    """
    usable = values[np.isfinite(values)]
    if usable.size < max(2, values.size // 2):
        return None
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), int(usable.size))
