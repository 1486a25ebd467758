"""Equal datasets are said to be equal, and every difference is found and shown once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.build.run import build
from meta_spliceai.errors import StoreError
from meta_spliceai.maintain import diff as module
from meta_spliceai.maintain.diff import diff
from meta_spliceai.maintain.patch import patch
from tests.build.conftest import Passed
from tests.maintain.conftest import change_part, rows_of


def test_a_dataset_is_the_same_as_its_copy(good: Path, dataset: Path) -> None:
    found = diff(good, dataset / "master")
    assert (found.same, found.exit_status, found.rows_compared) == (True, 0, rows_of(good).height)
    assert "the same: parameters, columns, genes" in found.summary()


def test_rows_are_matched_whatever_batch_they_are_in(good: Path, passed: Passed, tmp_path: Path) -> None:
    build(
        reference=passed.reference, eval_dir=passed.eval_dir, output_dir=tmp_path / "d", kmer_sizes=(1,), batch_size=3
    )
    found = diff(good, tmp_path / "d")
    assert found.parameters == {"batch_size": [5, 3]}
    assert (found.rows_only_a, found.rows_only_b, found.values.height) == (0, 0, 0)
    assert found.rows_compared == rows_of(good).height
    assert not found.same
    assert "all values of" in found.summary()


def test_changed_values_are_counted_by_column_with_the_first_examples(good: Path, dataset: Path) -> None:
    second = pl.read_parquet(good / "master/batch_00002.parquet")
    row = second.row(4, named=True)
    fourth = pl.int_range(pl.len()) == 4
    change_part(
        dataset, 2,
        lambda rows: rows.with_columns(
            gc_content=pl.when(fourth).then(pl.col("gc_content") + 0.25).otherwise("gc_content"),
            transcript_id=pl.when(fourth).then(pl.lit("new")).otherwise("transcript_id"),
        ),
    )  # fmt: skip
    found = diff(good, dataset)
    values = {value["column"]: value for value in found.values.to_dicts()}
    assert set(values) == {"gc_content", "transcript_id"}
    assert values["gc_content"]["rows"] == 1
    assert values["gc_content"]["largest_difference"] == pytest.approx(0.25)
    place = f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"
    assert values["gc_content"]["examples"] == f"{place} {row['gc_content']:.6g} → {row['gc_content'] + 0.25:.6g}"
    assert values["transcript_id"]["examples"].endswith("null → new")
    assert (found.rows_only_a, found.rows_only_b, found.exit_status) == (0, 0, 1)


def test_rows_of_one_only_are_counted_on_both_sides(good: Path, dataset: Path) -> None:
    change_part(dataset, 1, lambda rows: rows.slice(2))
    change_part(
        dataset, 3, lambda rows: pl.concat([rows, rows.head(1), rows.head(1).with_columns(pl.col("position") - 1)])
    )
    found = diff(good, dataset)
    assert (found.rows_only_a, found.rows_only_b) == (2, 2)
    lost = pl.read_parquet(good / "master/batch_00001.parquet").row(0, named=True)
    assert f"rows only in a: 2, such as {lost['gene_id']} {lost['chrom']}:{lost['position']}" in found.summary()
    assert found.values.is_empty()


def test_genes_and_columns_of_one_only_are_named(good: Path, passed: Passed, tmp_path: Path) -> None:
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir, "batch_size": 5}
    build(**options, output_dir=tmp_path / "d", kmer_sizes=(2,), gene_ids=["TG01.1", "TG17.1"])  # type: ignore[arg-type]
    found = diff(tmp_path / "d", good)
    assert (len(found.genes_only_b), found.genes_only_a) == (15, [])
    assert len(found.columns_only_a) == 16
    assert found.columns_only_b == ["1mer_A", "1mer_C", "1mer_G", "1mer_T"]
    assert found.rows_only_b == rows_of(good).height - rows_of(tmp_path / "d").height
    assert found.values.is_empty()
    assert "columns only in b: 4: 1mer_A, 1mer_C" in found.summary()


def test_columns_declared_otherwise_and_patched_values_are_seen(good: Path, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "types.tsv").write_text("gene_id\tgene_type\nTG01.1\todd\n")
    patch(dataset, kind="gene_type", gene_features=tmp_path / "types.tsv")
    (tmp_path / "x.tsv").write_text("gene_id\tx\nTG01.1\t1\n")
    patch(dataset, kind="columns", table=tmp_path / "x.tsv", role="text")
    found = diff(good, dataset)
    assert found.columns_only_b == ["x"]
    assert set(found.values["column"]) == {"gene_type", "gene_is_protein_coding"}
    assert "protein_coding → odd" in found.summary()


def test_how_many_genes_are_compared_at_a_time_leaves_no_trace(
    good: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_part(dataset, 2, lambda rows: rows.slice(3).with_columns(pl.col("score") * 2))
    whole = diff(good, dataset)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(module, "_HELD_GROUPS", 1)
    single = diff(good, dataset)
    assert whole.values.equals(single.values)
    assert whole.row_examples.equals(single.row_examples)
    assert whole.summary() == single.summary()


def test_the_exit_status_says_whether_they_differ(good: Path, dataset: Path) -> None:
    def status(*arguments: str) -> int:
        command = [sys.executable, "-m", "meta_spliceai", "dataset", "diff", *arguments, "--json", "--quiet"]
        return subprocess.run(command, capture_output=True).returncode

    assert status(str(good), str(dataset)) == 0
    change_part(dataset, 1, lambda rows: rows.slice(1))
    assert status(str(good), str(dataset)) == 1


def test_a_folder_that_is_no_dataset_is_refused(good: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="dataset folder with manifest"):
        diff(good, tmp_path / "none")
