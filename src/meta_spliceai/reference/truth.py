"""What a base truly is: a donor or an acceptor of any transcript of any gene on its strand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.coordinates import Strand
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray


class Truth:
    """The annotated sites of a reference, ready to be asked about any interval.

    Parameters
    ----------
    sites
        A `SITE_TABLE` frame.
    """

    def __init__(self, sites: pl.DataFrame) -> None:
        self._positions: dict[tuple[str, str, str], npt.NDArray[np.int64]] = {
            (str(chrom), str(strand), str(kind)): np.unique(group["position"].to_numpy())
            for (chrom, strand, kind), group in sites.group_by("chrom", "strand", "splice_type")
        }

    def on(self, chrom: str, strand: Strand, start: int, end: int) -> tuple[BoolArray, BoolArray]:
        """Donors and acceptors among the bases `[start, end)` (0-based half-open), in ascending genomic order."""
        donor, acceptor = (self._flags(chrom, strand, kind, start, end) for kind in SITE_TYPES)
        return donor, acceptor

    def _flags(self, chrom: str, strand: str, kind: str, start: int, end: int) -> BoolArray:
        flags = np.zeros(end - start, dtype=bool)
        positions = self._positions.get((chrom, strand, kind))
        if positions is not None:
            first, last = np.searchsorted(positions, [start + 1, end + 1])
            flags[positions[first:last] - 1 - start] = True
        return flags
