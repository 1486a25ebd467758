"""A dataset's summary as one HTML file: nothing fetched, light and dark, readable without a mouse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from meta_spliceai.maintain.summary_text import log_bins, number, without_kmers

if TYPE_CHECKING:
    from meta_spliceai.maintain.summary import DatasetSummary

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2630; --soft: #5d6773; --line: #dfe3e8; --tint: #f5f7f9;
  --donor: #1f6f66; --acceptor: #b5651d; --neither: #9aa5b1; --bar: #4b78a8; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e6e9ed; --soft: #a0a9b4; --line: #323a44;
  --tint: #1b2027; --donor: #62c2b5; --acceptor: #e0a15c; --neither: #5d6773; --bar: #7fa8d6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.8rem 0 .4rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .4rem 0; } .soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin: 1.5rem 0; }
.card { background: var(--tint); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem 1rem; }
.card b { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .86rem; }
.balance { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1rem; align-items: center; margin: 1rem 0 .4rem; }
.balance svg { width: 100%; height: 1.5rem; display: block; border-radius: .25rem; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; font-size: .88rem; color: var(--soft); }
.key i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; margin-right: .4rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1.4rem; margin-top: 1rem; }
figure { margin: 0; } figure svg { width: 100%; height: 7rem; display: block; background: var(--tint); border-radius: .3rem; }
figcaption { font-size: .88rem; } .ends { display: flex; justify-content: space-between; color: var(--soft); font-size: .8rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .87rem; margin: .6rem 0;
  font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { padding-left: 0; text-align: left; }
.text { text-align: left; } td.odd { color: var(--acceptor); font-weight: 650; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--bar); }
"""
_COLOURS = {"donor": "var(--donor)", "acceptor": "var(--acceptor)", "neither": "var(--neither)"}


def page(summary: DatasetSummary) -> str:
    """The whole page."""
    about = summary.about
    notes = (*about["maintenance"], *(f"Patch {name} lies in side files." for name in about["patches"]))
    body = [
        f"<h1>{escape(summary.path.resolve().name)}</h1>",
        f'<p class="soft">{summary.rows:,} rows of {summary.genes:,} genes on {escape(str(about["build"]))}, '
        f"as {escape(str(about['base_model']))} sees them</p>",
        *(f"<p>{_code(note)}</p>" for note in notes),
        _cards(summary),
        _balance(summary),
        _section("What the base model calls", _table(summary.calls)),
        _section("Sampling", _SAMPLING, _table(summary.tiers), _inclusion(summary.inclusion)),
        _section("Gene types", _table(summary.gene_types)),
        _pictures(summary),
        _columns(summary.columns),
    ]
    title = f"{escape(summary.path.resolve().name)} · dataset summary"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


_SAMPLING = (
    '<p class="soft">Rows are a sample of the bases of each gene. Weighted by 1 / inclusion probability they stand for '
    "≈ bases, an estimate of what the gene bodies hold.</p>"
)


def _code(note: str) -> str:
    pieces = escape(note).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))


def _section(title: str, *content: str) -> str:
    return f"<h2>{escape(title)}</h2>{''.join(content)}"


def _cards(summary: DatasetSummary) -> str:
    sites = summary.labels.filter(pl.col("splice_type") != "neither")["rows"].sum()
    nulls = summary.columns.filter(pl.col("nulls") > 0).height
    cards = [
        ("rows", number(summary.rows)),
        ("genes", number(summary.genes)),
        ("rows at splice sites", number(int(sites))),
        (f"≈ bases they stand for, of {summary.body_bases:,}", number(summary.bases)),
        ("columns", number(summary.columns.height)),
        ("columns with nulls", number(nulls)),
    ]
    return (
        '<div class="cards">'
        + "".join(f'<div class="card"><b>{v}</b><span>{n}</span></div>' for n, v in cards)
        + "</div>"
    )


def _balance(summary: DatasetSummary) -> str:
    """Shares of the labels in the rows and, weighted, in nature; sites are too rare to be seen in the second."""
    if not summary.labels.height:
        return ""
    lines = [("rows", "rows")] + ([("≈ bases", "bases")] if summary.bases else [])
    bars = "".join(f'<span class="soft">{title}</span>{_stacked(summary.labels, column)}' for title, column in lines)
    key = "".join(
        f'<span><i style="background:{_COLOURS.get(str(name), "var(--bar)")}"></i>{escape(str(name))}</span>'
        for name in summary.labels["splice_type"]
    )
    return _section(
        "Class balance", f'<div class="balance">{bars}</div><div class="key">{key}</div>', _table(summary.labels)
    )


