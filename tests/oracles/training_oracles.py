"""Slow, obvious twins of the vectorised steps of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


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


_LETTERS = "TCAG"
_STANDARD_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
"""The standard genetic code as NCBI prints it: first base slowest, in the order T, C, A, G."""


def words_slowly(sequence: str, length: int) -> set[str]:
    """Words of `length` amino acids in the three frames of a sequence as it is read; none with a stop or unknown base."""
    codons = [a + b + c for a in _LETTERS for b in _LETTERS for c in _LETTERS]
    code = dict(zip(codons, _STANDARD_CODE, strict=True))
    found = set()
    for at in range(len(sequence) - 3 * length + 1):
        word = "".join(code.get(sequence[at + 3 * n : at + 3 * n + 3], "*") for n in range(length))
        if "*" not in word:
            found.add(word)
    return found


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
