"""HTML of the report: one file, nothing fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import polars as pl

Format = Callable[[object], str]

STYLE = """
:root { color-scheme: light; --ink: #22272d; --soft: #5b6470; --line: #e1e4e8; --accent: #2f7f79; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.8rem 0 .4rem; }
p, li { max-width: 44rem; } .soft { color: var(--soft); } .lead { margin: 1.2rem 0; padding: .2rem 1.2rem; border-left: 3px solid var(--accent); }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; } figcaption { color: var(--soft); font-size: .9rem; max-width: 44rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); } th:first-child, td:first-child, .text { text-align: left; }
details { margin: .4rem 0 1.2rem; } summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; font-size: .92rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media print { details { display: none; } }
"""


def shown(value: object) -> str:
    """A cell: four decimals for fractions, thousands separators for counts, a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return escape(str(value))


def table(
    frame: pl.DataFrame, titles: Mapping[str, str] | None = None, formats: Mapping[str, Format] | None = None
) -> str:
    """A frame as an HTML table; text columns left, numbers right."""
    titles, formats = titles or {}, formats or {}
    text = {name for name, dtype in frame.schema.items() if dtype == pl.String and not _looks_numeric(frame[name])}
    head = "".join(
        f"<th{_class(name in text)}>{escape(titles.get(name, name.replace('_', ' ')))}</th>" for name in frame.columns
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_class(name in text)}>{formats.get(name, shown)(row[name])}</td>" for name in frame.columns)
        + "</tr>"
        for row in frame.iter_rows(named=True)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _looks_numeric(values: pl.Series) -> bool:
    """Whether a text column holds formatted numbers, which stand on the right like other numbers."""
    return bool(values.str.contains(r"^([+-]?[0-9]|$|too few)").all())


def _class(is_text: bool) -> str:
    return ' class="text"' if is_text else ""


def figure(svg: str, caption: str, numbers: pl.DataFrame) -> str:
    """A picture with its caption and its numbers, folded away."""
    return (
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        f"<details><summary>the numbers</summary>{table(numbers)}</details>"
    )


def section(title: str, *content: str) -> str:
    """A headed part of the page."""
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def bullets(sentences: Sequence[str]) -> str:
    """A list of plain sentences."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def facts(pairs: Mapping[str, object]) -> str:
    """Names and values, one pair per line."""
    return (
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{shown(value)}</dd>" for name, value in pairs.items()) + "</dl>"
    )


def page(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p>{"".join(parts)}</main></body></html>\n'
    )
