"""The tables of a reference, from exons on a genome. Coordinates become 1-based with both ends included here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from meta_spliceai.formats.annotation import Annotation
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.sites import splice_sites_of
from meta_spliceai.reference.motifs import site_motifs
from meta_spliceai.reference.placement import in_reference_order
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import (
    EXON_TABLE,
    GENE_TABLE,
    OVERLAP_TABLE,
    SHORT_GAP_TABLE,
    SITE_TABLE,
    TRANSCRIPT_TABLE,
)

_TRANSCRIPT = ["chrom", "strand", "gene_id", "transcript_id"]


@dataclass(frozen=True, slots=True)
class ReferenceTables:
    """A frame per table of a reference; see `schema.tables`."""

    genes: pl.DataFrame
    transcripts: pl.DataFrame
    exons: pl.DataFrame
    splice_sites: pl.DataFrame
    overlaps: pl.DataFrame
    short_gaps: pl.DataFrame

    def by_table(self) -> list[tuple[Table, pl.DataFrame]]:
        """Each table with its frame."""
        return [
            (GENE_TABLE, self.genes),
            (TRANSCRIPT_TABLE, self.transcripts),
            (EXON_TABLE, self.exons),
            (SITE_TABLE, self.splice_sites),
            (OVERLAP_TABLE, self.overlaps),
            (SHORT_GAP_TABLE, self.short_gaps),
        ]


def derive_tables(
    annotation: Annotation, introns: pl.DataFrame, short_gaps: pl.DataFrame, genome: Genome
) -> ReferenceTables:
    """All tables of a reference.

    Parameters
    ----------
    annotation
        On the genome's contigs, every gene_id once, every gene with exons.
    introns, short_gaps
        Gaps between its exons as `genome.sites.split_by_length` gives them.
    """
    contigs = genome.contigs
    sites = splice_sites_of(introns)
    sites = sites.with_columns(site_motifs(sites, genome))
    overlaps = overlaps_of(annotation.genes.sort(in_reference_order(contigs, "start", "end", "gene_id")))
    return ReferenceTables(
        genes=_gene_table(annotation, sites, overlaps, contigs),
        transcripts=_transcript_table(annotation, introns, contigs),
        exons=_exon_table(annotation.exons, contigs),
        splice_sites=SITE_TABLE.conform(
            sites.sort(in_reference_order(contigs, "position", "strand", "splice_type", "gene_id", "transcript_id"))
        ),
        overlaps=OVERLAP_TABLE.conform(overlaps),
        short_gaps=SHORT_GAP_TABLE.conform(
            short_gaps.sort(in_reference_order(contigs, "start", "end", "gene_id", "transcript_id"))
            .with_columns(length=pl.col("end") - pl.col("start"))
            .with_columns(pl.col("start") + 1)
        ),
    )


def _gene_table(
    annotation: Annotation, sites: pl.DataFrame, overlaps: pl.DataFrame, contigs: Mapping[str, int]
) -> pl.DataFrame:
    start, end = pl.col("start"), pl.col("end")
    length, exonic = pl.col("gene_length"), pl.col("total_exon_length")
    spliced = annotation.exons.group_by(_TRANSCRIPT).agg(transcript_length=(end - start).sum())
    of_gene = [
        annotation.transcripts.group_by("gene_id").agg(num_transcripts=pl.len()),
        annotation.exons.select("gene_id", "start", "end").unique().group_by("gene_id").agg(num_exons=pl.len()),
        spliced.group_by("gene_id").agg(pl.col("transcript_length").max()),
        covered_lengths(annotation.exons),
        _site_counts(sites),
        overlaps.group_by("gene_id").agg(num_overlaps=pl.len()),
    ]
    genes = annotation.genes.sort(in_reference_order(contigs, "start", "end", "gene_id"))
    for counts in of_gene:
        genes = genes.join(counts, on="gene_id", how="left", maintain_order="left")
    genes = genes.with_columns(
        pl.col("gene_name").fill_null(pl.col("gene_id")),
        pl.col("gene_type").fill_null("unknown"),
        pl.col("n_splice_sites", "donor_sites", "acceptor_sites", "transcript_site_rows", "num_overlaps").fill_null(0),
        ordinal=pl.int_range(1, pl.len() + 1).over("chrom"),
        gene_length=end - start,
    ).with_columns(
        start + 1,
        total_intron_length=length - exonic,
        splice_density_per_kb=1000 * pl.col("n_splice_sites") / length,
    )
    return GENE_TABLE.conform(genes)


def _site_counts(sites: pl.DataFrame) -> pl.DataFrame:
    position = pl.col("position")
    return sites.group_by("gene_id").agg(
        n_splice_sites=position.n_unique(),
        donor_sites=position.filter(pl.col("splice_type") == "donor").n_unique(),
        acceptor_sites=position.filter(pl.col("splice_type") == "acceptor").n_unique(),
        transcript_site_rows=pl.len(),
    )


def _transcript_table(annotation: Annotation, introns: pl.DataFrame, contigs: Mapping[str, int]) -> pl.DataFrame:
    lengths = annotation.exons.group_by(_TRANSCRIPT).agg(
        num_exons=pl.len(), transcript_length=(pl.col("end") - pl.col("start")).sum()
    )
    intron_counts = introns.group_by(_TRANSCRIPT).agg(num_introns=pl.len())
    rows = (
        annotation.transcripts.join(lengths, on=_TRANSCRIPT, how="left")
        .join(intron_counts, on=_TRANSCRIPT, how="left")
        .with_columns(pl.col("num_introns").fill_null(0), pl.col("transcript_type").fill_null("unknown"))
        .sort(in_reference_order(contigs, "start", "end", "transcript_id", "gene_id"))
    )
    return TRANSCRIPT_TABLE.conform(rows.with_columns(pl.col("start") + 1))


def _exon_table(exons: pl.DataFrame, contigs: Mapping[str, int]) -> pl.DataFrame:
    ordered = exons.sort(in_reference_order(contigs, "start", "end", "transcript_id", "gene_id"))
    from_left = pl.int_range(1, pl.len() + 1).over(_TRANSCRIPT)
    from_right = pl.len().over(_TRANSCRIPT) + 1 - from_left
    number = pl.when(pl.col("strand") == "+").then(from_left).otherwise(from_right)
    return EXON_TABLE.conform(ordered.with_columns(pl.col("start") + 1, exon_number=number))


def covered_lengths(exons: pl.DataFrame) -> pl.DataFrame:
    """Bases in at least one exon (`total_exon_length`) by gene_id."""
    reach_before = pl.col("end").cum_max().shift(1).over("gene_id").fill_null(0)
    new_bases = (pl.col("end") - pl.max_horizontal("start", reach_before)).clip(lower_bound=0)
    return (
        exons.sort("gene_id", "start", "end")
        .with_columns(new_bases=new_bases)
        .group_by("gene_id")
        .agg(total_exon_length=pl.col("new_bases").sum())
    )


def overlaps_of(genes: pl.DataFrame) -> pl.DataFrame:
    """Every pair of genes that overlap, both ways round.

    Parameters
    ----------
    genes
        gene_id, chrom, strand, start, end (0-based half-open), sorted by contig and start.

    Returns
    -------
    DataFrame
        gene_id, other_gene_id, chrom, same_strand, overlap_length, in the order of the genes given.
    """
    lefts, rights = [], []
    for _, contig in genes.with_row_index("row").group_by("chrom", maintain_order=True):
        start, end = contig["start"].to_numpy(), contig["end"].to_numpy()
        # the genes that start inside gene i are the ones from i + 1 on that start before its end: no pair is tried twice
        upto = np.searchsorted(start, end)
        count = upto - np.arange(start.size) - 1
        left = np.repeat(np.arange(start.size), count)
        within = np.arange(left.size) - np.repeat(np.cumsum(count) - count, count)
        rows = contig["row"].to_numpy()
        lefts.append(rows[left])
        rights.append(rows[left + 1 + within])
    one, other = (np.concatenate(parts) if parts else np.empty(0, np.uint32) for parts in (lefts, rights))
    place, other_place = np.concatenate([one, other]), np.concatenate([other, one])
    gene, other_gene = genes[place], genes[other_place]
    shared = np.minimum(gene["end"], other_gene["end"]) - np.maximum(gene["start"], other_gene["start"])
    return (
        gene.select("gene_id", "chrom")
        .with_columns(
            other_gene["gene_id"].alias("other_gene_id"),
            (gene["strand"] == other_gene["strand"]).alias("same_strand"),
            pl.Series("overlap_length", shared),
            pl.Series("place", place),
            pl.Series("other_place", other_place),
        )
        .sort("place", "other_place")
        .drop("place", "other_place")
    )
