"""Doubled rows are found wherever they lie, and never invented: the fast look agrees with a slow one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.maintain import doubled_rows
from meta_spliceai.maintain.doubled_rows import DoubledRows, KeysOfGroup

KEY = ("gene_id", "chrom", "strand", "position")


def looked_at(
    rows: pl.DataFrame, per_group: int, monkeypatch: pytest.MonkeyPatch, *, across_genes: bool = False
) -> bool:
    """Whether anything is found when the rows come in row groups of this size."""
    groups = list(rows.iter_slices(per_group))
    monkeypatch.setattr(doubled_rows, "read_row_group", lambda _, __, group, names: groups[group].select(names))
    found = DoubledRows(KEY, across_genes=across_genes)
    for number, group in enumerate(groups):
        found.add(KeysOfGroup.of(Path("batch_00001.parquet"), number, group.select(KEY)))
    return bool(list(found.found(None)))  # type: ignore[arg-type]


def of(genes: list[str], positions: list[int]) -> pl.DataFrame:
    rows = pl.DataFrame({"gene_id": genes, "position": positions})
    return rows.with_columns(chrom=pl.lit("1"), strand=pl.lit("+"))


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_comparing_all_rows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(seed)
    rows = of(draw.choice(list("abcd"), 12).tolist(), draw.integers(1, 25, 12).tolist())
    if seed % 2:
        rows = rows.sort("gene_id", "position")
    monkeypatch.setattr(doubled_rows, "ROWS_AT_ONCE", 5)
    doubled = bool(rows.select(KEY).is_duplicated().any())
    for per_group in (2, 5, 12):
        assert looked_at(rows, per_group, monkeypatch) == doubled


@pytest.mark.parametrize(
    "genes, positions",
    [("aab", [1, 1, 1]), ("aabb", [1, 2, 3, 3]), ("aba", [1, 1, 1]), ("aaa", [1, 2, 1]), ("abab", [1, 1, 2, 1])],
)
@pytest.mark.parametrize("per_group", [1, 2, 4])
def test_neighbours_row_groups_and_places_far_apart(
    genes: str, positions: list[int], per_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looked_at(of(list(genes), positions), per_group, monkeypatch)


def test_a_long_gene_over_many_row_groups_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> pl.DataFrame:
        raise AssertionError("read again")

    rows = of(["a"] * 30 + ["b"] * 30, [*range(1, 31), *range(1, 31)])
    found = DoubledRows(KEY)
    for number, group in enumerate(rows.iter_slices(7)):
        found.add(KeysOfGroup.of(Path("batch_00001.parquet"), number, group.select(KEY)))
    monkeypatch.setattr(doubled_rows, "read_row_group", never)
    assert list(found.found(None)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("per_group", [2, 5, 30])
def test_across_genes_it_agrees_with_comparing_all_rows(
    seed: int, per_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(seed)
    start = {gene: int(draw.integers(1, 60)) for gene in "abcdef"}
    rows = pl.concat(
        of([gene] * 5, sorted(start[gene] + draw.choice(12, 5, replace=False))).with_columns(
            strand=pl.lit("+-"[ord(gene) % 2])
        )
        for gene in "abcdef"
    )
    monkeypatch.setattr(doubled_rows, "ROWS_AT_ONCE", 12)
    doubled = bool(rows.select(KEY[1:]).is_duplicated().any())
    assert looked_at(rows, per_group, monkeypatch, across_genes=True) == doubled
    assert not looked_at(rows, per_group, monkeypatch)
