"""`dataset dedup`: rows that are there twice go, and it is said where they came from.

Exact duplicates are one draw written twice, so the row that stays keeps its inclusion probability. Rows of different genes
at one base are different views, drawn independently: they stay, unless `--subset-cols` merges them, and then the row that
stays has the probability that any of the genes drew the base (see `merged_units`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.build.master import MASTER
from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.maintain.duplicates import OVERLAPPING, UNIT, Duplicates, check_subset, find_duplicates, shared_units
from meta_spliceai.maintain.merged_units import UnionProbability, true_sites
from meta_spliceai.maintain.rewrite import (
    Rewrite,
    destination,
    open_to_change,
    read_gene_manifest,
    row_counts,
    write_rewrite,
)
from meta_spliceai.store.atomic import remove
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, row_groups

log = logging.getLogger(__name__)

_EXAMPLES = 1
_UNIT_LEVEL = ("random", "none")
"""Ways of sampling true negatives in the base pass under which all genes give a base the same probability."""


@dataclass(frozen=True, slots=True)
class DedupResult:
    """What was removed and why.

    Parameters
    ----------
    path
        The dataset without duplicates.
    rows_before, rows_after, rows_removed
        Counts.
    origins
        One row per reason: reason, rows, examples.
    shared_units
        Bases that keep a row in more than one gene.
    conflicts
        Rows of one gene and base that are not equal, all of them kept.
    lost
        With --subset-cols, how many rows of genes lost their view of a base to another gene, by gene (most first):
        gene_id, rows.
    """

    path: Path
    rows_before: int
    rows_after: int
    rows_removed: int
    origins: pl.DataFrame
    shared_units: int
    conflicts: int
    lost: pl.DataFrame

    def summary(self) -> str:
        """What a person wants to know."""
        lines = [f"{self.path}: {self.rows_removed:,} of {self.rows_before:,} rows removed, {self.rows_after:,} kept"]
        lines += [
            f"  {row['rows']:>10,}  {row['reason']}, such as {row['examples']}" for row in self.origins.to_dicts()
        ]
        if not self.rows_removed:
            lines.append("  no duplicates")
        if self.shared_units:
            lines.append(
                f"  {self.shared_units:,} bases have a row in each of several overlapping genes: other views, kept"
            )
        if self.conflicts:
            lines.append(
                f"  {self.conflicts:,} rows show the same gene and base with other values: kept; compare them with "
                "`meta-spliceai dataset validate`"
            )
        if self.lost.height:
            worst = ", ".join(f"{gene} {rows:,}" for gene, rows in self.lost.head(5).iter_rows())
            lines.append(f"  views lost to another gene, by gene: {worst}" + (" …" if self.lost.height > 5 else ""))
        return "\n".join(lines)


def dedup(
    dataset: Path,
    *,
    dst: Path | None = None,
    inplace: bool = False,
    subset_cols: Sequence[str] | None = None,
) -> DedupResult:
    """Remove duplicate rows of a dataset, across its files.

    Without --subset-cols a row goes only when another one is equal in all columns. The first one stays, in its place.

    Parameters
    ----------
    dataset
        The dataset folder, or its master folder.
    dst
        Where the new dataset goes; default: the dataset's name with `_dedup`. A run that was interrupted resumes.
    inplace
        Put the new files in place of the old ones, which stay until the new ones are complete.
    subset_cols
        Compare only these columns. They must tell bases apart: position with gene_id, or chrom, position and strand. With
        the latter the rows that overlapping genes have of a base become one; what is lost is listed.

    Raises
    ------
    InputError
        Columns that do not tell bases apart, or both --dst and --inplace.
    StoreError
        The master folder holds rows that belong to no part.
    """
    opened = open_to_change(dataset) if inplace else open_dataset(dataset)
    if subset_cols is not None:
        check_subset(opened, subset_cols)
    merges_genes = subset_cols is not None and "gene_id" not in subset_cols
    if merges_genes:
        _check_mergeable(opened)
    if dst is None and not inplace:
        dst = opened.path.with_name(f"{opened.path.name}_dedup")
    with destination(opened, dst, inplace=inplace) as target:
        strays = _stray_parts(opened)
        everything = dataclasses.replace(opened, files=(*opened.files, *strays))
        found = find_duplicates(everything, subset_cols)
        if strays:  # only what is equal in all columns is a copy
            _check_strays(strays, found if subset_cols is None else find_duplicates(everything))
        shared = 0 if merges_genes else shared_units(opened, found.kept)
        if not inplace or found.dropped.height > _in(strays, found):
            counts = row_counts(opened, found.kept)
            plan = Rewrite(opened, opened.table, _step(subset_cols, found), counts, {}, merges_genes)
            # merged once, each row has the probability of its base already
            probabilities = _union(opened) if merges_genes and not opened.one_row_per_unit else None
            write_rewrite(plan, target, lambda path: _kept_rows(opened, path, found, probabilities))
    if inplace:
        for stray in strays:
            remove(stray)
    return _result(opened.path if inplace else target, found, shared)


def _check_mergeable(dataset: DatasetFolder) -> None:
    rule = dataset.manifest.facts.get("base_pass", {}).get("rule", {})
    sampling = rule.get("tn_sampling", "random")
    if sampling not in _UNIT_LEVEL:
        raise InputError(
            expected="a base pass that draws true negatives alike in all genes, to merge rows of different genes",
            found=f"--tn-sampling {sampling}",
            action="add gene_id to --subset-cols, or leave the option out: exact duplicates are then removed",
        )


def _stray_parts(dataset: DatasetFolder) -> list[Path]:
    """Parquet files in the master folder that the manifest does not name, such as a part copied by hand."""
    held = {path.name for path in dataset.files}
    return sorted(path for path in (dataset.path / MASTER).glob("*.parquet") if path.name not in held)


def _check_strays(strays: Sequence[Path], found: Duplicates) -> None:
    foreign = [path for path in strays if found.kept[path].any()]
    if foreign:
        raise StoreError(
            expected=f"every Parquet file in {foreign[0].parent} to be a part of the dataset, or a copy of one",
            found=f"rows that are nowhere else in {first_few([path.name for path in foreign])}",
            action="move these files away: they are not in the dataset's manifest",
        )


def _in(strays: Sequence[Path], found: Duplicates) -> int:
    """Rows that only stray files hold twice; the dataset's own files are whole without a rewrite."""
    return sum(int((~found.kept[path]).sum()) for path in strays)


