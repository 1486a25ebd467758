"""Slow, obvious twins of the vectorised steps of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def components_slowly(size: int, joined: Callable[[int, int], bool]) -> list[int]:
    """Component of each vertex, numbered by first vertex: spreads from vertex to vertex over every pair."""
    number = [-1] * size
    components = 0
    for first in range(size):
        if number[first] >= 0:
            continue
        waiting = [first]
        while waiting:
            vertex = waiting.pop()
            number[vertex] = components
            waiting += [other for other in range(size) if number[other] < 0 and joined(vertex, other)]
        components += 1
    return number


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two genes share a base of a contig, on either strand; start and end are 1-based and included."""
    return bool(one["chrom"] == other["chrom"] and one["start"] <= other["end"] and other["start"] <= one["end"])


def kmers_slowly(sequence: str, k: int) -> set[str]:
    """The k-mers of a sequence, each as the alphabetically first of itself and its reverse complement."""
    found = set()
    for at in range(len(sequence) - k + 1):
        word = sequence[at : at + k]
        if set(word) <= set("ACGT"):
            found.add(min(word, "".join(_COMPLEMENT[base] for base in reversed(word))))
    return found


def alike_slowly(one: set[str], other: set[str], containment: float, min_shared: int) -> bool:
    """Whether the smaller set shares enough with the larger."""
    shared = len(one & other)
    return shared >= min_shared and shared >= containment * min(len(one), len(other))


def genes_at_slowly(row: dict[str, Any], genes: Sequence[dict[str, Any]]) -> int:
    """How many genes hold a row's base on its strand."""
    return sum(
        gene["chrom"] == row["chrom"]
        and gene["strand"] == row["strand"]
        and gene["start"] <= row["position"] <= gene["end"]
        for gene in genes
    )


def weighted_auc_slowly(values: Sequence[float], label: Sequence[bool], weight: Sequence[float]) -> float:
    """The share of pairs of a true and another base in which the true one has the larger value, ties counting half."""
    won = total = 0.0
    for value, true, mass in zip(values, label, weight, strict=True):
        for other, other_true, other_mass in zip(values, label, weight, strict=True):
            if true and not other_true:
                total += mass * other_mass
                won += mass * other_mass * (1.0 if value > other else 0.5 if value == other else 0.0)
    return won / total if total else 0.5
