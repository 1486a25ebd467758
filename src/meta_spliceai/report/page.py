"""HTML of the report: one file, nothing fetched, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

Format = Callable[[object], str]

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2630; --soft: #5d6773; --line: #dfe3e8; --tint: #f5f7f9;
  --accent: #1f6f66; --gain: #1f7a4d; --loss: #b23b2a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e6e9ed; --soft: #a0a9b4; --line: #323a44;
  --tint: #1b2027; --accent: #62c2b5; --gain: #6fcf9b; --loss: #f08a78; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 6rem; }
h1 { font-size: 1.85rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .35rem; }
h2 { font-size: 1.25rem; margin: 3.2rem 0 .5rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p, li, figcaption, dd { max-width: 46rem; } p { margin: .5rem 0; } .soft { color: var(--soft); }
ul { padding-left: 1.2rem; margin: .6rem 0; } li { margin: .3rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; margin: 1.6rem 0 1.2rem; }
.card { background: var(--tint); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1.1rem; }
.card .what { color: var(--soft); font-size: .88rem; } .card .value { font-size: 1.7rem; font-weight: 650; line-height: 1.3; }
.card .value, table, .numeric { font-variant-numeric: tabular-nums; } .card .bounds { color: var(--soft); font-size: .92rem; }
.gain { color: var(--gain); } .loss { color: var(--loss); }
figure { margin: 1.1rem 0 .4rem; } figure svg { width: 100%; min-width: 38rem; height: auto; display: block; }
figure svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; }
.scroll { overflow: auto hidden; } table { border-collapse: collapse; font-size: .86rem; margin: .7rem 0; }
th, td { padding: .28rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal; }
td small { color: var(--soft); font-size: .78rem; }
th:first-child, td:first-child { padding-left: 0; } .text { text-align: left; }
tr.apart td { border-top: 2px solid var(--soft); } tr.reference td { color: var(--soft); }
tr.band th { text-align: left; color: var(--ink); padding-top: 1rem; }
details { margin: .5rem 0 1.4rem; } summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
details .scroll { max-height: 26rem; overflow: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; font-size: .92rem; margin: .8rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media print { details:not([open]) { display: none; } main { max-width: none; padding: 0; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""


def shown(value: object) -> str:
    """A cell: four decimals for fractions, thousands separators for counts, a dash for what is not known."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return minus(f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}")
    if isinstance(value, int):
        return f"{value:,}"
    return escape(str(value))


def signed(value: object) -> str:
    """A difference: with its sign and four decimals."""
    return minus(f"{value:+.4f}") if isinstance(value, float) else shown(value)


def minus(text: str) -> str:
    """Numbers with a real minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def with_bounds(row: Mapping[str, Any], name: str, shown: Format) -> str:
    """A number with its interval in small print below it."""
    if row[name] is None:
        return "too few"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "no interval" if low is None else f"{shown(low)} to {shown(high)}"
    return f"{shown(row[name])}<br><small>{bounds}</small>"


def rounded(decimals: int) -> Format:
    """A format with so many decimals."""
    return lambda value: f"{value:,.{decimals}f}" if isinstance(value, float) else shown(value)


def table(
    frame: pl.DataFrame,
    titles: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    *,
    parted_by: str | None = None,
) -> str:
    """A frame as an HTML table; text columns left, numbers right.

    Parameters
    ----------
    titles, formats
        By column, where they are not the usual ones.
    parted_by
        A column; where its value changes, a rule parts the rows.
    """
    titles, formats = titles or {}, formats or {}
    text = {name for name, dtype in frame.schema.items() if dtype == pl.String}
    head = "".join(
        f"<th{_class(name in text)}>{escape(titles.get(name, name.replace('_', ' ')))}</th>" for name in frame.columns
    )
    before, body = None, []
    for row in frame.iter_rows(named=True):
        cells = (f"<td{_class(name in text)}>{formats.get(name, shown)(row[name])}</td>" for name in frame.columns)
        parted = parted_by is not None and before is not None and row[parted_by] != before[parted_by]
        body.append(f"<tr{' class=apart' if parted else ''}>{''.join(cells)}</tr>")
        before = row
    return framed(f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>")


def framed(rows: str) -> str:
    """Table rows in a table that scrolls sideways where it must."""
    return f'<div class="scroll"><table>{rows}</table></div>'


def _class(is_text: bool) -> str:
    return ' class="text"' if is_text else ""


def figure(svg: str, alternative: str, caption: str, numbers: str) -> str:
    """A picture with what it shows in words for those who cannot see it, its caption, and its numbers folded away."""
    labelled = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative)}" ', 1)
    return f"<figure><div class=scroll>{labelled}</div><figcaption>{escape(caption)}</figcaption></figure>{folded('the numbers', numbers)}"


def folded(title: str, content: str) -> str:
    """Content that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def section(title: str, *content: str) -> str:
    """A headed part of the page."""
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def heading(title: str) -> str:
    """A heading within a part."""
    return f"<h3>{escape(title)}</h3>"


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


def card(what: str, value: str, bounds: str, verdict: str, tone: str = "") -> str:
    """One number that matters, with its interval and what it shows; `tone` is gain, loss or empty."""
    return (
        f'<div class="card"><div class="what">{escape(what)}</div><div class="value {tone}">{escape(value)}</div>'
        f'<div class="bounds">{escape(bounds)}</div><div>{escape(verdict)}</div></div>'
    )


def cards(items: Sequence[str]) -> str:
    """Cards side by side."""
    return f'<div class="cards">{"".join(items)}</div>'


def page(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p>\n{chr(10).join(parts)}\n</main></body></html>\n'
    )
