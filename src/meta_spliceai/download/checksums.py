"""Checksums as public archives publish them: SHA-256, MD5, and the 16-bit sum of BSD Unix that Ensembl uses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meta_spliceai.errors import InputError

Algorithm = Literal["sha256", "md5", "bsd"]
_BLOCK = 1 << 20
_BSD_UNIT = 1024
_ROTATED = tuple((value >> 1) | ((value & 1) << 15) for value in range(1 << 16))
"""Every 16-bit number rotated to the right by one bit."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum and how it was computed.

    Parameters
    ----------
    algorithm
        `sha256`, `md5`, or `bsd`.
    value
        Lower-case hexadecimal digits; for `bsd` the sum and the number of 1,024-byte units, as `sum` prints them:
        `06573 862042`.
    """

    algorithm: Algorithm
    value: str

    def of_same_kind(self, path: Path) -> Checksum:
        """The checksum of a file's bytes, by the same algorithm.

        Raises
        ------
        InputError
            The file cannot be read.
        """
        try:
            return Checksum(self.algorithm, _bsd(path) if self.algorithm == "bsd" else _digest(path, self.algorithm))
        except OSError as error:
            raise InputError(
                f"a readable file {path}", f"{error.strerror}", "check the path and its permissions"
            ) from error

    def fits(self, path: Path) -> bool:
        """Whether a file has this checksum."""
        return self.of_same_kind(path) == self

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


def bsd_checksum(total: int, units: int) -> Checksum:
    """The checksum of a line of Ensembl's CHECKSUMS files: the sum, and the size in units of 1,024 bytes."""
    return Checksum("bsd", f"{total:05d} {units}")


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _bsd(path: Path) -> str:
    """Rotate the sum to the right by one bit, add the byte, keep 16 bits.

    Which byte makes the sum overflow depends on all bytes before it, so there is no vectorised form; the loop takes
    about a minute for a whole human genome, compressed.
    """
    total = size = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            for byte in block:
                total = (_ROTATED[total] + byte) & 0xFFFF
    return bsd_checksum(total, -(-size // _BSD_UNIT)).value
