"""Tables over all chunks: always complete for what exists, made again whenever a chunk changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from meta_spliceai.basepass.artifacts import POSITIONS, chunks_in_order
from meta_spliceai.basepass.positions import chunk_file
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import (
    ANALYSIS_TABLE,
    ERROR_TABLE,
    GENE_STATUS_TABLE,
    PERFORMANCE_TABLE,
    POSITION_TABLE,
)
from meta_spliceai.store.folder import Manifest
from meta_spliceai.store.tables import TableWriter, read_parquet, write_tsv

AGGREGATES = "aggregates"
"""Name of the part that holds the aggregated tables."""

PERFORMANCE_FILE = "full_splice_performance.tsv"
"""In the evaluation folder, one level above the chunk files."""


def write_aggregates(folder: Path, manifest: Manifest, reference: Reference, base_model: str) -> dict[str, int]:
    """Write the aggregated tables from the chunk files; returns rows by file name relative to `folder`."""
    labels = [name.removeprefix(POSITIONS) for name in chunks_in_order(manifest)]
    rows = {}
    for table in (POSITION_TABLE, ERROR_TABLE):
        name = f"full_{table.name}.parquet"
        with TableWriter(folder / name, table) as writer:
            for frame in _chunk_frames(folder, labels, table):
                writer.append(frame)
        rows[name] = writer.rows
    performance = pl.concat([PERFORMANCE_TABLE.empty(), *_chunk_frames(folder, labels, PERFORMANCE_TABLE)])
    write_tsv(performance, folder.parent / PERFORMANCE_FILE)
    status = _gene_status(folder, labels, performance, reference, base_model)
    write_tsv(status, folder / "gene_manifest.tsv")
    return {**rows, f"../{PERFORMANCE_FILE}": performance.height, "gene_manifest.tsv": status.height}


def _chunk_frames(folder: Path, labels: list[str], table: Table) -> Iterator[pl.DataFrame]:
    for label in labels:
        yield read_parquet(folder / chunk_file(table, label), table)


def _gene_status(
    folder: Path, labels: list[str], performance: pl.DataFrame, reference: Reference, base_model: str
) -> pl.DataFrame:
    counted = [
        read_parquet(folder / chunk_file(ANALYSIS_TABLE, label), columns=["gene_id"])
        .group_by("gene_id")
        .len("num_candidates")
        .with_columns(chunk=pl.lit(label))
        for label in labels
    ]
    candidates = (
        pl.concat(counted)
        if counted
        else pl.DataFrame(schema={"gene_id": pl.String, "num_candidates": pl.UInt32, "chunk": pl.String})
    )
    sites = performance.group_by("gene_id").agg(num_splice_sites=pl.col("n_splice_sites").sum())
    frame = (
        reference.genes.join(sites, on="gene_id", how="inner", maintain_order="left")
        .join(candidates, on="gene_id", how="left", maintain_order="left")
        .with_columns(
            status=pl.lit("done"),
            num_positions=pl.col("gene_length"),
            num_candidates=pl.col("num_candidates").fill_null(0),
            chunk=pl.col("chunk").fill_null(""),
            base_model=pl.lit(base_model),
            genomic_build=pl.lit(reference.build),
        )
    )
    return GENE_STATUS_TABLE.conform(frame)
