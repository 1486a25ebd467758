"""Slow, obvious twins of the evaluation: plain loops over rows, nothing counted ahead."""

from __future__ import annotations

import itertools

import numpy as np


def average_precision(scores, truth) -> float | None:
    """Walk down the distinct scores; at each, precision of everything called times the recall gained."""
    total = sum(truth)
    if not total:
        return None
    area = recall_before = 0.0
    for cut in sorted(set(scores), reverse=True):
        called = [t for s, t in zip(scores, truth, strict=True) if s >= cut]
        recall = sum(called) / total
        area += (recall - recall_before) * sum(called) / len(called)
        recall_before = recall
    return area


def top_k_accuracy(scores, truth) -> float | None:
    """Rank the rows in every order that the scores allow, and average the share of true ones among the first k."""
    k = sum(truth)
    if not k:
        return None
    shares = []
    for order in itertools.permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order)):
            shares.append(sum(truth[row] for row in order[:k]) / k)
    return sum(shares) / len(shares)


def resampled_average_precision(scores, truth, group, drawn) -> list[float]:
    """For each draw, copy the rows of each group as often as it was drawn, and rank them again."""
    values = []
    for times in drawn:
        rows = np.concatenate([np.repeat(np.flatnonzero(group == g), int(m)) for g, m in enumerate(times)])
        value = average_precision(scores[rows].tolist(), truth[rows].tolist()) if rows.size else None
        values.append(np.nan if value is None else value)
    return values


def errors(scores, truth, cut) -> tuple[int, int]:
    """False positives and false negatives of calling every score of at least `cut`."""
    false = sum(s >= cut and not t for s, t in zip(scores, truth, strict=True))
    missed = sum(s < cut and t for s, t in zip(scores, truth, strict=True))
    return false, missed


def site_cuts(scores, truth) -> list[float]:
    """Where a cut can be: calling nothing, or at the score of a true site; best first."""
    return [np.inf, *sorted({s for s, t in zip(scores, truth, strict=True) if t}, reverse=True)]


def best_f1_cut(scores, truth, cuts) -> float:
    def f1(cut):
        false, missed = errors(scores, truth, cut)
        hits = sum(truth) - missed
        return 2 * hits / (2 * hits + false + missed)

    return max(cuts, key=f1)


def highest_cut_within_misses(scores, truth, cuts, allowed) -> float:
    return max(cut for cut in cuts if errors(scores, truth, cut)[1] <= allowed)


def lowest_cut_within_false_calls(scores, truth, cuts, allowed) -> float:
    return min(cut for cut in cuts if errors(scores, truth, cut)[0] <= allowed)


def reliability(probability, truth, edges) -> list[tuple[int, int, float]]:
    """(bases, sites, mean probability) of each bin [edge, next edge), the last one closed; empty bins are left out."""
    found = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        last = place == len(edges) - 2
        rows = [(p, t) for p, t in zip(probability, truth, strict=True) if low <= p < high or (last and p == high)]
        if rows:
            found.append((len(rows), sum(t for _, t in rows), sum(p for p, _ in rows) / len(rows)))
    return found
