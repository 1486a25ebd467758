"""What the annotation says of splice sites and genes, in small numbers, for the strata of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sites import introns_of
from meta_spliceai.reference.load import Reference

Codes = npt.NDArray[np.uint8]

NOT_A_SITE, CANONICAL, ALTERNATIVE = 0, 1, 2
"""Classes of sites: of a canonical transcript, or of others only; 0 everywhere if the annotation tags none canonical."""

MOTIFS = ("GT-AG", "GC-AG", "AT-AC")
OTHER_MOTIF = len(MOTIFS) + 1
"""Motifs of introns are numbered from 1 in this order; a site has the first that one of its introns reads."""

INNER_EXON, TERMINAL_EXON = 1, 2
"""A site is terminal where every transcript with it has it at its first or last exon."""

OTHER_GENE, CODING, LNCRNA, PSEUDOGENE = range(4)

_LNCRNA_TYPES = frozenset(
    ("lncRNA", "lincRNA", "antisense", "antisense_RNA", "sense_intronic", "sense_overlapping", "processed_transcript",
     "3prime_overlapping_ncRNA", "3prime_overlapping_ncrna", "bidirectional_promoter_lncRNA", "macro_lncRNA", "non_coding")
)  # fmt: skip
"""GENCODE's biotypes of long non-coding genes, those of older releases included."""

FACTS = ("site_class", "motif", "exon_place")


def gene_class(gene_type: str) -> int:
    """The class of a gene by its biotype."""
    if gene_type == "protein_coding":
        return CODING
    if gene_type in _LNCRNA_TYPES:
        return LNCRNA
    return PSEUDOGENE if gene_type.endswith("pseudogene") else OTHER_GENE


def gene_classes(genes: Iterable[Mapping[str, Any]], where: Interval) -> Codes:
    """The class of each base of an interval by the genes on it, shape (length,): coding, else lncRNA, else pseudogene."""
    found = np.full(where.length, OTHER_GENE, dtype=np.uint8)
    by_class = sorted(((gene_class(gene["gene_type"]), gene) for gene in genes), key=lambda pair: pair[0], reverse=True)
    for number, gene in by_class:
        if number != OTHER_GENE:
            found[max(0, gene["start"] - 1 - where.start) : gene["end"] - where.start] = number
    return found


def site_facts(reference: Reference) -> pl.DataFrame:
    """The facts of every base that is a splice site.

    Returns
    -------
    DataFrame
        chrom, strand, position (1-based), site_class, motif, exon_place; one row per base. A base that is a site of both
        types has the lower number of each, as `canonical` and `GT-AG` come first.
    """
    sites = reference.splice_sites().join(_numbered_introns(reference), on=_SITE, how="left")
    canonical = reference.transcripts().filter(pl.col("is_canonical").fill_null(value=False))["transcript_id"]
    facts = sites.group_by("chrom", "strand", "position").agg(
        site_class=pl.when(pl.col("transcript_id").is_in(canonical.to_list()).any()).then(CANONICAL).otherwise(ALTERNATIVE),
        motif=pl.col("intron_motif").min().fill_null(OTHER_MOTIF),
        exon_place=pl.when(pl.col("is_terminal").all()).then(TERMINAL_EXON).otherwise(INNER_EXON),
    )  # fmt: skip
    if canonical.is_empty():
        facts = facts.with_columns(site_class=pl.lit(NOT_A_SITE))
    return facts.with_columns(pl.col(FACTS).cast(pl.UInt8)).sort("chrom", "strand", "position")


_SITE = ["transcript_id", "splice_type", "position"]


def _numbered_introns(reference: Reference) -> pl.DataFrame:
    """transcript_id, splice_type, position of both sites of each intron, with intron_motif and is_terminal."""
    pairs = reference.splice_sites().select(*_SITE, "motif")
    introns = introns_of(reference.exons().with_columns(pl.col("start") - 1))
    # in a transcript's own direction, its first intron has the donor of the first exon
    rank = pl.int_range(pl.len()).over("transcript_id")
    last = pl.len().over("transcript_id") - 1
    plus = pl.col("strand") == "+"
    introns = introns.with_columns(is_first=rank == pl.when(plus).then(0).otherwise(last), is_last=rank == pl.when(plus).then(last).otherwise(0))  # fmt: skip
    for kind in ("donor", "acceptor"):
        own = pairs.filter(splice_type=kind).select("transcript_id", "position", "motif")
        introns = introns.join(
            own.rename({"position": f"{kind}_position", "motif": f"{kind}_motif"}),
            on=["transcript_id", f"{kind}_position"],
            how="left",
        )
    motif = pl.concat_str("donor_motif", "acceptor_motif", separator="-")
    numbered = introns.with_columns(
        intron_motif=motif.replace_strict(
            list(MOTIFS), list(range(1, OTHER_MOTIF)), default=OTHER_MOTIF, return_dtype=pl.UInt8
        )
    )
    ends = (("donor", "is_first"), ("acceptor", "is_last"))
    return pl.concat(
        numbered.select(
            "transcript_id",
            splice_type=pl.lit(kind),
            position=f"{kind}_position",
            intron_motif="intron_motif",
            is_terminal=end,
        )
        for kind, end in ends
    ).unique(_SITE)


class SiteFacts:
    """The facts of a reference's sites, ready to be asked about any interval."""

    def __init__(self, reference: Reference) -> None:
        self._of = {
            (str(chrom), str(strand)): (rows["position"].to_numpy(), {name: rows[name].to_numpy() for name in FACTS})
            for (chrom, strand), rows in site_facts(reference).group_by("chrom", "strand", maintain_order=True)
        }

    def on(self, where: Interval) -> dict[str, Codes]:
        """`FACTS` of the bases of an interval in ascending genomic order, each of shape (length,); 0 where there is no site."""
        found = {name: np.zeros(where.length, dtype=np.uint8) for name in FACTS}
        if (where.chrom, where.strand) in self._of:
            positions, facts = self._of[where.chrom, where.strand]
            first, last = np.searchsorted(positions, [where.start + 1, where.end + 1])
            for name, values in facts.items():
                found[name][positions[first:last] - 1 - where.start] = values[first:last]
        return found
