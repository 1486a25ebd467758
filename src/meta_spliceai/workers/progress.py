"""How far the work is: a bar on a terminal, plain lines in a log, nothing when used as a library.

Library code calls `track(...)`; the command line decides with `show_progress()` where it is seen. All of it goes to
stderr, because stdout belongs to results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Tracker(Protocol):
    """Receives the amounts of work done."""

    def advance(self, amount: float) -> None:
        """Add to what is done."""


class _Silent:
    def advance(self, amount: float) -> None:
        del amount


class _Lines:
    """One line every few seconds, with the rate and the time left."""

    _EVERY_SECONDS = 10.0

    def __init__(self, label: str, total: float, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done = 0.0
        self._start = self._last = time.monotonic()

    def advance(self, amount: float) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last >= self._EVERY_SECONDS:
            self._last = now
            self._say(now)

    def _say(self, now: float) -> None:
        rate = self._done / max(now - self._start, 1e-9)
        left = (self._total - self._done) / rate if rate else float("inf")
        sys.stderr.write(
            f"{self._label}: {self._done:,.0f} of {self._total:,.0f} {self._unit}, "
            f"{rate:,.0f} {self._unit}/s, {left:,.0f} s left\n"
        )

    def close(self) -> None:
        seconds = time.monotonic() - self._start
        sys.stderr.write(f"{self._label}: {self._done:,.0f} {self._unit} in {seconds:,.1f} s\n")


_shown: ContextVar[bool] = ContextVar("progress_shown", default=False)
_current: ContextVar[Tracker] = ContextVar("current_tracker", default=_Silent())  # noqa: B039 - it has no state


def current_tracker() -> Tracker:
    """The innermost tracker of this process; a silent one outside `track` and in worker processes."""
    return _current.get()


@contextmanager
def show_progress() -> Iterator[None]:
    """Show the progress of everything called inside."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def track(label: str, total: float, unit: str) -> Iterator[Tracker]:
    """Report work of `total` `unit` under `label`; the caller advances the tracker.

    Examples
    --------
    >>> with track("scoring", 3, "genes") as progress:
    ...     for _ in range(3):
    ...         progress.advance(1)
    """
    with _shown_as(label, total, unit) as tracker:
        token = _current.set(tracker)
        try:
            yield tracker
        finally:
            _current.reset(token)


@contextmanager
def _shown_as(label: str, total: float, unit: str) -> Iterator[Tracker]:
    if not _shown.get():
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(label, total, unit) as tracker:
            yield tracker
    else:
        lines = _Lines(label, total, unit)
        yield lines
        lines.close()


@contextmanager
def _bar(label: str, total: float, unit: str) -> Iterator[Tracker]:
    # rich takes a tenth of a second to import, so only those who see a bar pay for it
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=total, rate="")

        class _Bar:
            def advance(self, amount: float) -> None:
                progress.advance(task, amount)
                speed = progress.tasks[0].speed
                if speed:
                    progress.update(task, rate=f"{speed:,.0f} {unit}/s")

        yield _Bar()
