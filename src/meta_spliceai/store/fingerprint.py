"""Identity from content: the same parameters and the same bytes give the same fingerprint, whatever the clock says."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from meta_spliceai.errors import InputError

_BLOCK = 1 << 20


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    # Falling back to repr() would give addresses, hence a new identity on every run.
    raise TypeError(f"no stable identity for a {type(value).__name__}; give a dataclass, list, dict, text or number")


def plain(value: Any) -> Any:
    """The value as JSON knows it: dataclasses become dicts, tuples lists, sets sorted lists; others are refused."""
    return _plain(value)


def fingerprint(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value made of dataclasses, dicts, lists, text, numbers and None."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputError(
            f"a readable file {path}", f"{error.strerror}", "check the path and its permissions"
        ) from error
    return digest.hexdigest()
