"""Is a row there twice? Found in one pass, in memory that does not grow with the rows.

A row can only be doubled within its gene, and the rows of a gene lie together, by position. So only neighbours are
compared; genes whose rows are out of order, or lie in several places, are read once more, some at a time. Where a base has
one row in the whole dataset, genes whose rows overlap are read once more too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from meta_spliceai.errors import first_few
from meta_spliceai.maintain.runs import GeneRuns
from meta_spliceai.train.matrix import DatasetFolder, read_row_group

ROWS_AT_ONCE = 2_000_000
"""Rows of genes that are out of order, held at a time; or those of one gene, where it has more."""

Group = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class KeysOfGroup:
    """What the keys of one row group say of doubled rows.

    Parameters
    ----------
    place
        File, and number of the row group in it.
    offence
        The doubled rows among neighbours, empty for none.
    unordered
        Genes whose positions go down somewhere.
    runs
        Genes of the stretches of rows that lie together, and how many rows each has.
    first, last
        The first and the last position.
    spans
        Of each run: gene_id, chrom, strand, and its `lowest` and `highest` position.
    """

    place: Group
    offence: str
    unordered: frozenset[str]
    runs: tuple[tuple[str, int], ...]
    first: int
    last: int
    spans: pl.DataFrame

    @classmethod
    def of(cls, path: Path, group: int, keys: pl.DataFrame, runs: GeneRuns | None = None) -> Self:
        """Look at the keys of a row group, whose first column is gene_id; rows without gene or position are left out."""
        if keys["gene_id"].null_count() or keys["position"].null_count():
            keys, runs = keys.drop_nulls(["gene_id", "position"]), None
        if not keys.height:
            return cls((path, group), "", frozenset(), (), 0, 0, pl.DataFrame())
        runs = runs or GeneRuns.of(keys["gene_id"])
        position = keys["position"].to_numpy()
        step = np.diff(position, prepend=position[:1])
        step[runs.starts] = 1  # from one gene to another there is no order
        at_one_base = step == 0
        offence = ""
        if at_one_base.any():
            beside = at_one_base | np.append(at_one_base[1:], False)
            offence = _said(path, keys.filter(pl.Series(beside)), keys.columns)
        unordered = keys["gene_id"].gather(np.flatnonzero(step < 0)).unique()
        of_runs = zip(runs.genes.to_list(), runs.rows.tolist(), strict=True)
        spans = runs.spans(keys["position"]).with_columns(keys["chrom", "strand"][runs.starts].cast(pl.Categorical))
        edges = int(position[0]), int(position[-1])
        return cls((path, group), offence, frozenset(unordered), tuple(of_runs), *edges, spans)


class DoubledRows:
    """Rows that agree in all columns of a key, which begins with gene_id.

    Parameters
    ----------
    key
        The columns.
    across_genes
        Whether rows of different genes must not agree in the other columns either.
    """

    def __init__(self, key: Sequence[str], *, across_genes: bool = False) -> None:
        self._key, self._across_genes = list(key), across_genes
        self._spans: list[pl.DataFrame] = []
        self._offences: list[str] = []
        self._rows: Counter[str] = Counter()
        self._groups: dict[str, list[Group]] = {}
        self._again: set[str] = set()
        self._last: tuple[Path | None, str, int] = (None, "", 0)

    def add(self, seen: KeysOfGroup) -> None:
        """Add the next row group: which genes lie where, and which of them are not in one place and order."""
        if not seen.runs:
            return
        self._note(seen.offence)
        self._again |= seen.unordered
        path, _ = seen.place
        last_path, last_gene, last_position = self._last
        for number, (gene, rows) in enumerate(seen.runs):
            goes_on = number == 0 and (path, gene) == (last_path, last_gene) and seen.first > last_position
            if gene in self._rows and not goes_on:
                self._again.add(gene)
            self._rows[gene] += rows
            self._groups.setdefault(gene, []).append(seen.place)
        if self._across_genes:
            self._spans.append(seen.spans)
        self._last = (path, seen.runs[-1][0], seen.last)

    def found(self, dataset: DatasetFolder) -> Iterator[str]:
        """All offences, after the genes that are out of order or overlap were read again."""
        for genes in self._batches([[gene] for gene in sorted(self._again)]):
            self._note(self._read_again(dataset, genes, self._key))
        for genes in self._batches(_overlapping(self._spans) if self._across_genes else []):
            self._note(self._read_again(dataset, genes, self._key[1:]))
        yield from dict.fromkeys(self._offences)

    def _read_again(self, dataset: DatasetFolder, genes: list[str], key: list[str]) -> str:
        places = sorted({place for gene in genes for place in self._groups[gene]})
        wanted = pl.col("gene_id").is_in(genes)
        rows = [read_row_group(dataset, *place, self._key).filter(wanted) for place in places]
        return _said(places[0][0], pl.concat(rows), key)

    def _batches(self, together: Iterable[list[str]]) -> Iterator[list[str]]:
        """Genes that can be read at a time; those that must be read together stay so."""
        batch: list[str] = []
        for genes in together:
            if batch and sum(self._rows[gene] for gene in (*batch, *genes)) > ROWS_AT_ONCE:
                yield batch
                batch = []
            batch += genes
        if batch:
            yield batch

    def _note(self, offence: str) -> None:
        if offence:
            self._offences.append(offence)


def _overlapping(spans: Sequence[pl.DataFrame]) -> Iterator[list[str]]:
    """Genes of one contig and strand whose rows lie among one another, directly or through other genes."""
    if not spans:
        return
    strand = ["chrom", "strand"]
    genes = pl.concat(spans).group_by("gene_id", *strand).agg(pl.col("lowest").min(), pl.col("highest").max())
    ordered = genes.sort(*strand, "lowest", "gene_id")
    is_apart = (pl.col("lowest") > pl.col("highest").cum_max().shift(1)).over(strand).fill_null(True)
    clusters = ordered.with_columns(cluster=is_apart.cum_sum()).group_by("cluster", maintain_order=True)
    for cluster in clusters.agg(pl.col("gene_id").unique(maintain_order=True))["gene_id"]:
        if len(cluster) > 1:
            yield cluster.to_list()


def _said(path: Path, keys: pl.DataFrame, key: Sequence[str]) -> str:
    """The rows that agree in a key, as an offence; empty for none."""
    doubled = keys.filter(pl.struct(key).is_duplicated())
    if not doubled.height:
        return ""
    row = doubled.row(0, named=True)
    where = f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"
    genes = first_few(doubled["gene_id"].unique(maintain_order=True).to_list())
    return f"{doubled.height} rows of {genes} in {path.name}, such as {where}"
