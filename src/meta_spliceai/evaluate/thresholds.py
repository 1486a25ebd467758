"""Errors at a cut, with the cut of each fold chosen on the other folds.

A fold that was set aside (-1) is measured at the cut the cross-validation folds choose together, and chooses for none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.tally import Counts, Scores, Tally

HALF = 0.5
"""A cut that nobody chose, beside those that were."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Which fold holds each gene group, and which folds choose for which.

    Parameters
    ----------
    names
        As in the predictions, ascending, shape (folds,).
    of_group
        Index into `names` of each group, shape (groups,).
    """

    names: npt.NDArray[np.int64]
    of_group: Counts

    @property
    def choosers(self) -> Counts:
        """1 where the fold of the row takes part in the choice for the fold of the column, shape (folds, folds)."""
        chooses = np.repeat((self.names >= 0)[:, None], self.names.size, axis=1)
        np.fill_diagonal(chooses, val=False)
        alone = ~chooses.any(axis=0)
        return (chooses | np.diag(alone)).astype(np.int64)

    @property
    def out_of_fold(self) -> bool:
        """Whether every fold has others to choose for it; a single fold must choose for itself."""
        return not np.diag(self.choosers).any()


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """Calls of a ranking by cut and fold. The first row calls nothing.

    Parameters
    ----------
    score
        Cuts, descending from infinity, shape (cuts,).
    hits, false
        True sites and other bases called at each cut, by fold, shape (cuts, folds).
    sites
        True sites by fold, shape (folds,).
    others_hits, others_false, others_sites
        The same of the folds that choose for each fold.
    """

    score: Scores
    hits: Counts
    false: Counts
    sites: Counts
    others_hits: Counts
    others_false: Counts
    others_sites: Counts


def fold_counts(tally: Tally, folds: Folds) -> FoldCounts:
    """Count the calls of a ranking by cut and fold."""
    shape = (tally.cuts.size + 1, folds.names.size)
    choosers = folds.choosers
    site_fold, cell_fold = folds.of_group[tally.site_group], folds.of_group[tally.cell_group]
    hits = _cumulated(tally.site_cut, site_fold, None, shape)
    false = _cumulated(tally.cell_cut, cell_fold, tally.cell_bases, shape)
    sites = np.bincount(site_fold, minlength=shape[1])
    score = np.concatenate([np.array([np.inf], dtype=np.float32), tally.cuts])
    return FoldCounts(score, hits, false, sites, hits @ choosers, false @ choosers, sites @ choosers)


def _cumulated(cut: Counts, fold: Counts, bases: Counts | None, shape: tuple[int, int]) -> Counts:
    counts = np.bincount((cut + 1) * shape[1] + fold, bases, minlength=shape[0] * shape[1])
    return np.cumsum(counts.reshape(shape).astype(np.int64), axis=0)


def best_f1_cuts(counts: FoldCounts) -> Counts:
    """For each fold the row of the cut with the best F1 on the folds that choose for it, shape (folds,)."""
    hits, calls = counts.others_hits, counts.others_hits + counts.others_false
    f1 = 2 * hits / np.maximum(calls + counts.others_sites, 1)
    return np.asarray(f1.argmax(axis=0))


def cuts_within_misses(counts: FoldCounts, allowed: Counts) -> Counts:
    """For each fold the highest cut that misses no more than `allowed` true sites of the folds that choose for it."""
    return np.asarray((counts.others_sites - counts.others_hits <= allowed).argmax(axis=0))


def cuts_within_false_calls(counts: FoldCounts, allowed: Counts) -> Counts:
    """For each fold the lowest cut with no more than `allowed` false calls on the folds that choose for it."""
    return np.asarray((counts.others_false <= allowed).sum(axis=0) - 1)


@dataclass(frozen=True, slots=True)
class Budget:
    """The reference arm's errors on the folds that choose for each fold, at its own best cut there, shape (folds,)."""

    misses: Counts
    false_calls: Counts


def budget_of(reference: FoldCounts) -> Budget:
    """What the other arms may spend when they are compared at the reference arm's number of errors."""
    rows, fold = best_f1_cuts(reference), np.arange(reference.sites.size)
    return Budget(reference.others_sites - reference.others_hits[rows, fold], reference.others_false[rows, fold])


@dataclass(frozen=True, slots=True)
class CutErrors:
    """Errors over all folds, each fold at its own cut; `lowest` and `highest` of those cuts (infinite: nothing called)."""

    false_positives: int
    false_negatives: int
    lowest: float
    highest: float


def errors_at(counts: FoldCounts, rows: Counts) -> CutErrors:
    """Errors of each fold at its own cut, summed."""
    fold = np.arange(rows.size)
    score = counts.score[rows]
    return CutErrors(
        false_positives=int(counts.false[rows, fold].sum()),
        false_negatives=int((counts.sites - counts.hits[rows, fold]).sum()),
        lowest=float(score.min()),
        highest=float(score.max()),
    )
