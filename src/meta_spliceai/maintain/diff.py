"""`dataset diff A B`: what two datasets have in common and what not.

Rows are matched by gene and base, whatever batch they are in, and compared gene by gene: memory holds some genes of each
dataset. Where all files have the same checksums nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.schema.describe import column_as_json
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, read_row_group, row_groups

_KEY = ("gene_id", "chrom", "position", "strand")
_ROWS_AT_ONCE = 100_000
_EXAMPLES = 2
_LINES = 12
_HELD_GROUPS = 2


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """How two datasets, a and b, differ; every field but the first four is empty for equal ones.

    Parameters
    ----------
    a, b
        The folders.
    same
        Whether nothing differs.
    rows_compared
        Rows of both that were matched.
    parameters, inputs
        What they were made with: name, and both values.
    columns_only_a, columns_only_b, columns_changed
        Columns of one only, and columns declared otherwise (what is other).
    genes_only_a, genes_only_b
        Gene ids.
    rows_only_a, rows_only_b
        How many rows one has and the other has not, in genes of both or of one.
    row_examples
        Some of these rows: dataset, gene_id, chrom, position, strand.
    values
        Per column with other values: column, rows, largest_difference (numbers), examples.
    """

    a: Path
    b: Path
    same: bool
    rows_compared: int
    parameters: dict[str, list[Any]]
    inputs: dict[str, list[Any]]
    columns_only_a: list[str]
    columns_only_b: list[str]
    columns_changed: dict[str, str]
    genes_only_a: list[str]
    genes_only_b: list[str]
    rows_only_a: int
    rows_only_b: int
    row_examples: pl.DataFrame
    values: pl.DataFrame

    @property
    def exit_status(self) -> int:
        """0 for equal datasets, 1 for others."""
        return 0 if self.same else 1

    def summary(self) -> str:
        """What a person wants to know."""
        lines = [f"a  {self.a}", f"b  {self.b}"]
        if self.same:
            return "\n".join(
                [*lines, f"the same: parameters, columns, genes, and all values of {self.rows_compared:,} rows"]
            )
        for title, changed in (("parameter", self.parameters), ("input", self.inputs)):
            lines += [f"{title} {name}: a {_short(pair[0])}, b {_short(pair[1])}" for name, pair in changed.items()]
        lines += _listed("columns only in a", self.columns_only_a) + _listed("columns only in b", self.columns_only_b)
        lines += [f"column {name} is declared otherwise: {what}" for name, what in self.columns_changed.items()]
        lines += _listed("genes only in a", self.genes_only_a) + _listed("genes only in b", self.genes_only_b)
        lines += [
            f"rows only in {name}: {count:,}{self._examples(name)}"
            for name, count in (("a", self.rows_only_a), ("b", self.rows_only_b))
            if count
        ]
        if self.values.height:
            lines.append(f"other values in {self.values.height:,} columns of the {self.rows_compared:,} rows of both:")
            for row in self.values.head(_LINES).iter_rows(named=True):
                by = "" if row["largest_difference"] is None else f", by up to {row['largest_difference']:.4g}"
                lines.append(f"  {row['column']}: {row['rows']:,} rows{by}; {row['examples']}")
            if self.values.height > _LINES:
                lines.append(f"  … and {self.values.height - _LINES:,} more columns")
        elif not (self.rows_only_a or self.rows_only_b or self.columns_only_a or self.columns_only_b):
            lines.append(f"all values of {self.rows_compared:,} rows are the same")
        return "\n".join(lines)

    def _examples(self, name: str) -> str:
        found = self.row_examples.filter(pl.col("dataset") == name)
        return ", such as " + ", ".join(_place(row) for row in found.iter_rows(named=True)) if found.height else ""


def diff(a: Path, b: Path) -> DatasetDiff:
    """Compare two datasets: parameters, columns, genes, rows and values. Exit status 0: the same; 1: not the same.

    Parameters
    ----------
    a
        A dataset folder, or its master folder.
    b
        Another one.

    Raises
    ------
    StoreError, SchemaError
        One of them is no dataset, or cannot be read.
    """
    first, second = open_dataset(a), open_dataset(b)
    comparison = _Comparison(first, second)
    if first.fingerprint != second.fingerprint:
        comparison.read_all()
    else:
        comparison.matched = sum(file.rows or 0 for file in first.manifest.files() if file.name.startswith("master/"))
    return _result(first, second, comparison)


# ---- rows ------------------------------------------------------------------------------------------------------------


class _Genes:
    """Rows of a dataset by gene; the row groups read last are held."""

    def __init__(self, dataset: DatasetFolder, columns: Sequence[str]) -> None:
        self._dataset, self._columns = dataset, tuple(columns)
        self._where: dict[str, list[tuple[Path, int]]] = {}
        self.rows: dict[str, int] = {}
        self._held: dict[tuple[Path, int], pl.DataFrame] = {}
        for path, group, frame in row_groups(dataset, ("gene_id",), checked=False):
            for gene_id, rows in frame.group_by("gene_id", maintain_order=True).len().iter_rows():
                self._where.setdefault(gene_id, []).append((path, group))
                self.rows[gene_id] = self.rows.get(gene_id, 0) + rows

    def of(self, genes: Sequence[str]) -> pl.DataFrame:
        """All rows of these genes."""
        places = dict.fromkeys(place for gene in genes for place in self._where.get(gene, ()))
        wanted = pl.Series(genes, dtype=pl.String)
        found = [self._group(place).filter(pl.col("gene_id").is_in(wanted.implode())) for place in places]
        schema = self._dataset.table.polars_schema()
        return pl.concat([pl.DataFrame(schema={name: schema[name] for name in self._columns}), *found])

    def _group(self, place: tuple[Path, int]) -> pl.DataFrame:
        if place not in self._held:
            while len(self._held) >= _HELD_GROUPS:
                del self._held[next(iter(self._held))]
            self._held[place] = read_row_group(self._dataset, *place, self._columns)
        return self._held[place]


@dataclass
class _Values:
    """Other values of one column."""

    rows: int = 0
    largest: float | None = None
    examples: list[str] = field(default_factory=list)


class _Comparison:
    """What is found row by row."""

    def __init__(self, a: DatasetFolder, b: DatasetFolder) -> None:
        self._a, self._b = a, b
        self.matched = 0
        self.only: dict[str, int] = {"a": 0, "b": 0}
        self.examples: list[dict[str, Any]] = []
        self.values: dict[str, _Values] = {}

    def read_all(self) -> None:
        """Compare the rows of all genes of both."""
        common = [name for name in self._a.table.names if name in set(self._b.table.names) and name not in _KEY]
        a, b = (_Genes(dataset, (*_KEY, *common)) for dataset in (self._a, self._b))
        for genes in _blocks(a.rows, b.rows):
            self._compare(_numbered(a.of(genes)), _numbered(b.of(genes)), common)

    def _compare(self, a: pl.DataFrame, b: pl.DataFrame, columns: Sequence[str]) -> None:
        key = [*_KEY, "copy"]
        pairs = a.select(*key, "row_a").join(b.select(*key, "row_b"), on=key, how="full", coalesce=True)
        for name, own, other in (("a", "row_a", "row_b"), ("b", "row_b", "row_a")):
            lone = pairs.filter(pl.col(other).is_null())
            self.only[name] += lone.height
            space = _EXAMPLES - sum(row["dataset"] == name for row in self.examples)
            shown = lone.sort(own).head(max(space, 0)).select(_KEY).to_dicts()
            self.examples += [{"dataset": name, **row} for row in shown]
        both = pairs.drop_nulls(["row_a", "row_b"]).sort("row_a")
        self.matched += both.height
        left, right = a[both["row_a"].cast(pl.UInt32)], b[both["row_b"].cast(pl.UInt32)]
        for name in columns:
            self._compare_column(name, left, right)

    def _compare_column(self, name: str, left: pl.DataFrame, right: pl.DataFrame) -> None:
        old, new = left[name], right[name]
        if old.dtype != new.dtype:
            old, new = old.cast(pl.String, strict=False), new.cast(pl.String, strict=False)
        if old.equals(new, null_equal=True):
            return
        other = old.ne_missing(new)
        if not other.any():
            return
        seen = self.values.setdefault(name, _Values())
        seen.rows += int(other.sum())
        old, new, keys = old.filter(other), new.filter(other), left.select(_KEY).filter(other)
        if old.dtype.is_numeric():
            largest = (old.cast(pl.Float64) - new.cast(pl.Float64)).abs().max()
            if isinstance(largest, float):
                seen.largest = max(largest, seen.largest or 0.0)
        for place, before, after in zip(keys.head(_EXAMPLES).iter_rows(named=True), old, new, strict=False):
            if len(seen.examples) < _EXAMPLES:
                seen.examples.append(f"{_place(place)} {_value(before)} → {_value(after)}")


def _blocks(a: Mapping[str, int], b: Mapping[str, int]) -> Iterator[list[str]]:
    """The genes of both, some at a time, in the order of a, then those of b alone."""
    block, rows = [], 0
    for gene in dict.fromkeys((*a, *b)):
        block.append(gene)
        rows += a.get(gene, 0) + b.get(gene, 0)
        if rows >= _ROWS_AT_ONCE:
            yield block
            block, rows = [], 0
    if block:
        yield block


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with their number, and the how-manieth of their gene and base they are; column row_a serves as row_b."""
    copy = pl.int_range(pl.len()).over(_KEY)
    return rows.with_row_index("row_a").with_columns(copy=copy, row_b="row_a")


