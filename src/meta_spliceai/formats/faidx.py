"""The `.fai` index of a FASTA file: name, length, offset, bases and bytes per line, as `samtools faidx` writes it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.formats.seekable import SeekableBytes
from meta_spliceai.store.atomic import write_text

_SCAN_BYTES = 1 << 25
_NEWLINE, _RETURN, _GREATER = 10, 13, 62
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class ContigIndex:
    """Where a contig lies in the file.

    Parameters
    ----------
    length
        Bases.
    offset
        Byte of its first base.
    line_bases, line_bytes
        Bases and bytes of each line but the last.
    """

    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def byte_of(self, base: int) -> int:
        """Byte of a 0-based base."""
        lines, within = divmod(base, max(self.line_bases, 1))
        return self.offset + lines * self.line_bytes + within

    @property
    def end(self) -> int:
        """The byte after the last base."""
        return self.byte_of(self.length - 1) + 1 if self.length else self.offset


def read_index(path: Path) -> dict[str, ContigIndex] | None:
    """The index in a `.fai` file, or None where there is none or it cannot be understood and has to be made again."""
    try:
        rows = [line.split("\t") for line in path.read_text().splitlines() if line]
        return {row[0]: ContigIndex(*(int(value) for value in row[1:5])) for row in rows} or None
    except (ValueError, TypeError, OSError):
        return None


def write_index(path: Path, contigs: dict[str, ContigIndex]) -> None:
    """Write a `.fai` file where that is allowed; it only saves time, so a folder that refuses it is no error."""
    lines = [f"{name}\t{c.length}\t{c.offset}\t{c.line_bases}\t{c.line_bytes}\n" for name, c in contigs.items()]
    with contextlib.suppress(StoreError):
        write_text(path, "".join(lines))


def describes(contigs: dict[str, ContigIndex], content: SeekableBytes) -> bool:
    """Whether an index can be one of this file, possibly of a longer one that was cut off; no clock is asked.

    The headers of the first and of the last contig must be where the index says, and nothing may follow the last one.
    """
    ordered = sorted(contigs.items(), key=lambda item: item[1].offset)
    for name, contig in (ordered[0], ordered[-1]):
        before = content.read(max(0, contig.offset - _LONGEST_HEADER), contig.offset)
        header = before.rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
        if contig.offset <= content.size and header.split()[:1] != [b">" + name.encode()]:
            return False
    last_end = ordered[-1][1].end
    return not content.read(last_end, last_end + _LONGEST_HEADER).strip()


def build_index(content: SeekableBytes, path: Path) -> dict[str, ContigIndex]:
    """Index a FASTA by scanning its bytes once, 32 MiB at a time.

    Raises
    ------
    InputError
        It does not start with a header, a header has no name or comes twice, or a contig's lines differ in length.
    """
    if content.read(0, 1) != b">":
        raise InputError(f"a FASTA file {path}", "it does not start with '>'", "give a FASTA or 2bit file")
    scan = _Scan(path)
    line_start = 0  # of the line that is being read, and whether it is a header
    for first in range(0, content.size, _SCAN_BYTES):
        raw = content.read(first, first + _SCAN_BYTES)
        block = np.frombuffer(raw, dtype=np.uint8)
        ends = first + np.flatnonzero(block == _NEWLINE)
        if first + block.size == content.size and block[-1] != _NEWLINE:
            ends = np.append(ends, content.size)
        if ends.size:
            starts = np.concatenate(([line_start], ends[:-1] + 1))
            scan.add_lines(content, starts, ends)
            line_start = int(ends[-1]) + 1
    return scan.contigs()


class _Scan:
    """Takes the lines of a FASTA in turn and checks that those of each contig have one length."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._finished: dict[str, ContigIndex] = {}
        self._name = ""
        self._offset = self._bases = self._width = self._line_end = 0
        self._short_line_seen = False

    def add_lines(self, content: SeekableBytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        """Lines by the offset of their first byte and of their line end, following the lines before."""
        header_lines = _header_lines(content, starts, ends)
        bounds = [*header_lines, starts.size]
        self._add_sequence(content, starts[: bounds[0]], ends[: bounds[0]])
        for line, upto in zip(header_lines, bounds[1:], strict=True):
            header_end = int(ends[line])
            self._start_contig(content.read(int(starts[line]), header_end), min(header_end + 1, content.size))
            self._add_sequence(content, starts[line + 1 : upto], ends[line + 1 : upto])

    def _start_contig(self, header: bytes, offset: int) -> None:
        self._finish_contig()
        words = header[1:].split()
        if not words:
            raise InputError(
                f"a name in each header of {self._path}", f"none at byte {offset - 1:,}", "give every contig a name"
            )
        self._name = words[0].decode("utf-8", "replace")
        self._offset, self._bases, self._width, self._short_line_seen = offset, 0, 0, False
        if self._name in self._finished:
            raise InputError(f"each contig once in {self._path}", f"{self._name} twice", "remove one of them")

    def _add_sequence(self, content: SeekableBytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        if not starts.size:
            return
        if not self._width:
            self._line_end = 2 if content.read(int(ends[0]) - 1, int(ends[0])) == b"\r" else 1
            self._width = int(ends[0] - starts[0]) + 1
        widths = ends - starts + 1
        if ends[-1] == content.size:
            widths[-1] += self._line_end - 1  # the last line of the file may lack its line end
        odd = np.flatnonzero(widths != self._width)
        after_odd = widths[odd[0] + 1 :] if odd.size else widths[:0]
        too_long = bool((widths > self._width).any()) or bool((after_odd > self._line_end).any())
        if too_long or (self._short_line_seen and bool((widths > self._line_end).any())):
            self._refuse_lines()
        self._short_line_seen |= bool(odd.size)
        self._bases += int(widths.sum()) - widths.size * self._line_end

    def _refuse_lines(self) -> NoReturn:
        raise InputError(
            expected=f"lines of one length in contig {self._name} of {self._path}",
            found=f"lines that differ from its first one, of {self._width - self._line_end} bases",
            action="write it anew with lines of one length, for example with `seqkit seq -w 60`",
        )

    def _finish_contig(self) -> None:
        if self._name:
            bases_per_line = self._width - self._line_end if self._width else 0
            self._finished[self._name] = ContigIndex(self._bases, self._offset, bases_per_line, self._width)

    def contigs(self) -> dict[str, ContigIndex]:
        """The index, after the last line."""
        self._finish_contig()
        if not any(contig.length for contig in self._finished.values()):
            raise InputError(
                f"sequence in {self._path}",
                f"none under {first_few(list(self._finished))}",
                "the file was cut off: copy or download it again",
            )
        return self._finished


def _header_lines(content: SeekableBytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> list[int]:
    """Which of consecutive lines begin with '>'."""
    first = int(starts[0])
    block = np.frombuffer(content.read(first, int(ends[-1]) + 1), dtype=np.uint8)
    return np.flatnonzero(block[starts - first] == _GREATER).tolist()
