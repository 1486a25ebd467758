import shutil

import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.remake import positions
from meta_spliceai.basepass.run import run
from meta_spliceai.basepass.status import status
from meta_spliceai.errors import GeneError, InputError, StoreError
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import GENES, tiny_gtf, write_tiny_genome


@pytest.fixture
def copy(passed, tmp_path):
    return shutil.copytree(passed, tmp_path / "toy_eval")


def _scores(folder):
    return {path.name: path.read_bytes() for path in (folder / "meta_models").glob("scores_*")}


def test_another_threshold_gives_what_a_pass_with_it_gives_without_a_model(reference, copy, tmp_path, monkeypatch):
    before = _scores(copy)
    fresh = run(reference=reference, base=["toy"], eval_dir=tmp_path / "fresh", tn_rate=0.3, threshold=0.2).eval_dir
    monkeypatch.setattr("meta_spliceai.basepass.bases.load_base_model", None)  # calling it would fail
    made = positions(reference=reference, eval_dir=copy, threshold=0.2)
    assert made.genes == len(GENES)
    assert not made.not_scored
    ids = load(reference).genes["gene_id"].to_list()
    assert open_artifacts(copy).candidates(ids).equals(open_artifacts(fresh).candidates(ids))
    assert _scores(copy) == before
    assert (copy / "full_splice_performance.tsv").read_bytes() == (fresh / "full_splice_performance.tsv").read_bytes()


def test_what_is_not_said_stays_as_it_was(reference, copy):
    positions(reference=reference, eval_dir=copy, position_id_mode="hybrid")
    assert open_artifacts(copy).rule["tn_rate"] == 0.3
    positions(reference=reference, eval_dir=copy, tn_sampling="none")
    artifacts = open_artifacts(copy)
    assert (artifacts.position_id_mode, artifacts.rule["tn_sampling"]) == ("hybrid", "none")


def test_making_the_same_positions_again_changes_no_byte(reference, copy):
    before = {path.name: path.read_bytes() for path in (copy / "meta_models").glob("*.parquet")}
    positions(reference=reference, eval_dir=copy)
    assert {path.name: path.read_bytes() for path in (copy / "meta_models").glob("*.parquet")} == before


def _changed_annotation(folder, keep):
    """The tiny genome with other annotation: lines of its GTF that `keep` returns, changed."""
    tiny = write_tiny_genome(folder / "tiny")
    lines = (keep(line) for line in tiny_gtf().splitlines(keepends=True))
    tiny.gtf.write_text("".join(line for line in lines if line))
    return prepare(fasta=tiny.fasta, gtf=tiny.gtf, build=tiny.build, out=folder / "reference").path


def test_a_change_of_annotation_gives_what_a_fresh_pass_on_it_gives(reference, copy, tmp_path):
    lost = GENES[6].gene_id
    changed = _changed_annotation(
        tmp_path, lambda line: None if lost in line or "TT02D" in line else line.replace("TT03B", "TT03X")
    )
    made = positions(reference=changed, eval_dir=copy)
    assert made.genes == len(GENES) - 1
    fresh = run(reference=changed, base=["toy"], eval_dir=tmp_path / "fresh", tn_rate=0.3).eval_dir
    ids = load(changed).genes["gene_id"].to_list()
    assert open_artifacts(copy).candidates(ids).equals(open_artifacts(fresh).candidates(ids))
    again = run(reference=changed, base=["toy"], eval_dir=copy, tn_rate=0.3)
    assert again.bases_scored == 0
    assert open_artifacts(copy).candidates(ids).equals(open_artifacts(fresh).candidates(ids))
    assert status(reference=changed, eval_dir=copy).coverage == 1


def test_genes_that_are_not_scored_are_listed_and_then_scored_alone(reference, tmp_path):
    few = [gene.gene_id for gene in GENES[:3]]
    folder = run(reference=reference, base=["toy"], eval_dir=tmp_path / "few", genes=few).eval_dir
    changed = _changed_annotation(tmp_path, lambda line: line.replace("TT03B", "TT03X"))
    made = positions(reference=changed, eval_dir=folder)
    assert made.genes == 3
    assert set(made.not_scored) == {gene.gene_id for gene in GENES[3:]}
    assert "14 genes that are not scored" in made.summary()
    assert run(reference=changed, base=["toy"], eval_dir=folder).genes == len(GENES)


