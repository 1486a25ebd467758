"""Rows as arrays: weights that count bases, and every way a dataset can be unusable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build.sampling import TrimRule, trim
from meta_spliceai.errors import SchemaError, StoreError
from meta_spliceai.reference.load import load
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store.tables import SCHEMA_KEY
from meta_spliceai.train.matrix import genes_at, load_rows, open_dataset
from tests.oracles.training_oracles import genes_at_slowly
from tests.train.conftest import Inputs

NAMES = ("donor_score", "gc_content", "1mer_A")


def all_rows(dataset: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in sorted((dataset / "master").glob("*.parquet")))


@pytest.mark.rows("B28")
def test_a_dataset_is_found_by_its_folder_and_by_its_master_folder(inputs: Inputs) -> None:
    found = open_dataset(inputs.dataset)
    assert open_dataset(inputs.dataset / "master").files == found.files
    assert [path.name for path in found.files] == ["batch_00001.parquet", "batch_00002.parquet", "batch_00003.parquet"]
    assert len(found.gene_ids) == 17


def test_rows_that_reach_the_gate_have_the_features_of_the_files(inputs: Inputs) -> None:
    expected = all_rows(inputs.dataset)
    rows = load_rows(open_dataset(inputs.dataset), NAMES, load(inputs.reference).genes, gate=1e-4)
    reach = expected.with_row_index("row").filter(
        pl.max_horizontal("donor_score", "acceptor_score") >= np.float32(1e-4)
    )
    assert 0 < reach.height < expected.height
    assert rows.gated.tolist() == reach["row"].to_list()
    np.testing.assert_array_equal(rows.features, reach.select(NAMES).cast(pl.Float32).to_numpy())
    assert rows.keys.equals(expected.select("gene_id", "chrom", "strand", "position"))
    np.testing.assert_array_equal(rows.is_acceptor, expected["is_acceptor"].to_numpy())


@given(
    st.lists(st.tuples(st.sampled_from("+-"), st.integers(1, 30), st.integers(0, 20)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 20)), min_size=1, max_size=15),
)
@settings(max_examples=50, deadline=None)
def test_genes_over_a_base_are_counted_as_the_slow_twin_counts(bodies: list[Any], picks: list[Any]) -> None:
    genes = [{"chrom": "c", "strand": s, "start": a, "end": a + n} for s, a, n in bodies]
    chosen = [genes[g % len(genes)] | {"offset": offset} for g, offset in picks]
    rows = [{"chrom": "c", "strand": g["strand"], "position": min(g["start"] + g["offset"], g["end"])} for g in chosen]
    found = genes_at(pl.DataFrame(rows), pl.DataFrame(genes))
    assert found.tolist() == [genes_at_slowly(row, genes) for row in rows]


def test_weighted_rows_count_the_distinct_bases_of_whole_genes_without_bias(inputs: Inputs) -> None:
    """Over many draws the summed weight of negatives, also where two genes overlap, is the number of their bases."""
    genes = load(inputs.reference).genes.filter(pl.col("gene_name").is_in(["LEFT", "RIGHT"]))
    left, right = genes.select("start", "end").rows()
    bases = max(left[1], right[1]) - min(left[0], right[0]) + 1
    candidates = open_artifacts(inputs.eval_dir).candidates(genes["gene_id"].to_list())
    sums, plain_sums = [], []
    for seed in range(300):
        rows = trim(candidates, genes, TrimRule(easy_ratio=0.3, seed=seed)).rows
        inverse = 1 / rows["inclusion_probability"].to_numpy()
        sums.append((inverse / genes_at(rows, genes)).sum())
        plain_sums.append(inverse.sum())
    error = np.std(sums) / np.sqrt(len(sums))
    # the candidates are one draw of their own, with a standard error of sqrt(bases * (1 - 0.3) / 0.3)
    spread = 3 * (error + np.sqrt(bases * 0.7 / 0.3))
    assert np.mean(sums) == pytest.approx(bases, abs=spread)
    assert np.mean(plain_sums) > bases + spread


def damaged(inputs: Inputs, folder: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    """A copy of the dataset in which the first file of `master` is changed."""
    shutil.copytree(inputs.dataset, folder)
    path = folder / "master" / "batch_00001.parquet"
    table = change(pq.read_table(path))
    path.unlink()
    pq.write_table(table, path)
    return folder


def with_value(name: str, value: float | None) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        values = table.column(name).to_pylist()
        values[3] = value
        changed = pa.array(values, type=table.schema.field(name).type)
        return table.set_column(place, name, changed).replace_schema_metadata(table.schema.metadata)

    return change


def with_version(version: int) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        described = json.loads(table.schema.metadata[SCHEMA_KEY]) | {"version": version}
        return table.replace_schema_metadata({SCHEMA_KEY: json.dumps(described)})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["gc_content", "spread"]), "missing spread, gc_content"),
        (lambda table: table.append_column("secret", table.column("gc_content")), "not declared secret"),
        (with_version(99), "dataset, version 99"),
        (lambda table: table.replace_schema_metadata({}), "no table name, version unknown"),
    ],
)
def test_other_columns_or_versions_are_refused_when_it_is_opened(
    inputs: Inputs, tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(SchemaError, match=message):
        open_dataset(damaged(inputs, tmp_path / "damaged", change))


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (None, "1 nulls"), (1.5, "values above 1.0")],
)
def test_values_that_are_no_numbers_are_refused_when_rows_are_loaded(
    inputs: Inputs, tmp_path: Path, value: float | None, message: str
) -> None:
    dataset = open_dataset(damaged(inputs, tmp_path / "damaged", with_value("gc_content", value)))
    with pytest.raises(SchemaError, match=f"gc_content .*{message}"):
        load_rows(dataset, NAMES, load(inputs.reference).genes, gate=0.0)


def test_a_corrupt_file_is_named(inputs: Inputs, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs.dataset, tmp_path / "damaged")
    path = folder / "master" / "batch_00002.parquet"
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(StoreError, match=r"batch_00002.parquet[\s\S]*only the damaged batch is made again"):
        open_dataset(folder)


def test_pages_that_cannot_be_read_are_named(inputs: Inputs, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs.dataset, tmp_path / "damaged")
    path = folder / "master" / "batch_00001.parquet"
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"readable Parquet file .*batch_00001.parquet"):
        load_rows(open_dataset(folder), dataset_table((1,)).names[-3:], load(inputs.reference).genes, gate=0.0)


def test_an_unfinished_dataset_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs.dataset, tmp_path / "unfinished")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    with pytest.raises(StoreError, match="a finished dataset"):
        open_dataset(folder)


def test_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a dataset folder with manifest"):
        open_dataset(tmp_path)


def test_rows_outside_every_gene_are_refused(inputs: Inputs) -> None:
    genes = load(inputs.reference).genes.filter(pl.col("chrom") == "chrT2")
    with pytest.raises(SchemaError, match=r"chrT1:\d+\(\+\) lies in none"):
        load_rows(open_dataset(inputs.dataset), NAMES, genes, gate=0.5)
