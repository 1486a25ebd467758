"""Promises of the base pass that no other test proves by itself; see docs/reference/feature-matrix.md."""

import shutil

import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import StoreError
from meta_spliceai.reference.load import load
from meta_spliceai.schema.features import BASE_SCORE_FEATURES
from tests.basepass.kill_driver import contents_of_pass
from tests.toys.tiny_genome import GENES

UPSTREAM_FEATURES = 44
"""Three scores, the larger of them, 4 context scores, 7 basic, 3 of the context, 22 typed and 4 that compare both."""


@pytest.mark.parametrize("lost", ["genome.fa", "gene_features.parquet", "splice_sites.parquet"])
def test_W4_what_is_missing_of_a_reference_is_named_before_anything_is_scored(reference, tmp_path, lost):
    copy = shutil.copytree(reference, tmp_path / "reference")
    next(copy.glob(f"{lost}*")).unlink()
    with pytest.raises(StoreError, match=lost):
        run(reference=copy, base=["toy"], eval_dir=tmp_path / "pass", genes=[GENES[0].gene_id])
    assert not (tmp_path / "pass").exists()


def test_W7_all_features_of_the_scores_are_in_the_analysis_rows(passed):
    names = [column.name for column in BASE_SCORE_FEATURES]
    rows = open_artifacts(passed).candidates([GENES[1].gene_id])
    assert set(names) <= set(rows.columns)
    typed = [name for name in names if name.startswith(("donor_", "acceptor_")) and "max" not in name]
    assert len(names) > UPSTREAM_FEATURES
    assert {"donor_surge_ratio", "acceptor_surge_ratio", "context_asymmetry", "probability_entropy"} <= set(names)
    assert typed


def test_W13_two_workers_leave_the_same_bytes_as_one(reference, tmp_path):
    genes = [GENES[0].gene_id, GENES[13].gene_id]  # on two contigs, so in two chunks; short, for SpliceAI is run
    for workers in (1, 2):
        run(reference=reference, eval_dir=tmp_path / str(workers), genes=genes, workers=workers, threads=1)
    one, two = (contents_of_pass(tmp_path / name) for name in ("1", "2"))
    assert len([name for name in one if "scores_" in name]) == 2
    assert one == two


def test_W17_artifacts_lie_beside_the_reference_by_default(reference, tmp_path):
    copy = shutil.copytree(reference, tmp_path / "data" / "ensembl", ignore=shutil.ignore_patterns("*_eval"))
    done = run(reference=copy, base=["toy"], genes=[GENES[0].gene_id])
    assert done.eval_dir == copy / "toy_eval"
    assert (copy / "toy_eval" / "meta_models" / "manifest.json").exists()
    assert open_artifacts(done.eval_dir).reference_fingerprint == load(copy).fingerprint
