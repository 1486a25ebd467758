"""The schema as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from meta_spliceai.schema.column import Column, Table


def dtype_name(column: Column) -> str:
    """Name of the column's polars data type."""
    return str(column.dtype() if isinstance(column.dtype, type) else column.dtype)


def column_as_json(column: Column) -> dict[str, Any]:
    """Everything a column declares, as plain values."""
    return {
        "name": column.name,
        "dtype": dtype_name(column),
        "role": column.role,
        "origin": column.origin,
        "meaning": column.meaning,
        "unit": column.unit,
        "nullable": column.nullable,
        "low": column.low,
        "high": column.high,
        "choices": list(column.choices),
    }


def column_from_json(content: Mapping[str, Any]) -> Column:
    """The column that `column_as_json` described."""
    return Column(**{**content, "dtype": getattr(pl, content["dtype"]), "choices": tuple(content["choices"])})


def as_json(table: Table) -> dict[str, Any]:
    """Everything the table declares, as plain values; this is what `schema.json` and the Parquet metadata hold."""
    return {
        "table": table.name,
        "version": table.version,
        "meaning": table.meaning,
        "columns": [column_as_json(column) for column in table],
    }


def as_markdown(table: Table) -> str:
    """A section with one row per column."""
    lines = [
        f"## {table.name}",
        "",
        f"Version {table.version}. {table.meaning[0].upper()}{table.meaning[1:]}.",
        "",
        "| column | dtype | role | origin | unit | may be null | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{column.name}` | {dtype_name(column)} | {column.role} | {column.origin} | {column.unit} | "
        f"{'yes' if column.nullable else ''} | {column.meaning} |"
        for column in table
    ]
    return "\n".join(lines) + "\n"
