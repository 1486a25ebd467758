"""Intervals and positions.

Inside the package every interval is 0-based and half-open, `[start, end)`. A *position* is always the 1-based genomic
coordinate of one base, the number a genome browser shows. Readers and writers convert; nothing else does.

    base      A   C   G   T   A
    0-based   0   1   2   3   4
    position  1   2   3   4   5
              [start=1, end=4)  holds positions 2, 3, 4
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Strand = Literal["+", "-"]
STRANDS: tuple[Strand, Strand] = ("+", "-")


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one strand of a contig, `[start, end)`, 0-based half-open."""

    chrom: str
    start: int
    end: int
    strand: Strand

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"an interval needs 0 <= start < end, not start={self.start}, end={self.end}")
        if self.strand not in STRANDS:
            raise ValueError(f"strand is '+' or '-', not {self.strand!r}")

    @property
    def length(self) -> int:
        """Number of bases."""
        return self.end - self.start

    def widened(self, flank: int, contig_length: int) -> Interval:
        """The interval with `flank` more bases on each side, cut at the contig's ends."""
        return Interval(self.chrom, max(0, self.start - flank), min(contig_length, self.end + flank), self.strand)

    def __str__(self) -> str:
        """The interval as users write it: 1-based, both ends included."""
        return f"{self.chrom}:{self.start + 1:,}-{self.end:,}({self.strand})"


def merge_spans(starts: npt.ArrayLike, ends: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Union of half-open spans on one strand: sorted, disjoint, touching spans joined.

    Parameters
    ----------
    starts, ends
        0-based half-open bounds, any order, shape (n,).

    Returns
    -------
    starts, ends
        Bounds of the m <= n merged spans, ascending.
    """
    start = np.asarray(starts, dtype=np.int64)
    end = np.asarray(ends, dtype=np.int64)
    if start.size == 0:
        return start, end
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reach = np.maximum.accumulate(end)
    first = np.concatenate(([True], start[1:] > reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return start[first], reach[last]


def subtract_spans(
    starts: npt.ArrayLike, ends: npt.ArrayLike, held_starts: npt.ArrayLike, held_ends: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What the first spans cover and the held spans do not; both are 0-based half-open, the result is merged."""
    wanted_start, wanted_end = merge_spans(starts, ends)
    held_start, held_end = merge_spans(held_starts, held_ends)
    gaps_start: list[int] = []
    gaps_end: list[int] = []
    for start, end in zip(wanted_start.tolist(), wanted_end.tolist(), strict=True):
        cursor = start
        first = int(np.searchsorted(held_end, start, side="right"))
        for held_from, held_to in zip(held_start[first:].tolist(), held_end[first:].tolist(), strict=True):
            if held_from >= end:
                break
            if held_from > cursor:
                gaps_start.append(cursor)
                gaps_end.append(held_from)
            cursor = max(cursor, held_to)
        if cursor < end:
            gaps_start.append(cursor)
            gaps_end.append(end)
    return np.asarray(gaps_start, dtype=np.int64), np.asarray(gaps_end, dtype=np.int64)