def _stacked(labels: pl.DataFrame, column: str) -> str:
    total = labels[column].sum() or 1
    left, pieces = 0.0, []
    for name, value in labels.select("splice_type", column).iter_rows():
        width = 1000 * value / total
        pieces.append(
            f'<rect x="{left:.2f}" y="0" width="{width:.2f}" height="10" style="fill:{_COLOURS.get(str(name), "var(--bar)")}">'
            f"<title>{escape(str(name))}: {100 * value / total:.3f} %</title></rect>"
        )
        left += width
    described = ", ".join(f"{n} {100 * v / total:.2f} %" for n, v in labels.select("splice_type", column).iter_rows())
    return f'<svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="{escape(described)}">{"".join(pieces)}</svg>'


def _inclusion(inclusion: pl.DataFrame) -> str:
    if not inclusion.height:
        return ""
    return f"<details><summary>by inclusion probability ({inclusion.height:,})</summary>{_table(inclusion.head(200))}</details>"


def _pictures(summary: DatasetSummary) -> str:
    pictures = [_bars(f"{name}", counts, "0", "1") for name, counts in summary.histograms.items()]
    per_gene = log_bins(summary.rows_per_gene["rows"].to_list())
    pictures.append(
        _bars("rows per gene", per_gene, "0", f"{2 ** (len(per_gene) - 1):,}", "genes; each bar twice the last")
    )
    return _section(
        "Distributions",
        '<p class="soft">Heights are logarithms of the number of rows, so that rare values show.</p>',
        f'<div class="pictures">{"".join(pictures)}</div>',
    )


def _bars(title: str, counts: Sequence[int], low: str, high: str, unit: str = "rows") -> str:
    top = math.log1p(max(counts, default=0)) or 1.0
    wide = 1000 / max(len(counts), 1)
    bars = "".join(
        f'<rect x="{place * wide + 1:.2f}" y="{100 - 96 * math.log1p(n) / top:.2f}" width="{wide - 2:.2f}" '
        f'height="{96 * math.log1p(n) / top:.2f}" style="fill:var(--bar)"><title>{n:,} {unit}</title></rect>'
        for place, n in enumerate(counts)
    )
    svg = f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="histogram of {escape(title)}">{bars}</svg>'
    ends = f'<div class="ends"><span>{low}</span><span>{high}</span></div>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{ends}</figure>"


def _columns(columns: pl.DataFrame) -> str:
    shown = without_kmers(columns)
    tables = []
    for role in shown["role"].unique(maintain_order=True):
        own = shown.filter(pl.col("role") == role).drop("role")
        is_open = " open" if role != "feature" or own.height <= 40 else ""
        tables.append(f"<details{is_open}><summary>{escape(role)} ({own.height})</summary>{_table(own)}</details>")
    return _section("Columns", *tables)


def _table(frame: pl.DataFrame) -> str:
    text = {name for name, dtype in frame.schema.items() if dtype == pl.String}
    titles = {"bases": "≈ bases", "not_finite": "not finite"}
    head = "".join(f"<th{_class(n in text)}>{escape(titles.get(n, n.replace('_', ' ')))}</th>" for n in frame.columns)
    rows = "".join(
        f"<tr>{''.join(_cell(name, value, name in text) for name, value in row.items())}</tr>"
        for row in frame.iter_rows(named=True)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(name: str, value: object, is_text: bool) -> str:
    formats: dict[str, Callable[[float], str]] = {"share": lambda v: f"{100 * v:.2f} %", "bases": lambda v: f"{v:,.0f}"}
    shown = formats[name](value) if name in formats and isinstance(value, (int, float)) else escape(number(value))
    if name in ("nulls", "not_finite") and value:
        return f'<td class="odd">{shown}</td>'
    return f"<td{_class(is_text)}>{shown}</td>"


def _class(is_text: bool) -> str:
    return ' class="text"' if is_text else ""
