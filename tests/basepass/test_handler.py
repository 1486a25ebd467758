import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.handler import MetaModelDataHandler
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import GeneError, StoreError
from tests.toys.tiny_genome import GENES

SOME = [GENES[1].gene_id, GENES[14].gene_id]


@pytest.mark.rows("W16")
@pytest.mark.parametrize("artifact_format", ["parquet", "tsv"])
def test_tables_are_those_of_the_folder(reference, tmp_path, artifact_format):
    folder = run(reference=reference, base=["toy"], eval_dir=tmp_path, artifact_format=artifact_format, chunk_size=4)
    handler = MetaModelDataHandler(str(folder.eval_dir))
    read = pl.read_parquet if artifact_format == "parquet" else _read_tsv
    for table, loaded in (
        ("splice_positions_enhanced", handler.load_splice_positions()),
        ("splice_errors", handler.load_error_analysis()),
    ):
        whole = read(handler.meta_dir / f"full_{table}.{artifact_format}")
        assert loaded.height == whole.height
        assert loaded["position"].to_list() == whole["position"].to_list()
    sequences = pl.concat(handler.iterative_load_analysis_sequences())
    assert sequences.equals(handler.load_analysis_sequences())
    assert handler.load_performance().height == 2 * len(GENES)


def _read_tsv(path):
    return pl.read_csv(path, separator="\t", infer_schema_length=None)


@pytest.mark.rows("W15", "W16")
def test_some_genes_are_read_from_their_own_chunks_alone(passed):
    handler, artifacts = MetaModelDataHandler(passed), open_artifacts(passed)
    assert handler.load_analysis_sequences(SOME).equals(artifacts.candidates(SOME))
    errors = handler.load_error_analysis(SOME)
    assert set(errors["gene_id"]) <= set(SOME)
    assert errors.equals(handler.load_error_analysis().filter(pl.col("gene_id").is_in(SOME)))
    assert handler.gene_ids == artifacts.genes
    assert (handler.eval_dir, handler.meta_dir) == (passed, passed / "meta_models")


def test_unknown_genes_and_empty_folders_are_named(passed, tmp_path):
    with pytest.raises(GeneError, match="none for NOSUCH"):
        MetaModelDataHandler(passed).load_splice_positions(["NOSUCH"])
    with pytest.raises(StoreError, match="base pass folder"):
        MetaModelDataHandler(tmp_path)


def test_tables_of_another_implementation_are_refused_with_the_reason(tmp_path):
    folder = tmp_path / "meta_models"
    folder.mkdir()
    path = folder / "splice_positions_enhanced_22_chunk_1_500.tsv"
    path.write_text("gene_id\tposition\tpredicted_position\ttrue_position\nENSG01\t12\t12\t12\n")
    with pytest.raises(
        StoreError, match=r"(?s)1 tables without one.*count from the gene's start.*another implementation"
    ):
        open_artifacts(tmp_path)
