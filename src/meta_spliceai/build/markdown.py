"""The little Markdown that the documents of a dataset need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def text(value: Any) -> str:
    """A value as people read it: thousands separated, lists joined, true, false and null in small letters."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def data_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *([text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "–"


def document(*blocks: str) -> str:
    """Blocks one after the other with an empty line between; empty blocks are left out."""
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"
