"""What the page says of truths beside the annotation: which annotated sites are used, and which sites RNA-seq junctions support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.evaluate.strata import JUNCTIONS
from meta_spliceai.evaluate.words import (
    RECALIBRATED,
    has_junctions,
    is_different_claim,
    usage_rows_of,
    what_junctions_say,
)
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report import page, ranking_figures
from meta_spliceai.report.drawing import (
    INK,
    PAPER,
    SOFT,
    Arm,
    Look,
    as_svg,
    looks_of,
    new_figure,
    plain_grid,
    typeset,
)

Row = Mapping[str, Any]


def section(result: EvaluationResult) -> str:
    """Both truths, each where the evaluation has it; nothing where it has neither."""
    parts = [*_usage(result), *_junctions(result)]
    return page.section("Truths beside the annotation", *parts) if parts else ""


def _usage(result: EvaluationResult) -> list[str]:
    rows = usage_rows_of(result)
    if not rows:
        return []
    words = (
        "An annotation lists sites that hardly any cell uses. Percent spliced in (PSI) of exons says which ones are used: a mean "
        "PSI of at least .1 counts as used, below .01 as unused. AUC is the chance that a used site scores higher than an unused "
        "one; .5 is guessing. A model that was taught that all annotated sites are alike can fall behind the base model here."
    )
    caption = (
        "AUC of used against unused annotated sites, with 95 % intervals of the same bootstrap; the dashed line is the base "
        "model's. Intervals overlap more than the paired changes in the table below, which are what to judge by."
    )
    arms = [arm for arm in result.about["arms"] if any(row["arm"] == arm["name"] for row in rows)]
    titles = {arm["name"]: arm["title"] for arm in arms}
    numbers = page.table(pl.DataFrame(rows).with_columns(pl.col("arm").replace(titles)), formats=_SIGNED)
    svg = as_svg(usage_figure(arms, rows))
    return [
        page.heading("Used and unused sites, by percent spliced in"),
        page.paragraph(words),
        page.figure(svg, "AUC of used against unused sites by arm", caption, numbers),
        _table(arms, rows, "auc", "AUC", lambda row: f"{row['used']:,} used, {row['unused']:,} unused"),
    ]


def _junctions(result: EvaluationResult) -> list[str]:
    if not has_junctions(result):
        return []
    meaning = next(item["meaning"] for item in result.about["strata"] if item["name"] == JUNCTIONS)
    found = result.strata.filter(stratum=JUNCTIONS)
    titles = {arm["name"]: arm["title"] for arm in result.about["arms"]}
    rows = [row for row in found.to_dicts() if row["arm"] in {arm["name"] for arm in _ranked(result)}]
    parts = [
        page.heading("Sites that RNA-seq junctions support"),
        page.paragraph(f"{meaning[:1].upper()}{meaning[1:]}."),
    ]
    if len(result.about["arms"]) > 1:
        caption = (
            "Change in average precision against the base model with the supported sites as the truth; 95 % intervals of the same "
            "bootstrap, and below, smaller, ranked fold by fold."
        )
        svg = as_svg(ranking_figures.forest(ranking_figures.arm_rows(result, JUNCTIONS)))
        numbers = page.table(found.with_columns(pl.col("arm").replace(titles)).drop("stratum"), formats=_SIGNED)
        parts.append(page.figure(svg, "Forest plot with junctions as the truth", caption, numbers))
    table = _table(
        _ranked(result), rows, "average_precision", "average precision", lambda row: f"{row['sites']:,} supported sites"
    )
    return [*parts, table, page.bullets([typeset(sentence) for sentence in what_junctions_say(result)])]


_SIGNED = {
    f"{name}{end}": page.signed for name in ("difference", "within_folds_difference") for end in ("", "_low", "_high")
}


def _ranked(result: EvaluationResult) -> list[Arm]:
    """All arms but the recalibrated one, which keeps the base model's order."""
    return [arm for arm in result.about["arms"] if arm["name"] != RECALIBRATED]


def _table(arms: Sequence[Arm], rows: Sequence[Row], name: str, title: str, counted: Any) -> str:
    """A row per arm: a measure and its change, for donors and for acceptors, intervals below their numbers."""
    by_key = {(row["splice_type"], row["arm"]): row for row in rows}
    heads = "".join(
        f"<th>{kind}s: {escape(title)}<br><small>{escape(counted(by_key[kind, arms[0]['name']]))}</small></th><th>change</th>"
        for kind in SITE_TYPES
    )
    body = []
    for place, arm in enumerate(arms):
        cells = []
        for kind in SITE_TYPES:
            row = by_key[kind, arm["name"]]
            cells.append(page.with_bounds(row, name, page.shown))
            cells.append("reference" if place == 0 else page.with_bounds(row, "difference", page.signed))
        named = escape(arm["title"]) + ("<br><small>a different claim</small>" if is_different_claim(arm) else "")
        inner = "".join(f"<td>{cell}</td>" for cell in cells)
        body.append(f'<tr{" class=reference" if place == 0 else ""}><td class="text">{named}</td>{inner}</tr>')
    return page.framed(f'<thead><tr><th class="text">arm</th>{heads}</tr></thead><tbody>{"".join(body)}</tbody>')


def usage_figure(arms: Sequence[Arm], rows: Sequence[Row]) -> Figure:
    """AUC of used against unused sites with its interval, a line per arm and a panel per site type."""
    figure, axes = new_figure(7.8, 0.9 + 0.42 * len(arms), sharey=True, sharex=True)
    looks = looks_of(arms)
    for axis, kind in zip(axes[0], SITE_TYPES, strict=True):
        of_kind = {row["arm"]: row for row in rows if row["splice_type"] == kind}
        axis.axvline(of_kind[arms[0]["name"]]["auc"], color=SOFT, linewidth=1, dashes=(4, 3))
        for place, arm in enumerate(arms):
            _draw_auc(axis, place, of_kind[arm["name"]], looks[arm["name"]])
        axis.set_title(f"{kind}s")
        axis.set_yticks(range(len(arms)), [_label(arm) for arm in arms])
        axis.set_ylim(len(arms) - 0.5, -0.75)
        axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_xlabel("AUC, used against unused sites")
        axis.spines["left"].set_visible(False)
        plain_grid(axis, "x")
    return figure


def _label(arm: Arm) -> str:
    return f"{arm['title']}\n(a different claim)" if is_different_claim(arm) else str(arm["title"])


def _draw_auc(axis: Axes, place: int, row: Row, look: Look) -> None:
    if row["auc_low"] is not None:
        axis.plot([row["auc_low"], row["auc_high"]], [place, place], color=look.colour, linewidth=2.2)
    axis.plot(row["auc"], place, look.marker, color=look.colour, markersize=6)
    axis.annotate(
        f"{row['auc']:.3f}", (row["auc"], place), (0, 6), textcoords="offset points", ha="center", va="bottom", fontsize=7,
        color=INK, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip
