"""How well scores rank true bases before others. Ties count as one step, whatever their order in the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Wide = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Steps:
    """A ranking cut at the distinct scores of its true bases, best first.

    A cut at a score no true base has only adds false calls, so it never enters average precision; and bases below the
    worst true one never matter, so they are left out before anything is sorted.

    Parameters
    ----------
    score
        The cuts, descending, shape (m,).
    step
        For each kept base the first cut that calls it, shape (n,).
    kept
        Indices of the kept bases, shape (n,).
    """

    score: Scores
    step: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]


def steps_of(scores: Scores, truth: Flags) -> Steps:
    """Cut a ranking at its true bases."""
    ascending = np.unique(scores[truth])
    if ascending.size == 0:
        nothing = np.empty(0, dtype=np.int64)
        return Steps(ascending, nothing, nothing)
    kept = np.flatnonzero(scores >= ascending[0])
    above = np.searchsorted(ascending, scores[kept], side="right")
    return Steps(ascending[::-1], ascending.size - above, kept)


def average_precision(scores: Scores, truth: Flags) -> float | None:
    """Sum over cuts of precision times the recall gained there; None without true bases.

    The value is that of scikit-learn's `average_precision_score`.
    """
    total = int(truth.sum())
    if total == 0:
        return None
    steps = steps_of(scores, truth)
    flags = truth[steps.kept]
    hits = np.bincount(steps.step[flags], minlength=steps.score.size)
    calls = np.cumsum(np.bincount(steps.step, minlength=steps.score.size))
    return float((hits * np.cumsum(hits) / calls).sum() / total)


def top_k_accuracy(scores: Scores, truth: Flags) -> float | None:
    """Share of true bases among the k best, k the number of true bases; ties count by their expected share."""
    k = int(truth.sum())
    if k == 0:
        return None
    cut = np.partition(scores, scores.size - k)[scores.size - k]
    above, tied = scores > cut, scores == cut
    return float((truth[above].sum() + truth[tied].mean() * (k - above.sum())) / k)


def precision_recall_curve(scores: Scores, truth: Flags, points: int = 300) -> tuple[Wide, Wide, Scores]:
    """Recall, precision and cut at up to `points` cuts, evenly spread over the true bases; best cut first."""
    total = int(truth.sum())
    steps = steps_of(scores, truth)
    if total == 0:
        return np.empty(0), np.empty(0), steps.score
    hits = np.cumsum(np.bincount(steps.step[truth[steps.kept]], minlength=steps.score.size))
    calls = np.cumsum(np.bincount(steps.step, minlength=steps.score.size))
    shown = np.unique(np.linspace(0, steps.score.size - 1, min(points, steps.score.size)).astype(int))
    return hits[shown] / total, hits[shown] / calls[shown], steps.score[shown]
