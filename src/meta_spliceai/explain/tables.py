"""The tables of an explanation, column by column."""

from __future__ import annotations

import polars as pl

from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import ORIGINS, Column, Table

KINDS = ("feature", "family", "origin")

_KIND = Column("splice_type", pl.String, "key", "label", "donor or acceptor", choices=SITE_TYPES)
_FEATURE = Column("feature", pl.String, "key", "label", "name of the feature")
_ORIGIN = Column("origin", pl.String, "text", "label", "where its information comes from", choices=ORIGINS)
_FAMILY = Column("family", pl.String, "text", "label", "the enricher or further base model that adds it")


def _number(name: str, meaning: str) -> Column:
    return Column(name, pl.Float64, "call", "label", meaning, nullable=True)


def _count(name: str, meaning: str) -> Column:
    return Column(name, pl.Int64, "call", "label", meaning, low=0)


IMPORTANCE_TABLE = Table(
    "importance",
    1,
    "what the models gain from each feature, the largest first",
    (
        _FEATURE,
        Column("role", pl.String, "text", "label", "role of the column"),
        _ORIGIN,
        _FAMILY,
        *(_number(f"{kind}_gain", f"share of what the {kind} models gain from all features") for kind in SITE_TYPES),
        _count("rank", "by the sum of both shares, from 1"),
    ),
)

PERMUTATION_TABLE = Table(
    "permutation",
    1,
    "what average precision on held-out rows loses when the values of features are exchanged between gene groups",
    (
        _KIND,
        Column("kind", pl.String, "key", "label", "what is exchanged together", choices=KINDS),
        Column("name", pl.String, "key", "label", "of the feature, family or origin"),
        Column("origin", pl.String, "text", "label", "of the feature, or of the family's first one", choices=ORIGINS),
        _count("features", "how many features are exchanged together"),
        _number("average_precision", "before, weighted by inverse inclusion probability; null without a true site"),
        _number("drop_mean", "average precision before minus that after, mean over the repeats"),
        _number("drop_sd", "its standard deviation over the repeats"),
        _count("repeats", "number of exchanges"),
    ),
)

SHAP_TABLE = Table(
    "shap_summary",
    1,
    "how much each feature moves the logits of held-out bases that reach the gate, the largest first",
    (
        _KIND,
        _FEATURE,
        _ORIGIN,
        _FAMILY,
        _number("mean_abs", "mean |contribution| over bases: rows count as the bases they stand for"),
        _number("mean_abs_sites", "mean |contribution| over true sites; null where the sample has none"),
        _number("mean", "mean contribution over bases"),
        _count("rows", "rows of the sample"),
    ),
)

ABLATION_TABLE = Table(
    "ablation",
    1,
    "what families of features add, on whole held-out genes; the whole model first, then by what is lost",
    (
        _KIND,
        Column("arm", pl.String, "key", "label", "name of the arm"),
        Column("change", pl.String, "text", "label", "what it reads", choices=("whole", "without", "only")),
        Column("of", pl.String, "text", "label", "the family, or all_ and the origin; empty for the whole model"),
        _number("average_precision", "of the ranking of all bases"),
        _number("to_full", "average precision minus that of the whole model"),
        _number("to_full_low", "lower end of its 95 % interval, paired"),
        _number("to_full_high", "upper end"),
        _number("to_base", "average precision minus that of the base model"),
        _number("to_base_low", "lower end of its 95 % interval, paired"),
        _number("to_base_high", "upper end"),
    ),
)
