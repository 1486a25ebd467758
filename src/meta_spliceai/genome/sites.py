"""From exons to introns to splice sites.

A splice site is a named base on the exon's edge. The *donor* is the last base of an exon, just before the intron; the
*acceptor* is the first base of the next exon, just after the intron, both in the direction of transcription:

    plus strand    5' ──EEEEEEEEED········intron········AEEEEEEEEE── 3'
    positions         ascending ─────────────────────────────────►

    minus strand   3' ──EEEEEEEEEA········intron········DEEEEEEEEE── 5'
    positions         ascending ─────────────────────────────────►

With `[start, end)` of the exon on the left and `[next_start, next_end)` of the exon on the right (left and right as
the positions ascend), the base on the intron's left edge has position `end` and the one on its right edge
`next_start + 1`. On plus the left one is the donor, on minus the right one is.
"""

from __future__ import annotations

import polars as pl

MIN_INTRON = 20
"""Gaps between exons shorter than this are annotation artefacts (frame shifts, assembly gaps), not introns."""


def introns_of(exons: pl.DataFrame) -> pl.DataFrame:
    """Gaps between neighbouring exons of each transcript.

    Parameters
    ----------
    exons
        Columns gene_id, transcript_id, chrom, strand, start, end (0-based half-open), one row per exon, any order.

    Returns
    -------
    DataFrame
        gene_id, transcript_id, chrom, strand, start, end (0-based half-open bounds of the intron), donor_position,
        acceptor_position (1-based); sorted by transcript and start. Touching or overlapping exons leave no row.
    """
    by_transcript = ["chrom", "strand", "gene_id", "transcript_id"]
    return (
        exons.select(*by_transcript, "start", "end")
        .sort(*by_transcript, "start", "end")
        .with_columns(
            pl.col("end").cum_max().over(by_transcript).alias("left_end"),
            pl.col("start").shift(-1).over(by_transcript).alias("right_start"),
        )
        .filter(pl.col("right_start") > pl.col("left_end"))
        .with_columns(start=pl.col("left_end"), end=pl.col("right_start"))
        .with_columns(
            donor_position=pl.when(pl.col("strand") == "+").then(pl.col("start")).otherwise(pl.col("end") + 1),
            acceptor_position=pl.when(pl.col("strand") == "+").then(pl.col("end") + 1).otherwise(pl.col("start")),
        )
        .select("gene_id", "transcript_id", "chrom", "strand", "start", "end", "donor_position", "acceptor_position")
    )


def split_by_length(introns: pl.DataFrame, min_intron: int = MIN_INTRON) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Introns of at least `min_intron` nt, and the shorter gaps that are artefacts and never give labels."""
    long_enough = (pl.col("end") - pl.col("start")) >= min_intron
    return introns.filter(long_enough), introns.filter(~long_enough)


def splice_sites_of(introns: pl.DataFrame) -> pl.DataFrame:
    """Both sites of every intron.

    Returns
    -------
    DataFrame
        chrom, strand, position (1-based), splice_type ('donor' or 'acceptor'), gene_id, transcript_id; one row per site
        and transcript, sorted by chrom, position, strand, splice_type, gene_id, transcript_id.
    """
    keys = ["chrom", "strand", "gene_id", "transcript_id"]
    donors = introns.select(*keys, position=pl.col("donor_position"), splice_type=pl.lit("donor"))
    acceptors = introns.select(*keys, position=pl.col("acceptor_position"), splice_type=pl.lit("acceptor"))
    return (
        pl.concat([donors, acceptors])
        .select("chrom", "strand", "position", "splice_type", "gene_id", "transcript_id")
        .unique()
        .sort("chrom", "position", "strand", "splice_type", "gene_id", "transcript_id")
    )
