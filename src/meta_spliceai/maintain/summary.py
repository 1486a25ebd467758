"""`dataset summary`: what a dataset holds, read once from end to end, one row group in memory at a time.

Values are counted as they are, even where the schema forbids them: finding fault is the work of `dataset validate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from meta_spliceai.maintain.rewrite import read_gene_manifest
from meta_spliceai.maintain.summary_page import page
from meta_spliceai.maintain.summary_text import as_text
from meta_spliceai.schema.column import Column
from meta_spliceai.store.atomic import write_text
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, row_groups

BINS = 40
PICTURED = ("donor_score", "acceptor_score", "spread", "gc_content")
"""Columns between 0 and 1 whose values are drawn."""

_GROUPED = ("splice_type", "pred_type", "sampling_tier", "gene_type", "inclusion_probability")
_WEIGHT = "inclusion_probability"
_COLUMNS_AT_ONCE = 64
_RANGES = {
    "column": pl.String,
    "rows": pl.Int64,
    "nulls": pl.Int64,
    "not_finite": pl.Int64,
    "min": pl.Float64,
    "max": pl.Float64,
    "sum": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What a dataset holds. `bases` in a table: the bases these rows stand for, sum of 1 / inclusion_probability.

    Parameters
    ----------
    path, about
        The folder, and what it was made from: build, base_model, k-mer sizes, maintenance.
    rows, genes, parts
        Counts; genes count with or without rows.
    bases, body_bases
        Bases that the rows stand for (an estimate; None where the dataset has no inclusion probabilities), and bases of
        all gene bodies, which count once where the rows of overlapping genes were merged.
    labels, calls, tiers, gene_types
        Rows, their share and bases by value of splice_type, pred_type, sampling_tier, gene_type; the last one with genes
        and sites as well.
    inclusion
        Rows and bases by inclusion probability, largest first.
    columns
        column, role, origin, dtype, nulls, not_finite, min, max, mean.
    rows_per_gene
        gene_id and rows of every gene, most first.
    histograms
        Rows in equal bins from 0 to 1, by column.
    html
        The page that was written, if any.
    """

    path: Path
    about: dict[str, Any]
    rows: int
    genes: int
    parts: int
    bases: int | None
    body_bases: int
    labels: pl.DataFrame
    calls: pl.DataFrame
    tiers: pl.DataFrame
    gene_types: pl.DataFrame
    inclusion: pl.DataFrame
    columns: pl.DataFrame
    rows_per_gene: pl.DataFrame
    histograms: dict[str, list[int]]
    html: Path | None

    def summary(self) -> str:
        """Tables and small histograms for a terminal."""
        return as_text(self)


def summarise(dataset: Path, *, html: Path | None = None) -> DatasetSummary:
    """Say what a dataset holds: rows, genes, class balance, sampling, nulls and ranges, and what its rows stand for.

    Parameters
    ----------
    dataset
        The dataset folder, or its master folder.
    html
        Also write a page to this file; it needs nothing from the network.

    Raises
    ------
    StoreError, SchemaError
        There is no dataset, or it cannot be read.
    """
    opened = open_dataset(dataset)
    counted = _count(opened)
    genes = read_gene_manifest(opened)
    summary = _summary(opened, counted, genes, html)
    if html is not None:
        write_text(html, page(summary))
    return summary


# ---- counting --------------------------------------------------------------------------------------------------------


