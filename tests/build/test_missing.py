"""Genes without artifacts: only they go through the base model, and only where that is allowed."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.bases import forget_loaded_models
from meta_spliceai.build.missing import parsed_workflow_options
from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError, InputError
from tests.build.conftest import Passed, pass_over, rows_of
from tests.toys.tiny_genome import GENES
from tests.toys.toy_base_model import ToyBaseModel

FEW = [GENES[0].gene_id, GENES[2].gene_id]


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_loaded_models()
    monkeypatch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())


@pytest.fixture
def partial(passed: Passed, tmp_path: Path) -> Passed:
    """A base pass over two genes."""
    return pass_over(passed.reference.parent, eval_dir=tmp_path / "few", genes=FEW, chunk_size=4)


@pytest.mark.rows("W2", "W3")
def test_only_missing_genes_are_run_and_what_was_there_stays(
    passed: Passed, partial: Passed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = [*FEW, GENES[16].gene_id]
    scores = partial.eval_dir / "meta_models" / "scores_chrT1_chunk_1_4.parquet"
    before = scores.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        made = build(
            reference=partial.reference,
            eval_dir=partial.eval_dir,
            output_dir=tmp_path / "d",
            gene_ids=wanted,
            kmer_sizes=(),
        )
    assert "artifact coverage 66.7 %: 2 of 3 genes" in caplog.text
    assert "1 genes have no artifacts; the base pass runs over their 5,000 bases first" in caplog.text
    assert scores.stat().st_mtime_ns == before
    assert open_artifacts(partial.eval_dir).genes == set(wanted)
    whole = build(
        reference=passed.reference, eval_dir=passed.eval_dir, output_dir=tmp_path / "w", gene_ids=wanted, kmer_sizes=()
    )
    assert rows_of(made.path).equals(rows_of(whole.path)), "the missing gene was run with the options of the others"


def test_told_not_to_the_build_stops_with_the_list(partial: Passed, tmp_path: Path) -> None:
    with pytest.raises(GeneError, match=rf"none for 1 genes: {GENES[16].gene_id}"):
        build(
            reference=partial.reference, eval_dir=partial.eval_dir, output_dir=tmp_path / "d",
            gene_ids=[GENES[16].gene_id], run_workflow=False,
        )  # fmt: skip
    assert open_artifacts(partial.eval_dir).genes == set(FEW)
    assert not (tmp_path / "d").exists()


@pytest.mark.rows("W1", "W14")
def test_the_policy_all_means_what_has_artifacts_unless_told_to_run(partial: Passed, tmp_path: Path) -> None:
    options = {"reference": partial.reference, "eval_dir": partial.eval_dir, "kmer_sizes": ()}
    assert build(**options, output_dir=tmp_path / "some", subset_policy="all").genes == len(FEW)
    assert build(**options, output_dir=tmp_path / "every", subset_policy="all", run_workflow=True).genes == len(GENES)


def test_errors_are_counted_over_all_genes_of_the_types_after_a_pass_over_them(partial: Passed, tmp_path: Path) -> None:
    made = build(
        reference=partial.reference, eval_dir=partial.eval_dir, output_dir=tmp_path / "d",
        subset_policy="error_total", n_genes=2, gene_types=["protein_coding"], kmer_sizes=(),
    )  # fmt: skip
    assert made.genes == 2
    coding = {gene.gene_id for gene in GENES if gene.gene_type == "protein_coding"}
    assert coding <= open_artifacts(partial.eval_dir).genes
    assert not (open_artifacts(partial.eval_dir).genes - coding - set(FEW))


@pytest.mark.rows("W1", "W18")
def test_without_any_artifacts_the_pass_runs_first_with_the_options_given(passed: Passed, tmp_path: Path) -> None:
    made = build(
        reference=passed.reference, eval_dir=tmp_path / "new", output_dir=tmp_path / "d", gene_ids=FEW,
        kmer_sizes=(), workflow_kwargs='{"base": ["toy"], "position_id_mode": "hybrid", "threshold": 0.4}',
    )  # fmt: skip
    artifacts = open_artifacts(tmp_path / "new")
    assert (artifacts.position_id_mode, artifacts.rule["threshold"]) == ("hybrid", 0.4)
    assert "transcript_ids" in pl.read_parquet(made.master / "batch_00001.parquet").columns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "as a JSON object"),
        ("[1]", "as a JSON object"),
        ('{"treshold": 0.3}', "did you mean threshold"),
        ('{"genes": ["A"]}', "options of the base pass"),
    ],
)
def test_options_of_the_pass_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed_workflow_options(text)


def test_the_ledger_of_a_gene_with_rows_by_transcript_counts_its_other_bases_once(
    passed: Passed, tmp_path: Path
) -> None:
    gene = GENES[1]
    options = '{"base": ["toy"], "position_id_mode": "transcript"}'
    made = build(
        reference=passed.reference, eval_dir=tmp_path / "new", output_dir=tmp_path / "d", gene_ids=[gene.gene_id],
        kmer_sizes=(), workflow_kwargs=options,
    )  # fmt: skip
    ledger = pl.read_csv(made.path / "sampling_ledger.csv")
    sites = rows_of(made.path).filter(pl.col("splice_type") != "neither")
    doubled = sites.height - sites["position"].n_unique()
    assert doubled > 0
    assert ledger["rows_seen"].sum() - doubled == gene.end - gene.start + 1
