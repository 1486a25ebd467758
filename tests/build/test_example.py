"""The bundled example, real human sequence and annotation, with the toy base model in SpliceAI's place to be quick."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.build.run import build
from meta_spliceai.features.probe import changed_by_moving_the_ends
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.pipeline import example_folder
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.schema.features import REACH
from meta_spliceai.schema.tables import dataset_table
from tests.build.conftest import Passed, rows_of
from tests.toys.toy_base_model import ToyBaseModel


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    folder, source = tmp_path_factory.mktemp("example"), example_folder()
    reference = prepare(
        fasta=source / "genome.fa.gz", gtf=source / "annotation.gtf.gz", build="GRCh37", out=folder / "reference"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
        result = run_base_pass(reference=reference.path, base=["toy"], tn_rate=0.01)
    return Passed(reference.path, result.eval_dir)


def test_rows_and_values_are_the_same_for_batches_of_5_and_of_50_genes(example: Passed, tmp_path: Path) -> None:
    found = []
    for size in (5, 50):
        out = tmp_path / f"batches_of_{size}"
        build(reference=example.reference, eval_dir=example.eval_dir, output_dir=out, batch_size=size, kmer_sizes=(2,))
        found.append(rows_of(out))
    assert found[0].height > 10_000
    assert found[0].equals(found[1])


def test_one_worker_and_two_write_the_same_bytes(example: Passed, tmp_path: Path) -> None:
    for workers in (1, 2):
        build(
            reference=example.reference, eval_dir=example.eval_dir, output_dir=tmp_path / str(workers),
            batch_size=20, kmer_sizes=(2,), workers=workers,
        )  # fmt: skip
    names = sorted(path.name for path in (tmp_path / "1").glob("*.*") if path.name != "run_log.jsonl")
    assert len(names) > 5
    assert all((tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes() for name in names)


def test_no_boundary_blind_feature_changes_when_the_ends_of_any_gene_move(example: Passed) -> None:
    reference, artifacts = load(example.reference), open_artifacts(example.eval_dir)
    names = admitted_features(dataset_table((2,)), "de_novo")
    with reference.open_genome() as genome:
        for gene in reference.genes.iter_rows(named=True):
            body = Interval(gene["chrom"], gene["start"] - 1, gene["end"], gene["strand"])
            changed = changed_by_moving_the_ends(
                names, body, genome.contigs[body.chrom],
                lambda moved: artifacts.stretch(genome, moved, REACH, allow_unscored=True), seed=1,
            )  # fmt: skip
            assert changed == [], gene["gene_id"]


def test_weighted_rows_estimate_the_number_of_bases(example: Passed, tmp_path: Path) -> None:
    build(reference=example.reference, eval_dir=example.eval_dir, output_dir=tmp_path / "d", kmer_sizes=(1,))
    rows = rows_of(tmp_path / "d")
    bases = load(example.reference).genes["gene_length"].sum()
    assert (1 / rows["inclusion_probability"]).sum() == pytest.approx(bases, rel=0.05)
    assert rows.filter(pl.col("sampling_tier") == "site")["inclusion_probability"].unique().to_list() == [1.0]
