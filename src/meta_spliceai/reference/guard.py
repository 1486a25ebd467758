"""Do the genome and the annotation belong together? Asked before any expensive work.

Contigs are matched first. Then the first and last two bases of every distinct intron are read off the genome, on the
transcript's strand: with the right build 97 to 99 % read GT…AG, GC…AG or AT…AC; with a shift by one base or another build,
a few per cent do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import polars as pl

from meta_spliceai.errors import GuardError, first_few
from meta_spliceai.formats.annotation import Annotation
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.sequences import base_pair_names, base_pairs

log = logging.getLogger(__name__)

STOP_BELOW = 0.80
WARN_BELOW = 0.95
CANONICAL_PAIRS = (("GT", "AG"), ("GC", "AG"), ("AT", "AC"))
_SHIFTS = (-2, -1, 1, 2)
_WORST_GENES = 5
_FEW_INTRONS = 20
_UNKNOWN_PAIR = 16


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What the guard saw.

    Parameters
    ----------
    introns
        Distinct introns read, without those that touch unknown bases.
    canonical_share
        Share of them that read GT…AG, GC…AG or AT…AC; None where there is no intron.
    dropped_contigs, dropped_genes
        Contigs of the annotation that the genome lacks, and how many genes were left out with them.
    """

    introns: int
    canonical_share: float | None
    dropped_contigs: tuple[str, ...]
    dropped_genes: int


def with_genome_names(annotation: Annotation, genome: Genome) -> tuple[Annotation, tuple[str, ...], int]:
    """The annotation with the genome's contig names, without the contigs that the genome lacks.

    Returns
    -------
    annotation, dropped contigs, dropped genes

    Raises
    ------
    GuardError
        No contig matches, or a gene reaches beyond its contig.
    """
    match = match_contigs(annotation.genes["chrom"].unique(maintain_order=True).to_list(), genome.contigs)
    if not match.names:
        raise GuardError(
            expected=f"contigs of the annotation in the genome ({first_few(list(genome.contigs))})",
            found=f"none of {first_few(match.unmatched)}",
            action="give genome and annotation of one build and species, with contig names such as chr1 or 1",
        )
    named = Annotation(
        *(
            frame.filter(pl.col("chrom").is_in(list(match.names))).with_columns(
                pl.col("chrom").replace_strict(match.names)
            )
            for frame in (annotation.genes, annotation.transcripts, annotation.exons)
        )
    )
    dropped = annotation.genes.height - named.genes.height
    if match.unmatched:
        log.warning(
            "%d contigs of the annotation are not in the genome; their %d genes are left out: %s",
            len(match.unmatched), dropped, first_few(match.unmatched),
        )  # fmt: skip
    _check_ends(named, genome)
    return named, match.unmatched, dropped


def _check_ends(annotation: Annotation, genome: Genome) -> None:
    beyond = annotation.genes.filter(
        pl.col("end") > pl.col("chrom").replace_strict(genome.contigs, return_dtype=pl.Int64)
    )
    if beyond.height:
        gene = beyond.row(0, named=True)
        raise GuardError(
            expected=f"every gene within its contig; {gene['chrom']} has {genome.contigs[gene['chrom']]:,} bases",
            found=f"{beyond.height} genes beyond: {gene['gene_id']} ends at position {gene['end']:,} and "
            f"{first_few(beyond['gene_id'].to_list()[1:]) or 'no other'}",
            action="the genome is of another build or cut off: give genome and annotation of one build",
        )


def check_introns(introns: pl.DataFrame, genome: Genome) -> GuardReport:
    """Read every distinct intron off the genome.

    Parameters
    ----------
    introns
        gene_id, chrom, strand, start, end (0-based half-open).

    Raises
    ------
    GuardError
        Fewer than 80 % read as introns do; the message says which mistake is likely.
    """
    distinct = introns.unique(["chrom", "strand", "start", "end"], maintain_order=True)
    reads = intron_reads(distinct, genome)
    known = reads != -1
    share = float((reads[known] == 1).mean()) if known.any() else None
    report = GuardReport(int(known.sum()), share, (), 0)
    if share is None:
        log.warning("the annotation has no intron in known sequence: the coordinates could not be checked")
    elif share < STOP_BELOW and report.introns >= _FEW_INTRONS:
        raise _disagreement(distinct, genome, share)
    elif share < WARN_BELOW:
        log.warning("only %.1f %% of %d introns read GT…AG, GC…AG or AT…AC; worst genes: %s", 100 * share, report.introns, _worst(distinct, reads))  # fmt: skip
    return report


