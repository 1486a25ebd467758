"""Write aside, then rename.

A file is written under a hidden temporary name beside its destination and renamed when it is complete and flushed, so
a reader sees the old file, the new file or no file, never a part of one. A killed process leaves at most temporary
files, which `remove_leftovers` deletes; they all match `.*.tmp`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meta_spliceai.errors import DiskFullError, StoreError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _explained(error: OSError, path: Path) -> StoreError:
    if error.errno in _NO_SPACE:
        return DiskFullError(
            expected=f"room to write {path}",
            found=f"the file system refused more bytes ({error.strerror})",
            action="free some space or choose another output folder, then run the same command again; it resumes",
        )
    return StoreError(
        expected=f"permission and ability to write {path}",
        found=f"{error.strerror or error}",
        action="check the folder's permissions and its file system, then run the same command again",
    )


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's write errors about `path` into `DiskFullError` or `StoreError`."""
    try:
        yield
    except OSError as error:
        raise _explained(error, path) from error


def _replace(aside: Path, path: Path) -> None:
    aside.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(aside: Path, path: Path) -> None:
    """Flush a complete file that lies on the same file system as `path`, and rename it to `path`."""
    with disk_errors(path):
        _sync(aside)
        _replace(aside, path)


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed and renamed to `path`, on an error it is removed.

    Raises
    ------
    DiskFullError, StoreError
        When the file system refuses; `path` is then what it was before.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
            put_in_place(aside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` with Unix line ends to `path`, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys, whole or not at all."""
    write_bytes(path, json_bytes(content))


def json_bytes(content: Any) -> bytes:
    """`content` as indented JSON with sorted keys."""
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode("utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; a damaged or missing one is a `StoreError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            f"a file {path}", "there is none", "check the path, or make it with the command that writes it"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(
            expected=f"JSON in {path}",
            found=f"it cannot be parsed ({error})",
            action="the file was changed by something else: restore it, or remove its folder and run the command again",
        ) from error


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line to a log that no result depends on."""
    with disk_errors(path), path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(record, sort_keys=True) + "\n")


def link_or_copy(source: Path, destination: Path) -> None:
    """Make `destination` the same file as `source`: a hard link, or a copy where links are impossible."""
    if destination.exists() and destination.samefile(source):
        return  # renaming one name of a file over another name of it would do nothing, and leave the temporary one
    with written_aside(destination) as aside:
        aside.unlink(missing_ok=True)
        try:
            aside.hardlink_to(source)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise
            shutil.copyfile(source, aside)


def remove(path: Path) -> None:
    """Delete a file if it is there."""
    with disk_errors(path):
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> list[Path]:
    """Delete the temporary files a killed process left in `folder` (not below it); returns what was deleted.

    Call it only while holding the folder's lock: another process's temporary files look the same.
    """
    leftovers = sorted(path for path in folder.glob(".*.tmp") if path.is_file())
    for path in leftovers:
        remove(path)
    return leftovers
