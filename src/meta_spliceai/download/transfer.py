"""One file from its server, through everything a server and a network can do.

The bytes go to `NAME.part` beside the destination and what identifies the server's version (its ETag, or else its date)
to `NAME.part.json`, so that a later attempt, in this process or another, asks only for what is missing. A file gets its
final name when its size and checksum are right, and never before.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

from meta_spliceai import __version__
from meta_spliceai.download.remote import Patience, RemoteFile
from meta_spliceai.errors import DownloadError, StoreError
from meta_spliceai.store import atomic
from meta_spliceai.workers.progress import Tracker

log = logging.getLogger(__name__)

PART = ".part"
KILO = 1000
"""Progress is counted in kB."""
_NOTE = ".part.json"
_BLOCK = 1 << 16
_SCHEMES = ("http", "https")
WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that may be others in a moment."""
_RANGE_REFUSED = 416
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class _OutOfReachError(Exception):
    """An address that will not give the file, however often it is asked."""


class _BrokenOffError(Exception):
    """An attempt that failed where the next may not; `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(reason)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted connection to a plain one, and never to another kind of address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        target = urllib.parse.urlsplit(newurl).scheme
        if target not in _SCHEMES or (req.type == "https" and target == "http"):
            raise urllib.error.HTTPError(req.full_url, code, f"a redirect to {newurl} is not followed", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(url: str, *, timeout: float, headers: dict[str, str] | None = None, method: str = "GET") -> Any:
    """Ask a server; proxies of the environment are used, redirects followed.

    Raises
    ------
    DownloadError
        The address is neither http nor https.
    urllib.error.HTTPError, OSError, http.client.HTTPException
        As urllib raises them.
    """
    if urllib.parse.urlsplit(url).scheme not in _SCHEMES:
        raise DownloadError("an address that begins with http:// or https://", url, "correct the address")
    sent = {"User-Agent": f"meta-spliceai/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    request = urllib.request.Request(url, headers=sent, method=method)
    return urllib.request.build_opener(_Redirects()).open(request, timeout=timeout)


def reason_of(error: Exception) -> str:
    """Why a request failed, in words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} ({error.reason})"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    if isinstance(error, TimeoutError):
        return "the server has stopped sending"
    return f"the connection broke ({error})" if str(error) else f"the connection broke ({type(error).__name__})"


def transfer(file: RemoteFile, folder: Path, tracker: Tracker, patience: Patience) -> Path | None:
    """Fetch one file into `folder`; a part left by an earlier attempt is continued.

    A file that stands under its name is never overwritten, but moved to `NAME.replaced-1` or the next free number;
    returned is where to, or None where there was none.

    Parameters
    ----------
    tracker
        Is told the kB of the file that are here; less again where a part turns out to be useless.

    Raises
    ------
    DownloadError
        None of its addresses gives the file. What has come stays as a part, unless its checksum is wrong.
    DiskFullError, StoreError
        The folder cannot take it; what has come stays as a part.
    """
    return _Transfer(file, folder, tracker, patience).run()


