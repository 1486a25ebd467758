"""Do genome and annotation belong together? The introns say it.

On the right build and at the right coordinates 97 to 99 % of the distinct introns read GT...AG, GC...AG or AT...AC on
the transcript's strand; a shift by one base or another build gives a few per cent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import GuardError, first_few
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.reference.motifs import PAIR_NAMES, UNKNOWN_PAIR, PairCodes, intron_motifs

log = logging.getLogger(__name__)

STOP_BELOW = 0.80
WARN_BELOW = 0.95
ENOUGH_INTRONS = 20
"""With fewer, one odd intron weighs much: then only a share below one half stops the run."""

_KNOWN_MOTIFS = {"gt_ag": ("GT", "AG"), "gc_ag": ("GC", "AG"), "at_ac": ("AT", "AC")}
_TRIED_INTRONS = 20_000
_WORST_GENES = 5

_FLIPPED = {"+": "-", "-": "+"}
_SHIFTS: dict[str, tuple[int, int]] = {
    **{f"every coordinate moved by {move:+d}": (move, move) for move in (-1, 1, -2, 2)},
    "every exon start moved by +1 (starts are 0-based)": (0, 1),
}


@dataclass(frozen=True, slots=True)
class IntronCheck:
    """What the distinct introns of an annotation read on the genome.

    Parameters
    ----------
    introns
        Distinct (contig, strand, start, end), of at least the minimal length.
    unknown
        Those with an unknown base at a site: not counted in the rate.
    gt_ag, gc_ag, at_ac
        Counts of the known motifs.
    worst_genes
        The genes with the most introns that read otherwise, as `name (otherwise of introns)`.
    """

    introns: int
    unknown: int
    gt_ag: int
    gc_ag: int
    at_ac: int
    worst_genes: tuple[str, ...]

    @property
    def checked(self) -> int:
        """Introns without unknown bases at their sites."""
        return self.introns - self.unknown

    @property
    def known(self) -> int:
        """Introns that read GT...AG, GC...AG or AT...AC."""
        return self.gt_ag + self.gc_ag + self.at_ac

    @property
    def rate(self) -> float | None:
        """Share of the checked introns with a known motif; None where none could be checked."""
        return self.known / self.checked if self.checked else None


def check_introns(introns: pl.DataFrame, genome: Genome, build: str) -> IntronCheck:
    """Read the introns off the genome.

    Parameters
    ----------
    introns
        gene_id, chrom, strand, start, end (0-based half-open) of every transcript's introns.
    build
        The build's name, for the message.

    Raises
    ------
    GuardError
        Fewer than 80 % have a known motif (fewer than half, of fewer than 20 introns); the message says which shift would help, or that the build is wrong. Below
        95 % a warning names the worst genes.
    """
    distinct = introns.select("chrom", "strand", "start", "end", "gene_id").unique(
        ["chrom", "strand", "start", "end"], keep="any"
    )
    distinct = distinct.sort("chrom", "start", "end", "strand", "gene_id")
    donors, acceptors = intron_motifs(distinct, genome)
    check = _count(distinct, donors, acceptors)
    if check.rate is None:
        log.warning("the build could not be checked: no intron has known bases at both sites")
    elif check.rate < (STOP_BELOW if check.checked >= ENOUGH_INTRONS else 0.5):
        raise _wrong_coordinates(check, distinct, genome, build)
    elif check.rate < WARN_BELOW:
        log.warning(
            "only %.1f %% of %s introns read GT-AG, GC-AG or AT-AC (97 to 99 %% are usual); most others: %s",
            100 * check.rate, f"{check.checked:,}", ", ".join(check.worst_genes),
        )  # fmt: skip
    return check


def _has_motif(donors: PairCodes, acceptors: PairCodes, motif: tuple[str, str]) -> npt.NDArray[np.bool_]:
    donor, acceptor = (PAIR_NAMES.index(name) for name in motif)
    has: npt.NDArray[np.bool_] = (donors == donor) & (acceptors == acceptor)
    return has


def _count(introns: pl.DataFrame, donors: PairCodes, acceptors: PairCodes) -> IntronCheck:
    unknown = (donors == UNKNOWN_PAIR) | (acceptors == UNKNOWN_PAIR)
    found = {name: _has_motif(donors, acceptors, motif) for name, motif in _KNOWN_MOTIFS.items()}
    known = np.logical_or.reduce(list(found.values()))
    by_gene = (
        introns.select("gene_id", odd=~known & ~unknown, checked=~unknown)
        .group_by("gene_id")
        .agg(pl.col("odd").sum(), pl.col("checked").sum())
        .filter(pl.col("odd") > 0)
        .sort(["odd", "checked", "gene_id"], descending=[True, False, False])
        .head(_WORST_GENES)
    )
    worst = tuple(f"{gene_id} ({odd} of {checked})" for gene_id, odd, checked in by_gene.iter_rows())
    counts = {name: int(has.sum()) for name, has in found.items()}
    return IntronCheck(introns.height, int(unknown.sum()), **counts, worst_genes=worst)


def _wrong_coordinates(check: IntronCheck, introns: pl.DataFrame, genome: Genome, build: str) -> GuardError:
    expected = "97 to 99 % of the distinct introns to read GT-AG, GC-AG or AT-AC on the transcript's strand"
    found = f"{check.known:,} of {check.checked:,} ({100 * check.known / check.checked:.1f} %) do"
    remedy, rate = _best_remedy(introns.head(_TRIED_INTRONS), genome)
    if rate >= STOP_BELOW:
        return GuardError(
            expected,
            f"{found}; with {remedy}, {100 * rate:.1f} % would",
            "correct the annotation's coordinates or strands in this way (GTF and GFF3 are 1-based, both ends included)",
        )
    return GuardError(
        expected,
        f"{found}; no shift by 1 or 2 bases and not the other strand helps; most others: {', '.join(check.worst_genes)}",
        f"the annotation is probably of another build than the genome, which was given as {build}: "
        f"use both of one build ({first_few(list(genome.contigs), 3)} were compared)",
    )


def _best_remedy(introns: pl.DataFrame, genome: Genome) -> tuple[str, float]:
    """What would make the introns fit best, and the share that would fit."""
    flipped = introns.with_columns(pl.col("strand").replace(_FLIPPED))
    rates = {"the strands exchanged": _count(flipped, *intron_motifs(flipped, genome)).rate or 0.0}
    for remedy, (move_start, move_end) in _SHIFTS.items():
        moved = intron_motifs(introns, genome, move_start=move_start, move_end=move_end)
        rates[remedy] = _count(introns, *moved).rate or 0.0
    best = max(rates, key=lambda remedy: rates[remedy])
    return best, rates[best]
