"""The pictures, as SVG text that is the same for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.figure import Figure

KINDS = ("donor", "acceptor")
COLOURS = ("#5b6470", "#9aa3ad", "#2f7f79", "#c2410c", "#7048a8", "#b08900")
"""By arm, in the order of the table; chosen to differ in lightness as well as in hue."""

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a929b",
    "axes.labelcolor": "#2b3138",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#4a525b",
    "ytick.color": "#4a525b",
    "svg.hashsalt": "meta-spliceai",
    "svg.fonttype": "none",
    "legend.frameon": False,
}

Arms = Sequence[Mapping[str, Any]]


def colour_of(arms: Arms) -> dict[str, str]:
    """Colour by arm name."""
    return {str(arm["name"]): COLOURS[place % len(COLOURS)] for place, arm in enumerate(arms)}


def as_svg(figure: Figure) -> str:
    """The figure as an SVG element without the XML head, so that it can stand inside a page."""
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _figure(width: float, height: float, columns: int, **options: Any) -> tuple[Figure, Any]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, **options)
    return figure, np.atleast_1d(axes)


def differences(ranking: pl.DataFrame, arms: Arms, reference: str) -> Figure:
    """Difference in average precision to the reference arm with its interval, one panel per site type."""
    shown = [arm for arm in arms if arm["name"] != reference]
    colours = colour_of(arms)
    figure, axes = _figure(7.6, 0.9 + 0.42 * len(shown), 2, sharey=True, sharex=True)
    with mpl.rc_context(_STYLE):
        for axis, kind in zip(axes, KINDS, strict=True):
            axis.axvline(0, color="#8a929b", linewidth=1)
            for place, arm in enumerate(shown):
                row = _row(ranking, "all", kind, str(arm["name"]))
                if row["difference"] is None or row["difference_low"] is None:
                    continue
                bounds = ([row["difference"] - row["difference_low"]], [row["difference_high"] - row["difference"]])
                axis.errorbar(
                    row["difference"], place, xerr=bounds, fmt="o", color=colours[arm["name"]], capsize=3, markersize=6
                )
            axis.set_yticks(range(len(shown)), [str(arm["title"]) for arm in shown])
            axis.set_ylim(len(shown) - 0.5, -0.5)
            axis.set_title(f"{kind}s")
            axis.set_xlabel("change in average precision")
            axis.grid(axis="x", color="#e3e6e9", linewidth=0.8)
            axis.set_axisbelow(True)
    return figure


def _row(ranking: pl.DataFrame, stratum: str, kind: str, arm: str) -> dict[str, Any]:
    chosen = (pl.col("stratum") == stratum) & (pl.col("splice_type") == kind) & (pl.col("arm") == arm)
    return ranking.filter(chosen).row(0, named=True)


def curves(points: pl.DataFrame, arms: Arms) -> Figure:
    """Precision-recall curves on whole genes, one panel per site type."""
    figure, axes = _figure(7.6, 3.5, 2, sharey=True)
    colours = colour_of(arms)
    with mpl.rc_context(_STYLE):
        for axis, kind in zip(axes, KINDS, strict=True):
            for arm in arms:
                rows = points.filter((pl.col("splice_type") == kind) & (pl.col("arm") == arm["name"]))
                axis.plot(
                    rows["recall"], rows["precision"], color=colours[arm["name"]], linewidth=1.6, label=arm["title"]
                )
            axis.set_title(f"{kind}s")
            axis.set_xlabel("recall")
            axis.set_xlim(0, 1)
            axis.set_ylim(0, 1.02)
            axis.grid(color="#eef0f2", linewidth=0.8)
        axes[0].set_ylabel("precision")
        axes[0].legend(loc="lower left", fontsize=8)
    return figure


def calibration(bins: pl.DataFrame, arms: Arms) -> Figure:
    """Observed against predicted probability among bases with p of at least .01, one panel per site type."""
    figure, axes = _figure(7.6, 3.6, 2, sharey=True)
    colours = colour_of(arms)
    with mpl.rc_context(_STYLE):
        for axis, kind in zip(axes, KINDS, strict=True):
            axis.plot([0, 1], [0, 1], color="#b9bfc6", linewidth=1, linestyle=(0, (4, 3)))
            for arm in arms:
                rows = bins.filter((pl.col("splice_type") == kind) & (pl.col("arm") == arm["name"]))
                axis.plot(
                    rows["predicted"], rows["observed"], marker="o", markersize=3.5, linewidth=1.2,
                    color=colours[arm["name"]], label=arm["title"],
                )  # fmt: skip
            axis.set_title(f"{kind}s")
            axis.set_xlabel("predicted probability (mean of bin)")
            axis.set_xlim(-0.02, 1.02)
            axis.set_ylim(-0.02, 1.02)
        axes[0].set_ylabel("share of true sites")
        axes[0].legend(loc="upper left", fontsize=8)
    return figure


def per_group(values: pl.DataFrame, arm: str, reference: str, title: str) -> Figure:
    """Change in average precision of each gene group, sorted; the area of a dot follows its number of sites."""
    figure, axes = _figure(7.6, 3.0, 2, sharey=True)
    with mpl.rc_context(_STYLE):
        for axis, kind in zip(axes, KINDS, strict=True):
            rows = group_changes(values, arm, reference, kind)
            place = np.arange(rows.height)
            change = rows["change"].to_numpy()
            axis.axhline(0, color="#8a929b", linewidth=1)
            axis.vlines(place, 0, change, color="#d5dade", linewidth=1)
            colour = np.where(change > 0, "#2f7f79", np.where(change < 0, "#c2410c", "#8a929b"))
            axis.scatter(place, change, s=6 + 2 * rows["sites"].to_numpy(), c=colour, alpha=0.85, linewidths=0)
            axis.set_title(f"{kind}s: {(change > 0).sum()} better, {(change < 0).sum()} worse")
            axis.set_xlabel("gene groups, by change")
            axis.set_xticks([])
        axes[0].set_ylabel(f"change in average precision\n{title}")
    return figure


def group_changes(values: pl.DataFrame, arm: str, reference: str, kind: str) -> pl.DataFrame:
    """group, sites, base, own and change of one arm and site type, by ascending change."""
    of_kind = values.filter(pl.col("splice_type") == kind)
    base = of_kind.filter(pl.col("arm") == reference).select("group", "sites", base="average_precision")
    own = of_kind.filter(pl.col("arm") == arm).select("group", own="average_precision")
    return base.join(own, on="group").with_columns(change=pl.col("own") - pl.col("base")).sort("change", "group")


def importance(features: pl.DataFrame, shown: int = 20) -> Figure:
    """The features with the largest share of the gain, both site types side by side."""
    figure, axes = _figure(7.6, 0.7 + 0.2 * shown, 2)
    with mpl.rc_context(_STYLE):
        for axis, kind in zip(axes, KINDS, strict=True):
            top = features.sort(f"{kind}_gain", "feature", descending=[True, False]).head(shown)
            total = max(float(features[f"{kind}_gain"].sum()), 1e-12)
            axis.barh(range(top.height), top[f"{kind}_gain"] / total, color="#2f7f79", height=0.7)
            axis.set_yticks(range(top.height), top["feature"].to_list(), fontsize=7)
            axis.invert_yaxis()
            axis.set_title(f"{kind} model")
            axis.set_xlabel("share of total gain")
    return figure
