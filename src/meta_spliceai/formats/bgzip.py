"""Files compressed with bgzip, which can be read from any place.

Such a file is a series of gzip members of at most 64 KiB, each telling its compressed size, and an empty member at the
end (SAM specification, section 4.1). The members' headers are walked once on opening, a tenth of a second per GB,
so no second index file is needed and a cut file is noticed at once.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from meta_spliceai.errors import InputError
from meta_spliceai.store.atomic import written_aside

GZIP_MAGIC = b"\x1f\x8b"
END_MARKER = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty last member, by which a whole file can be told from a cut one."""

_HEADER = struct.Struct("<12s2sHH")
_HEADER_START = bytes.fromhex("1f8b08040000000000ff0600")
_TAIL = struct.Struct("<II")
_MEMBER_BYTES = 65_280
_CACHED_MEMBERS = 64
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)  # DNA without repeats is smaller without searching for any


class BgzipBytes:
    """Uncompressed bytes by offset.

    Parameters
    ----------
    path
        Named in messages.
    content
        The file's bytes; closed together with this object.

    Raises
    ------
    InputError
        Plain gzip, or a file that was cut off.
    """

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self._path = path
        self._content = content
        self._members, self._starts, self.size = self._walk()
        self._inflated = lru_cache(maxsize=_CACHED_MEMBERS)(self._inflate)

    def _walk(self) -> tuple[list[tuple[int, int]], list[int], int]:
        """Compressed bounds and uncompressed start of each member, and the uncompressed size."""
        members: list[tuple[int, int]] = []
        starts: list[int] = []
        at = size = 0
        whole = len(self._content)
        while at < whole:
            end = at + self._member_bytes(at)
            if end > whole:
                raise self._cut(f"the block at byte {at:,} is incomplete")
            members.append((at, end))
            starts.append(size)
            size += int.from_bytes(self._content[end - 4 : end], "little")
            at = end
        if self._content[-len(END_MARKER) :] != END_MARKER:
            raise self._cut("its end marker is missing")
        return members, starts, size

    def _member_bytes(self, at: int) -> int:
        header = self._content[at : at + _HEADER.size]
        if len(header) < _HEADER.size or header[:2] != GZIP_MAGIC:
            raise self._cut(f"no compressed block starts at byte {at:,}")
        _, name, _, size = _HEADER.unpack(header)
        if not header[3] & 4 or name != b"BC":
            raise InputError(
                expected=f"{self._path} to be plain or compressed with bgzip, so that it can be read from any place",
                found="it is compressed with plain gzip",
                action=f"convert it: gzip -dc {self._path.name} | bgzip > bgzip.{self._path.name}",
            )
        return int(size) + 1

    def _cut(self, found: str) -> InputError:
        return InputError(
            f"a whole bgzip file {self._path}", found, "the file was cut off or damaged: copy or download it again"
        )

    def _inflate(self, number: int) -> bytes:
        first, last = self._members[number]
        try:
            return zlib.decompress(self._content[first + _HEADER.size : last - _TAIL.size], wbits=-15)
        except zlib.error as error:
            raise self._cut(f"the block at byte {first:,} does not decompress ({error})") from error

    def read(self, start: int, end: int) -> bytes:
        """Bytes `[start, end)`; fewer where the content ends before."""
        end = min(end, self.size)
        pieces = []
        number = bisect_right(self._starts, start) - 1
        while start < end:
            content = self._inflated(number)
            within = start - self._starts[number]
            pieces.append(content[within : within + end - start])
            number += 1
            start = self._starts[number] if number < len(self._starts) else end
        return b"".join(pieces)

    def close(self) -> None:
        """Release the file."""
        self._content.close()


def write_bgzip(path: Path, content: Iterable[bytes], *, quick: bool = False) -> None:
    """Write pieces of content as one bgzip file, whole or not at all; the bytes depend on the arguments alone.

    With `quick`, a genome takes a sixth more room and a thirtieth of the time.
    """
    member = _quick_member if quick else _member
    with written_aside(path) as aside, aside.open("wb") as out:
        held = b""
        for piece in content:
            held += piece
            while len(held) >= _MEMBER_BYTES:
                out.write(member(held[:_MEMBER_BYTES]))
                held = held[_MEMBER_BYTES:]
        if held:
            out.write(member(held))
        out.write(END_MARKER)


def _member(content: bytes) -> bytes:
    return _framed(content, min((_deflated(content, 9, strategy) for strategy in _STRATEGIES), key=len))


def _quick_member(content: bytes) -> bytes:
    return _framed(content, _deflated(content, 1, zlib.Z_DEFAULT_STRATEGY))


def _framed(content: bytes, body: bytes) -> bytes:
    header = _HEADER.pack(_HEADER_START, b"BC", 2, len(body) + _HEADER.size + _TAIL.size - 1)
    return header + body + _TAIL.pack(zlib.crc32(content), len(content))


def _deflated(content: bytes, level: int, strategy: int) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return deflater.compress(content) + deflater.flush()
