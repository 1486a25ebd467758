"""What a build would do, before it does it: rows by a count over the candidates, time and disk by a small build aside."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.build.batch import gene_groups, make_batch
from meta_spliceai.build.master import trim_file
from meta_spliceai.build.plan import BuildPlan
from meta_spliceai.build.sampling import TRIMMED_BY, trim

ROWS_TRIED = 20_000
"""Rows that are really built, to learn seconds and bytes per row."""

_BASES_COUNTED_AT_ONCE = 5_000_000


@dataclass(frozen=True, slots=True)
class BuildEstimate:
    """What a build would do; nothing was written.

    Parameters
    ----------
    genes, batches, rows, columns
        Of the dataset; the rows are counted, not guessed.
    seconds
        With the workers asked for, on this machine as busy as it is now.
    disk_bytes
        Of the batches; where the file system has no hard links it is twice that.
    memory_bytes
        Of all processes together, at most.
    workers
        Processes that would work at the same time.
    """

    genes: int
    batches: int
    rows: int
    columns: int
    seconds: float
    disk_bytes: int
    memory_bytes: int
    workers: int

    def summary(self) -> str:
        """A few lines for people."""
        return "\n".join(
            [
                f"genes   {self.genes:,} in {self.batches:,} batches",
                f"rows    {self.rows:,} of {self.columns:,} columns",
                f"time    about {self.seconds:,.0f} s with {self.workers} at the same time",
                f"disk    about {self.disk_bytes / 1e6:,.0f} MB",
                f"memory  at most {self.memory_bytes / 1e9:.1f} GB",
                "nothing was written",
            ]
        )


def estimate_build(plan: BuildPlan) -> BuildEstimate:
    """Count the rows of a plan and try a few of them in a temporary folder."""
    genes = plan.choice.genes
    rows_of = pl.concat(
        trim(plan.artifacts.candidates(group["gene_id"].to_list(), TRIMMED_BY), group, plan.batches[0].rule).ledger
        for group in gene_groups(genes, _BASES_COUNTED_AT_ONCE)
    )
    kept = rows_of.group_by("gene_id", maintain_order=True).agg(pl.col("rows_kept").sum())
    rows = int(kept["rows_kept"].sum())
    seconds, size, tried = _trial(plan, kept)
    per_row = rows / max(1, tried)
    return BuildEstimate(
        genes=genes.height,
        batches=len(plan.batches),
        rows=rows,
        columns=len(plan.table.columns),
        seconds=seconds * per_row / plan.memory.workers,
        disk_bytes=int(size * per_row),
        memory_bytes=plan.memory.bytes,
        workers=plan.memory.workers,
    )


def _trial(plan: BuildPlan, kept: pl.DataFrame) -> tuple[float, int, int]:
    """Build every n-th gene, as many as give about `ROWS_TRIED` rows; returns seconds, bytes and rows."""
    step = max(1, int(kept["rows_kept"].sum()) // ROWS_TRIED)
    some = kept.gather_every(step)
    with tempfile.TemporaryDirectory() as folder:
        batch = dataclasses.replace(plan.batches[0], gene_ids=tuple(some["gene_id"].to_list()), folder=Path(folder))
        make_batch(dataclasses.replace(batch, gene_ids=batch.gene_ids[:1]))  # what is done once must not count
        start = time.perf_counter()
        make_batch(batch)
        seconds = time.perf_counter() - start
        return seconds, (Path(folder) / trim_file(batch.name)).stat().st_size, int(some["rows_kept"].sum())
