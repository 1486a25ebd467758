"""The change that every arm of every set of base models makes, as one picture."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from meta_spliceai.evaluate.strata import ALL
from meta_spliceai.evaluate.words import is_different_claim
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report.drawing import SOFT, looks_of, styled
from meta_spliceai.report.ranking_figures import ForestRow, draw_forest
from meta_spliceai.results.page import title_of
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.train.arms import RECALIBRATED


def draw(numbers: Mapping[str, Any], path: Path) -> None:
    """Draw results.json as an .svg: a panel for donors and one for acceptors, a line per arm, a block per set of base models."""
    rows = [row for place, one in enumerate(numbers["sets"]) for row in _rows_of(one, first=place == 0)]
    buffer = io.BytesIO()
    with styled(outlines=True):
        figure = Figure(figsize=(11, 1.6 + 0.36 * len(rows)), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        panels = figure.subplots(1, 2, sharey=True)
        for panel, kind in zip(panels, SITE_TYPES, strict=True):
            draw_forest(panel, rows, kind)
            panel.set_title(f"{kind}s: change in average precision")
        figure.supxlabel(_footnote(numbers), fontsize=7.5, color=SOFT, x=0.01, ha="left")
        # no date, so that the same numbers give the same bytes
        figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    write_bytes(path, buffer.getvalue())


def _rows_of(one: Mapping[str, Any], *, first: bool) -> list[ForestRow]:
    arms = [arm for arm in one["arms"][1:] if arm["name"] != RECALIBRATED.name]
    looks, bases = looks_of(one["arms"]), title_of(one["base_models"])
    return [
        ForestRow(
            f"{bases}\n{arm['title']}" + (" (another claim)" if is_different_claim(arm) else ""),
            {kind: one["results"][kind][arm["name"]]["strata"][ALL] for kind in SITE_TYPES},
            looks[arm["name"]],
            rule_above=place == 0 and not first,
        )
        for place, arm in enumerate(arms)
    ]


def _footnote(numbers: Mapping[str, Any]) -> str:
    data = numbers["data"]
    return (
        f"{data['bases']:,} bases of {data['genes']:,} whole held-out genes in {data['gene_groups']:,} groups; 95 % intervals from "
        f"{numbers['made_with']['bootstrap']['draws']:,} paired draws of gene groups; changes against the first base model"
    )
