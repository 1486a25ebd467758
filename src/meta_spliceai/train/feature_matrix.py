"""Frames as float32 matrices, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import SchemaError, first_few

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]

_BLOCK_ROWS = 1024


def float_matrix(frame: pl.DataFrame, rows: Indices | None = None) -> Floats:
    """A frame, or some of its rows, as float32 in rows, shape (n, width); nulls become NaN."""
    matrix = np.empty((frame.height if rows is None else rows.size, frame.width), dtype=np.float32)
    fill_matrix(matrix, frame, rows)
    return matrix


def fill_matrix(matrix: Floats, frame: pl.DataFrame, rows: Indices | None = None) -> None:
    """Write a frame, or some of its rows, into a matrix.

    It is done block by block, so that columns become rows inside the processor's cache and no copy of the frame is made.
    """
    columns = [_values(column) for column in frame]
    for first in range(0, len(matrix), _BLOCK_ROWS):
        at = slice(first, first + _BLOCK_ROWS)
        block, chosen = matrix[at], at if rows is None else rows[at]
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which `check_finite` names
            for place, values in enumerate(columns):
                block[:, place] = values[chosen]


def _values(column: pl.Series) -> npt.NDArray[Any]:
    """A column as it lies in memory where it holds numbers without nulls; otherwise as float32 with NaN for nulls."""
    if column.dtype.is_numeric() and not column.null_count():
        return column.to_numpy()
    return column.cast(pl.Float32).to_numpy()


def check_finite(matrix: Floats, names: Sequence[str], frame: pl.DataFrame | None) -> None:
    """Refuse infinite values, and in frames NaN, where a missing value is a null.

    Raises
    ------
    SchemaError
        Names the columns.
    """
    if matrix.ndim != 2:
        return
    bad = [name for place, name in enumerate(names) if np.isinf(matrix[:, place]).any()]
    if frame is not None:
        bad += [name for name in names if frame[name].dtype.is_float() and bool(frame[name].is_nan().any())]
    if bad:
        raise SchemaError(
            expected="finite features, missing ones as nulls (in arrays, as NaN)",
            found=f"NaN or infinite values in {first_few(sorted(set(bad)))}",
            action="correct these columns, or leave them out with columns=…",
        )
