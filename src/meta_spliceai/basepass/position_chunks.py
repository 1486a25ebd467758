"""The position parts of a folder: the tables of each chunk, from scores and annotation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.chunks import Chunk
from meta_spliceai.basepass.plan import (
    META_MODELS,
    POSITIONS,
    PositionOptions,
    place_of,
    position_part_identity,
)
from meta_spliceai.basepass.positions import PositionMaker, write_chunk_tables
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.workers.pool import run_parts
from meta_spliceai.workers.progress import track


@dataclass(frozen=True, slots=True)
class _PositionTask:
    """Everything a worker needs to make the tables of one chunk."""

    reference: Path
    eval_dir: Path
    chunk: Chunk
    options: PositionOptions


def make_positions(
    store: Folder,
    chunks: Sequence[Chunk],
    reference: Reference,
    options: PositionOptions,
    *,
    workers: int,
    redo: Collection[str] = (),
) -> None:
    """Make the tables of chunks whose scores are there, where they are missing or outdated; no model is run."""
    parameters, inputs = store.manifest.parameters, store.manifest.inputs
    contigs = list(parameters["contigs"])
    store.drop(POSITIONS + label for label in redo)
    todo = [
        _PositionTask(reference.path, store.path.parent, chunk, options)
        for chunk in chunks
        if not store.is_done(POSITIONS + chunk.label, position_part_identity(parameters, inputs, chunk))
    ]
    with track("positions", sum(len(task.chunk.gene_ids) for task in todo), "genes") as progress:
        for task, rows_of_file in run_parts(_tabulate_chunk, todo, workers=workers):
            chunk = task.chunk
            files = tuple(describe_file(store.path, name, rows) for name, rows in rows_of_file.items())
            facts = {"chrom": chunk.chrom, "genes": list(chunk.gene_ids), "place": place_of(chunk, contigs)}
            identity = position_part_identity(parameters, inputs, chunk)
            store.record(POSITIONS + chunk.label, PartEntry(identity, files, facts))
            if workers > 1:
                progress.advance(len(chunk.gene_ids))


def _tabulate_chunk(task: _PositionTask) -> dict[str, int]:
    """Write the tables of one chunk; returns rows by file name."""
    reference = load(task.reference)
    genes = reference.genes.filter(pl.col("gene_id").is_in(task.chunk.gene_ids))
    sites = reference.splice_sites().filter(pl.col("chrom") == task.chunk.chrom)
    with reference.open_genome() as genome:
        maker = PositionMaker(genome, open_artifacts(task.eval_dir), sites, task.options)
        return write_chunk_tables(task.eval_dir / META_MODELS, task.chunk.label, maker, genes, task.options)
