"""Scores in files that others wrote: bigWig, Parquet, and the BED of OpenSpliceAI; each gives NaN where it has nothing."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.basemodel.protocol import SPREAD, TYPED_CHANNELS, ScoreArray
from meta_spliceai.errors import InputError, ModelError, first_few
from meta_spliceai.formats.bigwig import SUFFIXES, BigWig
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.formats.openspliceai_bed import FILE_NAMES, read_openspliceai_bed
from meta_spliceai.genome.coordinates import STRANDS, Interval, Strand
from meta_spliceai.schema.features import SITE, USAGE

STRAND_WORDS: dict[Strand, str] = {"+": "plus", "-": "minus"}
"""How strands are called in names of files."""

_BIGWIG_NAME = re.compile(r"(?:.+\.)?([a-z0-9_]+)\.(plus|minus)\.(?:bw|bigwig)", re.IGNORECASE)
_PLACE = ("chrom", "strand", "position")
_CACHED_ROW_GROUPS = 4


class ScoreSource(Protocol):
    """Scores by place."""

    channels: tuple[str, ...]
    contigs: tuple[str, ...]

    def read(self, interval: Interval) -> dict[str, ScoreArray]:
        """Scores of an interval by channel, and the spread where there is one; ascending, NaN where nothing is known.

        Raises
        ------
        ModelError
            A base has two different scores, or one that is no number.
        InputError
            A file is damaged.
        """


def channels_in(names: Collection[str], where: str, action: str) -> tuple[str, ...]:
    """The channels among names in their order, without the spread; a `ModelError` where they belong to no base model."""
    if set(TYPED_CHANNELS) <= set(names):
        return TYPED_CHANNELS
    sites = tuple(sorted(name for name in names if name.startswith((SITE, USAGE))))
    if any(name.startswith(SITE) for name in sites) and set(TYPED_CHANNELS).isdisjoint(names):
        return sites
    missing = [name for name in TYPED_CHANNELS if name not in names]
    raise ModelError(f"donor and acceptor scores in {where}", f"no {' and no '.join(missing)} scores", action)


class BigWigScores:
    """A bigWig file per channel and strand, called `[ANYTHING.]CHANNEL.plus.bw` or `….minus.bw`."""

    def __init__(self, files: Sequence[Path]) -> None:
        folder = files[0].parent
        named: dict[tuple[str, str], Path] = {}
        for file in files:
            match = _BIGWIG_NAME.fullmatch(file.name)
            key = (match[1].lower(), match[2].lower()) if match else ("", "")
            if match is None or key in named:
                raise ModelError(
                    expected=f"one bigWig file per channel and strand in {folder}, such as donor.plus.bw",
                    found=f"{file.name} besides {named[key].name}" if key in named else file.name,
                    action="rename or remove it",
                )
            named[key] = file
        action = "add what is missing; each of donor.plus.bw, donor.minus.bw, acceptor.plus.bw and acceptor.minus.bw is needed"
        names = {channel for channel, _ in named}
        self.channels = channels_in(names, str(folder), action)
        self._read_channels = (*self.channels, *([SPREAD] if SPREAD in names else []))
        wanted = [(channel, word) for channel in self._read_channels for word in STRAND_WORDS.values()]
        missing = [f"{channel}.{word}.bw" for channel, word in wanted if (channel, word) not in named]
        if missing:
            raise ModelError(f"bigWig files of both strands in {folder}", f"no {first_few(missing)}", action)
        self._files = {key: BigWig(named[key]) for key in wanted}
        self.contigs = _distinct(file.contigs for file in self._files.values())

    def read(self, interval: Interval) -> dict[str, ScoreArray]:
        """As `ScoreSource.read`."""
        word = STRAND_WORDS[interval.strand]
        return {channel: _of_bigwig(self._files[channel, word], interval) for channel in self._read_channels}


def _of_bigwig(file: BigWig, interval: Interval) -> ScoreArray:
    name = match_contigs([interval.chrom], file.contigs).to_genome.get(interval.chrom)
    if name is None:  # a file need not name the contigs on which it has nothing
        return np.full(interval.length, np.nan, dtype=np.float32)
    return file.values(name, interval.start, interval.end)


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """A row group and what it may hold: contigs, strands, and positions `low` to `high`."""

    file: int
    number: int
    contigs: frozenset[str]
    strands: tuple[str, str]
    low: int
    high: int


class ParquetScores:
    """Parquet files with the columns chrom, strand, position (1-based), the channels, and perhaps spread; rows in any order.

    Only the row groups whose statistics admit the asked positions are read, so sorted files are fast.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = files
        self._files = [_opened(path) for path in files]
        columns = set(self._files[0].schema_arrow.names)
        action = "write these columns: chrom, strand, position (1-based), donor, acceptor, and spread if there is one"
        self.channels = channels_in(columns, str(files[0]), action)
        self._values = (*self.channels, *([SPREAD] if SPREAD in columns else []))
        for path, file in zip(files, self._files, strict=True):
            missing = [name for name in (*_PLACE, *self._values) if name not in file.schema_arrow.names]
            if missing:
                raise ModelError(f"columns {', '.join((*_PLACE, *self._values))} in {path}", f"no {missing[0]}", action)
        self._groups = [group for number in range(len(files)) for group in self._groups_of(number)]
        self.contigs = _distinct(sorted(group.contigs) for group in self._groups)
        self._cache: OrderedDict[_RowGroup, pl.DataFrame] = OrderedDict()

    def _groups_of(self, number: int) -> list[_RowGroup]:
        """The row groups of a file; where a statistic is absent, its column is read once."""
        file, path = self._files[number], self._paths[number]
        places = {name: file.schema_arrow.names.index(name) for name in _PLACE}
        groups = []
        for group in range(file.num_row_groups):
            bounds = {}
            for name, place in places.items():
                statistics = file.metadata.row_group(group).column(place).statistics
                known = statistics is not None and statistics.has_min_max
                if known and (name != "chrom" or statistics.min == statistics.max):
                    bounds[name] = (statistics.min, statistics.max)
                else:
                    values = _frame(path, file, group, [name])[name].drop_nulls().unique().sort()
                    bounds[name] = tuple(values.to_list() if name == "chrom" else (values.min(), values.max()))
            if bounds["position"][0] is None:
                continue  # an empty row group
            _check_places(path, bounds["position"][0], bounds["strand"])
            contigs = frozenset(str(name) for name in bounds["chrom"])
            groups.append(_RowGroup(number, group, contigs, bounds["strand"], *bounds["position"]))
        return groups

    def read(self, interval: Interval) -> dict[str, ScoreArray]:
        """As `ScoreSource.read`."""
        out = {name: np.full(interval.length, np.nan, dtype=np.float32) for name in self._values}
        chrom = match_contigs([interval.chrom], self.contigs).to_genome.get(interval.chrom)
        for group in self._groups:
            low, high = group.strands
            if (
                chrom in group.contigs
                and low <= interval.strand <= high
                and group.low <= interval.end
                and group.high > interval.start
            ):
                rows = self._rows(group).filter(
                    (pl.col("chrom") == chrom)
                    & (pl.col("strand") == interval.strand)
                    & pl.col("position").is_between(interval.start + 1, interval.end)
                )
                self._scatter(rows, interval, out, self._paths[group.file])
        return out

    def _scatter(self, rows: pl.DataFrame, interval: Interval, out: dict[str, ScoreArray], path: Path) -> None:
        """Put rows in their places."""
        for name, array in out.items():
            known = rows.filter(pl.col(name).is_not_null())
            place = known["position"].to_numpy() - 1 - interval.start
            values = known[name].to_numpy()
            before = array[place]
            array[place] = values
            # a base that stands twice is harmless if both rows say the same: chunks of one pass overlap
            wrong = np.isnan(values) | (array[place] != values) | (~np.isnan(before) & (before != values))
            if wrong.any():
                first = int(np.flatnonzero(wrong)[0])
                two = "NaN" if np.isnan(values[first]) else "two different scores"
                raise ModelError(
                    expected=f"one {name} score per base in {path}",
                    found=f"{two} at {interval.chrom}:{place[first] + interval.start + 1}({interval.strand})",
                    action="mend the file; leave a base out, or its score empty, where there is none",
                )

    def _rows(self, group: _RowGroup) -> pl.DataFrame:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        file, path = self._files[group.file], self._paths[group.file]
        try:
            frame = _frame(path, file, group.number, [*_PLACE, *self._values]).with_columns(
                pl.col("chrom", "strand").cast(pl.String),
                pl.col("position").cast(pl.Int64),
                pl.col(*self._values).cast(pl.Float32),
            )
        except pl.exceptions.PolarsError as error:
            raise _unreadable(path, error) from error
        self._cache[group] = frame
        if len(self._cache) > _CACHED_ROW_GROUPS:
            self._cache.popitem(last=False)
        return frame


