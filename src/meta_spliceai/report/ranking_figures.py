"""Pictures of how arms rank: differences with intervals, and precision-recall curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.evaluate.strata import ALL, JUNCTIONS
from meta_spliceai.evaluate.words import change, is_different_claim, plain_name
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report.drawing import INK, LINE, PAPER, SOFT, Arm, Look, looks_of, new_figure, plain_grid, typeset


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of a forest plot.

    Parameters
    ----------
    label
        At its left.
    rows
        The row of the ranking by site type; empty for a line that is a heading.
    look
        Of its marks.
    fold_by_fold
        Whether the difference fold by fold is drawn too, smaller and below.
    rule_above
        Whether a rule parts it from the line above.
    """

    label: str
    rows: dict[str, dict[str, Any]]
    look: Look
    fold_by_fold: bool = False
    rule_above: bool = False


def arm_rows(result: EvaluationResult, stratum: str = ALL) -> list[ForestRow]:
    """A line per arm but the reference; the first with a different claim has a rule above it."""
    arms, found = result.about["arms"][1:], []
    looks = looks_of(result.about["arms"])
    for place, arm in enumerate(arms):
        apart = is_different_claim(arm) and not any(is_different_claim(before) for before in arms[:place])
        rows = {kind: result.ranking(stratum, kind, arm["name"]) for kind in SITE_TYPES}
        label = f"{arm['title']}\n(a different claim)" if is_different_claim(arm) else arm["title"]
        found.append(ForestRow(label, rows, looks[arm["name"]], fold_by_fold=True, rule_above=apart and place > 0))
    return found


def stratum_rows(result: EvaluationResult, arm: Arm) -> list[ForestRow]:
    """A line per stratum for one arm; strata that hold every site or none are left out."""
    look, found = looks_of(result.about["arms"])[arm["name"]], []
    for stratum in result.about["strata"]:
        if stratum["name"] == JUNCTIONS:  # not a subset: sites are others there
            continue
        rows = {kind: result.ranking(stratum["name"], kind, arm["name"]) for kind in SITE_TYPES}
        whole = result.about["measured"]["sites"]
        if stratum["name"] == ALL or any(0 < row["sites"] < whole[kind] for kind, row in rows.items()):
            found.append(ForestRow(plain_name(stratum["name"]), rows, look))
    return found


def forest(rows: Sequence[ForestRow]) -> Figure:
    """Differences in average precision to the reference arm with their 95 % intervals, one panel per site type."""
    figure, axes = new_figure(7.8, 0.75 + 0.52 * max(len(rows), 1), sharey=True, sharex=True)
    for axis, kind in zip(axes[0], SITE_TYPES, strict=True):
        draw_forest(axis, rows, kind)
        axis.set_title(f"{kind}s")
    return figure


def draw_forest(axis: Axes, rows: Sequence[ForestRow], kind: str) -> None:
    """One panel of a forest plot."""
    axis.axvline(0, color=SOFT, linewidth=1)
    for place, line in enumerate(rows):
        if line.rule_above:
            axis.axhline(place - 0.52, color=LINE, linewidth=1)
        if line.rows:
            _draw_line(axis, place, line, line.rows[kind])
    axis.set_yticks(range(len(rows)), [line.label for line in rows])
    axis.set_ylim(len(rows) - 0.5, -0.65)
    axis.set_xlim(_limits(rows))
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_xlabel("change in average precision")
    axis.spines["left"].set_visible(False)
    plain_grid(axis, "x")


def _draw_line(axis: Axes, place: int, line: ForestRow, row: dict[str, Any]) -> None:
    look = line.look
    if row["difference"] is None:
        words = f"too few sites ({row['sites']})"
        axis.annotate(words, (0, place), (5, 0), textcoords="offset points", va="center", fontsize=7.5, color=SOFT)
        return
    if line.fold_by_fold and row["within_folds_difference"] is not None:
        bounds = [row["within_folds_difference_low"], row["within_folds_difference_high"]]
        if None not in bounds:
            axis.plot(bounds, [place + 0.2, place + 0.2], color=look.colour, linewidth=1, alpha=0.75)
        axis.plot(
            row["within_folds_difference"], place + 0.2, look.marker, markersize=3.8, markerfacecolor=PAPER,
            markeredgecolor=look.colour, markeredgewidth=1,
        )  # fmt: skip
    if row["difference_low"] is not None:
        axis.plot([row["difference_low"], row["difference_high"]], [place, place], color=look.colour, linewidth=2.2)
    axis.plot(row["difference"], place, look.marker, color=look.colour, markersize=6)
    axis.annotate(
        typeset(change(row)), (row["difference"], place), (0, 6), textcoords="offset points", ha="center", va="bottom",
        fontsize=7, color=INK, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """Room for every interval, and for the numbers written around each point."""
    drawn = [row for line in rows for row in line.rows.values() if row["difference"] is not None]
    names = ["difference", *(["within_folds_difference"] if any(line.fold_by_fold for line in rows) else [])]
    ends = [row[f"{name}{end}"] for row in drawn for name in names for end in ("", "_low", "_high")]
    ends = [0.0, *(value for value in ends if value is not None)]
    points = [row["difference"] for row in drawn] or [0.0]
    span = max(max(ends) - min(ends), 1e-3)
    low, high = min(min(ends), min(points) - 0.28 * span), max(max(ends), max(points) + 0.28 * span)
    return low - 0.06 * span, high + 0.06 * span


def curves(result: EvaluationResult) -> Figure:
    """Precision-recall curves: the whole square above, the part where arms differ below."""
    figure, axes = new_figure(7.8, 6.4, rows=2)
    for place, kind in enumerate(SITE_TYPES):
        of_kind = result.curves.filter(pl.col("splice_type") == kind)
        draw_curves(axes[0, place], of_kind, result.about["arms"])
        axes[0, place].set_title(f"{kind}s")
        draw_curves(axes[1, place], of_kind, result.about["arms"])
        axes[1, place].set_title(f"{kind}s, enlarged", fontsize=9, fontweight="normal", color=SOFT)
        (left, right), bottom = informative_region(of_kind)
        axes[1, place].set(xlim=(left, right), ylim=(bottom, 1.0 + 0.02 * (1 - bottom)))
        axes[1, place].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    for axis in axes[:, 0]:
        axis.set_ylabel("precision")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=3)
    return figure


def draw_curves(axis: Axes, points: pl.DataFrame, arms: Sequence[Arm]) -> None:
    """One panel of precision-recall curves."""
    looks = looks_of(arms)
    for arm in arms:
        own, look = points.filter(pl.col("arm") == arm["name"]), looks[arm["name"]]
        axis.plot(
            own["recall"], own["precision"], color=look.colour, linestyle=look.dashes, linewidth=look.width, label=arm["title"],
        )  # fmt: skip
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall")
    plain_grid(axis)


def informative_region(points: pl.DataFrame) -> tuple[tuple[float, float], float]:
    """Where the curves bend: the range of recall, and the lowest precision, in round numbers.

    From the recall at which the first arm falls below a precision of .97 to that at which the last one falls below .3.
    """
    bend = points.filter((pl.col("precision") < 0.97) & (pl.col("recall") > 0.2))
    left = float(np.floor(10 * float(bend["recall"].min() or 0.2)) / 10) if bend.height else 0.2  # type: ignore[arg-type]
    high = points.filter(pl.col("precision") >= 0.3)
    right = float(np.ceil(20 * float(high["recall"].max() or 1)) / 20) if high.height else 1.0  # type: ignore[arg-type]
    return (min(left, 0.9), max(right, min(left, 0.9) + 0.1)), 0.3
