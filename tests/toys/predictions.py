"""Seeded predictions of made-up genes: a base model, a better arm, and one that only looks better in one gene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

ARMS = [
    {"name": "base", "title": "Base model, raw", "profile": "base", "note": "as published"},
    {"name": "meta", "title": "Meta-model", "profile": "de_novo", "note": "boundary-blind"},
    {"name": "gene_conditioned", "title": "Gene-conditioned", "profile": "gene_conditioned", "note": "knows the gene"},
]


def frame(groups: int = 24, bases_per_group: int = 2_000, sites: int = 6, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    n = groups * bases_per_group
    group = np.repeat(np.arange(groups), bases_per_group)
    columns: dict[str, object] = {
        "chrom": np.full(n, "chr1"),
        "strand": np.where(group % 2 == 0, "+", "-"),
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
        "base_unseen": np.ones(n, dtype=bool),
        "site_class": np.where(columns["is_donor"], 1, np.where(columns["is_acceptor"], 2, 0)),
    }
    noise = {"base": 2.0, "meta": 1.0, "gene_conditioned": 0.5}
    for arm, width in noise.items():
        for kind in ("donor", "acceptor"):
            columns[f"{arm}_{kind}"] = 1 / (1 + np.exp(-(signal[kind] + rng.normal(0, width, n))))
    dtypes = {
        "group": pl.Int32, "fold": pl.Int8, "site_class": pl.UInt8,
        **{f"{arm}_{kind}": pl.Float32 for arm in noise for kind in ("donor", "acceptor")},
    }  # fmt: skip
    return pl.DataFrame(columns).with_columns(pl.col(name).cast(dtype) for name, dtype in dtypes.items())


def write(folder: Path, table: pl.DataFrame, parts: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-table.height // parts)
    for place in range(parts):
        table.slice(place * size, size).write_parquet(folder / f"part_{place + 1:05d}.parquet")
    groups = [
        {"group": g, "gene_ids": [f"G{g}"], "gene_names": [f"gene{g}"]}
        for g in table["group"].unique().sort().to_list()
    ]
    about = {
        "arms": ARMS, "reference_arm": "base", "groups": groups, "seed": 42, "skipped_arms": [],
        "base_model": {"name": "toy", "training_build": "none", "licence": "none"}, "dataset": {"rows": 1},
    }  # fmt: skip
    (folder / "predictions.json").write_text(json.dumps(about))
    return folder