def intron_reads(introns: pl.DataFrame, genome: Genome, *, shift: int = 0, flip: bool = False) -> np.ndarray:
    """Per intron 1 where it reads like one, 0 where it does not, -1 where it touches unknown bases; shape (n,).

    Parameters
    ----------
    shift
        Added to both bounds.
    flip
        Read the other strand.
    """
    donors, acceptors = edge_pairs(introns, genome, shift=shift, flip=flip)
    number = {name: code for code, name in enumerate(base_pair_names())}
    canonical = np.zeros(donors.size, dtype=bool)
    for donor, acceptor in CANONICAL_PAIRS:
        canonical |= (donors == number[donor]) & (acceptors == number[acceptor])
    unknown = (donors == _UNKNOWN_PAIR) | (acceptors == _UNKNOWN_PAIR)
    return np.where(unknown, -1, canonical.astype(np.int8))


def edge_pairs(
    introns: pl.DataFrame, genome: Genome, *, shift: int = 0, flip: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Dinucleotide codes of the first and last two bases of each intron on its strand, each of shape (n,)."""
    donors = np.full(introns.height, _UNKNOWN_PAIR, dtype=np.uint8)
    acceptors = donors.copy()
    numbered = introns.with_row_index("row").sort("chrom", "start")
    for (chrom,), group in numbered.group_by("chrom", maintain_order=True):
        rows, start, end = (group[name].to_numpy() for name in ("row", "start", "end"))
        left = _pairs_at(genome, str(chrom), start.astype(np.int64) + shift)
        right = _pairs_at(genome, str(chrom), end.astype(np.int64) - 2 + shift)
        plus = (group["strand"].to_numpy() == "+") != flip
        donors[rows] = np.where(plus, left, _complemented(right))
        acceptors[rows] = np.where(plus, right, _complemented(left))
    return donors, acceptors


_REGION = 2_000_000
"""Bases of a contig read at once while introns are looked at."""


def _pairs_at(genome: Genome, chrom: str, first: np.ndarray) -> np.ndarray:
    pairs = np.empty(first.size, dtype=np.uint8)
    for region in np.unique(first // _REGION).tolist():
        rows = np.flatnonzero(first // _REGION == region)
        low = int(first[rows].min())
        codes = genome.codes(chrom, low, int(first[rows].max()) + 2)
        pairs[rows] = base_pairs(codes, first[rows] - low)
    return pairs


def _complemented(pairs: np.ndarray) -> np.ndarray:
    """The dinucleotides of the other strand, read in its direction."""
    left, right = (pairs // 4).astype(np.uint8), (pairs % 4).astype(np.uint8)
    flipped = 4 * (3 - right) + (3 - left)
    return np.where(pairs == _UNKNOWN_PAIR, _UNKNOWN_PAIR, flipped).astype(np.uint8)


def _worst(introns: pl.DataFrame, reads: np.ndarray) -> str:
    odd = introns.with_columns(odd=pl.Series(reads == 0)).group_by("gene_id").agg(pl.col("odd").sum())
    worst = odd.filter(pl.col("odd") > 0).sort("odd", "gene_id", descending=[True, False]).head(_WORST_GENES)
    return ", ".join(f"{gene} ({count})" for gene, count in worst.iter_rows())


def _disagreement(introns: pl.DataFrame, genome: Genome, share: float) -> GuardError:
    def rate(shift: int, *, flip: bool) -> float:
        reads = intron_reads(introns, genome, shift=shift, flip=flip)
        return float((reads[reads != -1] == 1).mean()) if (reads != -1).any() else 0.0

    tried = {f"shifted by {shift:+d}": rate(shift, flip=False) for shift in _SHIFTS}
    tried["on the other strand"] = rate(0, flip=True)
    best = max(tried, key=lambda name: tried[name])
    if tried[best] >= STOP_BELOW:
        likely = f"{best} {100 * tried[best]:.1f} % would: the annotation's coordinates or strands are wrong by that"
    else:
        likely = (
            "no shift of one or two bases and no change of strand helps: genome and annotation are of different builds"
        )
    return GuardError(
        expected="97 to 99 % of the introns to read GT…AG, GC…AG or AT…AC on the genome",
        found=f"{100 * share:.1f} % of {introns.height:,} do; {likely}",
        action="give genome and annotation of the same build, with the coordinates as their source publishes them",
    )
