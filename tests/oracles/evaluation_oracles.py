"""Slow, obvious twins of the evaluation."""

from __future__ import annotations

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


def resampled_average_precision(scores, truth, group, drawn) -> list[float]:
    """For each draw, copy the rows of each group as often as it was drawn, and rank them again."""
    values = []
    for column in drawn.T:
        rows = np.concatenate([np.repeat(np.flatnonzero(group == g), int(m)) for g, m in enumerate(column)])
        value = average_precision(scores[rows].tolist(), truth[rows].tolist()) if rows.size else None
        values.append(np.nan if value is None else value)
    return values


def best_f1_cut(scores, truth) -> float:
    def f1(cut):
        hits = sum(t for s, t in zip(scores, truth, strict=True) if s >= cut)
        calls = sum(s >= cut for s in scores)
        return 2 * hits / (calls + sum(truth))

    return max(sorted({s for s, t in zip(scores, truth, strict=True) if t}, reverse=True), key=f1)
