"""Errors at a cut, with the cut chosen on other folds than those it is applied to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.ranking import Flags, Scores, steps_of

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CutErrors:
    """False positives and false negatives over all folds, each fold at the cut the other folds chose."""

    false_positives: int
    false_negatives: int
    cuts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """Calls of a ranking by cut and fold.

    Parameters
    ----------
    score
        Cuts, descending, shape (m,).
    hits, false
        True and other bases called at each cut, by fold, shape (m, folds).
    sites
        True bases by fold, shape (folds,).
    """

    score: Scores
    hits: Counts
    false: Counts
    sites: Counts


def fold_counts(scores: Scores, truth: Flags, fold: npt.NDArray[np.int64], folds: int) -> FoldCounts:
    """Count calls by cut and fold; folds are numbered from 0."""
    steps = steps_of(scores, truth)
    shape = (steps.score.size, folds)
    cell = steps.step * folds + fold[steps.kept]
    flags = truth[steps.kept]
    hits = np.bincount(cell[flags], minlength=shape[0] * folds).reshape(shape)
    false = np.bincount(cell[~flags], minlength=shape[0] * folds).reshape(shape)
    sites = np.bincount(fold[truth], minlength=folds)
    return FoldCounts(steps.score, np.cumsum(hits, axis=0), np.cumsum(false, axis=0), sites)


def best_f1_cuts(counts: FoldCounts) -> Counts:
    """For each fold the row of the cut with the best F1 on the other folds, shape (folds,)."""
    hits, false, sites = _others(counts)
    f1 = 2 * hits / np.maximum(hits + false + sites, 1)
    return np.asarray(f1.argmax(axis=0))


def cuts_within_misses(counts: FoldCounts, allowed: Counts) -> Counts:
    """For each fold the first cut that misses no more than `allowed` true bases of the other folds."""
    hits, _, sites = _others(counts)
    return np.asarray((sites - hits <= allowed).argmax(axis=0))


def cuts_within_false_calls(counts: FoldCounts, allowed: Counts) -> Counts:
    """For each fold the last cut that calls no more than `allowed` other bases of the other folds."""
    _, false, _ = _others(counts)
    return np.asarray(np.maximum((false <= allowed).sum(axis=0) - 1, 0))


def _others(counts: FoldCounts) -> tuple[Counts, Counts, Counts]:
    """Hits, false calls and sites of all folds but each one; with a single fold, of itself."""
    if counts.sites.size == 1:
        return counts.hits, counts.false, counts.sites
    return (
        counts.hits.sum(axis=1, keepdims=True) - counts.hits,
        counts.false.sum(axis=1, keepdims=True) - counts.false,
        counts.sites.sum() - counts.sites,
    )


def errors_of_others(counts: FoldCounts, rows: Counts) -> tuple[Counts, Counts]:
    """False positives and misses on the other folds at each fold's cut, each of shape (folds,)."""
    hits, false, sites = _others(counts)
    fold = np.arange(rows.size)
    return false[rows, fold], sites - hits[rows, fold]


def errors_at(counts: FoldCounts, rows: Counts) -> CutErrors:
    """Errors of each fold at its own cut, summed."""
    fold = np.arange(rows.size)
    misses = counts.sites - counts.hits[rows, fold]
    cuts = tuple(float(counts.score[row]) for row in rows)
    return CutErrors(int(counts.false[rows, fold].sum()), int(misses.sum()), cuts)
