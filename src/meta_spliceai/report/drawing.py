"""The look of every picture, and how a figure becomes SVG that is the same for the same numbers.

In a page the colours of text, axes and grid follow the page's light or dark theme: they are drawn in stand-in colours that
are replaced by CSS variables. Data colours are chosen to be told apart on both, also by readers who see few colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, LINE, PAPER = "#1f2630", "#5d6773", "#dfe3e8", "#fefefe"
_VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", PAPER: "var(--paper)"}

Arm = Mapping[str, Any]

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.hashsalt": "meta-spliceai",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How an arm is drawn, the same in every picture: colour, dashes, marker and line width."""

    colour: str
    dashes: Any = "-"
    marker: str = "o"
    width: float = 1.5


_LOOKS = {
    "base": Look("#7d8793", width=2.4),
    "recalibrated": Look("#a3abb5", (0, (1, 1.4)), "s", 1.3),
    "base_mean": Look("#b58a00", (0, (5, 1.5)), "v"),
    "best_mean": Look("#7a5c00", (0, (2.5, 1)), "<"),
    "base_scores": Look("#2f86c6", (0, (4, 1.2, 1, 1.2)), "^", 1.4),
    "meta": Look("#d9541e", "-", "o", 1.9),
    "gene_conditioned": Look("#8a63c2", (0, (3, 1.6)), "D", 1.3),
    "annotated": Look("#3f9468", (0, (2, 1.2)), "P", 1.3),
}
_OTHER_LOOKS = (
    Look("#0f9a8f", marker="X"),
    Look("#b8417f", marker="p"),
    Look("#6b7f1e", marker="h"),
    Look("#4a5fb5", marker="*"),
)

BETTER, WORSE, EQUAL = "#2b8a7e", "#c8553d", "#7d8793"
ORIGINS = {
    "base_score": "#2f86c6",
    "sequence": "#3f9468",
    "gene": "#8a63c2",
    "annotation": "#b58a00",
    "external": "#d9541e",
}


def looks_of(arms: Sequence[Arm]) -> dict[str, Look]:
    """The look of each arm by name; arms that are not known get one of the others, in order."""
    unknown = [arm["name"] for arm in arms if arm["name"] not in _LOOKS]
    others = {name: _OTHER_LOOKS[place % len(_OTHER_LOOKS)] for place, name in enumerate(unknown)}
    return {arm["name"]: _LOOKS.get(arm["name"]) or others[arm["name"]] for arm in arms}


@contextmanager
def styled(*, outlines: bool = False) -> Iterator[None]:
    """Draw and save in the common look; with `outlines`, text becomes shapes and needs no font where it is shown."""
    with mpl.rc_context({**_STYLE, "svg.fonttype": "path" if outlines else "none"}):
        yield


def new_figure(width: float, height: float, rows: int = 1, columns: int = 2, **options: Any) -> tuple[Figure, Any]:
    """A figure in inches and its axes, shape (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def typeset(text: str) -> str:
    """Text with real minus signs, as the axes have them."""
    return text.replace("-0.", "\N{MINUS SIGN}0.")


def plain_grid(axis: Axes, which: Any = "both") -> None:
    """A light grid without tick marks."""
    axis.grid(axis=which)
    axis.tick_params(length=0)


def as_svg(figure: Figure) -> str:
    """The figure as an SVG element for a page: no XML head, no ids that could clash, colours that follow the theme."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return text
