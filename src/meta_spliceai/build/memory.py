"""How much memory a build needs, and how it keeps below a limit.

A process holds two groups of candidate rows (one is read while the other is worked on), blocks of computed features, and row
groups of the file: one gathered, one encoded. Only the first depends on how many rows are held at a time, so that is what
a limit lowers; then it lowers the number of workers. Neither changes a byte of the result. The figures were measured on
builds of 200 to 2,000 simulated genes (`bench/scale.py`); they are upper estimates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meta_spliceai.errors import InputError
from meta_spliceai.schema.column import Table
from meta_spliceai.store.tables import row_group_bytes

ROWS_AT_ONCE = 100_000
"""Candidate rows held at a time at most: more need memory and are no faster."""

BLOCK_BYTES = 128 << 20
"""K-mer counts computed together at most."""

_PROCESS = 340 << 20
_PER_ROW = 2_000
_FEWEST_ROWS = 5_000
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a build keeps to: candidate rows held at a time, processes at the same time, and bytes needed for that."""

    rows: int
    workers: int
    bytes: int


def parsed_size(text: str) -> int:
    """Bytes of a size such as 2G, 1.5 GB, 800MiB or 1000000.

    Raises
    ------
    InputError
        Anything else, or nothing.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise InputError("a size such as 2G, 1.5GB or 800M", repr(text), "give a number with one of K, M, G, T")
    return size


def rows_per_block(rows: int, kmer_sizes: tuple[int, ...]) -> int:
    """Rows whose features are computed together: `rows`, or fewer where their k-mers would need more than `BLOCK_BYTES`."""
    return max(1, min(rows, BLOCK_BYTES // max(1, _kmer_bytes(kmer_sizes))))


def plan_memory(
    limit: int | None,
    *,
    table: Table,
    kmer_sizes: tuple[int, ...],
    batch_rows: int,
    workers: int,
    rows_of_largest_gene: int,
) -> MemoryPlan:
    """Choose rows and workers that stay below a limit, as near as can be to what was asked for.

    Parameters
    ----------
    limit
        Bytes for all processes together; None for no limit.
    table, kmer_sizes
        The dataset's columns.
    batch_rows, workers
        What was asked for.
    rows_of_largest_gene
        About how many candidate rows the largest gene has: a gene is never cut.

    Raises
    ------
    InputError
        Even the fewest rows and one worker need more.
    """
    most = max(min(batch_rows, ROWS_AT_ONCE), 1)
    fewest = min(most, max(_FEWEST_ROWS, rows_of_largest_gene))
    for processes in range(workers, 0, -1):
        for rows in (most, most // 2, most // 4, fewest):
            needed = _bytes_of(max(rows, fewest), processes, table, kmer_sizes, rows_of_largest_gene)
            if limit is None or needed <= limit:
                return MemoryPlan(max(rows, fewest), processes, needed)
    raise InputError(
        expected=f"a --memory-limit of at least {needed / (1 << 20):,.0f}M for these columns and genes",
        found=f"{(limit or 0) / (1 << 20):,.0f}M",
        action="raise it, or count shorter k-mers",
    )


def _bytes_of(rows: int, workers: int, table: Table, kmer_sizes: tuple[int, ...], largest: int) -> int:
    block = rows_per_block(rows, kmer_sizes) * _kmer_bytes(kmer_sizes)
    of_worker = _PROCESS + 2 * row_group_bytes(table) + 2 * block + _PER_ROW * max(rows, largest)
    return of_worker if workers == 1 else _PROCESS + workers * of_worker


def _kmer_bytes(kmer_sizes: tuple[int, ...]) -> int:
    return sum(2 << 2 * k for k in kmer_sizes)  # 4^k counts of two bytes
