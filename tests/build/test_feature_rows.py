"""Rows F1 to F18 of the feature matrix: what every row of a dataset says, on the tiny genome."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build.run import build
from meta_spliceai.reference.load import load
from meta_spliceai.schema.features import REACH
from tests.build.conftest import Passed, pass_over, rows_of
from tests.oracles.build_oracles import count_kmers_slowly, window_of
from tests.toys.tiny_genome import GENES, tiny_sequences

KMERS = (1, 2, 3)


@pytest.fixture(scope="module")
def dataset(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, kmer_sizes=KMERS)
    return folder


@pytest.fixture(scope="module")
def rows(dataset: Path) -> pl.DataFrame:
    return rows_of(dataset)


def window(row: dict[str, Any]) -> str:
    """The sequence window of a row, read on its strand."""
    text = window_of(tiny_sequences()[row["chrom"]], row["position"], row["strand"], 250, 249)
    return "".join(base if base in "ACGT" else "N" for base in text)


def test_F1_kmers_of_several_sizes_are_counted(rows: pl.DataFrame) -> None:
    names = [name for name in rows.columns if "mer_" in name]
    assert len(names) == sum(4**k for k in KMERS)
    for row in rows.sample(20, seed=2).iter_rows(named=True):
        expected = {name: n for k in KMERS for name, n in count_kmers_slowly(window(row), k).items()}
        assert {name: row[name] for name in names if row[name]} == expected


def test_F2_every_row_has_its_sequence_context(rows: pl.DataFrame, passed: Passed) -> None:
    for row in rows.sample(20, seed=3).iter_rows(named=True):
        text = window(row)
        known = len(text) - text.count("N")
        assert row["sequence_length"] == known
        assert row["gc_content"] == pytest.approx((text.count("G") + text.count("C")) / max(known, 1))
    assert {"window_start", "window_end"} <= set(open_artifacts(passed.eval_dir).table.names)


def test_F3_sequence_is_read_on_the_strand_of_the_gene(rows: pl.DataFrame) -> None:
    usual = [gene.gene_id for gene in GENES if not gene.motifs]
    for strand in "+-":
        own = rows.filter(
            (pl.col("strand") == strand) & pl.col("gene_id").is_in(usual) & (pl.col("sequence_length") > 400)
        )
        assert own.filter("is_donor")["donor_motif_gt"].mean() > 0.95
        assert own.filter("is_acceptor")["acceptor_motif_ag"].mean() > 0.95


@pytest.mark.rows("F16")
def test_F4_positions_are_genomic_and_1_based(rows: pl.DataFrame) -> None:
    for gene in GENES:
        own = rows.filter(pl.col("gene_id") == gene.gene_id)
        assert own["position"].is_between(gene.start, gene.end).all()
        assert set(own["chrom"]) <= {gene.chrom}
        assert set(own["strand"]) <= {gene.strand}
        assert set(own["gene_length"]) <= {gene.end - gene.start + 1}
        last_bases = {
            (left[1] if gene.strand == "+" else right[0])
            for exons in gene.transcripts.values()
            for left, right in pairwise(exons)
            if right[0] - left[1] > 20
        }
        assert last_bases <= set(own.filter("is_donor")["position"])


def test_F5_label_and_call_are_there_and_agree(rows: pl.DataFrame) -> None:
    is_site = pl.col("splice_type") != "neither"
    assert rows.filter(is_site)["pred_type"].is_in(["TP", "FN"]).all()
    assert rows.filter(~is_site)["pred_type"].is_in(["FP", "TN"]).all()
    assert set(rows["splice_type"]) == {"donor", "acceptor", "neither"}


def test_F6_performance_says_what_the_base_model_makes_of_a_base_and_its_neighbours(
    rows: pl.DataFrame, passed: Passed
) -> None:
    artifacts = open_artifacts(passed.eval_dir)
    for row in rows.sample(20, seed=4).iter_rows(named=True):
        at = row["position"] - 1
        scores = artifacts.scores(row["chrom"], row["strand"], at - 1, at + 2)
        before, own, after = scores.donor[:: 1 if row["strand"] == "+" else -1].tolist()
        assert row["donor_score"] == own
        assert row["donor_diff_m1"] == pytest.approx(own - before, abs=1e-7)
        assert row["donor_diff_p1"] == pytest.approx(own - after, abs=1e-7)


def test_F7_what_is_known_of_a_gene_is_known_of_its_negatives_too(rows: pl.DataFrame) -> None:
    names = ["gene_length", "gene_is_protein_coding", "num_overlaps", "gene_relative_position"]
    assert rows.filter(pl.col("splice_type") == "neither").select(names).null_count().row(0) == (0, 0, 0, 0)


def test_F8_overlapping_genes_are_counted_once(rows: pl.DataFrame) -> None:
    for gene in GENES:
        others = [
            o for o in GENES if o is not gene and o.chrom == gene.chrom and o.start <= gene.end and gene.start <= o.end
        ]
        assert set(rows.filter(pl.col("gene_id") == gene.gene_id)["num_overlaps"]) <= {len(others)}
    assert rows["num_overlaps"].max() == 1


def test_F10_gene_types_are_never_missing(rows: pl.DataFrame) -> None:
    known = {gene.gene_id: gene.gene_type for gene in GENES}
    assert rows["gene_type"].null_count() == 0
    assert (rows["gene_type"] == rows["gene_id"].replace_strict(known)).all()


def test_F11_structure_is_that_of_the_gene_for_every_row_and_none_is_made_up(
    rows: pl.DataFrame, passed: Passed
) -> None:
    names = ["num_transcripts", "num_exons", "transcript_length", "total_exon_length", "total_intron_length"]
    genes = load(passed.reference).genes.select("gene_id", *(pl.col(name).cast(pl.Float32) for name in names))
    joined = rows.select("gene_id", *names).join(genes, on="gene_id", how="left", maintain_order="left")
    for name in names:
        assert joined[name].equals(joined[f"{name}_right"].rename(name))
    assert "missing_transcript_feats" not in rows.columns


@pytest.mark.rows("F13")
def test_F12_splice_sites_are_distinct_positions_and_their_density_is_in_every_row(rows: pl.DataFrame) -> None:
    for gene in GENES:
        edges = [
            (left[1], right[0])
            for exons in gene.transcripts.values()
            for left, right in pairwise(exons)
            if right[0] - left[1] > 20
        ]
        donors, acceptors = ({edge[side] for edge in edges} for side in (0, 1))
        own = rows.filter(pl.col("gene_id") == gene.gene_id)
        if gene.gene_name != "ONEBASE":
            assert set(own["n_splice_sites"]) <= {len(donors) + len(acceptors)}
        density = 1_000 * own["n_splice_sites"] / (gene.end - gene.start + 1)
        np.testing.assert_allclose(own["splice_density_per_kb"].to_numpy(), density.to_numpy(), rtol=1e-6)


@pytest.mark.rows("F17")
def test_F14_scores_and_their_certainty_are_in_every_row(rows: pl.DataFrame) -> None:
    d, a, n = (rows[f"{name}_score"].cast(pl.Float64).to_numpy() for name in ("donor", "acceptor", "neither"))
    entropy = -sum(p * np.log(p + 1e-10) for p in (d, a, n))
    np.testing.assert_allclose(rows["probability_entropy"].to_numpy(), entropy, atol=1e-5)
    for name in ("spread", "splice_neither_diff", "donor_acceptor_diff", "score_difference_ratio"):
        assert rows[name].null_count() == 0


def test_F15_the_distance_to_the_nearest_donor_is_to_predicted_ones(rows: pl.DataFrame, passed: Passed) -> None:
    artifacts = open_artifacts(passed.eval_dir)
    for row in rows.filter(pl.col("gene_id") == "TG03.1").sample(10, seed=5).iter_rows(named=True):
        at = row["position"] - 1
        scores = artifacts.scores(row["chrom"], row["strand"], at - REACH, at + REACH + 1)
        hits = np.flatnonzero(scores.donor >= 0.5) - REACH
        nearest = min([*np.abs(hits[hits != 0]).tolist(), REACH])
        assert row["distance_to_nearest_donor"] == nearest


def test_F18_rows_can_follow_transcripts_and_features_do_not_change(
    tmp_path_factory: pytest.TempPathFactory, rows: pl.DataFrame
) -> None:
    passed = pass_over(tmp_path_factory.mktemp("modes"), position_id_mode="splice_aware")
    folder = tmp_path_factory.mktemp("dataset")
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, kmer_sizes=KMERS)
    aware = rows_of(folder)
    doubled = aware.filter(pl.col("unit_rows") > 1)
    assert doubled.height > 0
    assert doubled.select("gene_id", "position", "transcript_id", "splice_type").is_unique().all()
    shared = ["gene_id", "position", "donor_surge_ratio", "gc_content", "3mer_GTA", "num_exons"]
    sites = rows.filter(pl.col("sampling_tier") == "site").select(shared)
    assert (
        aware.filter(pl.col("sampling_tier") == "site")
        .select(shared)
        .unique()
        .sort(shared)
        .equals(sites.unique().sort(shared))
    )
