"""Tables on disk: Parquet with the schema inside, TSV beside it for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.errors import StoreError
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import as_json
from meta_spliceai.store.atomic import write_bytes, written_aside

SCHEMA_KEY = b"meta_spliceai.schema"
ROW_GROUP_ROWS = 128 * 1024
"""Rows per row group at most: a few MB of compressed columns, so readers can skip and stream."""

_ROW_GROUP_BYTES = 128 << 20
_MANY_COLUMNS = 2_000


def row_group_rows(table: Table) -> int:
    """Rows per row group of a table: fewer where thousands of columns would make one larger than memory allows."""
    return min(ROW_GROUP_ROWS, max(1, _ROW_GROUP_BYTES // _row_bytes(table) // 1024) * 1024)


def row_group_bytes(table: Table) -> int:
    """About the bytes of a full row group in memory."""
    return row_group_rows(table) * _row_bytes(table)


def _row_bytes(table: Table) -> int:
    return sum(2 if column.dtype == pl.UInt16 else 4 if column.dtype == pl.Float32 else 8 for column in table)


def _repetitive(table: Table) -> list[str]:
    """Columns that a dictionary makes smaller; for scores it only costs time and space.

    Thousands of counts go without: a dictionary for each takes a third of all writing, to make files a quarter smaller.
    """
    kinds = {pl.String, pl.UInt16} if len(table.columns) < _MANY_COLUMNS else {pl.String}
    return [column.name for column in table if column.dtype in kinds]


@lru_cache(maxsize=8)  # with thousands of columns it takes longer than writing a row group
def schema_metadata(table: Table) -> dict[bytes, bytes]:
    """The table's schema as Parquet metadata, so that a file explains itself."""
    return {SCHEMA_KEY: json.dumps(as_json(table), sort_keys=True).encode()}


def arrow_table(frame: pl.DataFrame, table: Table) -> pa.Table:
    """The frame as Arrow with plain string columns and the table's schema in its metadata."""
    # Parquet pages end where chunks end, so the bytes would tell how the frame was put together.
    arrow = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return arrow.replace_schema_metadata(schema_metadata(table))


def write_parquet(frame: pl.DataFrame, path: Path, table: Table, *, checked: bool = True) -> None:
    """Write a frame that conforms to `table`, whole or not at all, with zstd and the schema in the metadata.

    The bytes depend on the content alone. With `checked`, a frame that does not conform is refused first.
    """
    if checked:
        check_frame(frame, table, source=path.name)
    with written_aside(path) as aside:
        pq.write_table(
            arrow_table(frame, table),
            aside,
            compression="zstd",
            use_dictionary=_repetitive(table),
            row_group_size=row_group_rows(table),
            write_page_index=False,
        )


def write_row_groups(frames: Iterable[pl.DataFrame], path: Path, table: Table) -> int:
    """Write each frame as one row group, whole or not at all; returns the number of rows.

    For files that are read side by side with another one: their row groups hold the same rows.
    """
    rows = 0
    schema = arrow_table(table.empty(), table).schema
    with (
        written_aside(path) as aside,
        pq.ParquetWriter(aside, schema, compression="zstd", use_dictionary=_repetitive(table)) as writer,
    ):
        for frame in frames:
            check_frame(frame, table, source=path.name)
            writer.write_table(arrow_table(frame, table), row_group_size=max(1, frame.height))
            rows += frame.height
    return rows


