"""A dataset's summary for a terminal."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import polars as pl
from rich.console import Console
from rich.table import Table

from meta_spliceai.schema.features import kmer_size

if TYPE_CHECKING:
    from meta_spliceai.maintain.summary import DatasetSummary

_BARS = " ▁▂▃▄▅▆▇█"
_WIDEST, _NARROWEST = 120, 100
_PROBABILITIES_SHOWN = 8
_TITLES = {"bases": "≈ bases", "not_finite": "not finite"}
_SHOWN_FEATURES = ("donor_score", "acceptor_score", "spread", "gc_content")


def number(value: object) -> str:
    """A count with thousands separators, a fraction with four digits, a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:,.0f}" if value == round(value) and 100 <= abs(value) < 1e10 else f"{value:.4g}"
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
        size = kmer_size(row["column"])
        if size is None:
            lines[row["column"]] = row
            continue
        held = lines.setdefault(
            f"{size}mer_*",
            {**row, "column": f"{size}mer_* ({4**size:,})", "nulls": 0, "not_finite": 0, "mean": None},
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
        f"{about['build']}, {about['base_model']}",
        soft_wrap=True,
    )
    if summary.bases is not None:
        console.print(
            f"standing for {summary.bases:,} bases (an estimate: sum of 1 / inclusion probability); "
            f"the gene bodies have {summary.body_bases:,}",
            soft_wrap=True,
        )
    for note in (*about["maintenance"], *(f"patch {name} in side files" for name in about["patches"])):
        console.print(f"· {note}", soft_wrap=True)
    for title, frame in (
        ("label", summary.labels),
        ("base model's call", summary.calls),
        ("sampling tier", summary.tiers),
        ("inclusion probability", summary.inclusion.head(_PROBABILITIES_SHOWN)),
        ("gene type", summary.gene_types),
    ):
        if frame.height:
            console.print(_table(title, frame))
    _columns(console, summary.columns)
    _histograms(console, summary)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]


def _table(title: str, frame: pl.DataFrame) -> Table:
    table = Table(box=None, padding=(0, 2), show_edge=False, title_justify="left", pad_edge=False)
    table.add_column(f"\n{title}", min_width=22, no_wrap=True)
    for name in frame.columns[1:]:
        side: Literal["left", "right"] = "left" if frame[name].dtype == pl.String else "right"
        table.add_column(f"\n{_TITLES.get(name, name)}", justify=side, no_wrap=True)
    for row in frame.iter_rows(named=True):
        first, *others = row.items()
        table.add_row(number(first[1]), *(_cell(name, value) for name, value in others))
    return table


def _cell(name: str, value: object) -> str:
    if name == "share" and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return number(round(value) if name == "bases" and isinstance(value, float) else value)


def _columns(console: Console, columns: pl.DataFrame) -> None:
    """Every column but features, and the features that may surprise: with nulls, not finite, or the same in all rows."""
    held = without_kmers(columns)
    is_odd = (pl.col("nulls") > 0) | (pl.col("not_finite") > 0) | (pl.col("min") == pl.col("max"))
    shown = held.filter((pl.col("role") != "feature") | is_odd | pl.col("column").is_in(_SHOWN_FEATURES))
    table = shown.select(
        "column",
        pl.format("{}, {}", "role", "origin").alias("role, origin"),
        "nulls",
        "not_finite",
        "min",
        "max",
        "mean",
    )
    console.print(_table("column", table if table["not_finite"].sum() else table.drop("not_finite")))
    if held.height > shown.height:
        console.print(
            f"… and {held.height - shown.height} more lines of features without nulls, with values that vary: --json and --html "
            "have them all",
            soft_wrap=True,
        )


def _histograms(console: Console, summary: DatasetSummary) -> None:
    lines = [(name, "0", sparkline(counts), "1") for name, counts in summary.histograms.items()]
    per_gene = log_bins(summary.rows_per_gene["rows"].to_list())
    lines.append(("rows per gene", "0", sparkline(per_gene), f"{2 ** (len(per_gene) - 1):,} (each bar twice the last)"))
    console.print("\nhistograms (heights are logarithms)")
    for name, low, bars, high in lines:
        console.print(f"{name:<22} {low} ▏{bars}▕ {high}")
