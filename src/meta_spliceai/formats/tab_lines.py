"""Tab-separated text without a header, read as text, so that every row can be named by its line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError

_NO_DATA = r"^(?:#|track\b|browser\b|\s*$)"


def read_tab_lines(path: Path, names: Sequence[str], refuse: Callable[[str], InputError]) -> pl.DataFrame:
    """The rows of a plain or gzip-compressed file.

    Parameters
    ----------
    path
        The file. Empty lines, comments, and track and browser lines are left out.
    names
        Names of the first columns; what comes after them is left in the last one.
    refuse
        Makes the error, given what was found.

    Returns
    -------
    DataFrame
        line (1-based) and the columns as text, null beyond the end of a row; at least one row.

    Raises
    ------
    InputError
        The file is missing, unreadable or has no rows.
    """
    try:
        # lines are read whole, for a track line has fewer columns than the rows below it
        text = pl.read_csv(
            path, separator="\x01", has_header=False, new_columns=["text"], infer_schema=False, quote_char=None
        )
    except FileNotFoundError as error:
        raise InputError(f"a file {path}", "there is none", "check the path") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise refuse(str(error).splitlines()[0]) from error
    lines = text.with_row_index("line", offset=1).filter(~pl.col("text").fill_null("").str.contains(_NO_DATA))
    if lines.is_empty():
        raise refuse("no rows")
    fields = pl.col("text").str.strip_chars_end("\r").str.splitn("\t", len(names)).struct.rename_fields(list(names))
    return lines.select("line", fields.alias("fields")).unnest("fields")


def whole_number(name: str) -> pl.Expr:
    """A column of text as integers, null where it is none."""
    return pl.col(name).cast(pl.Int64, strict=False)


def named_lines(rows: pl.DataFrame, shown: int = 3) -> str:
    """The first few lines of rows, for a message."""
    return ", ".join(f"line {line:,}" for line in rows["line"].head(shown))
