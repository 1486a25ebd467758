"""Which transcripts of a gene have a site at a base, and what a row is in each position-id mode.

See `schema.tables.mode_columns` for the modes.
"""

from __future__ import annotations

import polars as pl

from meta_spliceai.schema.tables import PositionIdMode

_NOBODY = pl.DataFrame(
    schema={"position": pl.Int64, "transcript_id": pl.String, "own_type": pl.String},
)


class SiteTranscripts:
    """The transcripts of genes by site.

    Parameters
    ----------
    sites
        The reference's splice-site table.
    mode
        What a row is.
    """

    def __init__(self, sites: pl.DataFrame, mode: PositionIdMode) -> None:
        self._mode = mode
        pairs = sites.select("gene_id", "position", "transcript_id", own_type="splice_type").unique()
        self._of_gene = {
            str(gene_id): frame.drop("gene_id").sort("position", "transcript_id", "own_type")
            for (gene_id,), frame in pairs.group_by("gene_id")
        }

    def first(self, rows: pl.DataFrame, gene_id: str) -> pl.DataFrame:
        """`rows` (by position) of a gene with the first transcript and the number of transcripts with a site there."""
        return self._joined(
            rows, gene_id, pl.col("transcript_id").min(), transcript_count=pl.col("transcript_id").n_unique()
        ).with_columns(pl.col("transcript_count").fill_null(0))

    def rows(self, rows: pl.DataFrame, gene_id: str) -> pl.DataFrame:
        """The candidate rows of a gene as the mode has them; `rows` has one per base, by position."""
        if self._mode == "hybrid":
            return self._with_all_transcripts(self.first(rows, gene_id), gene_id)
        if self._mode == "genomic":
            return self.first(rows, gene_id)
        return self._one_per_transcript(rows, gene_id)

    def _one_per_transcript(self, rows: pl.DataFrame, gene_id: str) -> pl.DataFrame:
        own = self._of_gene.get(gene_id, _NOBODY)
        if self._mode == "transcript":
            own = own.select("position", "transcript_id").unique(maintain_order=True)
        counted = own.with_columns(
            transcript_count=pl.col("transcript_id").n_unique().over("position"),
            unit_rows=pl.len().over("position").cast(pl.Int64),
        )
        spread = rows.join(counted, on="position", how="left", maintain_order="left_right").with_columns(
            pl.col("transcript_count").fill_null(0), pl.col("unit_rows").fill_null(1)
        )
        if self._mode == "transcript":
            return spread
        return spread.with_columns(splice_type=pl.coalesce("own_type", "splice_type"))

    def _with_all_transcripts(self, rows: pl.DataFrame, gene_id: str) -> pl.DataFrame:
        return self._joined(
            rows,
            gene_id,
            transcript_ids=pl.col("transcript_id").unique().sort().str.join(","),
            splice_types_observed=pl.col("own_type").unique().sort().str.join(","),
        ).with_columns(is_multi_transcript=pl.col("transcript_count") > 1)

    def _joined(self, rows: pl.DataFrame, gene_id: str, *values: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
        own = self._of_gene.get(gene_id, _NOBODY).group_by("position").agg(*values, **named)
        return rows.join(own, on="position", how="left", maintain_order="left")
