"""Tables over all chunks: always complete for what exists, made again whenever a chunk changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.plan import POSITIONS, SCORES, PositionOptions, chunks_in_order, spans_from_facts
from meta_spliceai.basepass.positions import chunk_file, chunk_tables
from meta_spliceai.basepass.score_chunks import SCORED_EVENT
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import ERROR_TABLE, GENE_STATUS_TABLE, PERFORMANCE_TABLE
from meta_spliceai.store.folder import RUN_LOG, Manifest
from meta_spliceai.store.tables import read_table, table_writer, write_tsv

AGGREGATES = "aggregates"
"""Name of the part that holds the aggregated tables."""

PERFORMANCE_FILE = "full_splice_performance.tsv"
"""In the evaluation folder, one level above the chunk files."""

GENE_STATUS_FILE = "gene_manifest.tsv"
"""What became of every gene asked for. It says how long things took, so it is no part of what a run must reproduce."""


def write_aggregates(folder: Path, manifest: Manifest, options: PositionOptions) -> dict[str, int]:
    """Write the aggregated tables from the chunk files; returns rows by file name relative to `folder`."""
    labels = [name.removeprefix(POSITIONS) for name in chunks_in_order(manifest)]
    rows = {}
    _, positions, *_ = chunk_tables(options)
    for table in (positions, ERROR_TABLE):
        name = f"full_{table.name}.{options.artifact_format}"
        with table_writer(folder / name, table) as writer:
            for frame in _chunk_frames(folder, labels, table, options):
                writer.append(frame)
        rows[name] = writer.rows
    performance = performance_of(folder, manifest, options)
    write_tsv(performance, folder.parent / PERFORMANCE_FILE)
    return {**rows, f"../{PERFORMANCE_FILE}": performance.height}


def performance_of(folder: Path, manifest: Manifest, options: PositionOptions) -> pl.DataFrame:
    """`PERFORMANCE_TABLE` of all chunks."""
    labels = [name.removeprefix(POSITIONS) for name in chunks_in_order(manifest)]
    return pl.concat([PERFORMANCE_TABLE.empty(), *_chunk_frames(folder, labels, PERFORMANCE_TABLE, options)])


def _chunk_frames(folder: Path, labels: list[str], table: Table, options: PositionOptions) -> Iterator[pl.DataFrame]:
    for label in labels:
        yield read_table(folder / chunk_file(table, label, options.artifact_format), table)


def write_gene_status(
    folder: Path,
    manifest: Manifest,
    options: PositionOptions,
    reference: Reference,
    failed: Mapping[str, str],
    genes_of_failed: Mapping[str, str],
) -> None:
    """Write what became of every gene that was ever asked for.

    Parameters
    ----------
    failed
        Message by label, of the chunks that failed in this run.
    genes_of_failed
        Label of the chunk by gene id, of the genes in them.
    """
    performance = performance_of(folder, manifest, options)
    sites = performance.group_by("gene_id").agg(num_splice_sites=pl.col("n_splice_sites").sum())
    chunk_of = {
        gene_id: name.removeprefix(POSITIONS)
        for name in chunks_in_order(manifest)
        for gene_id in manifest.parts[name].facts["genes"]
    }
    known = pl.DataFrame(
        [(gene_id, "done", "", label) for gene_id, label in chunk_of.items()]
        + [(g, "failed", failed[label], label) for g, label in genes_of_failed.items() if g not in chunk_of],
        schema={"gene_id": pl.String, "status": pl.String, "reason": pl.String, "chunk": pl.String},
        orient="row",
    )
    frame = (
        reference.genes.join(known, on="gene_id", how="inner", maintain_order="left")
        .join(sites, on="gene_id", how="left", maintain_order="left")
        .join(_seconds_per_base(folder, manifest), on="chunk", how="left", maintain_order="left")
        .with_columns(
            num_positions=pl.when(pl.col("status") == "done").then("gene_length").otherwise(0),
            num_splice_sites=pl.col("num_splice_sites").fill_null(0),
            seconds=(pl.col("seconds_per_base") * pl.col("gene_length")).round(3),
            base_model=pl.lit(manifest.parameters["base_model"]["name"]),
            genomic_build=pl.lit(reference.build),
        )
    )
    write_tsv(GENE_STATUS_TABLE.conform(frame), folder / GENE_STATUS_FILE)


def _seconds_per_base(folder: Path, manifest: Manifest) -> pl.DataFrame:
    """Seconds that scoring took per base of each chunk's stretches, by the run log; null where it says nothing."""
    spent: dict[str, float] = {}
    path = folder / RUN_LOG
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        event = _parsed(line)
        if event.get("event") == SCORED_EVENT:
            spent[event["chunk"]] = spent.get(event["chunk"], 0.0) + float(event["seconds"])
    rows = [
        (label, spent[label] / max(1, sum(span.end - span.start for span in spans_from_facts(entry.facts))))
        for name, entry in manifest.parts.items()
        if name.startswith(SCORES) and (label := name.removeprefix(SCORES)) in spent
    ]
    return pl.DataFrame(rows, schema={"chunk": pl.String, "seconds_per_base": pl.Float64}, orient="row")


def _parsed(line: str) -> dict[str, Any]:
    """An event of the run log; nothing where a killed process left half a line."""
    try:
        event: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return event
