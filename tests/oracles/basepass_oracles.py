"""Slow, obvious twins of the base pass's vectorised steps."""

from __future__ import annotations

from collections.abc import Sequence


def covered(starts: Sequence[int], ends: Sequence[int]) -> set[int]:
    return {base for start, end in zip(starts, ends, strict=True) for base in range(start, end)}


def top_k(scores: Sequence[float], truth: Sequence[bool]) -> float | None:
    k = sum(truth)
    if k == 0:
        return None
    cut = sorted(scores, reverse=True)[k - 1]
    sure = [t for s, t in zip(scores, truth, strict=True) if s > cut]
    tied = [t for s, t in zip(scores, truth, strict=True) if s == cut]
    return (sum(sure) + (k - len(sure)) * sum(tied) / len(tied)) / k


def pred_type(donor: float, acceptor: float, is_donor: bool, is_acceptor: bool, threshold: float) -> str:
    kinds = []
    for score, true in ((donor, is_donor), (acceptor, is_acceptor)):
        called = score >= threshold
        kinds.append({(True, True): "TP", (True, False): "FP", (False, True): "FN", (False, False): "TN"}[called, true])
    return next(kind for kind in ("TP", "FP", "FN", "TN") if kind in kinds)


def tier(score: float, is_site: bool, is_called: bool, draw: float, rate: float) -> tuple[str, float] | None:
    if is_site:
        return "site", 1.0
    if is_called:
        return "called", 1.0
    if score >= 0.01:
        return "scored", 1.0
    return ("background", rate) if draw < rate else None


def inclusion_near_sites(marked: Sequence[bool], rate: float, near: int = 50) -> list[float]:
    """How likely each base is kept when those near marked bases are the likelier."""
    length = len(marked)
    sites = [i for i in range(length) if marked[i]]
    if not sites:
        return [rate] * length
    shape = []
    for i in range(length):
        distance = min(abs(i - site) for site in sites)
        shape.append(1.0 if distance <= near else near / distance)
    scale = rate / (sum(shape) / length)
    return [min(1.0, max(rate / 10, scale * value)) for value in shape]