class _Counts:
    """Sums over the row groups seen so far."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.numeric = [column.name for column in columns if column.dtype not in (pl.String, pl.Boolean)]
        self.every = [column.name for column in columns]
        self.groups: list[pl.DataFrame] = []
        self.per_gene: list[pl.DataFrame] = []
        self.ranges: list[pl.DataFrame] = []
        self.histograms: dict[str, npt.NDArray[np.int64]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        grouped = [name for name in _GROUPED if name in frame.columns]
        self.groups.append(frame.group_by(grouped).agg(rows=pl.len().cast(pl.Int64)))
        named = [name for name in ("gene_id", "gene_type") if name in frame.columns]
        self.per_gene.append(frame.group_by(named).agg(rows=pl.len().cast(pl.Int64)))
        self.ranges.append(self._ranges(frame))
        for name in PICTURED:
            if name in frame.columns:
                counts, _ = np.histogram(frame[name].drop_nulls().to_numpy(), bins=BINS, range=(0, 1))
                self.histograms[name] = self.histograms.get(name, np.zeros(BINS, dtype=np.int64)) + counts
        if len(self.groups) > 64:
            self._fold()

    def _ranges(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One row per column: nulls, values that are not finite, and least, largest and sum of the others."""
        nulls = dict(zip(frame.columns, frame.null_count().row(0), strict=True))
        found = {name: (nulls[name], 0, None, None, None) for name in self.every}
        for first in range(0, len(self.numeric), _COLUMNS_AT_ONCE):
            # only floats are copied, without the values that are not finite, and only some columns at a time
            names = self.numeric[first : first + _COLUMNS_AT_ONCE]
            finite = frame.select(pl.col(names)).with_columns(
                pl.when(cs.float().is_finite()).then(cs.float()).name.keep()
            )
            sums = (finite.null_count(), finite.min(), finite.max(), finite.sum())
            for name, lost, least, most, total in zip(names, *(part.row(0) for part in sums), strict=True):
                found[name] = (nulls[name], lost - nulls[name], least, most, total)
        rows = [(name, frame.height, *values) for name, values in found.items()]
        return pl.DataFrame(rows, schema=_RANGES, orient="row", strict=False)

    def _fold(self) -> None:
        self.groups = [_together(self.groups)]
        self.per_gene = [_together(self.per_gene)]
        self.ranges = [self.folded_ranges()]

    def folded_ranges(self) -> pl.DataFrame:
        together = pl.concat(self.ranges).group_by("column", maintain_order=True)
        return together.agg(
            pl.col("rows", "nulls", "not_finite").sum(), pl.col("min").min(), pl.col("max").max(), pl.col("sum").sum()
        )

    def folded_groups(self) -> pl.DataFrame:
        return _together(self.groups)

    def folded_genes(self) -> pl.DataFrame:
        return _together(self.per_gene)


def _together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames)
    return frame.group_by([name for name in frame.columns if name != "rows"]).agg(pl.col("rows").sum())


def _count(dataset: DatasetFolder) -> _Counts:
    columns = tuple(dataset.table)
    counts = _Counts(columns)
    counts.add(dataset.table.empty())
    for _, _, frame in row_groups(dataset, dataset.table.names, checked=False):
        counts.add(frame)
    return counts


# ---- tables ----------------------------------------------------------------------------------------------------------


def _summary(dataset: DatasetFolder, counts: _Counts, genes: pl.DataFrame, html: Path | None) -> DatasetSummary:
    groups = counts.folded_groups()
    weighted = _WEIGHT in groups.columns
    bases: pl.Expr = pl.lit(None, dtype=pl.Float64)
    if weighted:  # rows with no probability above 0 stand for nothing that could be counted; check DS017 names them
        bases = pl.when((pl.col(_WEIGHT) > 0) & pl.col(_WEIGHT).is_finite()).then(pl.col("rows") / pl.col(_WEIGHT))
    groups = groups.with_columns(bases=bases)
    rows = int(groups["rows"].sum())
    return DatasetSummary(
        path=dataset.path,
        about=_about(dataset),
        rows=rows,
        genes=genes.height,
        parts=len(dataset.files),
        bases=round(groups["bases"].sum()) if weighted else None,
        body_bases=_distinct_bases(genes) if dataset.one_row_per_unit else int(genes["gene_length"].sum()),
        labels=_by(groups, "splice_type", rows),
        calls=_by(groups, "pred_type", rows),
        tiers=_by(groups, "sampling_tier", rows),
        gene_types=_gene_types(groups, _typed_by_rows(genes, counts.folded_genes()), rows),
        inclusion=_by(groups, _WEIGHT, rows).sort(_WEIGHT, descending=True) if weighted else pl.DataFrame(),
        columns=_columns(dataset, counts.folded_ranges()),
        rows_per_gene=_rows_per_gene(counts.folded_genes(), genes),
        histograms={name: values.tolist() for name, values in counts.histograms.items()},
        html=html,
    )


