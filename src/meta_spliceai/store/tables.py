"""Tables on disk: Parquet with the schema inside, TSV beside it for people."""

from __future__ import annotations

import json
from pathlib import Path

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
"""Rows per row group: a few MB of compressed columns, so readers can skip and stream."""


def arrow_table(frame: pl.DataFrame, table: Table) -> pa.Table:
    """The frame as Arrow with plain string columns and the table's schema in its metadata."""
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    metadata = {SCHEMA_KEY: json.dumps(as_json(table), sort_keys=True).encode()}
    return arrow.replace_schema_metadata(metadata)


def write_parquet(frame: pl.DataFrame, path: Path, table: Table, *, checked: bool = True) -> None:
    """Write a frame that conforms to `table`, whole or not at all, with zstd and the schema in the metadata.

    The bytes depend on the content alone. With `checked`, a frame that does not conform is refused first.
    """
    if checked:
        check_frame(frame, table, source=path.name)
    with written_aside(path) as aside:
        pq.write_table(
            arrow_table(frame, table), aside, compression="zstd", row_group_size=ROW_GROUP_ROWS, write_page_index=False
        )


def read_parquet(path: Path, table: Table | None = None, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file; a damaged or missing one is a `StoreError`, a wrong table a `SchemaError`."""
    try:
        frame = pl.from_arrow(pq.read_table(path, columns=columns))
    except FileNotFoundError as error:
        raise StoreError(
            f"a file {path}", "there is none", "run the command that writes it again; it resumes"
        ) from error
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoreError(
            expected=f"a readable Parquet file {path}",
            found=str(error).splitlines()[0],
            action="delete the file and run the command that writes it again; only that part is made again",
        ) from error
    assert isinstance(frame, pl.DataFrame)
    if table is not None and columns is None:
        check_frame(frame, table, source=path.name)
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
