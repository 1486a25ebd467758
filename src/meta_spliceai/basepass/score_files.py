"""Dense scores on disk: one row per base and strand, one column per channel, 4 to 5 bytes a row for three channels.

A file holds the *spans* of a chunk: the union of its genes' bodies and scored flanks on each strand. Rows are ordered
by strand (+ before -) and position, so a base's row number follows from its span and no index is needed. The columns
are ordinary Float32, but the mantissa is rounded where nobody could tell:

- scores of at least 0.001 are stored as the model gave them;
- below that, the stored score differs by at most 5e-7, and below 1e-4 by at most one part in 256.

The rounded bits are zero, and split by bytes they compress to almost nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.basemodel.protocol import SPREAD, Scores
from meta_spliceai.errors import StoreError
from meta_spliceai.genome.coordinates import STRANDS, Interval, Strand, merge_spans
from meta_spliceai.schema.tables import score_table
from meta_spliceai.store.atomic import written_aside
from meta_spliceai.store.tables import ROW_GROUP_ROWS, schema_metadata

_EXACT_FROM = np.float32(1e-3)
_COARSE_BELOW = np.float32(1e-4)
_KEYS = ("chrom", "strand", "position")
_CACHED_ROW_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Span:
    """A scored stretch `[start, end)` of a strand, 0-based half-open, and the row of its first base in the file."""

    strand: Strand
    start: int
    end: int
    first_row: int


def rounded(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scores with the mantissa rounded to nearest as the module says; shape kept."""
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.uint32)
    fine, coarse = (_round_bits(bits, dropped) for dropped in (13, 16))
    kept = np.where(scores < _COARSE_BELOW, coarse, np.where(scores < _EXACT_FROM, fine, bits))
    return kept.astype(np.uint32).view(np.float32)


def _round_bits(bits: npt.NDArray[np.uint32], dropped: int) -> npt.NDArray[np.uint32]:
    half = np.uint32(1 << (dropped - 1))
    mask = np.uint32(0xFFFFFFFF ^ ((1 << dropped) - 1))
    return (bits + half) & mask


def write_scores(path: Path, chrom: str, channels: Sequence[str], pieces: Iterable[tuple[Strand, int, Scores]]) -> int:
    """Write pieces in the order of their rows, whole or not at all, holding one row group in memory.

    Parameters
    ----------
    channels
        Those of the base model; the spread comes after them.
    pieces
        (strand, 0-based start, scores in ascending genomic order); ordered by strand and start.

    Returns
    -------
    int
        Rows written.
    """
    rows = 0
    with written_aside(path) as aside, _writer(aside, channels) as writer:
        held: list[pa.Table] = []
        waiting = 0
        for strand, start, scores in pieces:
            held.append(_piece_table(chrom, strand, start, scores))
            waiting += held[-1].num_rows
            rows += held[-1].num_rows
            if waiting >= ROW_GROUP_ROWS:
                held, waiting = _flush(writer, held, everything=False)
        _flush(writer, held, everything=True)
    return rows


def _writer(path: Path, channels: Sequence[str]) -> pq.ParquetWriter:
    fields = [
        pa.field("chrom", pa.string()),
        pa.field("strand", pa.string()),
        pa.field("position", pa.int32()),
        *(pa.field(name, pa.float32()) for name in (*channels, SPREAD)),
    ]
    return pq.ParquetWriter(
        path,
        pa.schema(fields, metadata=schema_metadata(score_table(channels))),
        compression="zstd",
        use_dictionary=["chrom", "strand"],
        column_encoding={
            "position": "DELTA_BINARY_PACKED",
            **dict.fromkeys((*channels, SPREAD), "BYTE_STREAM_SPLIT"),
        },
    )


def _piece_table(chrom: str, strand: Strand, start: int, scores: Scores) -> pa.Table:
    length = scores.spread.size
    return pa.table(
        {
            "chrom": pa.repeat(chrom, length),
            "strand": pa.repeat(strand, length),
            "position": np.arange(start + 1, start + 1 + length, dtype=np.int32),
            **{name: rounded(values) for name, values in scores.by_channel.items()},
        }
    )


def _flush(writer: pq.ParquetWriter, held: list[pa.Table], *, everything: bool) -> tuple[list[pa.Table], int]:
    if not held:
        return [], 0
    table = pa.concat_tables([piece.replace_schema_metadata(None) for piece in held])
    whole = table.num_rows if everything else table.num_rows // ROW_GROUP_ROWS * ROW_GROUP_ROWS
    for first in range(0, whole, ROW_GROUP_ROWS):
        writer.write_table(
            table.slice(first, min(ROW_GROUP_ROWS, whole - first)).cast(writer.schema), row_group_size=ROW_GROUP_ROWS
        )
    rest = table.slice(whole)
    return ([rest], rest.num_rows) if rest.num_rows else ([], 0)


class ScoreFile:
    """Random access to one score file; keeps the row groups used last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                expected=f"a readable score file {path}",
                found=str(error).splitlines()[0],
                action="run the base pass again with the same options; only this chunk is scored again",
            ) from error
        self.channels = tuple(name for name in self._file.schema_arrow.names if name not in _KEYS)
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._bounds = np.concatenate(([0], np.cumsum(sizes)))
        self._cache: OrderedDict[int, npt.NDArray[np.float32]] = OrderedDict()

    def rows(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Rows `[first, last)` as an array of shape (channels, last - first), the spread last."""
        out = np.empty((len(self.channels), last - first), dtype=np.float32)
        group = int(np.searchsorted(self._bounds, first, side="right")) - 1
        at = first
        while at < last:
            begin, end = int(self._bounds[group]), int(self._bounds[group + 1])
            upto = min(end, last)
            out[:, at - first : upto - first] = self._row_group(group)[:, at - begin : upto - begin]
            at, group = upto, group + 1
        return out

    def _row_group(self, group: int) -> npt.NDArray[np.float32]:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        try:
            table = self._file.read_row_group(group, columns=list(self.channels))
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                expected=f"readable scores in {self.path}",
                found=str(error).splitlines()[0],
                action="run the base pass again with the same options; only this chunk is scored again",
            ) from error
        values = np.stack([table.column(name).to_numpy() for name in self.channels]).astype(np.float32, copy=False)
        self._cache[group] = values
        if len(self._cache) > _CACHED_ROW_GROUPS:
            self._cache.popitem(last=False)
        return values


def spans_of(intervals: Iterable[Interval]) -> list[Span]:
    """The union of intervals of one contig as spans in file order, + before -."""
    by_strand = list(intervals)
    spans: list[Span] = []
    row = 0
    for strand in STRANDS:
        here = [interval for interval in by_strand if interval.strand == strand]
        starts, ends = merge_spans([item.start for item in here], [item.end for item in here])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            spans.append(Span(strand, start, end, row))
            row += end - start
    return spans
