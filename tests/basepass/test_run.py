import json
import os
import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import polars as pl
import polars.testing
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import (
    BusyError,
    GeneError,
    InputError,
    ModelError,
    PlanMismatchError,
    StoreError,
)
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sequences import reverse_complement
from meta_spliceai.reference.load import load
from meta_spliceai.reference.truth import Truth
from meta_spliceai.schema.features import REACH
from tests.toys.tiny_genome import GENES
from tests.toys.toy_base_model import ToyBaseModel

ROOT = Path(__file__).resolve().parents[2]
FEW = [GENES[0].gene_id, GENES[3].gene_id, GENES[6].gene_id]


def _tables(eval_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((eval_dir / "meta_models").glob("*.parquet"))}


@pytest.mark.rows("W6")
def test_scores_of_any_interval_are_those_of_the_model_on_both_strands(passed, reference):
    loaded, artifacts, model = load(reference), open_artifacts(passed), ToyBaseModel()
    with loaded.open_genome() as genome:
        for gene in loaded.genes.iter_rows(named=True):
            start, end = gene["start"] - 1, gene["end"]
            codes = genome.codes(gene["chrom"], start - 10, end + 10)
            direct = model.score(codes if gene["strand"] == "+" else reverse_complement(codes)).donor
            direct = direct if gene["strand"] == "+" else direct[::-1]
            stored = artifacts.scores(gene["chrom"], gene["strand"], start, end).donor
            assert np.abs(stored - direct).max() <= 5e-7, gene["gene_id"]


def test_every_true_site_is_a_row_with_its_label(passed, reference):
    loaded = load(reference)
    rows = open_artifacts(passed).candidates(loaded.genes["gene_id"].to_list())
    sites = loaded.splice_sites().select("chrom", "strand", "position", "splice_type", "gene_id").unique()
    found = sites.join(rows, on=["chrom", "strand", "position", "gene_id"], how="left")
    assert found["inclusion_probability"].null_count() == 0
    flags = found.select(pl.when(pl.col("splice_type") == "donor").then("is_donor").otherwise("is_acceptor"))
    assert flags.to_series().all()


def test_a_site_of_another_gene_on_the_strand_is_true_in_this_genes_rows_too(passed, reference):
    loaded = load(reference)
    rows = open_artifacts(passed).candidates(loaded.genes["gene_id"].to_list())
    shared = rows.group_by("chrom", "strand", "position").agg(
        pl.col("gene_id").n_unique(), pl.col("is_donor").n_unique()
    )
    assert shared.filter(pl.col("gene_id") > 1).height > 0
    assert (shared["is_donor"] == 1).all()


def test_an_overlapping_stretch_is_stored_once(passed):
    for path in (passed / "meta_models").glob("scores_*.parquet"):
        frame = pl.read_parquet(path)
        assert frame.select("strand", "position").is_duplicated().sum() == 0


@pytest.mark.rows("W20")
def test_performance_is_counted_over_every_base_of_the_body(passed, reference):
    genes = load(reference).genes.select("gene_id", "gene_length")
    table = pl.read_csv(passed / "full_splice_performance.tsv", separator="\t").join(genes, on="gene_id")
    assert table.height == 2 * genes.height
    assert (table.select(pl.sum_horizontal("TP", "FP", "FN", "TN")).to_series() == table["gene_length"]).all()


@pytest.mark.rows("W11")
def test_errors_list_every_false_call_and_every_miss(passed):
    errors = pl.read_parquet(passed / "meta_models" / "full_splice_errors.parquet")
    table = pl.read_csv(passed / "full_splice_performance.tsv", separator="\t")
    for kind in ("FP", "FN"):
        assert (errors["error_type"] == kind).sum() == table[kind].sum()


@pytest.mark.rows("W5", "W10")
def test_asking_for_more_genes_adds_them_and_scores_only_what_is_new(reference, tmp_path, passed):
    first = run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW, tn_rate=0.3)
    fingerprint = open_artifacts(tmp_path).fingerprint
    more = run(reference=reference, base=["toy"], eval_dir=tmp_path, tn_rate=0.3)
    whole = sum(
        path_rows
        for path_rows in (pl.read_parquet(p).height for p in (passed / "meta_models").glob("scores_*.parquet"))
    )
    assert first.genes == 3
    assert open_artifacts(tmp_path).fingerprint == fingerprint, "what is known of a gene depends on no other gene"
    assert first.bases_scored + more.bases_scored == whole
    assert _tables(tmp_path) == _tables(passed)


def test_running_again_scores_nothing_and_changes_nothing(reference, passed):
    before = _tables(passed)
    again = run(reference=reference, base=["toy"], eval_dir=passed, tn_rate=0.3)
    assert again.bases_scored == 0
    assert _tables(passed) == before


@pytest.mark.rows("W8")
def test_chunk_size_changes_files_but_no_row(reference, passed, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, tn_rate=0.3, chunk_size=3)
    ids = load(reference).genes["gene_id"].to_list()
    polars.testing.assert_frame_equal(open_artifacts(tmp_path).candidates(ids), open_artifacts(passed).candidates(ids))
    names = {path.name for path in (tmp_path / "meta_models").glob("analysis_sequences_*")}
    assert any(name.endswith("_chunk_1_3.parquet") for name in names)
    assert any(name.endswith("_chunk_4_6.parquet") for name in names)


def test_other_parameters_are_refused_with_the_differences_then_scores_are_kept(reference, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW)
    with pytest.raises(PlanMismatchError, match=r"positions\.rule\.threshold: on disk 0\.5, now 0\.4"):
        run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW, threshold=0.4)
    again = run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW, threshold=0.4, overwrite=True)
    assert again.bases_scored == 0


