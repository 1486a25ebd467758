"""UCSC's 2bit format (genome.ucsc.edu/FAQ/FAQformat.html#format7): two bits per base, runs of N listed apart."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import InputError
from meta_spliceai.formats.seekable import mapped
from meta_spliceai.genome.sequences import UNKNOWN, Codes

_SIGNATURE = 0x1A412743
_CODE_OF_BITS = np.array([3, 1, 0, 2], dtype=np.uint8)  # the format counts T, C, A, G
_BASES_OF_BYTE = _CODE_OF_BITS[(np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3]


@dataclass(frozen=True, slots=True)
class _Contig:
    """Length, the runs of N, and the byte at which the packed bases start."""

    length: int
    run_starts: npt.NDArray[np.int64]
    run_ends: npt.NDArray[np.int64]
    packed: int


class TwoBitSource:
    """Base codes by contig and place.

    Raises
    ------
    InputError
        Not a 2bit file, or one that was cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = mapped(path)
        try:
            self._contigs = self._read_contigs()
        except InputError:
            self._content.close()
            raise
        self.lengths = {name: contig.length for name, contig in self._contigs.items()}

    def _read_contigs(self) -> dict[str, _Contig]:
        try:
            order = "<" if struct.unpack_from("<I", self._content)[0] == _SIGNATURE else ">"
            signature, version, count, _ = struct.unpack_from(f"{order}4I", self._content)
            if signature != _SIGNATURE or version > 1:
                raise InputError(f"a 2bit file {self._path}", "it does not begin like one", "give a FASTA or 2bit file")
            offset = struct.Struct(order + ("Q" if version else "I"))
            contigs = {}
            at = 16
            for _ in range(count):
                name_end = at + 1 + self._content[at]
                name = self._content[at + 1 : name_end].decode()
                contigs[name] = self._read_contig(order, int(offset.unpack_from(self._content, name_end)[0]))
                at = name_end + offset.size
        except (struct.error, IndexError, ValueError) as error:
            self._refuse_cut(error)
        return contigs

    def _read_contig(self, order: str, at: int) -> _Contig:
        length, runs = struct.unpack_from(f"{order}2I", self._content, at)
        words = np.frombuffer(self._content[at + 8 : at + 8 + 8 * runs], dtype=f"{order}u4").astype(np.int64)
        if words.size < 2 * runs:
            self._refuse_cut(None)
        masks_at = at + 8 + 8 * runs
        masks = int(struct.unpack_from(f"{order}I", self._content, masks_at)[0])
        packed = masks_at + 4 + 8 * masks + 4
        if packed + (length + 3) // 4 > len(self._content):
            self._refuse_cut(None)
        return _Contig(length, words[:runs], words[:runs] + words[runs:], packed)

    def _refuse_cut(self, error: Exception | None) -> NoReturn:
        raise InputError(
            expected=f"a whole 2bit file {self._path}",
            found=f"it ends before its sequences do, at byte {len(self._content):,}",
            action="the file was cut off: copy or download it again",
        ) from error

    def codes(self, chrom: str, start: int, end: int) -> Codes:
        """Codes of `[start, end)`, inside the contig."""
        contig = self._contigs[chrom]
        first = start // 4
        packed = np.frombuffer(self._content[contig.packed + first : contig.packed + -(-end // 4)], dtype=np.uint8)
        codes: Codes = _BASES_OF_BYTE[packed].reshape(-1)[start - 4 * first : end - 4 * first]
        low = int(np.searchsorted(contig.run_ends, start, side="right"))
        high = int(np.searchsorted(contig.run_starts, end))
        for run_start, run_end in zip(contig.run_starts[low:high], contig.run_ends[low:high], strict=True):
            codes[max(0, run_start - start) : run_end - start] = UNKNOWN
        return codes

    def close(self) -> None:
        """Release the file."""
        self._content.close()
