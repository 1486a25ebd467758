"""Random access to a genome: FASTA (plain or bgzip) and 2bit, as base codes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.formats.faidx import ContigIndex, build_index, describes, read_index, write_index
from meta_spliceai.formats.seekable import SeekableBytes, open_seekable
from meta_spliceai.formats.twobit import TwoBitSource
from meta_spliceai.genome.sequences import UNKNOWN, Codes, encode


class _Source(Protocol):
    lengths: dict[str, int]

    def codes(self, chrom: str, start: int, end: int) -> Codes:
        """Codes of `[start, end)`, inside the contig; fewer where the file ends before."""

    def close(self) -> None:
        """Release the file."""


class Genome:
    """A genome file opened for reading; `open_genome` makes one. It can be sent to another process, which opens it anew.

    Attributes
    ----------
    path
        The file.
    contigs
        Length in nt by contig name, in the file's order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._source: _Source = TwoBitSource(path) if path.suffix == ".2bit" else _FastaSource(path)
        self.contigs: dict[str, int] = dict(self._source.lengths)

    def codes(self, chrom: str, start: int, end: int) -> Codes:
        """Codes of `[start, end)` (0-based half-open) on the plus strand; 4 outside the contig, where both may lie.

        Raises
        ------
        InputError
            There is no such contig, or the file ends before its index says.
        """
        if chrom not in self.contigs:
            raise InputError(f"contig {chrom} in {self.path}", first_few(list(self.contigs)), "check the contig's name")
        out = np.full(end - start, UNKNOWN, dtype=np.uint8)
        low, high = max(start, 0), min(end, self.contigs[chrom])
        if low < high:
            inside = self._source.codes(chrom, low, high)
            if inside.size != high - low:
                raise _cut_off(self.path, f"{chrom} has only {inside.size:,} of bases {low + 1:,} to {high:,}")
            out[low - start : high - start] = inside
        return out

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Genome], tuple[Path]]:
        return Genome, (self.path,)


def open_genome(path: Path) -> Genome:
    """Open a FASTA (plain, or compressed with bgzip) or 2bit file.

    A `.fai` index is made in passing where it is absent or belongs to another file, and kept beside the FASTA where the
    folder allows it.

    Raises
    ------
    InputError
        The file is missing, empty, cut off, compressed with plain gzip, or not of these formats.
    """
    return Genome(path)


def index_path(path: Path) -> Path:
    """Where the index of a FASTA file lies."""
    return path.with_name(path.name + ".fai")


def _cut_off(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"a whole genome file {path}",
        found=found,
        action=f"the file was cut off: copy or download it again (or delete {index_path(path).name} if it is another's)",
    )


class _FastaSource:
    """FASTA through its index."""

    def __init__(self, path: Path) -> None:
        self._content = open_seekable(path)
        try:
            self._contigs = _index_of(path, self._content)
        except InputError:
            self._content.close()
            raise
        self.lengths = {name: contig.length for name, contig in self._contigs.items()}

    def codes(self, chrom: str, start: int, end: int) -> Codes:
        contig = self._contigs[chrom]
        letters = self._content.read(contig.byte_of(start), contig.byte_of(end - 1) + 1)
        return encode(letters.translate(None, b"\r\n"))

    def close(self) -> None:
        self._content.close()


def _index_of(path: Path, content: SeekableBytes) -> dict[str, ContigIndex]:
    contigs = read_index(index_path(path))
    if contigs is None or not describes(contigs, content):
        contigs = build_index(content, path)
        write_index(index_path(path), contigs)
    needed = max(contig.end for contig in contigs.values())
    if needed > content.size:
        raise _cut_off(path, f"its index needs {needed:,} bytes, but it holds {content.size:,}")
    return contigs
