"""Windows beside a base, and exact sums over them.

A sum must be the same number whatever other bases it is computed with, to the last bit. Sums of floats depend on where one
begins to add, so they begin at fixed places of the genome.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from meta_spliceai.features.stretch import Indices
from meta_spliceai.genome.coordinates import Strand

BLOCK = 1_024
"""Sums begin at multiples of this; no window is wider."""

Windows = Sequence[tuple[int, int]]
"""Distances in nt, both ends included."""

Doubles = npt.NDArray[np.float64]


def window_names(windows: Windows) -> list[tuple[str, str]]:
    """`up_1_50` and so on, with a phrase that says the same."""
    return [
        (f"{direction}_{near}_{far}", f"{near} to {far} nt {direction}stream")
        for direction in ("up", "down")
        for near, far in windows
    ]


def window_bounds(windows: Windows, base: Indices, strand: Strand) -> Iterator[tuple[str, Indices, Indices]]:
    """Name, start and end (0-based half-open, each of shape (n,)) of the windows beside 0-based bases; may leave the contig."""
    for direction in ("up", "down"):
        for near, far in windows:
            before = (direction == "up") == (strand == "+")
            start = base - far if before else base + near
            yield f"{direction}_{near}_{far}", start, start + (far - near + 1)


def aligned(first: int, last: int) -> tuple[int, int]:
    """The smallest stretch of whole blocks that holds `[first, last)`."""
    return first // BLOCK * BLOCK, -(-last // BLOCK) * BLOCK


class AlignedSums:
    """Sums over windows of at most `BLOCK` bases.

    Parameters
    ----------
    values
        Float64 or float32, shape (m * BLOCK,).
    first
        0-based coordinate of the first value, a multiple of `BLOCK`; may be negative.
    """

    def __init__(self, values: npt.NDArray[np.floating], first: int) -> None:
        blocks = values.astype(np.float64).reshape(-1, BLOCK)
        self._first = first
        self._before = np.zeros((blocks.shape[0] + 1, BLOCK + 1))
        np.cumsum(blocks, axis=1, out=self._before[:-1, 1:])

    def sums(self, start: Indices, end: Indices) -> Doubles:
        """Sums of `[start, end)`, 0-based, each of shape (n,)."""
        block, offset = np.divmod(start - self._first, BLOCK)
        last_block, last_offset = np.divmod(end - self._first, BLOCK)
        one = self._before[block, last_offset] - self._before[block, offset]
        two = (self._before[block, BLOCK] - self._before[block, offset]) + self._before[last_block, last_offset]
        return np.where(block == last_block, one, two)
