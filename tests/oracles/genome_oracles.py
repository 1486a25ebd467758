"""Slow, obvious twins of the vocabulary: one base at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MASK = (1 << 64) - 1


def spans_of(bases: Iterable[int]) -> list[tuple[int, int]]:
    """Half-open runs of consecutive numbers."""
    spans: list[tuple[int, int]] = []
    for base in sorted(set(bases)):
        if spans and spans[-1][1] == base:
            spans[-1] = (spans[-1][0], base + 1)
        else:
            spans.append((base, base + 1))
    return spans


def bases_of(spans: Iterable[tuple[int, int]]) -> set[int]:
    return {base for start, end in spans for base in range(start, end)}


def sites_of(exons: Sequence[tuple[int, int]], strand: str, min_intron: int) -> set[tuple[int, str]]:
    """(1-based position, type) of one transcript's sites: walk the bases in the direction of transcription."""
    exonic = {base + 1 for base in bases_of(exons)}
    walk = range(min(exonic), max(exonic) + 1)
    inside = [position in exonic for position in walk]
    sites = set()
    for gap_start, gap_end in spans_of(position for position, is_exon in zip(walk, inside, strict=True) if not is_exon):
        if gap_end - gap_start >= min_intron:
            left, right = gap_start - 1, gap_end
            donor, acceptor = (left, right) if strand == "+" else (right, left)
            sites |= {(donor, "donor"), (acceptor, "acceptor")}
    return sites


def complement(sequence: str) -> str:
    pairs = {"A": "T", "C": "G", "G": "C", "T": "A"}
    return "".join(pairs.get(base, "N") for base in reversed(sequence))


def pred_type(called: tuple[bool, bool], true: tuple[bool, bool]) -> str:
    kinds = {(True, True): "TP", (True, False): "FP", (False, True): "FN", (False, False): "TN"}
    found = {kinds[pair] for pair in zip(called, true, strict=True)}
    return next(kind for kind in ("TP", "FP", "FN", "TN") if kind in found)


def tolerant(called: Sequence[bool], true: Sequence[bool], window: int) -> list[str]:
    """pred_type per base of one site type with a tolerance."""

    def any_near(values: Sequence[bool], i: int) -> bool:
        return any(values[max(i - window, 0) : i + window + 1])

    kinds = []
    for i in range(len(called)):
        if true[i]:
            kinds.append("TP" if any_near(called, i) else "FN")
        elif called[i]:
            kinds.append("TN" if window and any_near(true, i) else "FP")
        else:
            kinds.append("TN")
    return kinds


def split_mix(start: int, position: int) -> float:
    """A draw in [0, 1): SplitMix64's output function on the word `position` steps from `start`."""
    word = (position * 0x9E3779B97F4A7C15 + start) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return ((word ^ (word >> 31)) >> 11) / 2**53
