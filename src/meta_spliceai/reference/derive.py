"""The tables derived from a checked annotation. Frames in and out hold 0-based half-open bounds until `on_disk`."""

from __future__ import annotations

import numpy as np
import polars as pl

from meta_spliceai.formats.annotation import Annotation
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import merge_spans
from meta_spliceai.genome.sequences import base_pair_names
from meta_spliceai.genome.sites import splice_sites_of
from meta_spliceai.reference.guard import edge_pairs
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE


def on_disk(frame: pl.DataFrame) -> pl.DataFrame:
    """Bounds as tables show them: 1-based, both included."""
    return frame.with_columns(start=pl.col("start") + 1)


def reference_order(genes: pl.DataFrame, contigs: list[str]) -> pl.DataFrame:
    """Genes by contig in the genome's order, then start, end and gene_id, with their 1-based ordinal on the contig."""
    order = {name: place for place, name in enumerate(contigs)}
    return (
        genes.with_columns(place=pl.col("chrom").replace_strict(order, return_dtype=pl.Int64))
        .sort("place", "start", "end", "gene_id")
        .with_columns(ordinal=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("chrom"))
        .drop("place")
    )


def site_table(introns: pl.DataFrame, genome: Genome) -> pl.DataFrame:
    """`SITE_TABLE`: both sites of every intron, with the intron's two bases there."""
    distinct = introns.unique(["chrom", "strand", "start", "end"], maintain_order=True)
    donors, acceptors = edge_pairs(distinct, genome)
    names = np.array(base_pair_names())
    named = distinct.with_columns(donor_motif=pl.Series(names[donors]), acceptor_motif=pl.Series(names[acceptors]))
    motifs = pl.concat(
        [
            named.select(
                "chrom", "strand", position=f"{kind}_position", splice_type=pl.lit(kind), motif=f"{kind}_motif"
            )
            for kind in ("donor", "acceptor")
        ]
    ).unique(["chrom", "strand", "position", "splice_type"])
    sites = splice_sites_of(introns).join(
        motifs, on=["chrom", "strand", "position", "splice_type"], how="left", maintain_order="left"
    )
    return SITE_TABLE.conform(sites)


def transcript_table(annotation: Annotation, introns: pl.DataFrame) -> pl.DataFrame:
    """`TRANSCRIPT_TABLE`."""
    key = ["chrom", "strand", "gene_id", "transcript_id"]
    lengths = annotation.exons.group_by(key).agg(
        num_exons=pl.len(), transcript_length=(pl.col("end") - pl.col("start")).sum()
    )
    counted = introns.group_by(key).agg(num_introns=pl.len())
    frame = (
        annotation.transcripts.join(lengths, on=key, how="left")
        .join(counted, on=key, how="left")
        .with_columns(pl.col("num_introns").fill_null(0))
        .sort("chrom", "start", "end", "transcript_id")
    )
    return TRANSCRIPT_TABLE.conform(on_disk(frame))


def exon_table(annotation: Annotation) -> pl.DataFrame:
    """`EXON_TABLE`."""
    key = ["gene_id", "transcript_id"]
    forward = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(key)
    frame = annotation.exons.sort("chrom", "start", "end", "transcript_id").with_columns(
        exon_number=pl.when(pl.col("strand") == "+").then(forward).otherwise(pl.len().over(key) + 1 - forward)
    )
    return EXON_TABLE.conform(on_disk(frame))


def overlap_table(genes: pl.DataFrame) -> pl.DataFrame:
    """`OVERLAP_TABLE`: pairs of genes whose bodies share a base, on either strand, both ways round."""
    frames = [
        _overlaps_on_contig(group, str(chrom)) for (chrom,), group in genes.group_by("chrom", maintain_order=True)
    ]
    return pl.concat([OVERLAP_TABLE.empty(), *frames])


