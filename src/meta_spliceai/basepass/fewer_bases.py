"""Candidate rows as if positions had been made with fewer base models: other columns, and means over fewer."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from meta_spliceai.schema.features import CHANNELS, FurtherBase, logits_of_bases, mean_logit_features

MEANS = tuple(column.name for column in mean_logit_features([FurtherBase("any", CHANNELS)]))
"""The columns that depend on all base models."""


def columns_behind(columns: Sequence[str], further: Sequence[FurtherBase]) -> list[str]:
    """The stored columns that `columns` are made from, where `further` are the further base models that count."""
    kept = [name for name in columns if name not in MEANS]
    logits = [name for names in logits_of_bases(further).values() for name in names]
    return kept if len(kept) == len(columns) else [*kept, *(name for name in logits if name not in kept)]


def with_own_means(rows: pl.DataFrame, columns: Sequence[str], further: Sequence[FurtherBase]) -> pl.DataFrame:
    """The wanted columns of stored rows, means taken over the first base model and `further`.

    They are means of float32 logits, while those of a pass with just these models are of the float64 logits of its scores:
    they agree to the last digit or two.
    """
    means = {f"mean_{channel}_logit": _mean(channel, further) for channel in CHANNELS}
    return rows.with_columns(**{name: mean for name, mean in means.items() if name in columns}).select(columns)


def _mean(channel: str, further: Sequence[FurtherBase]) -> pl.Expr:
    of_bases = (
        pl.mean_horizontal(pl.col(name).cast(pl.Float64) for name in names if name.endswith(f"{channel}_logit"))
        for names in logits_of_bases(further).values()
    )
    return pl.mean_horizontal(of_bases).cast(pl.Float32)
