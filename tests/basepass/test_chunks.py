import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.chunks import chunk_argument, label_of_argument
from meta_spliceai.basepass.estimate import BasePassEstimate
from meta_spliceai.basepass.run import BasePassResult, run
from meta_spliceai.errors import InputError, ModelError
from meta_spliceai.reference.load import load
from tests.toys.tiny_genome import GENES
from tests.toys.toy_base_model import ToyBaseModel


@pytest.mark.parametrize("text", ["22:1001-1454", "HLA_chunk:1-2", "chr1_random:1-500"])
def test_a_chunk_is_written_as_contig_and_ordinals(text):
    assert chunk_argument(label_of_argument(text)) == text
    assert label_of_argument(label_of_argument(text)) == label_of_argument(text)


@pytest.mark.parametrize("text", ["22", "22:1", "22:a-b", ":1-2"])
def test_what_is_no_chunk_is_refused(text):
    with pytest.raises(InputError, match="CONTIG:FIRST-LAST"):
        label_of_argument(text)


@pytest.mark.rows("W12")
def test_a_chunk_can_be_made_again_alone(reference, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, chunk_size=5, tn_rate=0.3)
    folder = tmp_path / "meta_models"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*_chunk_*")}
    again = run(reference=reference, base=["toy"], eval_dir=tmp_path, chunk_size=5, tn_rate=0.3, chunk=["chrT1:6-10"])
    assert again.bases_scored == pl.read_parquet(folder / "scores_chrT1_chunk_6_10.parquet").height
    for name, (content, time) in before.items():
        assert (folder / name).read_bytes() == content
        assert ((folder / name).stat().st_mtime_ns == time) == ("_6_10" not in name), name


@pytest.mark.rows("W5")
def test_a_chunk_of_a_new_folder_holds_all_its_genes(reference, tmp_path):
    run(reference=reference, base=["toy"], eval_dir=tmp_path, chunk_size=5, chunk=["chrT1:6-10"])
    assert open_artifacts(tmp_path).genes == {gene.gene_id for gene in GENES[5:10]}


def test_chunks_that_do_not_exist_are_refused_with_those_that_do(reference, tmp_path):
    with pytest.raises(InputError, match=r"(?s)chrT1:6-11.*chrT1:1-5, chrT1:6-10"):
        run(reference=reference, base=["toy"], eval_dir=tmp_path, chunk_size=5, chunk=["chrT1:6-11"])


class _FailsOn(ToyBaseModel):
    """Gives NaN wherever a sequence holds some letters."""

    def __init__(self, codes: bytes) -> None:
        super().__init__()
        self._codes = codes

    def score(self, codes):
        scores = super().score(codes)
        if self._codes in codes.tobytes():
            scores.donor[0] = float("nan")
        return scores


@pytest.mark.rows("W12")
def test_a_chunk_that_fails_stops_no_other_and_is_named_with_its_genes(reference, tmp_path, monkeypatch):
    loaded = load(reference)
    gene = loaded.genes.filter(pl.col("gene_id") == GENES[16].gene_id).row(0, named=True)
    with loaded.open_genome() as genome:
        bad = genome.codes(gene["chrom"], gene["start"] + 100, gene["start"] + 160).tobytes()
    monkeypatch.setitem(registry._SHIPPED, "fails", lambda **_: _FailsOn(bad))
    options = {"reference": reference, "eval_dir": tmp_path, "chunk_size": 3, "tn_rate": 0.3}
    with pytest.raises(ModelError, match=r"(?s)1 failed: chrT2_chunk_4_4.*--chunk chrT2:4-4"):
        run(**options, base=["fails"])
    table = pl.read_csv(tmp_path / "meta_models" / "gene_manifest.tsv", separator="\t")
    failed = table.filter(pl.col("status") == "failed")
    assert failed["gene_id"].to_list() == [gene["gene_id"]]
    assert "smallest nan" in failed["reason"][0]
    assert open_artifacts(tmp_path).genes == {other.gene_id for other in GENES[:16]}
    run(**options, base=["toy"])  # the same model by name and weights, mended
    assert open_artifacts(tmp_path).genes == {other.gene_id for other in GENES}


def test_a_dry_run_counts_and_writes_nothing(reference, tmp_path, monkeypatch):
    monkeypatch.setattr("meta_spliceai.basepass.estimate.CALIBRATION_SECONDS", 0.01)
    told = run(reference=reference, base=["toy", "toysites"], eval_dir=tmp_path / "toy_eval", dry_run=True)
    assert isinstance(told, BasePassEstimate)
    assert not (tmp_path / "toy_eval").exists()
    assert told.genes == len(GENES)
    assert [cost.name for cost in told.bases] == ["toy", "toysites"]
    done = run(reference=reference, base=["toy"], eval_dir=tmp_path / "toy_eval")
    assert isinstance(done, BasePassResult)
    assert told.bases[0].new_bases == done.bases_scored
    left = run(reference=reference, base=["toy"], eval_dir=tmp_path / "toy_eval", dry_run=True)
    assert left.bases[0].new_bases == 0
    assert "bases to score at" in left.summary()


def test_all_genes_and_a_list_exclude_one_another(reference, tmp_path):
    with pytest.raises(InputError, match="--all, or a list"):
        run(reference=reference, base=["toy"], eval_dir=tmp_path, all=True, genes=[GENES[0].gene_id])
    assert run(reference=reference, base=["toy"], eval_dir=tmp_path, all=True).genes == len(GENES)