def test_scores_of_another_genome_are_refused(copy, tmp_path):
    tiny = write_tiny_genome(tmp_path / "tiny")
    tiny.fasta.write_text(tiny.fasta.read_text().replace("ACGTA", "ACGTC", 1))
    other = prepare(fasta=tiny.fasta, gtf=tiny.gtf, build="other", out=tmp_path / "reference").path
    with pytest.raises(InputError, match="scores of another one"):
        positions(reference=other, eval_dir=copy)


def test_no_scores_are_named(reference, tmp_path):
    with pytest.raises(StoreError, match="base pass folder"):
        positions(reference=reference, eval_dir=tmp_path / "nothing")


def test_a_further_base_without_scores_is_named(reference, copy):
    with pytest.raises(StoreError, match="second_eval"):
        positions(reference=reference, eval_dir=copy, base=["toy", "second"])
    with pytest.raises(InputError, match="toy as the first base model"):
        positions(reference=reference, eval_dir=copy, base=["second"])


def test_annotation_of_genes_elsewhere_leaves_no_gene(reference, tmp_path):
    folder = run(reference=reference, base=["toy"], eval_dir=tmp_path / "few", genes=[GENES[0].gene_id]).eval_dir
    changed = _changed_annotation(tmp_path, lambda line: line if line.startswith("chrT2") else None)
    with pytest.raises(GeneError, match="every base is scored"):
        positions(reference=changed, eval_dir=folder)


def test_status_of_a_whole_pass(reference, passed):
    found = status(reference=reference, eval_dir=passed, verify=True)
    assert found.coverage == 1
    assert {(chunk.scores, chunk.positions) for chunk in found.chunks} == {("done", "done")}
    assert "17 of 17 done (100.0 %)" in found.summary()
    assert not found.problems


def test_status_names_what_is_missing_partly_there_or_damaged(reference, tmp_path):
    few = [GENES[0].gene_id, GENES[14].gene_id]
    folder = run(reference=reference, base=["toy"], eval_dir=tmp_path / "e", genes=few, chunk_size=5).eval_dir
    found = {chunk.label: chunk for chunk in status(reference=reference, eval_dir=folder).chunks}
    assert found["chrT1_chunk_1_5"].scores == "partly"
    assert "4 genes not made" in found["chrT1_chunk_1_5"].reason
    assert found["chrT1_chunk_6_10"].scores == "missing"
    path = folder / "meta_models" / "scores_chrT1_chunk_1_5.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    whole = status(reference=reference, eval_dir=folder, genes=few)
    assert [chunk.scores for chunk in whole.chunks] == ["damaged", "done"]
    assert whole.genes_done == 1
    assert whole.missing_genes == (few[0],)
    assert "chrT1:1-5  scores damaged" in whole.summary()


def test_status_tells_a_flipped_byte_only_when_asked_to_verify(reference, copy):
    path = next((copy / "meta_models").glob("analysis_sequences_chrT2*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert status(reference=reference, eval_dir=copy).coverage == 1
    assert status(reference=reference, eval_dir=copy, verify=True).coverage < 1


def test_status_says_that_the_annotation_has_changed(copy, tmp_path):
    changed = _changed_annotation(tmp_path, lambda line: line.replace("TT03B", "TT03X"))
    found = status(reference=changed, eval_dir=copy)
    assert found.problems == ("the annotation has changed since",)
    assert {chunk.positions for chunk in found.chunks} == {"stale"}


def test_a_rule_is_kept_in_the_list_of_genes(passed):
    table = pl.read_csv(passed / "meta_models" / "gene_manifest.tsv", separator="\t")
    assert table["status"].unique().to_list() == ["done"]
    assert table["num_positions"].sum() == sum(gene.end - gene.start + 1 for gene in GENES)
    assert table["seconds"].null_count() == 0
    assert set(table["base_model"]) == {"toy"}
