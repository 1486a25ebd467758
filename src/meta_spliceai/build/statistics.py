"""What a dataset holds, in numbers: gene types, lengths, densities, labels, sampling, completeness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from meta_spliceai.build.summary import Summary
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import NOT_CANDIDATE

_QUANTILES = {"min": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "max": 1.0}
_DISTRIBUTIONS = ("gene_length", "splice_density_per_kb", "total_splice_sites", "transcript_site_rows", "rows")


def null_counts(files: Iterable[Path], table: Table) -> dict[str, int]:
    """Missing values of each nullable column over Parquet files, from their footers: no row is read."""
    counts = {column.name: 0 for column in table if column.nullable}
    for path in files:
        metadata = pq.read_metadata(path)
        index = {name: metadata.schema.names.index(name) for name in counts}
        for group in range(metadata.num_row_groups):
            for name, number in index.items():
                counts[name] += int(metadata.row_group(group).column(number).statistics.null_count)
    return counts


def statistics_of(summary: Summary, nulls: dict[str, int]) -> dict[str, Any]:
    """The content of `statistics.json`.

    Parameters
    ----------
    summary
        What the documents tell.
    nulls
        As `null_counts`; every other column is complete.
    """
    rows = summary.rows
    return {
        "rows": rows,
        "genes": summary.genes.height,
        "bases_of_gene_bodies": summary.bases,
        "weighted_rows": summary.weighted_rows,
        "gene_types": _by(summary.genes, "gene_type"),
        "contigs": _by(summary.genes, "chrom"),
        "strands": _by(summary.genes, "strand"),
        "per_gene": {name: _distribution(summary.genes[name]) for name in _DISTRIBUTIONS},
        "genes_without_sites": int((summary.genes["total_splice_sites"] == 0).sum()),
        "genes_without_rows": int((summary.genes["rows"] == 0).sum()),
        "splice_type": dict(summary.counts["splice_type"]),
        "pred_type": dict(summary.counts["pred_type"]),
        "sampling": summary.sampling,
        "kept_share_of_candidates": _kept_share(summary),
        "kept_share_of_bases": rows / summary.bases if summary.bases else None,
        "columns": len(summary.table.columns),
        "nulls": {name: {"rows": n, "share": n / rows if rows else None} for name, n in nulls.items()},
    }


def _kept_share(summary: Summary) -> float | None:
    """Rows kept, of those that the base pass had kept."""
    seen = int(summary.ledger.filter(pl.col("sampling_tier") != NOT_CANDIDATE)["rows_seen"].sum())
    return summary.rows / seen if seen else None


def _by(genes: pl.DataFrame, column: str) -> dict[str, dict[str, int]]:
    counted = genes.group_by(column).agg(
        genes=pl.len(), rows=pl.col("rows").sum(), splice_sites=pl.col("total_splice_sites").sum()
    )
    return {str(row.pop(column)): row for row in counted.sort("genes", column, descending=[True, False]).to_dicts()}


def _distribution(values: pl.Series) -> dict[str, float | None]:
    quantiles = {name: values.quantile(q, interpolation="linear") for name, q in _QUANTILES.items()}
    mean = values.mean()
    return {**quantiles, "mean": None if mean is None else float(str(mean))}