def _step(subset: Sequence[str] | None, found: Duplicates) -> dict[str, Any]:
    removed = found.dropped.height
    by = f"rows equal in {', '.join(subset)}" if subset else "exact duplicates"
    once = "; a base counts once, however many genes hold it" if subset and "gene_id" not in subset else ""
    return {
        "command": "dataset dedup",
        "subset_cols": list(subset) if subset else None,
        "rows_removed": removed,
        "note": f"`dataset dedup` removed {removed:,} of {found.rows:,} rows ({by}){once}",
    }


def _union(dataset: DatasetFolder) -> UnionProbability:
    parameters = dataset.manifest.parameters
    rows = (frame for _, _, frame in row_groups(dataset, ("gene_id", "position", "splice_type")))
    return UnionProbability(
        read_gene_manifest(dataset),
        true_sites(rows),
        window=parameters["window"],
        easy_ratio=parameters["easy_ratio"],
    )


def _kept_rows(
    dataset: DatasetFolder, path: Path, found: Duplicates, probabilities: UnionProbability | None
) -> Iterator[pl.DataFrame]:
    first = 0
    for _, _, frame in row_groups(dataset, dataset.table.names, [path]):
        kept = frame.filter(pl.Series(found.kept[path][first : first + frame.height], dtype=pl.Boolean))
        first += frame.height
        if probabilities is not None:
            kept = kept.with_columns(inclusion_probability=pl.Series(np.minimum(probabilities.of(kept), 1.0)))
        yield kept


def _result(path: Path, found: Duplicates, shared: int) -> DedupResult:
    place = pl.format("{} {}:{}({})", "gene_id", *UNIT)
    example = pl.format("{} ({}, kept in {})", place, "part", "kept_part")
    origins = (
        found.dropped.group_by("reason")
        .agg(rows=pl.len(), examples=example.head(_EXAMPLES))
        .with_columns(pl.col("examples").list.join("; "))
        .sort("rows", "reason", descending=[True, False])
    )
    lost = (
        found.dropped.filter(pl.col("reason") == OVERLAPPING)
        .group_by(pl.col("gene_id").cast(pl.String))
        .agg(rows=pl.len())
    )
    return DedupResult(
        path=path,
        rows_before=found.rows,
        rows_after=found.rows - found.dropped.height,
        rows_removed=found.dropped.height,
        origins=origins,
        shared_units=shared,
        conflicts=found.conflicts,
        lost=lost.sort("rows", "gene_id", descending=[True, False]),
    )
