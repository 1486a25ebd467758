"""The intron bases at splice sites, read from the genome."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.sequences import base_pair_names, base_pairs

PairCodes = npt.NDArray[np.uint8]

PAIR_NAMES = base_pair_names()
UNKNOWN_PAIR = PAIR_NAMES.index("NN")

_WINDOW = 1 << 22
_OTHER_STRAND = np.array([*((3 - pair % 4) * 4 + 3 - pair // 4 for pair in range(16)), UNKNOWN_PAIR], dtype=np.uint8)


def pairs_at(genome: Genome, chrom: str, first: npt.NDArray[np.int64]) -> PairCodes:
    """Codes of the base pairs whose first bases are at the 0-based indices `first`, on the plus strand.

    The contig is read in windows of 4 Mb that start at a wanted base, so that memory is bounded and gaps are skipped.
    """
    order = np.argsort(first, kind="stable")
    ascending = first[order]
    pairs = np.empty(first.size, dtype=np.uint8)
    done = 0
    while done < ascending.size:
        start = int(ascending[done])
        upto = int(np.searchsorted(ascending, start + _WINDOW))
        codes = genome.codes(chrom, start, int(ascending[upto - 1]) + 2)
        pairs[order[done:upto]] = base_pairs(codes, ascending[done:upto] - start)
        done = upto
    return pairs


def on_strand(pairs: PairCodes, is_plus: npt.NDArray[np.bool_]) -> PairCodes:
    """Pairs read on the plus strand, as the transcript's strand reads them."""
    return np.where(is_plus, pairs, _OTHER_STRAND[pairs])


def intron_motifs(
    introns: pl.DataFrame, genome: Genome, *, move_start: int = 0, move_end: int = 0
) -> tuple[PairCodes, PairCodes]:
    """Donor and acceptor pairs of introns, on the transcript's strand.

    Parameters
    ----------
    introns
        chrom, strand, start, end (0-based half-open).
    move_start, move_end
        Added to the bounds first, to try out whether an annotation is shifted.
    """
    is_plus = (introns["strand"] == "+").to_numpy()
    left = _by_contig(introns, genome, introns["start"].to_numpy() + move_start)
    right = _by_contig(introns, genome, introns["end"].to_numpy() + move_end - 2)
    donors = on_strand(np.where(is_plus, left, right), is_plus)
    acceptors = on_strand(np.where(is_plus, right, left), is_plus)
    return donors, acceptors


def site_motifs(sites: pl.DataFrame, genome: Genome) -> pl.Series:
    """Names of the two intron bases at each site (chrom, strand, position, splice_type), on the transcript's strand."""
    is_plus = (sites["strand"] == "+").to_numpy()
    is_donor = (sites["splice_type"] == "donor").to_numpy()
    # the intron lies after the site where a donor is read forwards or an acceptor backwards; positions are 1-based
    first = sites["position"].to_numpy() - np.where(is_donor == is_plus, 0, 3)
    pairs = on_strand(_by_contig(sites, genome, first), is_plus)
    return pl.Series("motif", np.array(PAIR_NAMES)[pairs], dtype=pl.String)


def _by_contig(rows: pl.DataFrame, genome: Genome, first: npt.NDArray[np.int64]) -> PairCodes:
    pairs = np.empty(rows.height, dtype=np.uint8)
    indexed = rows.select("chrom").with_row_index("row")
    for (chrom,), group in indexed.group_by("chrom"):
        at = group["row"].to_numpy()
        pairs[at] = pairs_at(genome, str(chrom), first[at])
    return pairs
