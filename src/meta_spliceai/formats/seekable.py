"""Bytes by offset, from a plain file or one compressed with bgzip."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Protocol

from meta_spliceai.errors import InputError
from meta_spliceai.formats.bgzip import GZIP_MAGIC, BgzipBytes


class SeekableBytes(Protocol):
    """Uncompressed bytes by offset."""

    size: int

    def read(self, start: int, end: int) -> bytes:
        """Bytes `[start, end)`; fewer where the content ends before."""

    def close(self) -> None:
        """Release the file."""


def open_seekable(path: Path) -> SeekableBytes:
    """Open a plain or bgzip file that is not empty.

    Raises
    ------
    InputError
        It cannot be read, is compressed with plain gzip, or is cut off.
    """
    content = mapped(path)
    if content[:2] != GZIP_MAGIC:
        return _PlainBytes(content)
    try:
        return BgzipBytes(path, content)
    except InputError:
        content.close()
        raise


def mapped(path: Path) -> mmap.mmap:
    """A file's bytes, read only as they are asked for; the caller closes the map.

    Raises
    ------
    InputError
        The file is missing, empty or unreadable.
    """
    try:
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise InputError(f"a file {path}", "there is none", "check the path") from error
    except ValueError as error:  # an empty file cannot be mapped
        raise InputError(f"a genome in {path}", "the file is empty", "copy or download it again") from error
    except OSError as error:
        raise InputError(f"a readable file {path}", f"{error.strerror}", "check the path and permissions") from error


class _PlainBytes:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self.size = len(content)

    def read(self, start: int, end: int) -> bytes:
        return self._content[start:end]

    def close(self) -> None:
        self._content.close()
