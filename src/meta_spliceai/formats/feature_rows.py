"""Rows of a GTF or GFF3 file, a block of lines at a time, of the wanted kinds only.

A file of 1.5 GB never lies in memory: it is read (and decompressed) in blocks cut at line ends, and lines of other
kinds are dropped before anything else is done with them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from meta_spliceai.errors import InputError
from meta_spliceai.formats.bgzip import GZIP_MAGIC
from meta_spliceai.formats.row_problems import NO_ROW

BLOCK_BYTES = 1 << 24
_FIELDS = ("chrom", "source", "kind", "start", "end", "score", "strand", "phase", "attributes")
_DATA_LINE = r"^[^#\t\n][^\t\n]*(?:\t[^\t\n]*){8}"
_NO_DATA_LINE = r"^\s*(?:#|$)"
_SEQUENCE_MARK = b"\n##FASTA"


def first_data_line(path: Path) -> str:
    """The first line that is neither empty nor a comment, or an empty text."""
    with _opened(path) as stream:
        for line in stream:
            if line.strip() and not line.startswith(b"#"):
                return line.decode("utf-8", "replace")
    return ""


def read_rows(path: Path, kinds: str) -> Iterator[pl.DataFrame]:
    """Rows whose third field matches the regular expression `kinds`, with coordinates turned to 0-based half-open.

    Yields
    ------
    DataFrame
        line (1-based number in the file), chrom, source, kind, start, end, strand, attributes, and problem: what is
        wrong with the row, or null. A line that is no row at all has the problem and else nulls.

    Raises
    ------
    InputError
        The file is missing, unreadable, or its compression is damaged or cut off.
    """
    lines_before = 0
    for block in _prefetched(_blocks(path)):
        lines = _lines_of(block)
        yield _rows_of(lines, kinds, lines_before)
        lines_before += lines.len()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
                yield cast(BinaryIO, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"a whole gzip file {path}", f"{error}", "the file was cut off or damaged: copy or download it again"
        ) from error
    except OSError as error:
        raise InputError(f"a readable file {path}", f"{error.strerror}", "check the path and permissions") from error


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's content in pieces that end at line ends; GFF3's sequence section is left out."""
    rest = b""
    with _opened(path) as stream:
        while piece := stream.read(BLOCK_BYTES):
            end = piece.rfind(b"\n") + 1
            if not end:
                rest += piece
                continue
            block, rest = rest + piece[:end], piece[end:]
            mark = block.find(_SEQUENCE_MARK)
            if mark >= 0:
                yield block[: mark + 1]
                return
            yield block
    if rest:
        yield rest


def _prefetched(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, each read while the one before is worked on: decompression is half of the time."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = reader.submit(next, blocks, None)
        while (block := waiting.result()) is not None:
            waiting = reader.submit(next, blocks, None)
            yield block


def _lines_of(block: bytes) -> pl.Series:
    """The lines of a block, each with its line end, without copying them."""
    if not block.isascii():
        block = block.decode("utf-8", "replace").encode()
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10) + 1
    if not ends.size or ends[-1] != len(block):
        ends = np.append(ends, len(block))
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    return pl.Series(pa.Array.from_buffers(pa.large_string(), ends.size, buffers))


def _rows_of(lines: pl.Series, kinds: str, lines_before: int) -> pl.DataFrame:
    line = pl.col("text")
    wanted = line.str.contains(rf"^[^#\t\n][^\t\n]*\t[^\t\n]*\t(?:{kinds})\t")
    broken = ~line.str.contains(_DATA_LINE) & ~line.str.contains(_NO_DATA_LINE)
    kept = pl.DataFrame({"text": lines}).with_row_index("line", offset=lines_before + 1).filter(wanted | broken)
    fields = line.str.strip_chars_end("\r\n").str.splitn("\t", len(_FIELDS)).struct.rename_fields(list(_FIELDS))
    rows = kept.select("line", fields.alias("fields")).unnest("fields")
    rows = rows.with_columns(
        pl.col("start").cast(pl.Int64, strict=False) - 1, pl.col("end").cast(pl.Int64, strict=False)
    )
    return rows.select(
        "line", "chrom", "source", "kind", "start", "end", "strand", "attributes", problem=_problem_of_row()
    )


def _problem_of_row() -> pl.Expr:
    start, end = pl.col("start"), pl.col("end")
    return (
        pl.when(pl.col("attributes").is_null())
        .then(pl.lit(NO_ROW))
        .when(start.is_null() | end.is_null())
        .then(pl.lit("start or end is no number"))
        .when(start < 0)
        .then(pl.lit("start is below 1"))
        .when(end <= start)
        .then(pl.lit("end lies before start"))
        .when(~pl.col("strand").is_in(["+", "-"]))
        .then(pl.lit("the strand is neither + nor -"))
    )
