"""What is said about a trained correction: how important its features are, and its card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from meta_spliceai.schema.column import Column
from meta_spliceai.store.folder import software_versions
from meta_spliceai.train.held_out import MEASURED, NOTE
from meta_spliceai.train.trained import TrainedCorrection


def importance(model: TrainedCorrection, columns: Iterable[Column]) -> pl.DataFrame:
    """feature, role, origin, `{channel}_gain` (shares of what all features gain) and rank, best first.

    Roles and origins are those of the declared `columns`.
    """
    declared = {column.name: column for column in columns}
    gains = {}
    for channel, one in model.corrections.items():
        gain = one.model.gains(len(model.features))
        gains[f"{channel}_gain"] = gain / gain.sum() if gain.any() else gain
    frame = pl.DataFrame(
        {
            "feature": model.features,
            "role": [declared[name].role if name in declared else "feature" for name in model.features],
            "origin": [declared[name].origin if name in declared else "" for name in model.features],
            **gains,
        }
    )
    total = pl.sum_horizontal(list(gains))
    return frame.with_columns(rank=total.rank("ordinal", descending=True).cast(pl.Int64)).sort("rank")


def card(model: TrainedCorrection, target: str, metrics: Mapping[str, Any]) -> str:
    """The model card: what it learnt from and what it is worth, in Markdown."""
    lines = [
        "# Trained correction",
        "",
        "| | |",
        "|---|---|",
        f"| learner | `{json.dumps(dict(model.learner))}` |",
        f"| target | {target} |",
        f"| features | {len(model.features)} |",
        *(
            f"| share of the {c} correction that is applied | {one.shrinkage:.2f} |"
            for c, one in model.corrections.items()
        ),
        *(f"| {name} | {version} |" for name, version in software_versions().items()),
        "",
        "## What it is worth",
        "",
        NOTE + ".",
        "",
        "```json",
        json.dumps({side: metrics[side] for side in MEASURED if side in metrics}, indent=2),
        "```",
        "",
    ]
    return "\n".join(lines)
