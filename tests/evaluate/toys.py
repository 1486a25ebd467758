"""Seeded predictions of made-up genes: a base model, a better arm, and one that knows the gene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

ARMS = [
    {"name": "base", "title": "base model, raw", "profile": "", "note": "as published"},
    {"name": "recalibrated", "title": "base model, recalibrated", "profile": "", "note": "same order"},
    {"name": "base_scores", "title": "model on base scores", "profile": "base_only", "note": "scores only"},
    {"name": "meta", "title": "meta-model", "profile": "de_novo", "note": "boundary-blind"},
    {"name": "gene_conditioned", "title": "gene-conditioned model", "profile": "gene_conditioned", "note": ""},
]
NOISE = {"base": 2.0, "base_scores": 1.9, "meta": 1.0, "gene_conditioned": 0.5}
DTYPES = {"group": pl.Int32, "fold": pl.Int8, "site_class": pl.UInt8}


def frame(groups: int = 24, bases_per_group: int = 2_000, sites: int = 6, seed: int = 0) -> pl.DataFrame:
    """Every group with `sites` donors and acceptors; half the groups code, and half are unseen by the base model."""
    rng = np.random.default_rng(seed)
    n = groups * bases_per_group
    group = np.repeat(np.arange(groups), bases_per_group)
    columns: dict[str, object] = {
        "chrom": np.where(group % 2 == 0, "chr1", "chr2"),
        "strand": np.where(group % 4 < 2, "+", "-"),
        "position": np.arange(1, n + 1),
        "group": group,
        "fold": group % 4,
    }
    signal = {}
    for kind in ("donor", "acceptor"):
        truth = np.zeros((groups, bases_per_group), dtype=bool)
        for row in truth:
            row[rng.choice(bases_per_group, sites, replace=False)] = True
        columns[f"is_{kind}"] = truth.ravel()
        signal[kind] = rng.normal(-7, 2, n) + 9 * truth.ravel()
    columns |= {
        "is_coding": group < groups // 2,
        "base_unseen": group % 2 == 0,
        "site_class": np.where(columns["is_donor"] | columns["is_acceptor"], 1 + np.arange(n) % 2, 0),
    }
    for kind in ("donor", "acceptor"):
        for arm, width in NOISE.items():
            columns[f"{arm}_{kind}"] = 1 / (1 + np.exp(-(signal[kind] + rng.normal(0, width, n))))
        columns[f"recalibrated_{kind}"] = columns[f"base_{kind}"] ** 1.5
    floats = {f"{arm['name']}_{kind}": pl.Float32 for arm in ARMS for kind in ("donor", "acceptor")}
    return pl.DataFrame(columns).with_columns(pl.col(name).cast(dtype) for name, dtype in {**DTYPES, **floats}.items())


def about(table: pl.DataFrame) -> dict[str, object]:
    """What predictions.json says about a table."""
    return {
        "arms": ARMS,
        "reference arm": "base",
        "groups": [
            {"group": g, "gene_ids": [f"G{g}"], "gene_names": [f"gene{g}"]} for g in table["group"].unique().sort().to_list()
        ],
        "base_model": {"name": "toy", "training_build": "none", "training_chromosomes": ["2"], "licence": "none"},
        "dataset": {"rows": 1},
        "seed": 7,
        "skipped_arms": [{"name": "base_mean", "reason": "there is one base model"}],
    }  # fmt: skip


def write(folder: Path, table: pl.DataFrame, parts: int = 3, **changed: object) -> Path:
    """Write a predictions folder; `changed` replaces entries of predictions.json."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-table.height // parts)
    for place in range(parts):
        table.slice(place * size, size).write_parquet(folder / f"part_{place + 1:05d}.parquet")
    (folder / "predictions.json").write_text(json.dumps({**about(table), **changed}))
    return folder