# ---- the rest --------------------------------------------------------------------------------------------------------


def _result(a: DatasetFolder, b: DatasetFolder, found: _Comparison) -> DatasetDiff:
    columns_a, columns_b = ({column.name: column_as_json(column) for column in dataset.table} for dataset in (a, b))
    changed = {name: _changes(columns_a[name], columns_b[name]) for name in columns_a if name in columns_b}
    genes_a, genes_b = dict.fromkeys(a.gene_ids), dict.fromkeys(b.gene_ids)
    parameters, inputs = (_pairs(getattr(a.manifest, of), getattr(b.manifest, of)) for of in ("parameters", "inputs"))
    lists = {
        "columns_only_a": [name for name in columns_a if name not in columns_b],
        "columns_only_b": [name for name in columns_b if name not in columns_a],
        "genes_only_a": [gene for gene in genes_a if gene not in genes_b],
        "genes_only_b": [gene for gene in genes_b if gene not in genes_a],
    }
    columns_changed = {name: what for name, what in changed.items() if what}
    values = pl.DataFrame(
        [(name, held.rows, held.largest, "; ".join(held.examples)) for name, held in found.values.items()],
        schema={"column": pl.String, "rows": pl.Int64, "largest_difference": pl.Float64, "examples": pl.String},
        orient="row",
    )
    schema = {"dataset": pl.String, "gene_id": pl.String, "chrom": pl.String, "position": pl.Int64, "strand": pl.String}
    differs = [parameters, inputs, columns_changed, *lists.values(), found.values, found.only["a"], found.only["b"]]
    return DatasetDiff(
        a=a.path,
        b=b.path,
        same=not any(differs),
        rows_compared=found.matched,
        parameters=parameters,
        inputs=inputs,
        columns_changed=columns_changed,
        rows_only_a=found.only["a"],
        rows_only_b=found.only["b"],
        row_examples=pl.DataFrame(found.examples, schema=schema),
        values=values.sort("rows", "column", descending=[True, False]),
        **lists,
    )


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Names with different values; the list of genes is compared apart."""
    names = sorted({*a, *b} - {"gene_ids"})
    return {name: [a.get(name), b.get(name)] for name in names if a.get(name) != b.get(name)}


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {a[name]} → {b[name]}" for name in a if name != "meaning" and a[name] != b[name])


def _listed(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _LINES:,} more" if len(names) > _LINES else ""
    return [f"{title}: {len(names):,}: {', '.join(names[:_LINES])}{more}"]


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"


def _value(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _short(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(step, dict) and "note" in step for step in value):
        return "; ".join(step["note"] for step in value)
    text = "none" if value is None else str(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
