"""Is a row there twice? Found in one pass, in memory that does not grow with the rows.

A row can only be doubled within its gene, and the rows of a gene lie together, by position. So only neighbours are
compared; genes whose rows are out of order, or lie in several places, are read once more, some at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.errors import first_few
from meta_spliceai.train.matrix import DatasetFolder, read_row_group

ROWS_AT_ONCE = 2_000_000
"""Rows of genes that are out of order, held at a time; or those of one gene, where it has more."""

Group = tuple[Path, int]


class DoubledRows:
    """Rows that agree in all columns of a key, which begins with gene_id."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._offences: list[str] = []
        self._rows: Counter[str] = Counter()
        self._groups: dict[str, list[Group]] = {}
        self._again: set[str] = set()
        self._last: tuple[Path | None, str, int] = (None, "", 0)

    def add(self, path: Path, group: int, frame: pl.DataFrame) -> None:
        """Look at the rows of the next row group."""
        keys = frame.select(self._key).filter(pl.col("gene_id").is_not_null() & pl.col("position").is_not_null())
        if not keys.height:
            return
        position = keys["position"].to_numpy()
        same_gene = (keys["gene_id"] == keys["gene_id"].shift(1)).fill_null(False).to_numpy()
        step = np.diff(position, prepend=position[:1])
        at_one_base = same_gene & (step == 0)
        if at_one_base.any():
            beside = at_one_base | np.append(at_one_base[1:], False)
            doubled = keys.filter(pl.Series(beside)).filter(pl.struct(self._key).is_duplicated())
            self._note(path, doubled)
        self._again.update(keys.filter(pl.Series(same_gene & (step < 0)))["gene_id"].unique())
        self._remember(path, group, keys.with_columns(pl.Series("starts", ~same_gene)))

    def _remember(self, path: Path, group: int, keys: pl.DataFrame) -> None:
        """Which genes lie where, and which of them are not in one place and order."""
        by_gene = keys.group_by("gene_id", maintain_order=True).agg(rows=pl.len(), runs=pl.col("starts").sum())
        first, last = keys["position"][0], keys["position"][-1]
        last_path, last_gene, last_position = self._last
        for number, (gene, rows, runs) in enumerate(by_gene.iter_rows()):
            goes_on = number == 0 and (path, gene) == (last_path, last_gene) and first > last_position
            if runs > 1 or (gene in self._rows and not goes_on):
                self._again.add(gene)
            self._rows[gene] += rows
            self._groups.setdefault(gene, []).append((path, group))
        self._last = (path, keys["gene_id"][-1], last)

    def found(self, dataset: DatasetFolder) -> Iterator[str]:
        """All offences, after the genes that are out of order were read again."""
        for genes in self._batches():
            places = sorted({place for gene in genes for place in self._groups[gene]})
            wanted = pl.col("gene_id").is_in(list(genes))
            rows = [read_row_group(dataset, *place, self._key).filter(wanted) for place in places]
            keys = pl.concat(rows)
            self._note(places[0][0], keys.filter(pl.struct(self._key).is_duplicated()))
        yield from dict.fromkeys(self._offences)

    def _batches(self) -> Iterator[list[str]]:
        batch: list[str] = []
        for gene in sorted(self._again):
            if batch and sum(self._rows[held] for held in batch) + self._rows[gene] > ROWS_AT_ONCE:
                yield batch
                batch = []
            batch.append(gene)
        if batch:
            yield batch

    def _note(self, path: Path, doubled: pl.DataFrame) -> None:
        if doubled.height:
            row = doubled.row(0, named=True)
            where = f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"
            genes = first_few(doubled["gene_id"].unique(maintain_order=True).to_list())
            self._offences.append(f"{doubled.height} rows of {genes} in {path.name}, such as {where}")
