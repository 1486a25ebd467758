"""What a column and a table are."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

Role = Literal["key", "label", "call", "sampling", "feature", "text"]
Origin = Literal["sequence", "base_score", "gene", "annotation", "external", "label"]

ROLES: tuple[Role, ...] = ("key", "label", "call", "sampling", "feature", "text")
ORIGINS: tuple[Origin, ...] = ("sequence", "base_score", "gene", "annotation", "external", "label")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Parameters
    ----------
    name, dtype
        As in the file.
    role
        What it may be used for: a key names the row, a label is the truth, a call compares the base model with the
        truth, sampling says how the row came to be in the table, a feature may be learnt from, a text is for people.
    origin
        Where its information comes from, which decides in which training profile a feature is admitted.
    meaning
        One sentence; coordinates say their base.
    unit
        Unit of the values, empty for none.
    nullable
        Whether a value may be missing.
    low, high
        Closed bounds of the values, None for unbounded.
    choices
        The allowed values of a text column, empty for any.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    role: Role
    origin: Origin
    meaning: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A named, versioned sequence of columns."""

    name: str
    version: int
    meaning: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        doubled = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if doubled:
            raise ValueError(f"table {self.name} declares {doubled} more than once")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def polars_schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Name to dtype, in order."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """A frame with all columns and no rows."""
        return pl.DataFrame(schema=self.polars_schema())

    def part(self, names: Collection[str]) -> Table:
        """The same table with only the named columns, in declared order."""
        return dataclasses.replace(self, columns=tuple(column for column in self.columns if column.name in names))

    def with_role(self, role: Role) -> list[Column]:
        """The columns of one role, in order."""
        return [column for column in self.columns if column.role == role]

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select the declared columns in order and cast them to the declared dtypes; other columns are dropped."""
        # with thousands of k-mers an expression for each column takes longer than the data
        held = frame.schema
        others = [column for column in self.columns if held[column.name] != column.dtype]
        return frame.select(self.names).with_columns(pl.col(column.name).cast(column.dtype) for column in others)


def features_of(columns: Iterable[Column], origins: Iterable[Origin]) -> list[str]:
    """Names of the feature columns whose origin is among `origins`, in order."""
    admitted = set(origins)
    return [column.name for column in columns if column.role == "feature" and column.origin in admitted]
