"""Bases per second of an evaluation of all arms, beside sorting the same columns once with numpy.

python bench/evaluation.py [bases, default 4,000,000] [folder to keep the made-up predictions and the evaluation in]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.evaluate.predictions import open_predictions
from meta_spliceai.evaluate.run import evaluate, main_table
from meta_spliceai.genome.labels import SITE_TYPES

BASES, BASES_PER_GROUP, FOLDS = 4_000_000, 25_000, 5
SITES_PER_BASE = 1 / 1_500
ARMS = {
    "base": ("base model, raw", ""),
    "recalibrated": ("base model, recalibrated", ""),
    "base_scores": ("model on base scores", "base_only"),
    "meta": ("meta-model", "de_novo"),
    "gene_conditioned": ("gene-conditioned model", "gene_conditioned"),
}
KNOWS = {"base_scores": 0.35, "meta": 0.7, "gene_conditioned": 1.3}
"""How far, in logits, an arm moves hard sites up and decoys down."""


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def site_scores(rng: np.random.Generator, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities by arm: most bases near zero, a few decoys, and sites of which one in four is hard."""
    n = truth.size
    logit = rng.normal(-12.5, 2.2, n)
    decoy, hard = (rng.random(n) < 2e-4) & ~truth, truth & (rng.random(n) < 0.27)
    logit[decoy] = rng.normal(-2.0, 2.3, int(decoy.sum()))
    logit[truth] = rng.normal(4.0, 1.8, int(truth.sum()))
    logit[hard] = rng.normal(-4.0, 2.6, int(hard.sum()))
    logit = logit.astype(np.float32)
    columns = {"base": sigmoid(logit), "recalibrated": sigmoid(0.82 * logit - 0.25)}
    for arm, shift in KNOWS.items():
        moved = 0.85 * logit - 0.2 + shift * (hard.astype(np.float32) - decoy)
        columns[arm] = sigmoid(moved + rng.normal(0, 0.35, n).astype(np.float32))
    return columns


def part(rng: np.random.Generator, fold: int, groups: list[int]) -> pl.DataFrame:
    """The bases of the groups of one fold."""
    n = len(groups) * BASES_PER_GROUP
    group = np.repeat(np.array(groups, np.int32), BASES_PER_GROUP)
    kind = rng.random(n)
    truth = {"donor": kind < SITES_PER_BASE, "acceptor": kind > 1 - SITES_PER_BASE}
    canonical = rng.random(n) < 0.6
    columns = {
        "chrom": np.full(n, f"chr{fold + 1}"),
        "strand": np.where(group % 2 == 0, "+", "-"),
        "position": np.arange(1, n + 1),
        "group": group,
        "fold": np.full(n, fold, np.int8),
        **{f"is_{name}": flags for name, flags in truth.items()},
        "is_coding": group % 3 > 0,
        "base_unseen": np.full(n, fold % 2 == 0),
        "site_class": np.where(kind < SITES_PER_BASE, np.where(canonical, 1, 2), 0).astype(np.uint8)
        + np.where(kind > 1 - SITES_PER_BASE, np.where(canonical, 1, 2), 0).astype(np.uint8),
    }
    for name, flags in truth.items():
        columns |= {f"{arm}_{name}": values for arm, values in site_scores(rng, flags).items()}
    order = ["is_donor", "is_acceptor"]
    return pl.DataFrame(columns).with_columns(pl.col(order).cast(pl.Boolean))


def write_predictions(folder: Path, bases: int, seed: int = 0) -> None:
    """A predictions folder of about `bases` bases."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    groups = max(FOLDS, bases // BASES_PER_GROUP)
    for fold in range(FOLDS):
        part(rng, fold, list(range(fold, groups, FOLDS))).write_parquet(folder / f"part_{fold + 1:05d}.parquet")
    about = {
        "arms": [{"name": n, "title": t, "profile": p, "note": ""} for n, (t, p) in ARMS.items()],
        "reference arm": "base",
        "groups": [{"group": g, "gene_ids": [f"G{g}"], "gene_names": [f"GENE{g}"]} for g in range(groups)],
        "base_model": {"name": "made up"},
        "dataset": {},
        "seed": seed,
        "skipped_arms": [],
    }
    (folder / "predictions.json").write_text(json.dumps(about))


def seconds_to_sort(folder: Path) -> float:
    """Time of sorting every probability column once, reading not counted."""
    table, seconds = open_predictions(folder), 0.0
    for arm in table.arms:
        for kind in SITE_TYPES:
            values = table.scores(arm.name, kind)
            start = time.perf_counter()
            values.sort()
            seconds += time.perf_counter() - start
    return seconds


def main(bases: int, folder: Path) -> None:
    predictions = folder / "predictions"
    write_predictions(predictions, bases)
    rows = open_predictions(predictions).bases
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    result = evaluate(predictions=predictions, out_dir=folder / "evaluation")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sorting = seconds_to_sort(predictions)
    print(main_table(result))
    print(
        f"\n{rows:,} bases, {len(ARMS)} arms, 2 site types, 1,000 draws: {seconds:.1f} s, {rows / seconds:,.0f} bases/s, "
        f"{seconds / sorting:.1f} x sorting the same columns ({sorting:.1f} s); peak memory {peak:,.0f} MB "
        f"({before:,.0f} MB before it began)"
    )


if __name__ == "__main__":
    wanted = int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else BASES
    if len(sys.argv) > 2:
        main(wanted, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as kept:
            main(wanted, Path(kept))