class TableWriter:
    """A Parquet file written frame by frame, whole or not at all, holding at most two row groups.

    One is encoded by a thread while rows for the next are gathered. The row groups depend on the rows alone, never on how
    they were cut into frames. Use it as a context manager.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self._path, self._table = path, table
        self._group_rows = row_group_rows(table)
        self._held: list[pl.DataFrame] = []
        self._waiting = 0
        self._writing: Future[None] | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            aside = stack.enter_context(written_aside(self._path))
            schema = arrow_table(self._table.empty(), self._table).schema
            writer = pq.ParquetWriter(aside, schema, compression="zstd", use_dictionary=_repetitive(self._table))
            self._writer = stack.enter_context(writer)
            self._thread = stack.enter_context(ThreadPoolExecutor(1))
            # a part of the stack, so that a disk that is full only now still ends in `written_aside`
            stack.push(self._flush_the_rest)
            self._stack = stack.pop_all()
        return self

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows; a frame that does not conform to the table is refused."""
        self._held.append(check_frame(frame, self._table, source=self._path.name))
        self._waiting += frame.height
        self.rows += frame.height
        if self._waiting >= self._group_rows:
            self._flush(self._waiting // self._group_rows * self._group_rows)

    def _flush(self, rows: int) -> None:
        held = pl.concat(self._held) if self._held else self._table.empty()
        for first in range(0, rows, self._group_rows):
            group = held.slice(first, min(self._group_rows, rows - first))
            self._await_the_thread()
            self._writing = self._thread.submit(self._write_group, group)
        self._held = [held.slice(rows)]
        self._waiting -= rows

    def _write_group(self, group: pl.DataFrame) -> None:
        self._writer.write_table(arrow_table(group, self._table), row_group_size=self._group_rows)

    def _await_the_thread(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _flush_the_rest(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            self._flush(self._waiting)
            self._await_the_thread()

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


class TsvWriter:
    """A tab-separated file written frame by frame, whole or not at all; numbers are written so that they read back exactly."""

    def __init__(self, path: Path, table: Table) -> None:
        self._path, self._table = path, table
        self.rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            aside = stack.enter_context(written_aside(self._path))
            self._file = stack.enter_context(aside.open("wb"))
            self._table.empty().write_csv(self._file, separator="\t")
            self._stack = stack.pop_all()
        return self

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows; a frame that does not conform to the table is refused."""
        check_frame(frame, self._table, source=self._path.name).write_csv(
            self._file, separator="\t", include_header=False
        )
        self.rows += frame.height

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def table_writer(path: Path, table: Table) -> TableWriter | TsvWriter:
    """The writer for a file of this name: `.tsv`, or Parquet."""
    return TsvWriter(path, table) if path.suffix == ".tsv" else TableWriter(path, table)


def read_table(path: Path, table: Table) -> pl.DataFrame:
    """Read a file that `table_writer` made; errors as `read_parquet`."""
    return read_tsv(path, table) if path.suffix == ".tsv" else read_parquet(path, table)


def read_parquet(path: Path, table: Table | None = None, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file; a damaged or missing one is a `StoreError`, a wrong table a `SchemaError`."""
    with _read_errors(path):
        frame = _polars(pq.read_table(path, columns=columns))
    if table is not None and columns is None:
        check_frame(frame, table, source=path.name)
    return frame


RowIndex = Mapping[str, Sequence[tuple[int, int]]]
"""Value of a text column -> the runs of rows that have it, as first row and row after the last."""


def row_index(path: Path, column: str) -> RowIndex:
    """Where each value of a text column lies in a Parquet file; one row group is held at a time.

    Raises
    ------
    StoreError
        As `read_parquet`.
    """
    index: dict[str, list[tuple[int, int]]] = {}
    with _read_errors(path):
        values = pl.scan_parquet(path, glob=False).select(column)
        start = 0
        for size in _row_group_sizes(path):
            for value, length in (
                values.slice(start, size).collect().to_series().rle().struct.unnest().select("value", "len").iter_rows()
            ):
                runs = index.setdefault(value, [])
                first = runs.pop()[0] if runs and runs[-1][1] == start else start
                start += length
                runs.append((first, start))
    return index


def read_rows(
    path: Path,
    table: Table,
    column: str,
    values: Collection[str],
    columns: Sequence[str] | None = None,
    *,
    index: RowIndex | None = None,
) -> pl.DataFrame:
    """The rows whose text `column` is among `values`, in order; only row groups that hold some are read.

    With `columns`, only these columns are read. Who reads a file many times gives its `row_index`.

    Raises
    ------
    StoreError, SchemaError
        As `read_parquet`.
    """
    some = table if columns is None else table.part(columns)
    if path.suffix == ".tsv":
        wanted = pl.Series(sorted(values), dtype=pl.String)
        return read_tsv(path, table).filter(pl.col(column).is_in(wanted.implode())).select(some.names)
    index = row_index(path, column) if index is None else index
    runs = _joined(sorted(run for value in values for run in index.get(value, ())))
    with _read_errors(path):
        rows = pl.scan_parquet(path, glob=False).select(some.names)
        frames = [rows.slice(first, last - first).collect() for first, last in runs]
    return check_frame(pl.concat([some.empty(), *frames]), some, source=path.name)


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs that touch as one; they are given in ascending order."""
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _row_group_sizes(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(
            f"a file {path}", "there is none", "run the command that writes it again; it resumes"
        ) from error
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, KeyError) as error:
        raise StoreError(
            expected=f"a readable Parquet file {path}",
            found=str(error).splitlines()[0],
            action="delete the file and run the command that writes it again; only that part is made again",
        ) from error


def _polars(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def write_tsv(frame: pl.DataFrame, path: Path) -> None:
    """Write a tab-separated file with a header and empty cells for nulls, whole or not at all."""
    write_bytes(path, frame.write_csv(separator="\t").encode())


def read_tsv(path: Path, table: Table) -> pl.DataFrame:
    """Read a file that `write_tsv` wrote, with the table's dtypes."""
    try:
        frame = pl.read_csv(path, separator="\t", schema_overrides=table.polars_schema(), infer_schema=False)
    except FileNotFoundError as error:
        raise StoreError(f"a file {path}", "there is none", "run the command that writes it again") from error
    except pl.exceptions.PolarsError as error:
        raise StoreError(
            f"a {table.name} table in {path}", str(error).splitlines()[0], "make the file again"
        ) from error
    return check_frame(frame, table, source=path.name)
