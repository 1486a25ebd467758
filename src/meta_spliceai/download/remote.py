"""What is known of a file before it is fetched, and how long to put up with a server."""

from __future__ import annotations

from dataclasses import dataclass

from meta_spliceai.download.checksums import Checksum


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on public servers.

    Parameters
    ----------
    name
        Its name here.
    urls
        Where it lies; the first that gives it is enough.
    checksum
        Of its bytes. A file without one is never fetched, because nothing would tell a whole one from a broken one.
    bytes
        Its size, where that is known.
    """

    name: str
    urls: tuple[str, ...]
    checksum: Checksum
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give up on a server.

    Parameters
    ----------
    attempts
        Failures in a row. An attempt that brought at least `progress` bytes starts the count anew, so a long download
        over a bad line goes on.
    first_wait, longest_wait
        Seconds between attempts: the first, doubled after each failure up to the longest.
    timeout
        Seconds without a byte after which a connection counts as dropped.
    progress
        Bytes that make an attempt worth having.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 30.0
    progress: int = 1 << 20

    def wait(self, failures: int, asked: float | None = None) -> float:
        """Seconds to wait after so many failures in a row, or as long as the server asked for."""
        seconds = self.first_wait * 2.0 ** (failures - 1) if asked is None else asked
        return min(seconds, self.longest_wait)


PATIENCE = Patience()
"""Gives up after a quarter of a minute without any success."""
