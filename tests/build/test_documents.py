"""What a dataset says about itself, to people and to other programs."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai import pipeline
from meta_spliceai.build.estimate import BuildEstimate
from meta_spliceai.build.plan import sizes_of
from meta_spliceai.build.run import BuildResult, build
from meta_spliceai.commands import build as build_command
from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.maintain.dedup import dedup
from meta_spliceai.schema.features import kmer_names
from meta_spliceai.store.folder import read_manifest
from tests.build.conftest import Passed, rows_of

LONG_DOCUMENTS = ["dataset_profile.md", "technical_spec.md", "validate_dataset.py"]


def built(passed: Passed, folder: Path, **options: Any) -> Path:
    result = build(reference=passed.reference, output_dir=folder, **{"kmer_sizes": (1, 2), "batch_size": 5, **options})
    assert isinstance(result, BuildResult)
    return folder


@pytest.fixture(scope="module")
def dataset(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(passed, tmp_path_factory.mktemp("documents") / "dataset", document=True)


def statistics(dataset: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((dataset / "statistics.json").read_text())
    return held


# ---- statistics ------------------------------------------------------------------------------------------------------


def test_M3_statistics_of_types_lengths_and_densities_are_stored(dataset: Path) -> None:
    held = statistics(dataset)
    genes = pl.read_csv(dataset / "gene_manifest.csv")
    rows = rows_of(dataset)
    assert held["rows"] == rows.height
    assert held["genes"] == genes.height
    for name in ("gene_length", "splice_density_per_kb", "rows"):
        values = genes[name].to_numpy()
        expected = {"min": values.min(), "median": np.median(values), "max": values.max(), "mean": values.mean()}
        assert {key: held["per_gene"][name][key] for key in expected} == pytest.approx(expected)
    for kind, of_kind in genes.partition_by("gene_type", as_dict=True).items():
        assert held["gene_types"][str(kind[0])] == {
            "genes": of_kind.height,
            "rows": of_kind["rows"].sum(),
            "splice_sites": of_kind["total_splice_sites"].sum(),
        }
    assert held["splice_type"] == dict(rows["splice_type"].value_counts().iter_rows())


def test_M4_missing_values_are_counted_by_column_as_they_are(dataset: Path) -> None:
    rows = rows_of(dataset)
    nulls = {name: n for name, n in rows.null_count().row(0, named=True).items() if n}
    assert {name: n["rows"] for name, n in statistics(dataset)["nulls"].items() if n["rows"]} == nulls
    assert "transcript_id" in nulls
    for document in ("BUILD_INFO.md", "dataset_profile.md"):
        assert all(f"`{name}`" in (dataset / document).read_text() for name in nulls)


def test_D6_the_share_of_candidates_that_is_kept_is_stated(dataset: Path) -> None:
    ledger = pl.read_csv(dataset / "sampling_ledger.csv").filter(pl.col("sampling_tier") != "not_candidate")
    kept = ledger["rows_kept"].sum() / ledger["rows_seen"].sum()
    assert statistics(dataset)["kept_share_of_candidates"] == pytest.approx(kept)


# ---- Croissant -------------------------------------------------------------------------------------------------------


def test_the_croissant_description_is_valid_and_loads_the_rows(dataset: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages it stands on
        mlcroissant = pytest.importorskip("mlcroissant")
        described = mlcroissant.Dataset(jsonld=dataset / "croissant.json")
        issues = described.metadata.ctx.issues
        assert not issues.errors, issues.report()
        first = next(iter(described.records(record_set="rows")))
        genes = [record["gene_manifest/gene_id"] for record in described.records(record_set="gene_manifest")]
    row = rows_of(dataset).row(0, named=True)
    assert first["rows/gene_id"].decode() == row["gene_id"]
    assert first["rows/position"] == row["position"]
    assert first["rows/2mer_AC"] == row["2mer_AC"]
    assert [gene.decode() for gene in genes] == pl.read_csv(dataset / "gene_manifest.csv")["gene_id"].to_list()


def test_the_croissant_description_has_every_column_and_the_checksums_of_the_manifest(dataset: Path) -> None:
    described = json.loads((dataset / "croissant.json").read_text())
    rows = next(record_set for record_set in described["recordSet"] if record_set["name"] == "rows")
    assert [field["name"] for field in rows["field"]] == rows_of(dataset).columns
    sums = {file.name: file.sha256 for file in read_manifest(dataset, "dataset", 1).files()}
    objects = {file["@id"]: file["sha256"] for file in described["distribution"] if "sha256" in file}
    assert {"master/batch_00001.parquet", "gene_manifest.csv", "sampling_ledger.csv"} <= objects.keys()
    assert objects.items() <= sums.items()


# ---- the long documents ----------------------------------------------------------------------------------------------


def run_validation(dataset: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(dataset / "validate_dataset.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=dataset.parent)


def test_the_script_in_the_dataset_validates_it_alone(dataset: Path) -> None:
    done = run_validation(dataset)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Total records: {rows_of(dataset).height:,}" in done.stdout
    assert "FAILED" not in done.stdout


def changed_value(dataset: Path) -> None:
    path = dataset / "master" / "batch_00001.parquet"
    frame = pl.read_parquet(path).with_columns(donor_score=pl.lit(2.0, dtype=pl.Float32))
    path.unlink()
    frame.write_parquet(path)


def lost_batch(dataset: Path) -> None:
    (dataset / "master" / "batch_00001.parquet").unlink()


def lost_column(dataset: Path) -> None:
    path = dataset / "master" / "batch_00001.parquet"
    frame = pl.read_parquet(path).drop("donor_score")
    path.unlink()
    frame.write_parquet(path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed_value, "donor_score leaves its bounds"),
        (lost_batch, "master/batch_00001.parquet is missing"),
        (lost_column, "columns lacking ['donor_score']"),
    ],
)
def test_the_script_finds_damage(passed: Passed, tmp_path: Path, damage: Any, said: str) -> None:
    dataset = built(passed, tmp_path / "dataset", document=True)
    damage(dataset)
    done = run_validation(dataset, "--quick")
    assert done.returncode == 1
    assert said in done.stdout


def test_the_script_says_what_it_needs_where_there_is_no_dataset(dataset: Path, tmp_path: Path) -> None:
    done = run_validation(dataset, str(tmp_path))
    assert done.returncode == 2
    assert "what to do" in done.stderr


@pytest.mark.rows("T14")
def test_long_documents_are_written_on_request_and_kept_up_to_date(passed: Passed, tmp_path: Path) -> None:
    genes = pl.read_csv(passed.reference / "gene_features.tsv", separator="\t")["gene_id"].to_list()
    dataset = built(passed, tmp_path / "dataset", gene_ids=genes[:3])
    assert not any((dataset / name).exists() for name in LONG_DOCUMENTS)
    built(passed, dataset, gene_ids=genes[:3], document=True)
    assert "rows of 3 genes" in (dataset / "dataset_profile.md").read_text()
    built(passed, dataset, gene_ids=genes[3:5], extend=True)
    assert "rows of 5 genes" in (dataset / "dataset_profile.md").read_text()
    assert run_validation(dataset).returncode == 0


# ---- options ---------------------------------------------------------------------------------------------------------


def test_a_dataset_without_gene_manifest_says_so_where_one_is_needed(passed: Passed, tmp_path: Path) -> None:
    dataset = built(passed, tmp_path / "dataset", no_manifest=True)
    assert not (dataset / "gene_manifest.csv").exists()
    with pytest.raises(StoreError, match="--no-manifest"):
        dedup(dataset, dst=tmp_path / "deduplicated")
    built(passed, dataset)
    assert (dataset / "gene_manifest.csv").exists()
    built(passed, dataset, no_manifest=True)
    assert not (dataset / "gene_manifest.csv").exists()


def test_a_dry_run_counts_the_rows_and_writes_nothing(passed: Passed, tmp_path: Path) -> None:
    said = build(reference=passed.reference, output_dir=tmp_path / "none", kmer_sizes=(2,), batch_size=5, dry_run=True)
    assert isinstance(said, BuildEstimate)
    assert list(tmp_path.iterdir()) == []
    dataset = built(passed, tmp_path / "dataset", kmer_sizes=(2,))
    assert (said.rows, said.columns) == rows_of(dataset).shape
    assert said.batches == len(list((dataset / "master").glob("*.parquet")))
    assert f"{said.rows:,}" in said.summary()


@pytest.mark.rows("B3")
@pytest.mark.parametrize("given", [("1,3",), ("1", "3"), (1, 3), ("1 3",), ("0", "3", "1")])
def test_sizes_of_kmers_take_spaces_or_commas_and_0_is_none(given: tuple[Any, ...]) -> None:
    assert sorted(sizes_of(given)) == [1, 3]
    assert sizes_of(("0",)) == []


def test_sizes_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="whole numbers for --kmer-sizes"):
        sizes_of(("3;5",))


def test_no_kmers_means_no_kmer_columns(passed: Passed, tmp_path: Path) -> None:
    columns = rows_of(built(passed, tmp_path / "dataset", kmer_sizes=("0",))).columns
    assert not set(kmer_names(3)) & set(columns)
    assert not [name for name in columns if "mer_" in name]


@pytest.mark.rows("B10")
def test_a_mode_that_the_artifacts_do_not_have_is_refused_with_the_command_that_makes_it(
    passed: Passed, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="basepass positions --position-id-mode transcript"):
        built(passed, tmp_path / "dataset", position_id_mode="transcript")
    assert list(tmp_path.iterdir()) == []
    built(passed, tmp_path / "dataset", position_id_mode="genomic")


@pytest.mark.rows("B9")
def test_patching_a_fresh_dataset_finds_nothing_to_do(passed: Passed, tmp_path: Path, dataset: Path) -> None:
    result = build_command(
        reference=passed.reference, output_dir=tmp_path / "dataset", kmer_sizes=(1, 2), batch_size=5, patch_dataset=True
    )
    assert isinstance(result, BuildResult)
    assert rows_of(result.path).equals(rows_of(dataset))


@pytest.mark.rows("B9")
def test_patching_is_done_in_place_at_the_end_and_only_when_asked_for(
    passed: Passed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        pipeline,
        "patch",
        lambda dataset, *, kind, reference, inplace: calls.append((dataset, kind, reference, inplace)),
    )
    options = {"reference": passed.reference, "output_dir": tmp_path / "dataset", "kmer_sizes": (1,)}
    build_command(**options)
    build_command(**options, patch_dataset=True, dry_run=True)
    assert calls == []
    build_command(**options, patch_dataset=True)
    assert calls == [(tmp_path / "dataset", kind, passed.reference, True) for kind in ("structural", "gene_type")]


@pytest.mark.rows("G2")
def test_the_default_policy_takes_the_genes_with_most_errors_among_those_with_artifacts(
    passed: Passed, tmp_path: Path
) -> None:
    def chosen(name: str, **options: Any) -> list[str]:
        dataset = built(passed, tmp_path / name, kmer_sizes=(), **options)
        return pl.read_csv(dataset / "gene_manifest.csv")["gene_id"].to_list()

    assert chosen("default", n_genes=3) == chosen("outright", n_genes=3, subset_policy="error_total")
    assert chosen("all") == chosen("all_outright", subset_policy="all")