def _overlaps_on_contig(genes: pl.DataFrame, chrom: str) -> pl.DataFrame:
    ordered = genes.sort("start", "end", "gene_id")
    start, end = ordered["start"].to_numpy(), ordered["end"].to_numpy()
    # a gene overlaps those that start after it and before its end, which are its next rows in this order
    upto = np.searchsorted(start, end, side="left")
    counts = upto - np.arange(start.size) - 1
    first = np.repeat(np.arange(start.size), counts)
    second = first + 1 + np.arange(first.size) - np.repeat(np.cumsum(counts) - counts, counts)
    ids, strand = ordered["gene_id"].to_numpy(), ordered["strand"].to_numpy()
    length = np.minimum(end[first], end[second]) - np.maximum(start[first], start[second])
    both_ways = [(first, second), (second, first)]
    frame = pl.concat(
        [
            pl.DataFrame(
                {
                    "gene_id": ids[one].astype(str),
                    "other_gene_id": ids[other].astype(str),
                    "chrom": np.full(one.size, chrom),
                    "same_strand": strand[one] == strand[other],
                    "overlap_length": length,
                },
                schema_overrides=OVERLAP_TABLE.polars_schema(),
            )
            for one, other in both_ways
        ]
    )
    return OVERLAP_TABLE.conform(frame.sort("gene_id", "other_gene_id"))


def gene_table(
    genes: pl.DataFrame, transcripts: pl.DataFrame, exons: pl.DataFrame, sites: pl.DataFrame, overlaps: pl.DataFrame
) -> pl.DataFrame:
    """`GENE_TABLE` from genes in reference order (0-based half-open) and the other tables."""
    by_gene = "gene_id"
    distinct_exons = exons.select(by_gene, "start", "end").unique()
    frame = (
        genes.join(transcripts.group_by(by_gene).agg(num_transcripts=pl.len(), transcript_length=pl.col("transcript_length").max()), on=by_gene, how="left", maintain_order="left")
        .join(distinct_exons.group_by(by_gene).agg(num_exons=pl.len()), on=by_gene, how="left", maintain_order="left")
        .join(_exonic_bases(distinct_exons), on=by_gene, how="left", maintain_order="left")
        .join(_site_counts(sites), on=by_gene, how="left", maintain_order="left")
        .join(overlaps.group_by(by_gene).agg(num_overlaps=pl.col("other_gene_id").n_unique()), on=by_gene, how="left", maintain_order="left")
        .with_columns(
            pl.col("n_splice_sites", "donor_sites", "acceptor_sites", "transcript_site_rows", "num_overlaps").fill_null(0),
            gene_length=pl.col("end") - pl.col("start"),
        )
        .with_columns(
            total_intron_length=pl.col("gene_length") - pl.col("total_exon_length"),
            splice_density_per_kb=1000 * pl.col("n_splice_sites") / pl.col("gene_length"),
        )
    )  # fmt: skip
    return GENE_TABLE.conform(on_disk(frame))


def _site_counts(sites: pl.DataFrame) -> pl.DataFrame:
    def distinct(kind: str) -> pl.Expr:
        return pl.col("position").filter(pl.col("splice_type") == kind).n_unique()

    return sites.group_by("gene_id").agg(
        n_splice_sites=pl.col("position").n_unique(),
        donor_sites=distinct("donor"),
        acceptor_sites=distinct("acceptor"),
        transcript_site_rows=pl.len(),
    )


def _exonic_bases(exons: pl.DataFrame) -> pl.DataFrame:
    """Bases exonic in any transcript, by gene: the union of its exons, found for all genes at once.

    Each gene's exons are moved to a range of coordinates of their own, so one merge serves all genes.
    """
    numbered = exons.sort("gene_id", "start").with_columns(number=pl.col("gene_id").rank("dense").cast(pl.Int64) - 1)
    room = int(numbered["end"].max() or 0) + 1  # type: ignore[arg-type]
    starts, ends = merge_spans(
        (numbered["start"] + numbered["number"] * room).to_numpy(),
        (numbered["end"] + numbered["number"] * room).to_numpy(),
    )
    merged = pl.DataFrame({"number": starts // room, "total_exon_length": ends - starts})
    names = numbered.select("gene_id", "number").unique()
    return merged.group_by("number").agg(pl.col("total_exon_length").sum()).join(names, on="number").drop("number")
