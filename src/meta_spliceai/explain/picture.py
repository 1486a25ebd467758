"""One picture of what a model looks at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report.drawing import EQUAL, INK, ORIGINS, SOFT, plain_grid, styled
from meta_spliceai.store.atomic import write_bytes

FEATURES_SHOWN = 12
_SOURCES = {
    "base_score": "scores of base models",
    "sequence": "sequence",
    "gene": "the annotated gene",
    "annotation": "counts of the annotation",
    "external": "evidence",
}


def importance_picture(
    path: Path, *, families: pl.DataFrame, features: pl.DataFrame, measure: str, footnote: str
) -> None:
    """Draw for each site type what ranking loses without each family, and the features that say most.

    Parameters
    ----------
    path
        An .svg file.
    families
        splice_type, name, origin, drop_mean, drop_sd.
    features
        splice_type, feature, origin, value.
    measure
        What `value` is.
    footnote
        What was looked at.
    """
    buffer = io.BytesIO()
    with styled(outlines=True):
        count = families["name"].n_unique()
        height = 1.8 + 2 * (0.6 + 0.2 * max(count, min(FEATURES_SHOWN, features["feature"].n_unique())))
        figure = Figure(figsize=(11, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        axes: Any = figure.subplots(2, 2, squeeze=False)
        for place, kind in enumerate(SITE_TYPES):
            of_kind = families.filter(splice_type=kind).sort("drop_mean", "name")
            _bars(axes[place, 0], of_kind["name"], of_kind["drop_mean"], of_kind["origin"], of_kind["drop_sd"])
            axes[place, 0].set_title(f"{kind}s: average precision lost without a family")
            best = features.filter(splice_type=kind).sort("value", "feature", descending=[True, False])
            shown = best.head(FEATURES_SHOWN).reverse()
            _bars(axes[place, 1], shown["feature"], shown["value"], shown["origin"])
            axes[place, 1].set_title(f"{kind}s: the features that say most")
        axes[1, 0].set_xlabel("loss when the values are exchanged between gene groups (mean ± sd)")
        axes[1, 1].set_xlabel(measure)
        held = [origin for origin in _SOURCES if origin in set(features["origin"]) | set(families["origin"])]
        patches = [Patch(color=ORIGINS[origin], label=_SOURCES[origin]) for origin in held]
        figure.legend(handles=patches, loc="outside upper left", ncols=len(patches), title_fontsize=8)
        figure.supxlabel(footnote, fontsize=7.5, color=SOFT, x=0.01, ha="left")
        figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    write_bytes(path, buffer.getvalue())


def _bars(
    axis: Axes, names: pl.Series, values: pl.Series, origins: pl.Series, deviations: pl.Series | None = None
) -> None:
    colours = [ORIGINS.get(origin, EQUAL) for origin in origins]
    errors = None if deviations is None else deviations.fill_null(0.0).to_numpy()
    axis.barh(
        range(names.len()), values.to_numpy(), color=colours, height=0.68, xerr=errors,
        error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
    )  # fmt: skip
    axis.set_yticks(range(names.len()), names.to_list())
    axis.axvline(0, color=SOFT, linewidth=0.8)
    axis.margins(y=0.02)
    plain_grid(axis, "x")