def _distinct_bases(genes: pl.DataFrame) -> int:
    """Bases that any of the gene bodies holds, each strand for itself."""
    strand = ["chrom", "strand"]
    ordered = genes.sort(*strand, "start").with_columns(
        before=pl.col("end").cum_max().shift(1).over(strand).fill_null(0)
    )
    new = pl.col("end") - pl.max_horizontal(pl.col("start") - 1, "before")
    return int(ordered.select(new.clip(lower_bound=0).sum()).item())


def _about(dataset: DatasetFolder) -> dict[str, Any]:
    parameters, facts = dataset.manifest.parameters, dataset.manifest.facts
    model: Mapping[str, Any] = facts.get("base_model", {})
    return {
        "build": facts.get("build", "unknown"),
        "base_model": model.get("name", "unknown"),
        "kmer_sizes": list(parameters["kmer_sizes"]),
        "patches": [patch.name for patch in dataset.patches],
        "maintenance": [str(step["note"]) for step in parameters.get("maintenance", ())],
    }


def _by(groups: pl.DataFrame, column: str, rows: int) -> pl.DataFrame:
    if column not in groups.columns:
        return pl.DataFrame(schema={column: pl.String, "rows": pl.Int64, "share": pl.Float64, "bases": pl.Float64})
    counted = groups.group_by(column).agg(pl.col("rows", "bases").sum())
    return counted.select(column, "rows", share=pl.col("rows") / max(rows, 1), bases="bases").sort(
        "rows", column, descending=[True, False]
    )


def _typed_by_rows(genes: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The gene manifest with the types that the rows say, which a patch may have changed."""
    if "gene_type" not in found.columns:
        return genes
    types = found.group_by("gene_id").agg(now=pl.col("gene_type").first())
    joined = genes.join(types, on="gene_id", how="left", maintain_order="left")
    return joined.with_columns(gene_type=pl.coalesce("now", "gene_type")).drop("now")


def _gene_types(groups: pl.DataFrame, genes: pl.DataFrame, rows: int) -> pl.DataFrame:
    """By gene type: genes and annotated sites from the gene manifest, rows and what they stand for from the rows."""
    described = genes.group_by("gene_type").agg(
        genes=pl.len().cast(pl.Int64), donors=pl.col("donor_sites").sum(), acceptors=pl.col("acceptor_sites").sum()
    )
    joined = _by(groups, "gene_type", rows).join(described, on="gene_type", how="full", coalesce=True)
    filled = joined.with_columns(
        pl.col("rows", "genes", "donors", "acceptors").fill_null(0), pl.col("share").fill_null(0.0)
    )
    return filled.select("gene_type", "genes", "donors", "acceptors", "rows", "share", "bases").sort(
        "rows", "gene_type", descending=[True, False]
    )


def _columns(dataset: DatasetFolder, ranges: pl.DataFrame) -> pl.DataFrame:
    declared = pl.DataFrame(
        [(c.name, c.role, c.origin, str(c.dtype() if isinstance(c.dtype, type) else c.dtype)) for c in dataset.table],
        schema=["column", "role", "origin", "dtype"],
        orient="row",
    )
    mean = pl.col("sum") / (pl.col("rows") - pl.col("nulls") - pl.col("not_finite"))
    known = ranges.with_columns(mean=pl.when(pl.col("min").is_not_null()).then(mean))
    return declared.join(known.drop("rows", "sum"), on="column", how="left", maintain_order="left")


def _rows_per_gene(found: pl.DataFrame, genes: pl.DataFrame) -> pl.DataFrame:
    rows = found.group_by("gene_id").agg(pl.col("rows").sum())
    joined = genes.select("gene_id").join(rows, on="gene_id", how="full", coalesce=True)
    return joined.with_columns(pl.col("rows").fill_null(0)).sort("rows", "gene_id", descending=[True, False])
