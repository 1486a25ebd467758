"""A dataset for inference is made by the same function as one for training, and says the same of the same bases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.build.run import build
from tests.build.conftest import Passed, pass_over, rows_of

NEAR = 50
"""How far around a site the base pass keeps every base in its window mode."""


def test_B31_rows_for_inference_are_those_for_training_feature_for_feature(passed: Passed, tmp_path: Path) -> None:
    build(reference=passed.reference, output_dir=tmp_path / "training", kmer_sizes=(2,), subset_policy="all")
    training = rows_of(tmp_path / "training")
    genes = training["gene_id"].unique(maintain_order=True).to_list()[2:5]
    build(reference=passed.reference, output_dir=tmp_path / "inference", kmer_sizes=(2,), gene_ids=genes)
    assert rows_of(tmp_path / "inference").equals(training.filter(pl.col("gene_id").is_in(genes)))


def test_B33_in_window_mode_every_base_around_a_site_is_a_row(tmp_path: Path) -> None:
    windowed = pass_over(tmp_path, tn_sampling="window")
    build(reference=windowed.reference, output_dir=tmp_path / "dataset", kmer_sizes=())
    genes = {row["gene_id"]: row for row in pl.read_parquet(windowed.reference / "gene_features.parquet").to_dicts()}
    sites = 0
    for (gene_id,), rows in rows_of(tmp_path / "dataset").group_by("gene_id"):
        held = set(rows["position"])
        gene = genes[str(gene_id)]
        own = rows.filter(pl.col("transcript_id").is_not_null())["position"]
        sites += own.len()
        for site in own:
            around = np.arange(max(gene["start"], site - NEAR), min(gene["end"], site + NEAR) + 1)
            assert held.issuperset(around.tolist()), (gene_id, site)
    assert sites > 20
