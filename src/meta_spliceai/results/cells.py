"""Numbers and tables as Markdown; a dash stands for what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def number(value: float | None) -> str:
    """Four decimals."""
    return "–" if value is None else f"{value:.4f}"


def count_of(value: int | None) -> str:
    """With thousands separators."""
    return "–" if value is None else f"{value:,}"


def signed(value: float) -> str:
    """With its sign, which a number that rounds to 0 has not."""
    text = f"{value:+.4f}"
    return text[1:] if float(text) == 0 else text


def change(row: Json, name: str = "difference") -> str:
    """A difference with its interval."""
    value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "–"
    return signed(value) if low is None or high is None else f"{signed(value)} [{signed(low)}, {signed(high)}]"


def measured(row: Json, name: str) -> str:
    """A number with its interval."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return number(value) if low is None else f"{number(value)} [{number(low)}, {number(high)}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
