"""Which rows of a dataset are there twice.

Two rows are duplicates when all of their columns are equal, or, with a subset, when these columns are. The keys of all
rows are hashed file by file; only rows whose key occurs twice are read in full. A row counts as equal to another when two
independent 64-bit hashes of all its columns are.

Memory: about 40 bytes per row of the dataset, about 100 more per row that is there twice, and one row group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.matrix import DatasetFolder, row_groups

UNIT = ("chrom", "position", "strand")
_EXACT_KEY = ("gene_id", *UNIT)
_SEEDS = (101, 202)

Hashes = npt.NDArray[np.uint64]

COPIED_PART, SAME_PART, TWO_PARTS = "a part copied twice", "twice in one part", "the same gene in two parts"
OVERLAPPING, TRANSCRIPTS = "genes that overlap", "transcripts of one gene"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What is kept and what is not.

    Parameters
    ----------
    kept
        By file: whether each of its rows is kept.
    dropped
        One row per dropped row: gene_id, chrom, position, strand, transcript_id, part, and of the row that is kept in its
        place kept_gene_id, kept_transcript_id, kept_part; and why: `reason`.
    rows
        Rows of the dataset.
    conflicts
        Rows of one gene and base that are not equal, and therefore all kept.
    """

    kept: Mapping[Path, BoolArray]
    dropped: pl.DataFrame
    rows: int
    conflicts: int


def check_subset(dataset: DatasetFolder, subset: Sequence[str]) -> None:
    """Refuse columns that do not tell bases apart: rows of different bases are never merged.

    Raises
    ------
    InputError
        Unknown columns, or a subset that does not name the base.
    """
    unknown = [name for name in subset if name not in dataset.table.names]
    if unknown:
        raise InputError(
            "columns of the dataset for --subset-cols", f"unknown: {first_few(unknown)}", "check the names"
        )
    named = set(subset)
    if "position" not in named or not ("gene_id" in named or {"chrom", "strand"} <= named):
        raise InputError(
            expected="--subset-cols that tell bases apart: position with gene_id, or with chrom and strand",
            found=" ".join(subset),
            action="add the columns that are missing: rows of different bases are never merged",
        )


def find_duplicates(dataset: DatasetFolder, subset: Sequence[str] | None = None) -> Duplicates:
    """Find the rows that are there more than once; of each, the first in the order of the files is kept."""
    hashes, ends = _hashes(dataset, tuple(dict.fromkeys(subset)) if subset else _EXACT_KEY)
    suspects = _repeated(hashes)
    compared = tuple(subset) if subset else tuple(dataset.table.names)
    named = _suspect_rows(dataset, suspects, compared, ends)
    dropped = _explained(named, dict(zip((path.stem for path in dataset.files), np.diff(ends).tolist(), strict=True)))
    keep = np.ones(hashes.size, dtype=bool)
    keep[dropped["row"].to_numpy()] = False
    del hashes
    kept = {path: keep[ends[place] : ends[place + 1]] for place, path in enumerate(dataset.files)}
    left = named.filter(~named["row"].is_in(dropped["row"].implode())).select(_EXACT_KEY)
    conflicts = int(_repeated(left.hash_rows(seed=_SEEDS[0]).to_numpy()).sum())
    return Duplicates(kept, dropped.drop("row"), keep.size, conflicts)


def shared_units(dataset: DatasetFolder, kept: Mapping[Path, BoolArray]) -> int:
    """How many units have more than one of the kept rows: those that overlapping genes share."""
    hashes, _ = _hashes(dataset, UNIT)
    ordered = np.sort(hashes[np.concatenate([kept[path] for path in dataset.files])])
    return int(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]).size)


def _hashes(dataset: DatasetFolder, key: tuple[str, ...]) -> tuple[Hashes, list[int]]:
    """Hash of each row's key, and the row at which each file begins (and the last one ends)."""
    found: list[Hashes] = [np.empty(0, dtype=np.uint64)]
    rows = dict.fromkeys(dataset.files, 0)
    for path, _, frame in row_groups(dataset, key):
        found.append(frame.hash_rows(seed=_SEEDS[0]).to_numpy())
        rows[path] += frame.height
    return np.concatenate(found), [0, *np.cumsum(list(rows.values())).tolist()]


