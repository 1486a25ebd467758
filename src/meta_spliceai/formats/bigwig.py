"""bigWig files: a number per base of a contig, compressed and indexed; one file for each strand and each kind of number.

Intervals in the file are 0-based half-open and sorted by contig and start; the contigs' lengths stand in its header.
What reads and writes the bytes is the library pybigtools. It reports some failures of writing on stderr only, so what
was written is counted again in the finished file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pybigtools

from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.store.atomic import written_aside

SUFFIXES = (".bw", ".bigwig")
"""How names of bigWig files end, in lower case."""

Values = npt.NDArray[np.float32]
_Row = tuple[str, int, int, float]


class BigWig:
    """Values of a bigWig file by place.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    contigs
        Length in nt by contig; those without any value may be absent.

    Raises
    ------
    InputError
        The file is missing, cut off, or no bigWig.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._reader = pybigtools.open(str(path))
            self.contigs: dict[str, int] = dict(self._reader.chroms())
        except (pybigtools.BBIReadError, ValueError, OSError) as error:
            raise self._unreadable(error) from error

    def values(self, chrom: str, start: int, end: int) -> Values:
        """Values of `[start, end)` (0-based half-open), shape (end - start,); NaN where the file has none.

        Raises
        ------
        InputError
            The file is damaged there, or has no such contig.
        """
        out = np.full(end - start, np.nan, dtype=np.float32)
        if chrom not in self.contigs:
            raise InputError(f"contig {chrom} in {self.path}", "none of this name", "check the names of its contigs")
        end = min(end, self.contigs[chrom])
        if start < end:
            try:
                out[: end - start] = self._reader.values(chrom, start, end, fillna=None)
            except (pybigtools.BBIReadError, ValueError, OSError) as error:
                raise self._unreadable(error) from error
        return out

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(
            expected=f"a whole bigWig file {self.path}",
            found=str(error).strip().splitlines()[0].rstrip("."),
            action="check the path; if the file is there, it was cut off or damaged: copy or make it again",
        )


def write_bigwig(path: Path, contigs: Mapping[str, int], pieces: Iterable[tuple[str, int, Values]]) -> int:
    """Write consecutive values as a bigWig file, whole or not at all, in memory that does not grow with their number.

    Parameters
    ----------
    path
        The file to write.
    contigs
        Lengths of the contigs.
    pieces
        (contig, 0-based start, float32 values), no NaN; sorted by contig name and start, no base twice, at least one value.

    Returns
    -------
    int
        Bases written. Neighbours with one value share a row of the file.

    Raises
    ------
    DiskFullError, StoreError
        It could not be written, or not all of it arrived; `path` is then what it was before.
    """
    rows = _Rows(pieces)
    with written_aside(path) as aside:
        named = aside.with_name(f"{aside.name}.bw")  # the library tells bigWig from bigBed by the name's end
        try:
            _write(named, contigs, rows)
            named.replace(aside)
        finally:
            named.unlink(missing_ok=True)
    return rows.bases


def _write(path: Path, contigs: Mapping[str, int], rows: _Rows) -> None:
    found = None
    try:
        pybigtools.open(str(path), "w").write(dict(contigs), iter(rows))
        covered = int(pybigtools.open(str(path)).info()["summary"]["basesCovered"])
        if covered != rows.bases:
            found = f"{covered:,} of them"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # bare ones, and panics of its own language, which are no Exception
        found = str(error).strip().splitlines()[0]
    if rows.error is not None:
        raise rows.error
    if found is not None:
        _append_a_little(path)
        raise StoreError(
            expected=f"{rows.bases:,} values written to {path.parent}",
            found=found,
            action="check the room on the disk and the folder's permissions, then run the same command again",
        )


def _append_a_little(path: Path) -> None:
    """Meet the operating system's own error where there is no room: the library does not pass it on."""
    with path.open("ab") as stream:
        stream.write(bytes(1 << 20))
        stream.flush()
        os.fsync(stream.fileno())


class _Rows:
    """Rows for the library, counted; an error in making them is kept, for the library would only print it."""

    def __init__(self, pieces: Iterable[tuple[str, int, Values]]) -> None:
        self._pieces = pieces
        self.bases = 0
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[_Row]:
        try:
            for chrom, start, values in self._pieces:
                yield from _runs(chrom, start, values)
                self.bases += values.size
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error


def _runs(chrom: str, start: int, values: Values) -> Iterator[_Row]:
    """Runs of equal values as rows."""
    if not values.size:
        return iter(())
    first = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    last = np.append(first[1:], values.size)
    return zip(repeat(chrom), (start + first).tolist(), (start + last).tolist(), values[first].tolist(), strict=False)
