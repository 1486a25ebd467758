"""Scores that exist already go through the same pass: what was exported comes back as it was."""

import numpy as np
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.export import export
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import ModelError
from meta_spliceai.reference.load import load
from tests.toys.tiny_genome import GENES


@pytest.fixture
def exported(reference, passed, tmp_path):
    export(eval_dir=passed, out=tmp_path / "tracks", format="bigwig")
    return tmp_path / "tracks"


def test_exported_scores_imported_again_give_the_same_rows(reference, passed, exported, tmp_path):
    done = run(reference=reference, base=[f"imported={exported}"], eval_dir=tmp_path / "imported_eval", tn_rate=0.3)
    ours, theirs = open_artifacts(done.eval_dir), open_artifacts(passed)
    for gene in load(reference).genes.iter_rows(named=True):
        where = gene["chrom"], gene["strand"], gene["start"] - 1, gene["end"]
        for channel in ("donor", "acceptor"):
            np.testing.assert_array_equal(ours.scores(*where)[channel], theirs.scores(*where)[channel])
    ids = [gene.gene_id for gene in GENES]
    columns = ["gene_id", "position", "pred_type", "donor_score", "acceptor_logit", "inclusion_probability"]
    assert ours.candidates(ids, columns).equals(theirs.candidates(ids, columns))


def test_imported_scores_stand_beside_another_base(reference, exported, tmp_path):
    few = [GENES[1].gene_id]
    done = run(
        reference=reference, base=["second", f"imported={exported}"], eval_dir=tmp_path / "second_eval", genes=few
    )
    artifacts = open_artifacts(done.eval_dir)
    [further] = artifacts.further_bases
    assert {f"{further.name}_donor_score", "mean_donor_logit"} <= set(artifacts.candidates(few).columns)


def test_a_base_that_the_files_lack_stops_the_chunk_by_name(reference, exported, tmp_path):
    next(exported.glob("*.donor.plus.bw")).unlink()
    with pytest.raises(ModelError):
        run(reference=reference, base=[f"imported={exported}"], eval_dir=tmp_path / "pass", genes=[GENES[1].gene_id])