def test_a_damaged_score_file_is_scored_again(reference, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW)
    before = _tables(tmp_path)
    path = next((tmp_path / "meta_models").glob("scores_*.parquet"))
    path.write_bytes(path.read_bytes()[:-50])
    assert run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW).bases_scored > 0
    assert _tables(tmp_path) == before


def test_bases_that_were_not_scored_are_refused_by_name(reference, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW[:1])
    loaded = load(reference)
    far = loaded.genes.filter(pl.col("chrom") != GENES[0].chrom).row(0, named=True)
    artifacts = open_artifacts(tmp_path)
    with pytest.raises(StoreError, match="were not scored"):
        artifacts.scores(far["chrom"], far["strand"], far["start"], far["end"])
    with pytest.raises(GeneError, match=rf"none for {far['gene_id']}"):
        artifacts.candidates([far["gene_id"]])


def test_a_stretch_reaches_beyond_the_contig_as_unknown_bases_with_score_zero(passed, reference):
    loaded = load(reference)
    with loaded.open_genome() as genome:
        gene = next(g for g in loaded.genes.iter_rows(named=True) if g["start"] <= REACH and g["strand"] == "+")
        body = Interval(gene["chrom"], gene["start"] - 1, gene["end"], "+")
        stretch = open_artifacts(passed).stretch(genome, body, REACH)
    outside = REACH - body.start
    assert (stretch.codes[:outside] == 4).all()
    assert (stretch.donor[:outside] == 0).all()


def test_truth_is_what_the_site_table_says(reference):
    sites = load(reference).splice_sites()
    truth = Truth(sites)
    for chrom, strand, position, kind in (
        sites.select("chrom", "strand", "position", "splice_type").unique().iter_rows()
    ):
        is_donor, is_acceptor = truth.on(chrom, strand, position - 2, position + 1)
        assert (is_donor if kind == "donor" else is_acceptor)[1]


class _Broken(ToyBaseModel):
    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def score(self, codes):
        scores = super().score(codes)
        scores.donor[5] = self._value
        return scores


@pytest.mark.parametrize("value", [float("nan"), 1.5])
def test_scores_that_are_no_probabilities_stop_the_pass_and_leave_no_file(reference, tmp_path, monkeypatch, value):
    monkeypatch.setitem(registry._SHIPPED, "broken", lambda **_: _Broken(value))
    with pytest.raises(ModelError, match="donor values between 0 and 1 from base model toy"):
        run(reference=reference, base=["broken"], eval_dir=tmp_path, genes=FEW)
    assert not list((tmp_path / "meta_models").glob("*scores*"))


def test_scores_of_another_length_stop_the_pass(reference, tmp_path, monkeypatch):
    class Short(ToyBaseModel):
        def score(self, codes):
            scores = super().score(codes)
            return Scores.typed(scores.donor[:-1], scores.acceptor[:-1], scores.spread[:-1])

    monkeypatch.setitem(registry._SHIPPED, "short", lambda **_: Short())
    with pytest.raises(ModelError, match="donor values"):
        run(reference=reference, base=["short"], eval_dir=tmp_path, genes=FEW)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"flank": 100}, InputError, "--flank of at least 5000"),
        ({"threshold": 0.0}, InputError, "--threshold above 0"),
        ({"tn_rate": 2.0}, InputError, "--tn-rate above 0 and at most 1"),
        ({"genes": ["NOSUCHGENE"]}, GeneError, "1 unknown: NOSUCHGENE"),
        ({"genes": []}, GeneError, "an empty list"),
        ({"chromosomes": ["chrZ"]}, InputError, "chrZ"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(reference, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        run(reference=reference, base=["toy"], eval_dir=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_two_passes_on_one_folder_do_not_mix(reference, tmp_path):
    (tmp_path / "meta_models").mkdir()
    with filelock.FileLock(tmp_path / "meta_models" / ".lock"), pytest.raises(BusyError, match="another process"):
        run(reference=reference, base=["toy"], eval_dir=tmp_path, genes=FEW)


def _killed(reference: Path, folder: Path, **when: list) -> list[dict]:
    told = {
        "reference": str(reference),
        "options": {"genes": FEW, "chunk_size": 4, "tn_rate": 0.1},
        "folder": str(folder),
        **when,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kill_driver.py"))],
        input=json.dumps(told),
        env={**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_at_every_write_and_resumed_it_leaves_the_same_bytes(reference, tmp_path):
    [whole] = _killed(reference, tmp_path, points=[0])
    assert whole["steps"] > 20
    for outcome in _killed(reference, tmp_path, points=list(range(1, whole["steps"] + 1))):
        assert outcome["killed"]
        assert outcome["resumed"]
        assert outcome["contents"] == whole["contents"], f"after a death at step {outcome['at']}"


def test_killed_at_fifty_random_moments_and_resumed_it_leaves_the_same_bytes(reference, tmp_path):
    moments = np.random.default_rng(50).uniform(0.02, 0.98, 50).tolist()
    whole, *outcomes = _killed(reference, tmp_path, moments=moments)
    assert sum(outcome["killed"] for outcome in outcomes) > 25, "most of them die before they are done"
    for outcome in outcomes:
        assert outcome["resumed"]
        assert outcome["contents"] == whole["contents"], f"after a death at {outcome['at']:.3f} s"


def test_without_a_reference_the_one_in_use_is_taken(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("META_SPLICEAI_DATA", str(reference.parent))
    done = run(base=["toy"], genes=FEW, eval_dir=tmp_path / "toy_eval")
    assert open_artifacts(done.eval_dir).reference_fingerprint == load(reference).fingerprint
    monkeypatch.setenv("META_SPLICEAI_DATA", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="a finished reference in"):
        run(base=["toy"], genes=FEW, eval_dir=tmp_path / "other_eval")
