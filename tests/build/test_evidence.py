"""Evidence from a build to a prediction, on the tiny genome."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build.run import build
from meta_spliceai.errors import GuardError, InputError, LeakageError, PlanMismatchError
from meta_spliceai.features.assemble import GeneView, compute_features
from meta_spliceai.features.enricher import ReferenceFacts
from meta_spliceai.features.gene import GeneFacts
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.features.registry import choose_enrichers, load_enrichers
from meta_spliceai.features.stretch import stretch_index
from meta_spliceai.formats.bigwig import write_bigwig
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.predict.run import predict
from meta_spliceai.reference.load import load
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.features import REACH
from meta_spliceai.schema.tables import dataset_table_of
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.train.model import MetaModel
from meta_spliceai.train.run import train
from tests.build.conftest import Passed, rows_of
from tests.build.kill_driver import contents
from tests.toys.tiny_genome import GENES, LENGTHS
from tests.train.conftest import FOLDS, RECIPE

INTRONS = [(gene.strand, *gap) for gene in GENES if gene.chrom == "chrT1" for gap in gene.gaps()]
JUNCTIONS = [
    *(("12"["+-".index(strand)], first, last, n + 3) for n, (strand, first, last) in enumerate(INTRONS) if n % 4),
    *(("1", first + 20, last, 1) for _, first, last in INTRONS[::3]),
]
"""STAR's strand, first and last base and reads: of three introns in four, and some that begin where no donor is."""
EXTERNAL = ("accessibility", "conservation", "junctions", "motifs")


def write_evidence(folder: Path) -> dict[str, Path]:
    """A file of each kind: junctions at every intron of chrT1, signals on chrT1 and chrT2, expression of most genes."""
    folder.mkdir(exist_ok=True)
    files = {
        "accessibility": folder / "peaks.bed",
        "conservation": folder / "scores.bw",
        "expression": folder / "tpm.tsv",
        "junctions": folder / "SJ.out.tab",
        "motifs": folder / "motifs.txt",
    }
    rng = np.random.default_rng(0)
    write_bigwig(files["conservation"], LENGTHS, [("chrT1", 0, rng.random(60_000).astype(np.float32))])
    peaks = [f"{chrom}\t{start}\t{start + 150}\n" for chrom in ("T1", "T2") for start in range(500, 28_000, 900)]
    files["accessibility"].write_text("".join(peaks))
    rows = [f"T1\t{first}\t{last}\t{strand}\t1\t1\t{reads}\t0\t20\n" for strand, first, last, reads in JUNCTIONS]
    files["junctions"].write_text("".join(rows))
    files["motifs"].write_text("GAAR\nsilencer\tTAGG\n")
    rows = [f"{gene.gene_id}\t{n}\n" for n, gene in enumerate(GENES[:-1])]
    files["expression"].write_text("gene_id\tTPM\n" + "".join(rows))
    return files


def options(files: dict[str, Path], names: tuple[str, ...] | None = None) -> list[str]:
    return [f"{name}={path}" for name, path in files.items() if names is None or name in names]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_evidence(tmp_path_factory.mktemp("evidence"))


def built(passed: Passed, folder: Path, files: dict[str, Path], **others: Any) -> Path:
    given = {"kmer_sizes": (1,), "batch_size": 6, "evidence": options(files), **others}
    return build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **given).path


