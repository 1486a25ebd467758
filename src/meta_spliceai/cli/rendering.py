"""What a command returned, as text for people or JSON for machines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import polars as pl

_SHOWN_ROWS = 1_000


def as_text(result: Any) -> str:
    """The result's own summary where it has one (`summary()`), else one line per field of a dataclass."""
    summary = getattr(result, "summary", None)
    if callable(summary):
        return str(summary())
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        shown = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        lines = {name: value for name, value in shown.items() if isinstance(value, (str, int, float, Path))}
        width = max((len(name) for name in lines), default=0)
        return "\n".join(
            f"{name.replace('_', ' '):<{width}}  {value:,}"
            if isinstance(value, int)
            else f"{name.replace('_', ' '):<{width}}  {value}"
            for name, value in lines.items()
        )
    return str(result)


def as_json(result: Any) -> str:
    """The result as indented JSON; paths become text, tables lists of rows, long tables their size."""
    return json.dumps(_plain(result), indent=2, sort_keys=True)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, pl.DataFrame):
        # a table of results is shown; one of thousands of genes or bases is in a file already
        return value.to_dicts() if value.height <= _SHOWN_ROWS else {"rows": value.height, "columns": value.columns}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