def _repeated(hashes: Hashes) -> BoolArray:
    """Which hashes occur more than once, shape kept."""
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not twice.size:
        return np.zeros(hashes.size, dtype=bool)
    found: BoolArray = twice[np.minimum(np.searchsorted(twice, hashes), twice.size - 1)] == hashes
    return found


def _suspect_rows(
    dataset: DatasetFolder, suspects: BoolArray, compared: tuple[str, ...], ends: Sequence[int]
) -> pl.DataFrame:
    """The rows whose key occurs twice, with two hashes of the compared columns (h0, h1) and their number (row)."""
    shown = ("gene_id", *UNIT, "transcript_id")
    columns = tuple(dict.fromkeys((*compared, *shown)))
    # a handful of names for many rows: held as numbers
    coded: Any = {name: pl.Int64 if name == "position" else pl.Categorical for name in ("part", *shown)}
    found = [pl.DataFrame(schema={"row": pl.Int64, **coded, "h0": pl.UInt64, "h1": pl.UInt64})]
    if suspects.any():
        row = 0
        # files without suspects are not read
        parts = [path for place, path in enumerate(dataset.files) if suspects[ends[place] : ends[place + 1]].any()]
        starts = dict(zip(dataset.files, ends, strict=False))
        last = None
        for path, _, frame in row_groups(dataset, columns, parts):
            row = starts[path] if path != last else row
            last = path
            mine = suspects[row : row + frame.height]
            number = pl.Series("row", np.arange(row, row + frame.height), dtype=pl.Int64)
            chosen = frame.with_columns(number).filter(pl.Series(mine, dtype=pl.Boolean))
            twins = [chosen.select(compared).hash_rows(seed=seed).alias(f"h{n}") for n, seed in enumerate(_SEEDS)]
            named = chosen.select("row", pl.lit(path.stem).alias("part"), *shown).cast(coded)
            found.append(named.with_columns(twins))
            row += frame.height
    return pl.concat(found)


def _explained(suspects: pl.DataFrame, rows_of_parts: Mapping[str, int]) -> pl.DataFrame:
    """The rows that are not the first of their kind, each with the row kept in its place and the reason."""
    first = _first_alike(suspects["h0"].to_numpy(), suspects["h1"].to_numpy())
    again = np.flatnonzero(first != np.arange(first.size))
    shown = ("gene_id", "transcript_id", "part")
    kept = suspects[first[again]].select(pl.col(shown).name.prefix("kept_"))
    dropped = pl.concat([suspects[again].drop("h0", "h1"), kept], how="horizontal")
    copies = _copied_parts(dropped, rows_of_parts)
    reason = (
        pl.when(pl.col("part").is_in(copies))
        .then(pl.lit(COPIED_PART))
        .when(pl.col("gene_id") != pl.col("kept_gene_id"))
        .then(pl.lit(OVERLAPPING))
        .when(pl.col("transcript_id").ne_missing(pl.col("kept_transcript_id")))
        .then(pl.lit(TRANSCRIPTS))
        .when(pl.col("part") != pl.col("kept_part"))
        .then(pl.lit(TWO_PARTS))
        .otherwise(pl.lit(SAME_PART))
    )
    return dropped.with_columns(reason=reason)


def _first_alike(h0: Hashes, h1: Hashes) -> npt.NDArray[np.int64]:
    """For each place, the first place with the same pair of hashes, shape kept."""
    order = np.lexsort((h1, h0))  # stable: places that are alike stay in ascending order
    new = np.ones(order.size, dtype=bool)
    new[1:] = (h0[order][1:] != h0[order][:-1]) | (h1[order][1:] != h1[order][:-1])
    first = np.empty(order.size, dtype=np.int64)
    first[order] = order[np.maximum.accumulate(np.where(new, np.arange(order.size), 0))]
    return first


def _copied_parts(dropped: pl.DataFrame, rows_of_parts: Mapping[str, int]) -> list[str]:
    """Parts all of whose rows are those of one other part, gene for gene."""
    same = dropped.filter((pl.col("part") != pl.col("kept_part")) & (pl.col("gene_id") == pl.col("kept_gene_id")))
    counted = same.group_by("part", "kept_part").agg(rows=pl.len())
    return [part for part, _, rows in counted.iter_rows() if rows == rows_of_parts[part]]
