"""Tables of donor and acceptor scores that anyone wrote: text with tabs or commas, gzipped or not, or Parquet.

A row is a base: contig, 1-based position, strand, and the probabilities of one tool or several. Rows come in any order and
are read a batch at a time, so a table never lies in memory.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.formats.bgzip import GZIP_MAGIC
from meta_spliceai.genome.coordinates import STRANDS
from meta_spliceai.genome.labels import SITE_TYPES

BATCH_ROWS = 1 << 19
"""Rows of a batch at most."""

_BLOCK_BYTES = 1 << 24
_PARQUET_MAGIC = b"PAR1"
_ABSENT = ["", "NA", "N/A", "NaN", "nan", "null", "None", "."]

KEYS: dict[str, tuple[str, ...]] = {
    "chrom": ("chrom", "chr", "chromosome", "contig", "seqname", "seqid"),
    "position": ("position", "pos"),
    "strand": ("strand",),
    "gene_id": ("gene_id",),
}
"""Columns by what they hold, and the names under which they are found; `gene_id` may be missing."""

_OPTIONAL = "gene_id"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLAIN_WORDS = frozenset({"", "p", "prob", "probability", "score", "pred", "prediction"})
_NO_SCORES = frozenset({"is", "n", "num", "label", "true"})
ONLY_TOOL = "tool"
"""The name of a tool whose columns do not say one."""


@dataclass(frozen=True, slots=True)
class Tool:
    """The columns of one tool."""

    name: str
    donor: str
    acceptor: str


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A table whose columns are known; its rows are not read yet.

    Parameters
    ----------
    path
        The file.
    names
        Columns of the file, in order.
    keys
        Column of the file by what it holds, of `KEYS`.
    tools
        Whose scores it holds.
    first_row
        Lines before the first row of text; 0 in Parquet.
    separator
        Of text; empty in Parquet.
    """

    path: Path
    names: tuple[str, ...]
    keys: Mapping[str, str]
    tools: tuple[Tool, ...]
    first_row: int
    separator: str

    @property
    def repeats_bases(self) -> bool:
        """Whether a base may have a row for each of several genes."""
        return _OPTIONAL in self.keys

    def batches(self) -> Iterator[pl.DataFrame]:
        """The rows, checked, in batches.

        Yields
        ------
        DataFrame
            row (1-based), chrom, strand, position (1-based), and `{tool}_donor` and `{tool}_acceptor` of each tool as
            Float32, null where the table says nothing or NaN.

        Raises
        ------
        InputError
            A value that is none of its column, or a file that is damaged.
        """
        renamed = {self.keys[key]: key for key in ("chrom", "strand", "position")}
        scores = {column: f"{tool.name}_{kind}" for tool in self.tools for kind, column in _by_kind(tool)}
        done = 0
        try:
            for frame in self._frames([*renamed, *scores]):
                rows = frame.select(
                    *(pl.col(old).cast(pl.String if new != "position" else pl.Int64).alias(new) for old, new in renamed.items()),
                    *(pl.col(old).cast(pl.Float32).fill_nan(None).alias(new) for old, new in scores.items()),
                ).with_row_index("row", offset=done + 1)  # fmt: skip
                self._check(rows, list(scores.values()))
                done += rows.height
                yield rows
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError, EOFError) as error:
            raise InputError(
                expected=f"readable rows in {self.path}: whole positions, and probabilities as numbers",
                found=str(error).splitlines()[0],
                action="mend these rows, or copy the file again where it was cut off; no score is an empty field or NA",
            ) from error

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        if not self.separator:
            file = pq.ParquetFile(self.path)
            batches: Iterator[pa.RecordBatch] = file.iter_batches(BATCH_ROWS, columns=columns)
        else:
            batches = iter(self._text_batches(columns))
        for batch in batches:
            yield cast(pl.DataFrame, pl.from_arrow(batch))

    def _text_batches(self, columns: list[str]) -> pa_csv.CSVStreamingReader:
        kinds = {column: pa.float64() for column in columns}
        kinds |= {self.keys["chrom"]: pa.string(), self.keys["strand"]: pa.string(), self.keys["position"]: pa.int64()}
        packed = _starts_with(self.path, GZIP_MAGIC)
        return pa_csv.open_csv(
            pa.input_stream(str(self.path), compression="gzip" if packed else None),
            pa_csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=list(self.names), skip_rows=self.first_row),
            pa_csv.ParseOptions(delimiter=self.separator),
            pa_csv.ConvertOptions(
                include_columns=columns, column_types=kinds, null_values=_ABSENT, strings_can_be_null=False
            ),
        )

    def _check(self, rows: pl.DataFrame, scores: Sequence[str]) -> None:
        self._refuse(
            rows.filter(pl.col("position").is_null() | (pl.col("position") < 1)),
            "position", "positions that count the first base of a contig as 1", "write 1-based positions",
        )  # fmt: skip
        self._refuse(
            rows.filter(~pl.col("strand").is_in(STRANDS).fill_null(value=False)),
            "strand", "the strand of every row as + or -", "write the strand: a base of each strand has scores of its own",
        )  # fmt: skip
        self._refuse(rows.filter(pl.col("chrom").is_null()), "chrom", "the contig of every row", "write its name")
        for name in scores:
            self._refuse(
                rows.filter(~pl.col(name).is_between(0, 1)),
                name, "probabilities from 0 to 1", "write probabilities; leave the field empty where there is none",
            )  # fmt: skip

    def _refuse(self, bad: pl.DataFrame, column: str, expected: str, action: str) -> None:
        if bad.height:
            row = bad.row(0, named=True)
            raise InputError(
                expected=f"{expected} in {self.path}",
                found=f"{column} {row[column]} in row {row['row']:,} ({row['chrom']}:{row['position']}:{row['strand']})",
                action=action,
            )


