"""Pictures of calibration, of single gene groups, and of what a model looks at."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meta_spliceai.evaluate.calibration import FIXED
from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report.drawing import (
    BETTER,
    EQUAL,
    INK,
    LINE,
    ORIGINS,
    PAPER,
    SOFT,
    WORSE,
    Arm,
    looks_of,
    new_figure,
    plain_grid,
)

_ALL_NAMED, _EXTREMES = 36, 4
"""Up to how many groups every one is named; beyond, how many on either side."""

_LONGEST_NAME = 16


def calibration(result: EvaluationResult, arm: Arm | None) -> Figure:
    """Share of true sites against mean probability in the same bins for every arm; intervals for the reference and `arm`."""
    figure, axes = new_figure(7.8, 4.4, sharey=True)
    barred = {result.about["reference_arm"], arm["name"] if arm else ""}
    for axis, kind in zip(axes[0], SITE_TYPES, strict=True):
        bins = result.calibration.filter(splice_type=kind, bins=FIXED)
        _draw_calibration(axis, bins, result.about["arms"], barred)
        axis.set_title(f"{kind}s")
    axes[0, 0].set_ylabel("share of true sites")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=3)
    return figure


def _draw_calibration(axis: Axes, bins: pl.DataFrame, arms: Sequence[Arm], barred: Collection[str]) -> None:
    axis.plot([0, 1], [0, 1], color=SOFT, linewidth=1, dashes=(4, 3))
    looks = looks_of(arms)
    for arm in arms:
        own, look = bins.filter(pl.col("arm") == arm["name"]), looks[arm["name"]]
        with_bars = arm["name"] in barred
        if with_bars:
            axis.vlines(own["predicted"], own["observed_low"], own["observed_high"], color=look.colour, linewidth=1)
        axis.plot(
            own["predicted"], own["observed"], color=look.colour, linestyle=look.dashes,
            linewidth=look.width * (0.8 if with_bars else 0.6), marker=look.marker, markersize=4.5 if with_bars else 3,
            alpha=1 if with_bars else 0.8, label=arm["title"],
        )  # fmt: skip
    axis.set(xlim=(-0.015, 1.015), ylim=(-0.02, 1.02), xlabel="mean probability of the bin")
    plain_grid(axis)


def group_changes(result: EvaluationResult, arm: str, kind: str) -> pl.DataFrame:
    """Gene groups with sites: group, genes, fold, sites, base, own and change of one arm, by ascending change."""
    own = result.per_group.filter(splice_type=kind, arm=arm).select("group", own="average_precision")
    base = result.per_group.filter(splice_type=kind, arm=result.about["reference_arm"])
    return (
        base.select("group", "genes", "fold", "sites", base="average_precision")
        .join(own, on="group")
        .filter(pl.col("sites") > 0)
        .with_columns(change=pl.col("own") - pl.col("base"))
        .sort("change", "group")
    )


def per_group(result: EvaluationResult, arm: Arm) -> Figure:
    """Change in average precision of each gene group, sorted; the area of a dot follows its number of sites."""
    figure, axes = new_figure(7.8, 3.6, sharey=True)
    for axis, kind in zip(axes[0], SITE_TYPES, strict=True):
        changes = group_changes(result, arm["name"], kind)
        _draw_groups(axis, changes)
        better, worse = int((changes["change"] > 0).sum()), int((changes["change"] < 0).sum())
        axis.set_title(f"{kind}s: {better} up, {worse} down, {changes.height - better - worse} unchanged")
    axes[0, 0].set_ylabel("change in average precision")
    return figure


def _draw_groups(axis: Axes, changes: pl.DataFrame) -> None:
    place, change = np.arange(changes.height), changes["change"].to_numpy()
    colours = np.where(change > 0, BETTER, np.where(change < 0, WORSE, EQUAL))
    axis.axhline(0, color=SOFT, linewidth=1)
    axis.vlines(place, 0, change, color=LINE, linewidth=1.2)
    sizes = 8 + 1.6 * changes["sites"].to_numpy()
    axis.scatter(place, change, s=sizes, c=colours.tolist(), linewidths=0.6, edgecolors=PAPER, zorder=3)
    names = [_shortened(genes) for genes in changes["genes"]]
    axis.set(xlabel="gene groups with sites, by change", xlim=(-1, max(changes.height, 1)))
    if changes.height <= _ALL_NAMED:
        axis.set_xticks(place, names, rotation=90, fontsize=6.5)
    else:
        axis.set_xticks([])
        _name_extremes(axis, names, change)
    plain_grid(axis, "y")


def _name_extremes(axis: Axes, names: Sequence[str], change: npt.NDArray[np.float64]) -> None:
    """Name the largest changes on either side, each label moved off the one before where they would touch.

    Small changes are not named: their labels would lie on other dots.
    """
    span = float(change.max() - change.min())
    step, least = 0.045 * span, 0.08 * span
    for ends, side in ((range(_EXTREMES), 1), (range(-1, -_EXTREMES - 1, -1), -1)):
        height = -side * np.inf
        for at in ends:
            place, value = at % change.size, float(change[at])
            if -side * value <= least:
                break
            height = max(value, height + step) if side > 0 else min(value, height - step)
            axis.annotate(
                names[at], (place, value), xytext=(place + side * 0.025 * change.size, height), textcoords="data",
                ha="left" if side > 0 else "right", va="center", fontsize=6.5, color=SOFT,
            )  # fmt: skip


def _shortened(genes: str) -> str:
    names = genes.split()
    first = names[0] if len(names[0]) <= _LONGEST_NAME else f"{names[0][: _LONGEST_NAME - 1]}…"
    return first if len(names) == 1 else f"{first} +{len(names) - 1}"


def importance(features: pl.DataFrame, shown: int = 20) -> Figure:
    """The features with the largest share of the gain over both site types, coloured by origin.

    Parameters
    ----------
    features
        feature, origin, donor_gain, acceptor_gain.
    """
    shares = gain_shares(features).head(shown)
    figure, axes = new_figure(7.8, 0.9 + 0.21 * shares.height, sharey=True, sharex=True)
    colours = [ORIGINS.get(origin, EQUAL) for origin in shares["origin"]]
    for axis, kind in zip(axes[0], SITE_TYPES, strict=True):
        axis.barh(range(shares.height), 100 * shares[f"{kind}_share"], color=colours, height=0.68)
        axis.set_yticks(range(shares.height), shares["feature"].to_list(), fontsize=7)
        axis.set_title(f"{kind} model")
        axis.set_xlabel("share of the total gain, %")
        axis.spines["left"].set_visible(False)
        plain_grid(axis, "x")
    axes[0, 0].invert_yaxis()
    seen = [origin for origin in ORIGINS if origin in set(shares["origin"])]
    handles = [Line2D([], [], color=ORIGINS[origin], marker="s", linestyle="") for origin in seen]
    axes[0, 1].legend(
        handles, [origin.replace("_", " ") for origin in seen], loc="lower right", title="origin", labelcolor=INK
    )
    return figure


def gain_shares(features: pl.DataFrame) -> pl.DataFrame:
    """The features with their share of the total gain by site type, by descending mean share."""
    shares = features.with_columns(
        (pl.col(f"{kind}_gain") / pl.max_horizontal(pl.col(f"{kind}_gain").sum(), 1e-300)).alias(f"{kind}_share")
        for kind in SITE_TYPES
    )
    mean = pl.mean_horizontal([f"{kind}_share" for kind in SITE_TYPES])
    return shares.sort(mean, "feature", descending=[True, False])