@pytest.fixture(scope="module")
def dataset(passed: Passed, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(passed, tmp_path_factory.mktemp("dataset"), files)


@pytest.mark.rows("F19")
def test_every_row_has_every_column_of_evidence_and_null_only_where_the_files_say_nothing(dataset: Path) -> None:
    rows = rows_of(dataset)
    table = dataset_table_of(read_manifest(dataset, "dataset", 1).parameters)
    check_frame(rows, table, source="rows")
    assert table.names[-1] == "motif_silencer_down_51_200"
    silent = rows.filter(pl.col("chrom") != "chrT1")
    assert silent["junction_donor_reads"].null_count() == silent["conservation_value"].null_count() == silent.height
    spoken = rows.filter(pl.col("chrom") == "chrT1")
    assert (
        spoken.select(pl.col("^(junction|conservation|accessibility|motif)_.*$").null_count().sum()).row(0) == (0,) * 28
    )
    assert rows.filter(pl.col("expression_tpm").is_null())["gene_id"].unique().to_list() == [GENES[-1].gene_id]


@pytest.mark.rows("F19")
def test_reads_are_at_the_sites_of_introns(dataset: Path) -> None:
    rows = rows_of(dataset).unique(["chrom", "position", "strand"])
    donors = {
        (strand, position): reads
        for chrom, strand, position, reads in rows.select(
            "chrom", "strand", "position", "junction_donor_reads"
        ).iter_rows()
        if chrom == "chrT1"
    }
    for strand, first, last, reads in JUNCTIONS:
        base = ("+", first - 1) if strand == "1" else ("-", last + 1)
        if base in donors:
            assert donors[base] >= reads
    assert sum(reads > 0 for reads in donors.values()) > 20


def test_junctions_that_were_made_from_the_annotation_are_found_before_training(passed: Passed, tmp_path: Path) -> None:
    copied = tmp_path / "SJ.out.tab"
    rows = (f"T1\t{first}\t{last}\t{'12'['+-'.index(strand)]}\t1\t1\t1\t0\t20\n" for strand, first, last in INTRONS)
    copied.write_text("".join(rows))
    dataset = built(passed, tmp_path / "d", {"junctions": copied})
    with pytest.raises(LeakageError, match="junction_donor_reads"):
        train(**training(passed, dataset, tmp_path / "r"), evidence=options({"junctions": copied}))


def test_bytes_depend_on_no_batch_worker_or_rows_held(
    passed: Passed, files: dict[str, Path], dataset: Path, tmp_path: Path
) -> None:
    few = built(passed, tmp_path / "few", files, batch_rows=300, workers=2)
    assert contents(few) == contents(dataset)
    assert rows_of(built(passed, tmp_path / "one", files, batch_size=50)).equals(rows_of(dataset))


@pytest.mark.rows("F19")
def test_whole_gene_features_are_those_of_the_rows(passed: Passed, files: dict[str, Path], dataset: Path) -> None:
    """What prediction computes from a stretch is what the build computed from its windows, bit by bit."""
    reference, artifacts = load(passed.reference), open_artifacts(passed.eval_dir)
    table = dataset_table_of(read_manifest(dataset, "dataset", 1).parameters)
    names = admitted_features(table, "annotated")
    enrichers = load_enrichers(choose_enrichers(None, options(files)), ReferenceFacts.of(reference))
    with reference.open_genome() as genome:
        for gene in reference.genes.iter_rows(named=True):
            rows = rows_of(dataset).filter(pl.col("gene_id") == gene["gene_id"])
            facts, position = GeneFacts.of_row(gene), rows["position"].to_numpy()
            ranks = (rows[f"{kind}_rank_in_gene"].to_numpy() for kind in ("donor", "acceptor"))
            stretch = artifacts.stretch(genome, facts.body, REACH)
            index = stretch_index(facts.body, position, REACH)
            made = compute_features(names, stretch, index, GeneView(facts, position, *ranks), enrichers)
            held = rows.select(pl.col(names).cast(pl.Float32)).to_numpy()
            np.testing.assert_array_equal(made, held)


@pytest.mark.rows("F19")
def test_the_probe_looks_at_external_features_too(passed: Passed, files: dict[str, Path], dataset: Path) -> None:
    manifest = read_manifest(dataset, "dataset", 1)
    table = dataset_table_of(manifest.parameters)
    names = admitted_features(table, "de_novo")
    assert {"junction_donor_reads", "conservation_value", "accessibility_distance", "motif_gaar_up_1_50"} <= set(names)
    assert "expression_tpm" not in names
    assert manifest.facts["boundary_probe"]["features_checked"] == len(names)
    assert manifest.facts["boundary_probe"]["changed"] == []


def test_validation_finds_nothing(passed: Passed, dataset: Path) -> None:
    assert validate_dataset(dataset, reference=passed.reference).exit_status in (0, 3)


def test_other_content_of_a_file_is_another_dataset(
    passed: Passed, files: dict[str, Path], dataset: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "motifs.txt"
    changed.write_text("GAAR\nsilencer\tTAGA\n")
    with pytest.raises(PlanMismatchError, match="input evidence:motifs"):
        built(passed, dataset, {**files, "motifs": changed})
    moved = tmp_path / "elsewhere.txt"
    moved.write_bytes(files["motifs"].read_bytes())
    assert built(passed, dataset, {**files, "motifs": moved}) == dataset


def test_files_of_another_genome_stop_the_build_before_anything_is_written(
    passed: Passed, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "other.bed").write_text("chr7\t1\t2\n")
    with pytest.raises(GuardError, match=r"other\.bed"):
        built(passed, tmp_path / "d", {"conservation": tmp_path / "other.bed"})
    with pytest.raises(InputError, match="a file for the enricher junctions"):
        built(passed, tmp_path / "d", {}, enrichers=["junctions"])
    assert not (tmp_path / "d").exists()


@pytest.fixture(scope="module")
def run(passed: Passed, files: dict[str, Path], dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "model_run"
    train(**training(passed, dataset, out), evidence=options(files, EXTERNAL))
    return out


def training(passed: Passed, dataset: Path, out: Path) -> dict[str, Any]:
    shared = {"reference": passed.reference, "eval_dir": passed.eval_dir, "threads": 2}
    return {
        "dataset": dataset,
        "out_dir": out,
        "folds": FOLDS,
        "recipe": RECIPE,
        "arms": ["base_scores", "meta"],
        **shared,
    }


def predicted(passed: Passed, run: Path, out: Path, evidence: list[str]) -> pl.DataFrame:
    result = predict(
        model=run, reference=passed.reference, eval_dir=passed.eval_dir, genes=["LEFT", "MINUSALT"], out=out,
        evidence=evidence,
    )  # fmt: skip
    return pl.read_parquet(result.table)


@pytest.mark.rows("F19")
def test_a_de_novo_model_learns_from_evidence(run: Path) -> None:
    gains = pl.read_csv(run / "feature_manifest.csv")
    assert gains.filter(pl.col("origin") == "external").height == 28
    model = MetaModel.load(run)
    assert [one.name for one in model.enrichers] == list(EXTERNAL)
    external = gains.filter(pl.col("origin") == "external")
    assert external.select(pl.col("donor_gain", "acceptor_gain").sum()).min_horizontal().item() > 0


def test_training_needs_the_evidence_of_its_arms_and_exactly_that(
    passed: Passed, files: dict[str, Path], dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--evidence accessibility=FILE conservation=FILE junctions=FILE motifs=FILE"):
        train(**training(passed, dataset, tmp_path / "r"))
    changed = tmp_path / "motifs.txt"
    changed.write_text("GAAR\nsilencer\tTAGA\n")
    with pytest.raises(InputError, match="that the dataset was built with"):
        train(**training(passed, dataset, tmp_path / "r"), evidence=options({**files, "motifs": changed}, EXTERNAL))
    with pytest.raises(InputError, match=r"--evidence expression=…"):
        train(**training(passed, dataset, tmp_path / "r"), evidence=options(files))
    assert not (tmp_path / "r").exists()


@pytest.mark.rows("F19")
def test_prediction_asks_for_the_evidence_and_says_where_it_is_another(
    passed: Passed, files: dict[str, Path], run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError, match="none for accessibility, conservation, junctions, motifs"):
        predicted(passed, run, tmp_path / "p", [])
    own = predicted(passed, run, tmp_path / "p", options(files, EXTERNAL))
    other = tmp_path / "none.tab"
    other.write_text("chrT1\t10\t900\t1\t1\t1\t1\t0\t20\n")
    with caplog.at_level(logging.WARNING):
        without = predicted(passed, run, tmp_path / "q", options({**files, "junctions": other}, EXTERNAL))
    assert "the evidence for junctions is not what the model learnt from" in caplog.text
    assert not own["meta_donor"].equals(without["meta_donor"])
    words = tmp_path / "words.txt"
    words.write_text("CCCC\n")
    with pytest.raises(InputError, match="columns of enricher motifs as in training"):
        predicted(passed, run, tmp_path / "r", options({**files, "motifs": words}, EXTERNAL))


def test_expression_is_for_models_that_know_the_gene(
    passed: Passed, files: dict[str, Path], dataset: Path, tmp_path: Path
) -> None:
    given = {**training(passed, dataset, tmp_path / "r"), "arms": ["gene_conditioned"]}
    train(**given, feature_profile="gene_conditioned", evidence=options(files))
    model = MetaModel.load(tmp_path / "r")
    assert "expression" in [one.name for one in model.enrichers]
    assert predicted(passed, tmp_path / "r", tmp_path / "p", options(files)).height > 0