def _check_places(path: Path, first: object, strands: Sequence[object]) -> None:
    """Refuse positions and strands that are written in another way; `first` is the lowest position."""
    if not isinstance(first, int) or first < 1:
        raise ModelError(f"1-based positions in {path}", f"{first}", "count the first base of a contig as 1")
    if not set(strands) <= {*STRANDS}:
        raise ModelError(f"strands + and - in {path}", first_few(strands), "write them as + and -")


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _frame(path: Path, file: pq.ParquetFile, group: int, columns: list[str]) -> pl.DataFrame:
    try:
        frame = pl.from_arrow(file.read_row_group(group, columns=columns))
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error
    assert isinstance(frame, pl.DataFrame)
    return frame


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"a whole Parquet file {path}", str(error).splitlines()[0], "copy it or make it again")


class OpenSpliceAIBedScores:
    """What `openspliceai predict` lists; a base of a scored region that is not listed scored below its threshold, hence 0."""

    channels: tuple[str, ...] = TYPED_CHANNELS

    def __init__(self, folder: Path) -> None:
        missing = [name for name in FILE_NAMES.values() if not (folder / name).is_file()]
        if missing:
            raise ModelError(
                f"{' and '.join(FILE_NAMES.values())} in {folder}", f"no {missing[0]}", "copy both files of a run"
            )
        self._listed = {site: read_openspliceai_bed(folder / name, site) for site, name in FILE_NAMES.items()}
        self.contigs = _distinct(sorted({chrom for chrom, _ in listed}) for listed in self._listed.values())

    def read(self, interval: Interval) -> dict[str, ScoreArray]:
        """As `ScoreSource.read`; NaN outside the scored regions."""
        out = {}
        chrom = match_contigs([interval.chrom], self.contigs).to_genome.get(interval.chrom)
        regions = [
            (int(start), int(end))
            for listed in self._listed.values()
            if (one := listed.get((chrom or "", interval.strand))) is not None
            for start, end in zip(one.region_starts, one.region_ends, strict=True)
            if start < interval.end and end > interval.start
        ]
        for site, listed in self._listed.items():
            values = np.full(interval.length, np.nan, dtype=np.float32)
            for start, end in regions:
                values[max(start - interval.start, 0) : end - interval.start] = 0
            one = listed.get((chrom or "", interval.strand))
            if one is not None:
                first, last = np.searchsorted(one.places, [interval.start, interval.end])
                values[one.places[first:last] - interval.start] = one.scores[first:last]
            out[site] = values
        return out


