"""A dataset's summary for a terminal."""

from __future__ import annotations

import io
import math
import re
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from meta_spliceai.maintain.summary import DatasetSummary

_BARS = " ▁▂▃▄▅▆▇█"
_KMER = re.compile(r"(\d)mer_[ACGT]+")
_WIDEST, _NARROWEST = 120, 90
_PROBABILITIES_SHOWN = 8


def number(value: object) -> str:
    """A count with thousands separators, a fraction with four digits, a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:,.0f}" if value == round(value) and abs(value) >= 100 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def sparkline(counts: Sequence[int]) -> str:
    """Bars whose heights are the logarithms of the counts: an empty bin is blank, a single row already shows."""
    top = math.log1p(max(counts, default=0))
    if not top:
        return " " * len(counts)
    return "".join(_BARS[0] if not n else _BARS[max(1, round(8 * math.log1p(n) / top))] for n in counts)


def without_kmers(columns: pl.DataFrame) -> pl.DataFrame:
    """The table of columns with all k-mers of one size as one line."""
    lines: dict[str, dict[str, object]] = {}
    for row in columns.to_dicts():
        match = _KMER.fullmatch(row["column"])
        if not match:
            lines[row["column"]] = row
            continue
        held = lines.setdefault(
            f"{match[1]}mer_*",
            {**row, "column": f"{match[1]}mer_* ({4 ** int(match[1]):,})", "nulls": 0, "not_finite": 0, "mean": None},
        )
        held["nulls"] = int(str(held["nulls"])) + row["nulls"]
        held["not_finite"] = int(str(held["not_finite"])) + row["not_finite"]
        for name, better in (("min", min), ("max", max)):
            known = [float(str(v)) for v in (held[name], row[name]) if v is not None]
            held[name] = better(known) if known else None
    return pl.DataFrame(list(lines.values()), schema=columns.schema)


def log_bins(values: Sequence[int]) -> list[int]:
    """How many values lie in 0, 1, 2–3, 4–7, 8–15, …"""
    bins = [0] * (max((value.bit_length() for value in values), default=0) + 1)
    for value in values:
        bins[value.bit_length()] += 1
    return bins


def as_text(summary: DatasetSummary) -> str:
    """Tables and histograms, as wide as the terminal allows."""
    width = min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size((100, 40)).columns))
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    about = summary.about
    console.print(f"{summary.path}", soft_wrap=True)
    console.print(
        f"{summary.rows:,} rows of {summary.genes:,} genes in {summary.parts:,} parts, {summary.columns.height:,} columns; "
        f"{about['build']}, {about['base_model']}"
    )
    if summary.bases is not None:
        console.print(
            f"standing for {summary.bases:,} bases (an estimate: sum of 1 / inclusion probability); "
            f"the gene bodies have {summary.body_bases:,}"
        )
    for note in (*about["maintenance"], *(f"patch {name} in side files" for name in about["patches"])):
        console.print(f"· {note}")
    for title, frame in (
        ("label", summary.labels),
        ("base model's call", summary.calls),
        ("sampling tier", summary.tiers),
        ("inclusion probability", summary.inclusion.head(_PROBABILITIES_SHOWN)),
        ("gene type", summary.gene_types),
    ):
        if frame.height:
            console.print(_table(title, frame))
    console.print(_columns(summary.columns))
    _histograms(console, summary)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]


def _table(title: str, frame: pl.DataFrame) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False, title_justify="left", pad_edge=False)
    table.add_column(f"\n{title}", min_width=22, no_wrap=True)
    for name in frame.columns[1:]:
        table.add_column(f"\n{'≈ bases' if name == 'bases' else name}", justify="right", no_wrap=True)
    for row in frame.iter_rows(named=True):
        first, *others = row.values()
        cells = [
            f"{100 * value:.2f} %" if name == "share" else number(round(value) if name == "bases" and value else value)
            for name, value in zip(frame.columns[1:], others, strict=True)
        ]
        table.add_row(number(first), *cells)
    return table


def _columns(columns: pl.DataFrame) -> Table:
    shown = without_kmers(columns).select("column", "role", "origin", "nulls", "min", "max", "mean", "not_finite")
    if not shown["not_finite"].sum():
        shown = shown.drop("not_finite")
    return _table("column", shown)


def _histograms(console: Console, summary: DatasetSummary) -> None:
    lines = [(name, "0", sparkline(counts), "1") for name, counts in summary.histograms.items()]
    per_gene = log_bins(summary.rows_per_gene["rows"].to_list())
    lines.append(("rows per gene", "0", sparkline(per_gene), f"{2 ** (len(per_gene) - 1):,} (each bar twice the last)"))
    console.print("\nhistograms (heights are logarithms)")
    for name, low, bars, high in lines:
        console.print(f"{name:<22} {low} ▏{bars}▕ {high}")
