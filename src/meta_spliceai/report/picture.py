"""The one picture for a README: differences with intervals beside the precision-recall curves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report.drawing import SOFT, styled
from meta_spliceai.report.ranking_figures import arm_rows, draw_curves, draw_forest, informative_region
from meta_spliceai.store.atomic import write_bytes

_FORMATS = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
"""Metadata left out, so that the same numbers give the same bytes."""


def summary_picture(result: EvaluationResult, path: Path) -> Path:
    """Draw an evaluation as one picture.

    Parameters
    ----------
    result
        What was measured.
    path
        Where to write it; its suffix, .svg or .png, decides the format.

    Raises
    ------
    InputError
        Another suffix, or nothing to compare.
    """
    if path.suffix not in _FORMATS:
        raise InputError("a picture named .svg or .png", f"{path.name}", "give it one of these suffixes")
    if len(result.about["arms"]) < 2:
        raise InputError("an arm beside the reference arm", "none", "evaluate predictions that hold several arms")
    buffer = io.BytesIO()
    with styled(outlines=True):
        figure = _drawn(result)
        figure.savefig(buffer, format=path.suffix[1:], dpi=200, facecolor="white", metadata=_FORMATS[path.suffix])
    write_bytes(path, buffer.getvalue())
    return path


def _drawn(result: EvaluationResult) -> Figure:
    rows = arm_rows(result)
    figure = Figure(
        figsize=(11, max(4.2, 1.6 + 1.0 * len(rows))), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    )
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.12, 1))
    left, right = halves
    forests = left.subplots(2, 1, sharex=True)
    panels = right.subplots(2, 1)
    for place, kind in enumerate(SITE_TYPES):
        draw_forest(forests[place], rows, kind)
        forests[place].set_title(f"{kind}s: change in average precision")
        of_kind = result.curves.filter(pl.col("splice_type") == kind)
        draw_curves(panels[place], of_kind, result.about["arms"])
        limits, lowest = informative_region(of_kind)
        panels[place].set(xlim=limits, ylim=(lowest, 1.01), ylabel="precision")
        panels[place].set_title(f"{kind}s: precision and recall")
    forests[0].set_xlabel("")
    panels[0].set_xlabel("")
    handles, labels = panels[0].get_legend_handles_labels()
    right.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=3)
    figure.supxlabel(_footnote(result), fontsize=7.5, color=SOFT, x=0.01, ha="left")
    return figure


def _footnote(result: EvaluationResult) -> str:
    measured = result.about["measured"]
    return (
        f"{measured['bases']:,} bases of {measured['genes']:,} whole held-out genes in {measured['gene_groups']:,} groups; "
        f"{measured['sites']['donor']:,} donors, {measured['sites']['acceptor']:,} acceptors; 95 % intervals from "
        f"{result.about['bootstrap']['draws']:,} paired draws of gene groups; open marks: ranked fold by fold"
    )
