"""Estimates from sampled rows beside whole genes: weighted they agree, unweighted they tell another story."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from meta_spliceai.basepass.bases import forget_loaded_models
from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.build.run import build
from meta_spliceai.crossval.run import cv
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare


def _agrees(run: Path, arms: tuple[str, ...]) -> None:
    rows = pl.read_parquet(run / "predictions" / "rows.parquet")
    pooled = pl.read_csv(run / "pooled.tsv", separator="\t").filter(pl.col("arm").is_in(arms))
    assert pooled.height == 2 * len(arms)
    for row in pooled.iter_rows(named=True):
        kind, arm = row["splice_type"], row["arm"]
        error, whole = row["sampled_average_precision_standard_error"], row["average_precision"]
        assert 0 < error < 0.05, "an estimate that is sure of nothing would agree with everything"
        assert abs(row["sampled_average_precision"] - whole) < 4 * error, (arm, kind)
        unweighted = average_precision_score(rows["splice_type"] == kind, rows[f"{arm}_{kind}"])
        assert abs(unweighted - whole) > 5 * error, (arm, kind)


def test_weighted_estimates_of_the_tiny_genome_agree_with_whole_genes_and_unweighted_ones_do_not(crossed: Path) -> None:
    _agrees(crossed, ("base", "base_scores", "meta"))


@pytest.mark.real_data
def test_weighted_estimates_of_real_genes_agree_with_whole_genes_and_unweighted_ones_do_not(
    shared: Path, tmp_path: Path
) -> None:
    """11 genes of chr16 by OpenSpliceAI with a context of 80 bases, which sees too little to be sure of anything."""
    reference = tmp_path / "reference"
    prepare(
        fasta=shared / "GRCh38" / "genome.fa.gz", gtf=shared / "GRCh38" / "annotation.gtf.gz", build="GRCh38", out=reference
    )  # fmt: skip
    forget_loaded_models()
    weights = shared / "weights" / "openspliceai-mane" / "80nt"
    where = {"reference": reference, "eval_dir": tmp_path / "artifacts"}
    run_base_pass(**where, base=["openspliceai_80nt"], weights=weights, chromosomes=["chr16"], threads=2)
    genes = load(reference).genes.filter(pl.col("chrom") == "chr16")["gene_id"].to_list()
    build(**where, output_dir=tmp_path / "dataset", gene_ids=genes, kmer_sizes=(1,))
    cv(
        **where, dataset=tmp_path / "dataset", out_dir=tmp_path / "cv", arms=("base_scores",), feature_profile="base_only",
        folds=2, draws=20, model='{"rounds": 20}', threads=2,
    )  # fmt: skip
    _agrees(tmp_path / "cv", ("base", "base_scores"))
