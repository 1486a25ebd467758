"""Several files into a folder: what is there and right is kept, the rest is fetched."""

from __future__ import annotations

import http.client
import logging
import shutil
import time
import urllib.error
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meta_spliceai.download.remote import PATIENCE, Patience, RemoteFile
from meta_spliceai.download.transfer import KILO, PART, WORTH_ANOTHER_TRY, content_length, open_url, reason_of, transfer
from meta_spliceai.errors import DiskFullError, DownloadError
from meta_spliceai.store import atomic
from meta_spliceai.store.folder import locked
from meta_spliceai.workers.progress import track

log = logging.getLogger(__name__)

_LOCK = ".download.lock"
_MARGIN = 10_000_000
"""Bytes of the file system that are left alone."""

_LONGEST_TEXT = 16_000_000

State = Literal["already there", "fetched"]


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that is where it should be, with the right checksum.

    Parameters
    ----------
    path
        Where it is.
    state
        Whether it was there before.
    bytes
        Its size.
    set_aside
        Where a file of that name with another checksum was moved; None where there was none.
    """

    path: Path
    state: State
    bytes: int
    set_aside: Path | None = None


def missing_files(files: Sequence[RemoteFile], folder: Path) -> list[RemoteFile]:
    """Those that are not in `folder` with the right checksum."""
    return [file for file in files if not _is_right(file, folder / file.name)]


def fetch_files(
    files: Sequence[RemoteFile], folder: Path, *, label: str, patience: Patience = PATIENCE
) -> list[FetchedFile]:
    """Make sure that `files` are in `folder`, each with the right checksum.

    A file that is there with the right checksum is not fetched again. One with another checksum is never overwritten:
    it is moved to `NAME.replaced-1` (or the next free number) when the right one is here.

    Parameters
    ----------
    label
        What the progress is called.
    patience
        When to give up on a server.

    Raises
    ------
    DownloadError
        A file cannot be had. Files that came before it stay, and so does its part.
    DiskFullError
        There is not enough room, which is known before the first byte where the sizes are, or the file system refused.
    BusyError
        Another process is fetching into the folder.
    """
    with atomic.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, _LOCK):
        wanted = missing_files(files, folder)
        replaced = _fetched(wanted, folder, label, patience) if wanted else {}
    return [
        FetchedFile(
            path=folder / file.name,
            state="fetched" if file.name in replaced else "already there",
            bytes=(folder / file.name).stat().st_size,
            set_aside=replaced.get(file.name),
        )
        for file in files
    ]


def _fetched(wanted: Sequence[RemoteFile], folder: Path, label: str, patience: Patience) -> dict[str, Path | None]:
    """Fetch all; by name, where a file that was there went."""
    total = _check_room(wanted, folder, patience)
    with track(label, total / KILO, "kB") as tracker:
        return {file.name: transfer(file, folder, tracker, patience) for file in wanted}


def fetch_text(url: str, *, patience: Patience = PATIENCE) -> str:
    """The text of a small file, such as a list of checksums, as UTF-8.

    Raises
    ------
    DownloadError
        It cannot be had, is longer than 16 MB, or is not text.
    """
    for failures in range(1, patience.attempts + 1):
        try:
            with open_url(url, timeout=patience.timeout) as response:
                content = response.read(_LONGEST_TEXT + 1)
                announced = content_length(response.headers)
            if announced is None or announced <= len(content) or len(content) > _LONGEST_TEXT:
                return _text(url, content)
            reason = f"the connection ended after {len(content):,} of {announced:,} bytes"
        except urllib.error.HTTPError as error:
            error.close()
            reason = reason_of(error)
            if error.code not in WORTH_ANOTHER_TRY:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = reason_of(error)
        if failures < patience.attempts:
            time.sleep(patience.wait(failures))
    raise DownloadError(
        f"the text {url}", reason, "check the network (HTTPS_PROXY, behind a firewall) and that this address exists"
    )


def _text(url: str, content: bytes) -> str:
    try:
        if len(content) <= _LONGEST_TEXT:
            return content.decode()
        found = f"more than {_LONGEST_TEXT:,} bytes"
    except UnicodeDecodeError:
        found = "bytes that are no text"
    raise DownloadError(f"a short text at {url}", found, "check the address")


def _is_right(file: RemoteFile, path: Path) -> bool:
    if not path.is_file() or (file.bytes is not None and path.stat().st_size != file.bytes):
        return False
    return file.checksum.fits(path)


def _check_room(files: Sequence[RemoteFile], folder: Path, patience: Patience) -> int:
    """Bytes of the files, as far as they or their servers say; refuse what has no room."""
    sizes = [_size(file, patience) for file in files]
    parts = (folder / f"{file.name}{PART}" for file in files)
    held = sum(part.stat().st_size for part in parts if part.exists())
    free = shutil.disk_usage(folder).free
    if sum(sizes) - held > free - _MARGIN:
        raise DiskFullError(
            expected=f"room for {sum(sizes) - held:,} bytes in {folder}",
            found=f"{free:,} bytes free",
            action="free some space or choose another folder, then run the same command again",
        )
    return sum(sizes)


def _size(file: RemoteFile, patience: Patience) -> int:
    """The file's size; where it is not known, what the first server says, or 0 where it says nothing."""
    if file.bytes is not None:
        return file.bytes
    try:
        with open_url(file.urls[0], timeout=patience.timeout, method="HEAD") as response:
            return content_length(response.headers) or 0
    except (OSError, http.client.HTTPException) as error:
        log.debug("%s does not say its size: %s", file.urls[0], error)
        return 0
