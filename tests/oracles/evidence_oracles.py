"""What files of evidence say of one base, written as plainly as possible; positions are 1-based."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
Junction = tuple[str, int, int, int, int, int]
"""strand, first and last base of the intron, reads, multi-mapping reads, sample"""
Element = tuple[int, int, float]
"""first and last base, score"""


def window(position: int, strand: str, direction: str, near: int, far: int) -> list[int]:
    """Positions of the bases `near` to `far` nt up- or downstream."""
    step = (-1 if direction == "up" else 1) * (1 if strand == "+" else -1)
    return [position + step * distance for distance in range(near, far + 1)]


def windows(limits: Sequence[tuple[int, int]]) -> Iterator[tuple[str, int, int]]:
    for direction in ("up", "down"):
        for near, far in limits:
            yield direction, near, far


def junction_features(junctions: Sequence[Junction], strand: str, position: int) -> dict[str, float]:
    found = {}
    for kind in ("donor", "acceptor"):
        own = []
        for junction in junctions:
            of_strand, first, last = junction[:3]
            at_start = (kind == "donor") == (of_strand == "+")  # of the intron, on the genome
            exon_base = first - 1 if at_start else last + 1
            if of_strand == strand and exon_base == position:
                own.append(junction)
        found[f"junction_{kind}_reads"] = sum(junction[3] for junction in own)
        found[f"junction_{kind}_multi_reads"] = sum(junction[4] for junction in own)
        found[f"junction_{kind}_junctions"] = len({junction[1:3] for junction in own})
        found[f"junction_{kind}_samples"] = len({junction[5] for junction in own})
    return found


def value_features(
    name: str, values: Mapping[int, float], limits: Sequence[tuple[int, int]], strand: str, position: int
) -> dict[str, float]:
    found = {f"{name}_value": values.get(position, 0.0)}
    for direction, near, far in windows(limits):
        inside = [values.get(place, 0.0) for place in window(position, strand, direction, near, far)]
        found[f"{name}_mean_{direction}_{near}_{far}"] = math.fsum(inside) / len(inside)
    return found


def element_features(
    name: str, elements: Sequence[Element], limits: Sequence[tuple[int, int]], strand: str, position: int
) -> dict[str, float]:
    def held(place: int) -> list[float]:
        return [score for first, last, score in elements if first <= place <= last]

    distances = [max(first - position, position - last, 0) for first, last, _ in elements]
    found = {
        f"{name}_element": float(bool(held(position))),
        f"{name}_score": max(held(position), default=0.0),
        f"{name}_distance": min([*distances, 5_000]),
    }
    for direction, near, far in windows(limits):
        places = window(position, strand, direction, near, far)
        found[f"{name}_share_{direction}_{near}_{far}"] = sum(bool(held(place)) for place in places) / len(places)
    return found


def word_counts(name: str, word: str, sequence: str, i: int, limits: Sequence[tuple[int, int]]) -> dict[str, float]:
    """`sequence` runs in the direction of transcription; the base is `sequence[i]`."""
    found = {}
    for direction, near, far in windows(limits):
        text = sequence[i - far : i - near + 1] if direction == "up" else sequence[i + near : i + far + 1]
        found[f"motif_{name}_{direction}_{near}_{far}"] = sum(
            all(letter in IUPAC[wanted] for letter, wanted in zip(text[start:], word, strict=False))
            for start in range(len(text) - len(word) + 1)
        )
    return found


def matrix_counts(
    name: str, matrix: Sequence[Sequence[float]], sequence: str, i: int, limits: Sequence[tuple[int, int]]
) -> dict[str, float]:
    odds = [[math.log2((p + 0.001) / 1.004 / 0.25) for p in row] for row in matrix]
    lowest, highest = sum(min(row) for row in odds), sum(max(row) for row in odds)
    found = {}
    for direction, near, far in windows(limits):
        text = sequence[i - far : i - near + 1] if direction == "up" else sequence[i + near : i + far + 1]
        count = 0
        for start in range(len(text) - len(odds) + 1):
            letters = text[start : start + len(odds)]
            if "N" not in letters:
                score = sum(row["ACGT".index(letter)] for row, letter in zip(odds, letters, strict=True))
                count += score >= lowest + 0.8 * (highest - lowest)
        found[f"motif_{name}_{direction}_{near}_{far}"] = count
    return found