class _Transfer:
    """The state of one transfer is what lies on the disk; see the module's text."""

    def __init__(self, file: RemoteFile, folder: Path, tracker: Tracker, patience: Patience) -> None:
        self._file = file
        self._path = folder / file.name
        self._part = folder / f"{file.name}{PART}"
        self._note = folder / f"{file.name}{_NOTE}"
        self._tracker = tracker
        self._patience = patience

    def run(self) -> Path | None:
        """Fetch the file; see `transfer`."""
        self._tracker.advance(self._held / KILO)
        failures = []
        for url in self._file.urls:
            try:
                self._from(url)
            except _OutOfReachError as error:
                failures.append(f"{url}: {error}")
                log.info("%s: %s", url, error)
            else:
                replaced = _set_aside(self._path)
                atomic.put_in_place(self._part, self._path)
                atomic.remove(self._note)
                return replaced
        raise DownloadError(
            expected=f"{self._file.name} ({self._file.checksum})",
            found="; ".join(failures),
            action="check the network (HTTPS_PROXY, behind a firewall) and run the same command again, which resumes; "
            f"or bring the file to {self._path} in another way: with this checksum it is used as it is",
        )

    @property
    def _held(self) -> int:
        """Bytes of the file that are here."""
        return self._part.stat().st_size if self._part.exists() else 0

    def _from(self, url: str) -> None:
        """Make the part the whole file, with bytes from one address, or raise `_OutOfReachError`."""
        continued = self._held > 0
        self._complete(url)
        if continued and not self._file.checksum.fits(self._part):
            log.info("%s: the part that was here belongs to another file; starting over", self._file.name)
            self._start_over()
            self._complete(url)
        found = self._file.checksum.of_same_kind(self._part)
        if found != self._file.checksum:
            self._start_over()
            raise _OutOfReachError(f"the server gives another file, with {found}, or it was damaged on the way")

    def _complete(self, url: str) -> None:
        """Bring the part to its full length."""
        failures = 0
        while True:
            before = self._held
            try:
                self._attempt(url)
                return
            except _BrokenOffError as error:
                failures = 1 if self._held - before >= self._patience.progress else failures + 1
                if failures >= self._patience.attempts:
                    raise _OutOfReachError(f"{error} ({failures} times in a row)") from error
                seconds = self._patience.wait(failures, error.wait)
                log.info("%s: %s; trying again in %.0f s", self._file.name, error, seconds)
            time.sleep(seconds)

    def _attempt(self, url: str) -> None:
        if self._file.bytes is not None and self._held >= self._file.bytes:
            if self._held == self._file.bytes:
                return
            self._start_over()
        try:
            with open_url(url, timeout=self._patience.timeout, headers=self._headers(url)) as response:
                self._receive(url, response)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error)
        except ssl.SSLCertVerificationError as error:
            raise _OutOfReachError(reason_of(error)) from error
        except urllib.error.URLError as error:
            final = isinstance(error.reason, ssl.SSLCertVerificationError)
            raise (_OutOfReachError if final else _BrokenOffError)(reason_of(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(reason_of(error)) from error

    def _headers(self, url: str) -> dict[str, str]:
        """Ask for the missing bytes only, and only of the version that the part is from."""
        if not self._held:
            return {}
        validator = self._read_note().get(url)
        return {"Range": f"bytes={self._held}-", **({"If-Range": validator} if validator else {})}

    def _refused(self, error: urllib.error.HTTPError) -> None:
        """What to make of an answer of 300 or above."""
        if error.code == _RANGE_REFUSED and self._held:
            _, total = _content_range(error.headers)
            if total == self._held:
                return
            self._start_over()
            raise _BrokenOffError("the server has fewer bytes than are here already") from error
        if error.code in WORTH_ANOTHER_TRY:
            raise _BrokenOffError(reason_of(error), _retry_after(error.headers)) from error
        raise _OutOfReachError(reason_of(error)) from error

    def _receive(self, url: str, response: Any) -> None:
        is_partial = response.status == http.HTTPStatus.PARTIAL_CONTENT
        start, total = _content_range(response.headers) if is_partial else (0, content_length(response.headers))
        if self._file.bytes is not None and total not in (None, self._file.bytes):
            # said before anything is thrown away: the answer may be a login page of the network
            raise _OutOfReachError(f"the server announces {total:,} bytes, the file has {self._file.bytes:,}")
        if start != self._held:
            self._start_over()
            if is_partial:
                raise _BrokenOffError(f"the server gives bytes from {start} on, which were not asked for")
        self._write_note(url, response.headers)
        self._append(response)
        wanted = self._file.bytes if total is None else total
        if wanted is not None and self._held < wanted:
            raise _BrokenOffError(f"the connection ended after {self._held:,} of {wanted:,} bytes")

    def _append(self, response: Any) -> None:
        """Write what comes, at most as much as the file has."""
        limit = self._file.bytes
        held = self._held
        with atomic.disk_errors(self._path):
            stream = self._part.open("ab")
        with stream:
            while block := response.read(_BLOCK):
                held += len(block)
                if limit is not None and held > limit:
                    raise _OutOfReachError(f"the server sends more than the {limit:,} bytes that the file has")
                with atomic.disk_errors(self._path):
                    stream.write(block)
                    stream.flush()
                self._tracker.advance(len(block) / KILO)

    def _start_over(self) -> None:
        self._tracker.advance(-self._held / KILO)
        atomic.remove(self._part)
        atomic.remove(self._note)

    def _read_note(self) -> dict[str, str]:
        try:
            note = atomic.read_json(self._note)
        except StoreError:  # a lost note costs nothing but If-Range; the checksum decides in the end
            return {}
        return note if isinstance(note, dict) else {}

    def _write_note(self, url: str, headers: Message) -> None:
        etag = headers.get("ETag", "")
        # a weak ETag does not promise the same bytes, so it may not stand in If-Range
        validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
        with atomic.disk_errors(self._path):
            self._note.write_text(json.dumps({url: validator}), encoding="utf-8")


def _set_aside(path: Path) -> Path | None:
    """Move what stands under a file's name to a free name beside it."""
    if not path.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    with atomic.disk_errors(path):
        path.rename(aside)
    log.warning("%s is another file than expected; it is kept as %s", path, aside.name)
    return aside


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """First byte and total of a Content-Range; None for what it does not say."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None:
        return None, None
    start, total = match.groups()
    return (None if start is None else int(start)), (None if total == "*" else int(total))


def content_length(headers: Message) -> int | None:
    """Bytes that the server announces; None where it does not."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _retry_after(headers: Message) -> float | None:
    """Seconds; the form with a date is not worth a parser."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
