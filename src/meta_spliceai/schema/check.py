"""Does a frame hold what its table declares? All problems are collected and raised once."""

from __future__ import annotations

import math

import polars as pl

from meta_spliceai.errors import SchemaError, first_few
from meta_spliceai.schema.column import Column, Table


def problems_of(frame: pl.DataFrame, table: Table, *, exact: bool = True) -> list[str]:
    """Everything about `frame` that `table` does not allow, as sentences; empty when it conforms.

    Parameters
    ----------
    exact
        Also require that there are no other columns and that the order is the declared one.
    """
    held, declared = dict.fromkeys(frame.columns), dict.fromkeys(table.names)
    missing = [name for name in declared if name not in held]
    found = [f"column {name} is missing" for name in missing]
    if exact:
        extra = [name for name in held if name not in declared]
        found += [f"column {name} is not declared" for name in extra]
        if not missing and not extra and list(held) != list(declared):
            found.append("the columns are not in the declared order")
    present = [column for column in table if column.name in held]
    dtypes = dict(frame.schema)  # asked once: it is made anew each time, for all columns
    wrong = {column.name for column in present if dtypes[column.name] != column.dtype}
    suspects = wrong | _suspects(frame, [column for column in present if column.name not in wrong])
    for column in present:
        if column.name in suspects:
            found += _problems_of_column(frame[column.name], column)
    return found


def _suspects(frame: pl.DataFrame, columns: list[Column]) -> set[str]:
    """Columns that may have problems, found for all columns at once: a table may have thousands, and few are bad."""
    if not columns or not frame.height:
        return set()
    names = [column.name for column in columns]
    nulls = frame.select(names).null_count().row(0)
    suspects = {column.name for column, n in zip(columns, nulls, strict=True) if n and not column.nullable}
    suspects.update(column.name for column in columns if column.choices)
    # a NaN or an infinity makes the sum one; few columns are then asked value by value
    floats = [column.name for column in columns if column.dtype.is_float()]
    sums = frame.select(pl.col(floats).sum()).row(0) if floats else ()
    suspects.update(name for name, total in zip(floats, sums, strict=True) if not math.isfinite(total))
    low = [column for column in columns if _may_be_below(column)]
    high = [column for column in columns if column.high is not None]
    least = frame.select(pl.col([column.name for column in low]).min()).row(0) if low else ()
    most = frame.select(pl.col([column.name for column in high]).max()).row(0) if high else ()
    suspects.update(c.name for c, value in zip(low, least, strict=True) if value is not None and value < c.low)
    suspects.update(c.name for c, value in zip(high, most, strict=True) if value is not None and value > c.high)
    return suspects


def _may_be_below(column: Column) -> bool:
    return column.low is not None and not (column.low <= 0 and column.dtype.is_unsigned_integer())


def _problems_of_column(values: pl.Series, column: Column) -> list[str]:
    if values.dtype != column.dtype:
        return [f"column {column.name} is {values.dtype}, not {column.dtype}"]
    found = []
    nulls = values.null_count()
    if nulls and not column.nullable:
        found.append(f"column {column.name} has {nulls} nulls")
    if values.dtype.is_float() and (bad := int((~values.is_finite()).sum())):
        found.append(f"column {column.name} has {bad} values that are NaN or infinite")
    numbers = values.fill_nan(None) if values.dtype.is_float() else values  # polars puts NaN above all numbers
    if _may_be_below(column) and (bad := int((numbers < column.low).sum())):
        found.append(f"column {column.name} has {bad} values below {column.low}")
    if column.high is not None and (bad := int((numbers > column.high).sum())):
        found.append(f"column {column.name} has {bad} values above {column.high}")
    if column.choices:
        # neighbours are mostly alike, and comparing them takes less than hashing every value
        different = values[1:].filter(values[1:].ne_missing(values[:-1]))
        strange = sorted({*values[:1], *different.unique()} - {*column.choices, None})
        if strange:
            found.append(f"column {column.name} holds {first_few(strange)}")
    return found


def check_frame(frame: pl.DataFrame, table: Table, *, source: str, exact: bool = True) -> pl.DataFrame:
    """Return `frame` if it conforms to `table`.

    Raises
    ------
    SchemaError
        Names `source` and every problem.
    """
    found = problems_of(frame, table, exact=exact)
    if found:
        raise SchemaError(
            expected=f"{source} to be a {table.name} table, version {table.version}",
            found="; ".join(found[:8]) + (f" and {len(found) - 8} more problems" if len(found) > 8 else ""),
            action="make the file again with the command that writes it; docs/reference/schema.md lists the columns",
        )
    return frame