def open_score_table(path: Path, tools: Sequence[str] = (), columns: Sequence[str] = ()) -> ScoreTable:
    """Find the columns of a table; reads its header only.

    Parameters
    ----------
    path
        Parquet, or text with a header, with tabs or commas, plain or gzip; lines before the header that start with ## are
        left out, and the header may start with #.
    tools
        `NAME=DONOR_COLUMN,ACCEPTOR_COLUMN` for each tool; by default every pair of columns whose names differ in nothing
        but the words donor and acceptor.
    columns
        `KEY=COLUMN` for keys, of `KEYS`, that have other names.

    Raises
    ------
    InputError
        The file cannot be read, or lacks columns.
    """
    names, first_row, separator = _header(path)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"distinct columns in {path}", f"several called {first_few(doubled)}", "rename them")
    keys = _keys_of(path, names, columns)
    found = _tools_named(path, names, tools) if tools else _tools_found(path, names)
    return ScoreTable(path, names, keys, found, first_row, separator)


def _header(path: Path) -> tuple[tuple[str, ...], int, str]:
    """Names of the columns, lines before the first row, and the separator; none and 0 for Parquet."""
    try:
        if _starts_with(path, _PARQUET_MAGIC):
            return tuple(pq.ParquetFile(path).schema_arrow.names), 0, ""
        packed = _starts_with(path, GZIP_MAGIC)
        with pa.input_stream(str(path), compression="gzip" if packed else None) as stream:
            start = stream.read(1 << 20).decode("utf-8-sig", "replace").splitlines()
    except (OSError, pa.ArrowException, EOFError) as error:
        raise InputError(
            expected=f"a table of scores {path}: tabs or commas with a header, gzipped or not, or Parquet",
            found="no such file" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0],
            action="check the path",
        ) from error
    before = next((place for place, line in enumerate(start) if not line.startswith("##")), len(start))
    header = start[before] if before < len(start) else ""
    separator = "\t" if "\t" in header else ","
    names = next(csv.reader([header.removeprefix("#")], delimiter=separator), [])
    return tuple(name.strip() for name in names), before + 1, separator


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as raw:
        return raw.read(len(magic)) == magic


def _keys_of(path: Path, names: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for one in given:
        key, equals, column = one.partition("=")
        if not equals or key not in KEYS or column not in names:
            raise InputError(
                expected=f"--columns KEY=COLUMN, a KEY of {', '.join(KEYS)} and a column of {path}: {first_few(names, 20)}",
                found=one,
                action="correct the option",
            )
        keys[key] = column
    by_name = {name.lower(): name for name in reversed(names)}
    for key, spellings in KEYS.items():
        found = next((by_name[name] for name in spellings if name in by_name), None)
        if key not in keys and found is not None:
            keys[key] = found
    missing = [key for key in KEYS if key not in keys and key != _OPTIONAL]
    if missing:
        raise InputError(
            expected=f"the columns chrom, position (1-based) and strand in {path}",
            found=f"no {' and no '.join(missing)} among {first_few(names, 20)}",
            action=f"name them, as in --columns {missing[0]}=COLUMN, or add them to the table",
        )
    return keys


def _tools_named(path: Path, names: Sequence[str], given: Sequence[str]) -> tuple[Tool, ...]:
    tools = []
    for one in given:
        name, _, columns = one.partition("=")
        donor, _, acceptor = columns.partition(",")
        absent = [column for column in (donor, acceptor) if column not in names]
        if not _NAME.fullmatch(name) or absent:
            raise InputError(
                expected=f"--tool NAME=DONOR_COLUMN,ACCEPTOR_COLUMN with columns of {path}: {first_few(names, 20)}; a NAME of "
                "letters, digits and underscores",
                found=one,
                action="correct the option",
            )
        tools.append(Tool(name, donor, acceptor))
    return _distinct(tools)


def _tools_found(path: Path, names: Sequence[str]) -> tuple[Tool, ...]:
    """Pairs of columns whose names differ only in the words donor and acceptor; what is left of the name is the tool's."""
    by_rest: dict[str, dict[str, str]] = {}
    for name in names:
        for kind in SITE_TYPES:
            if kind in name.lower():
                by_rest.setdefault(name.lower().replace(kind, "{}", 1), {})[kind] = name
    tools = []
    for rest, pair in by_rest.items():
        words = [word for word in re.split(r"[^a-z0-9]+", rest.replace("{}", " ")) if word]
        if len(pair) == len(SITE_TYPES) and not _NO_SCORES & set(words):
            kept = "_".join(word for word in words if word not in _PLAIN_WORDS) or ONLY_TOOL
            tools.append(
                Tool(kept if _NAME.fullmatch(kept) else f"{ONLY_TOOL}_{kept}", pair["donor"], pair["acceptor"])
            )
    if not tools:
        raise InputError(
            expected=f"a column of donor and one of acceptor probabilities in {path}, such as donor and acceptor, or "
            "mytool_donor and mytool_acceptor",
            found=f"none among {first_few(names, 20)}",
            action="name them, as in --tool mytool=DONOR_COLUMN,ACCEPTOR_COLUMN",
        )
    return _distinct(tools)


def _distinct(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    names = [tool.name for tool in tools]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            "tools with distinct names",
            f"several called {first_few(doubled)}",
            "name them, each with a --tool of its own",
        )
    return tuple(tools)


def _by_kind(tool: Tool) -> Iterator[tuple[str, str]]:
    yield from zip(SITE_TYPES, (tool.donor, tool.acceptor), strict=True)
