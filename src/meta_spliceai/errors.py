"""Every error this package raises on purpose.

    MetaSpliceAIError
    ├── InputError           a file, option or table the user gave is not usable
    │   ├── GuardError       genome and annotation do not belong together
    │   ├── GeneError        gene names that cannot be resolved, or an empty choice of genes
    │   └── SchemaError      a table does not have the declared columns or values
    ├── StoreError           something on disk is damaged, incomplete or in the way
    │   ├── PlanMismatchError   the folder holds a run made with other parameters or inputs
    │   ├── BusyError        another process is writing to the folder
    │   └── DiskFullError    the file system refused more bytes
    ├── DownloadError        a file could not be fetched whole from its server
    ├── ModelError           a base model or a meta-model cannot be loaded or does not fit the data
    └── LeakageError         a feature knows more than it may

A message says three things: what was expected, what was found, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class MetaSpliceAIError(Exception):
    """Base of all errors raised on purpose; the command line prints it in one message and exits with status 1.

    Parameters
    ----------
    expected, found, action
        One sentence each, without a closing full stop: what should have been there, what was there (with the first
        offenders), what the user can do next.
    """

    def __init__(self, expected: str, found: str, action: str) -> None:
        self.expected = expected
        self.found = found
        self.action = action
        super().__init__(f"expected: {expected}\nfound: {found}\nwhat to do: {action}")

    def __reduce__(self) -> tuple[type[MetaSpliceAIError], tuple[str, str, str]]:
        # The default would call the class with the one joined message, which fails when a worker sends the error back.
        return type(self), (self.expected, self.found, self.action)


class InputError(MetaSpliceAIError):
    """A file, option or table the user gave is not usable."""


class GuardError(InputError):
    """Genome and annotation do not belong together: contigs, build, coordinates or strand disagree."""


class GeneError(InputError):
    """Gene names that cannot be resolved, or an empty choice of genes."""


class SchemaError(InputError):
    """A table does not have the declared columns or values."""


class StoreError(MetaSpliceAIError):
    """Something on disk is damaged, incomplete or in the way."""


class PlanMismatchError(StoreError):
    """The folder holds a run made with other parameters or inputs."""


class BusyError(StoreError):
    """Another process is writing to the folder."""


class DiskFullError(StoreError):
    """The file system refused more bytes (no space, quota or file size limit)."""


class DownloadError(MetaSpliceAIError):
    """A file could not be fetched: no network, not on its server, broken off for good, or not the file that was promised."""


class ModelError(MetaSpliceAIError):
    """A base model or a meta-model cannot be loaded, or does not fit the data it is given."""


class LeakageError(MetaSpliceAIError):
    """A feature knows more than it may: the truth of its row, or where the annotated gene ends."""


def first_few(items: Sequence[object], limit: int = 5) -> str:
    """Join the first `limit` items for a message and say how many more there are."""
    shown = ", ".join(str(item) for item in items[:limit])
    more = len(items) - limit
    return f"{shown} and {more} more" if more > 0 else shown
