"""Pruning: over all rows, protecting what is needed, with thousands of k-mers, and the same each time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.train.datasets import load_dataset
from meta_spliceai.train.matrix import open_dataset
from meta_spliceai.train.profile_file import profile_of
from meta_spliceai.train.prune import correlated, find_prunable
from meta_spliceai.train.run import train
from tests.train.conftest import Inputs


@pytest.fixture(scope="module")
def repetitive(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A copy of the dataset: gc_content differs in one row only, 1mer_C is constant, 1mer_G repeats 1mer_A in large."""
    folder = Path(shutil.copytree(inputs.dataset, tmp_path_factory.mktemp("pruning") / "dataset"))
    for number, path in enumerate(sorted((folder / "master").glob("*.parquet"))):
        table = pq.read_table(path)
        metadata = table.schema.metadata
        odd = np.full(table.num_rows, 0.5, dtype=np.float32)
        odd[0] = 0.25 if number == 0 else 0.5
        for name, values in (
            ("gc_content", odd),
            ("1mer_C", np.full(table.num_rows, 7)),
            ("1mer_G", np.asarray(table.column("1mer_A")) * 1),
        ):
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pa.array(values).cast(table.schema.field(place).type))
        path.unlink()
        pq.write_table(table.replace_schema_metadata(metadata), path)
    return Inputs(folder, inputs.reference, inputs.eval_dir)


@pytest.mark.rows("R3", "R4", "R5")
def test_constants_are_found_over_all_rows_and_repetitions_in_a_sample(repetitive: Inputs) -> None:
    dataset = open_dataset(repetitive.dataset)
    names = ["donor_score", "acceptor_score", "gc_content", "1mer_A", "1mer_C", "1mer_G", "1mer_T"]
    found = find_prunable(dataset, names, corr_thr=0.99, seed=1)
    assert found.constant == ("1mer_C",)
    assert found.correlated["1mer_G"][0] == "1mer_A"
    assert found.correlated["1mer_G"][1] == pytest.approx(1.0, abs=1e-5)
    assert "gc_content" not in found.names, "one row differs, which a sample might miss"
    assert find_prunable(dataset, names, corr_thr=0.99, seed=1) == found
    with pytest.raises(InputError, match="--corr-thr above 0"):
        find_prunable(dataset, names, corr_thr=1.5, seed=1)


@pytest.mark.rows("R4")
def test_the_later_of_two_correlated_features_goes_as_a_slow_twin_says() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(400, 5))
    sample = np.concatenate([base, base[:, :3] + 0.3 * rng.normal(size=(400, 3)), -2 * base[:, 3:4] + 1], axis=1)
    sample[rng.random(sample.shape) < 0.02] = np.nan
    names = [f"c{number}" for number in range(9)]
    filled = np.where(np.isnan(sample), np.nanmean(sample, axis=0), sample)
    expected: dict[str, str] = {}
    for later in range(9):
        for earlier in range(later):
            if names[earlier] not in expected and abs(np.corrcoef(filled[:, later], filled[:, earlier])[0, 1]) >= 0.9:
                expected[names[later]] = names[earlier]
                break
    found = correlated(sample.astype(np.float32), names, 0.9)
    assert {name: kept for name, (kept, _) in found.items()} == expected
    assert len(expected) == 4
    assert found["c8"][1] < 0


def test_base_scores_are_protected_and_thousands_of_k_mers_are_no_obstacle() -> None:
    rng = np.random.default_rng(3)
    sample = rng.poisson(0.2, size=(1_000, 4_100)).astype(np.float32)
    sample[:, 1] = sample[:, 0]
    sample[:, 4_099] = 3 * sample[:, 50]
    names = ["donor_score", "acceptor_score", *(f"k{number}" for number in range(4_098))]
    assert set(correlated(sample, names, 0.99)) == {"k4097"}


@pytest.mark.rows("R3", "R13")
def test_a_pruned_run_leaves_the_trimmed_dataset_and_a_model_that_does_not_need_what_was_dropped(
    repetitive: Inputs, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options: dict[str, Any] = repetitive.options(out_dir=out, arms=(), prune_features=True)
    train(**options)
    dropped = pl.read_csv(out / "pruned_features.csv")
    assert dropped.filter(feature="1mer_C")["reason"].to_list() == ["constant"]
    assert dropped.filter(feature="1mer_G")["kept_instead"].to_list() == ["1mer_A"]
    whole, trimmed = load_dataset(repetitive.dataset), load_dataset(out / "dataset_trimmed.parquet")
    assert trimmed.equals(whole.drop(dropped["feature"].to_list()))
    protected = {column.name for column in dataset_table(()) if column.role != "feature"}
    assert protected <= set(trimmed.columns)
    read = set(pl.read_csv(out / "feature_manifest.csv")["feature"])
    assert not read & set(dropped["feature"])
    assert read < set(trimmed.columns)


def test_a_file_of_features_claims_the_narrowest_profile_that_admits_them(tmp_path: Path) -> None:
    table, path = dataset_table((1,)), tmp_path / "features.txt"
    for text, profile in (
        ("donor_score\n# a remark\nspread\n", "base_only"),
        ('["donor_score", "gc_content"]', "de_novo"),
        ("gc_content\ngene_length  # known\n", "gene_conditioned"),
        ("num_exons", "annotated"),
    ):
        path.write_text(text)
        assert profile_of(str(path), table)[0] == profile
    assert profile_of("de_novo", table) == ("de_novo", None)
    for text, message in (
        ("gc_contents", "did you mean gc_content"),
        ("splice_type", "found: splice_type"),
        ("", "no name"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            profile_of(str(path), table)


def test_a_model_of_named_features_reads_only_these(inputs: Inputs, tmp_path: Path) -> None:
    path = tmp_path / "features.txt"
    path.write_text("donor_score\nacceptor_score\ngc_content\ndonor_logit\nacceptor_logit")
    train(**inputs.options(out_dir=tmp_path / "run", arms=("base_scores",), feature_profile=str(path)))
    assert set(pl.read_csv(tmp_path / "run" / "feature_manifest.csv")["feature"]) == set(path.read_text().split())