def open_source(folder: Path) -> tuple[ScoreSource, list[Path]]:
    """The scores that a folder holds, and the files they are in.

    Raises
    ------
    ModelError
        It holds none, several kinds, or an incomplete set.
    InputError
        A file cannot be read.
    """
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in entries if path.is_file() and not path.name.startswith(".")]
    found: Mapping[str, list[Path]] = {
        "bigWig": [path for path in files if path.name.lower().endswith(SUFFIXES)],
        "Parquet": [path for path in files if path.suffix == ".parquet"],
        "OpenSpliceAI's BED": [path for path in files if path.name in FILE_NAMES.values()],
    }
    kinds = [kind for kind, some in found.items() if some]
    if len(kinds) != 1:
        raise ModelError(
            expected=f"scores of one kind in {folder}: bigWig ({', '.join(f'{name}.plus.bw, {name}.minus.bw' for name in TYPED_CHANNELS)}), "
            f"Parquet, or {' and '.join(FILE_NAMES.values())}",
            found=" and ".join(kinds) or ("neither" if folder.is_dir() else "no such folder"),
            action="give the folder of one set of scores as weights",
        )
    chosen = found[kinds[0]]
    if kinds == ["bigWig"]:
        return BigWigScores(chosen), chosen
    if kinds == ["Parquet"]:
        # a base pass leaves other tables beside its scores
        chosen = [path for path in chosen if path.name.startswith("scores_")] or chosen
        return ParquetScores(chosen), chosen
    return OpenSpliceAIBedScores(folder), chosen


def _distinct(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
