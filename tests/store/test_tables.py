"""Tables on disk: what is read is what was written, with the schema inside, in bytes that depend on content alone."""

from __future__ import annotations

import json
import resource
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.errors import DiskFullError, SchemaError, StoreError
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.describe import as_json
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store import tables
from meta_spliceai.store.tables import TableWriter, read_parquet, read_rows, read_tsv, write_parquet, write_tsv

TABLE = Table(
    "toy",
    3,
    "a toy",
    (
        Column("gene_id", pl.String, "key", "gene", "a gene"),
        Column("score", pl.Float32, "feature", "base_score", "a score", low=0, high=1),
        Column("transcript_id", pl.String, "key", "label", "a transcript or none", nullable=True),
        Column("count", pl.UInt16, "feature", "sequence", "a count"),
    ),
)


def toy(rows: int) -> pl.DataFrame:
    number = np.arange(rows)
    return pl.DataFrame(
        {
            "gene_id": [f"gene {n // 7}" for n in number],
            "score": (number * 37 % 101 / 101).astype(np.float32),
            "transcript_id": [None if n % 3 else f"t{n}" for n in number],
            "count": number.astype(np.uint16),
        },
        schema=TABLE.polars_schema(),
    )


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(tables, "ROW_GROUP_ROWS", 50)
    return 50


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_parquet_gives_back_the_frame_and_the_schema(tmp_path: Path, rows: int) -> None:
    frame = toy(rows)
    write_parquet(frame, tmp_path / "a.parquet", TABLE)
    assert read_parquet(tmp_path / "a.parquet", TABLE).equals(frame)
    assert read_parquet(tmp_path / "a.parquet", columns=["count"]).columns == ["count"]
    metadata = pq.read_schema(tmp_path / "a.parquet").metadata
    assert json.loads(metadata[tables.SCHEMA_KEY]) == as_json(TABLE)


@pytest.mark.rows("B23")
def test_parquet_is_compressed_with_zstd(tmp_path: Path) -> None:
    write_parquet(toy(10), tmp_path / "a.parquet", TABLE)
    assert pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(0).compression == "ZSTD"


def test_a_frame_that_does_not_conform_is_refused_with_every_problem(tmp_path: Path) -> None:
    wrong = toy(3).with_columns(score=pl.lit(2.0, dtype=pl.Float32), gene_id=pl.lit(None, dtype=pl.String))
    with pytest.raises(SchemaError, match=r"gene_id has 3 nulls; column score has 3 values above 1"):
        write_parquet(wrong, tmp_path / "a.parquet", TABLE)
    with pytest.raises(SchemaError, match="column count is missing"), TableWriter(tmp_path / "a.parquet", TABLE) as w:
        w.append(toy(3).drop("count"))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 260), max_size=8))
def test_how_rows_are_cut_into_frames_leaves_no_trace(cuts: list[int]) -> None:
    frame = toy(260)
    bounds = [0, *sorted(cuts), 260]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROW_GROUP_ROWS", 50)
        whole, pieces = Path(folder) / "whole.parquet", Path(folder) / "pieces.parquet"
        write_parquet(frame, whole, TABLE)
        with TableWriter(pieces, TABLE) as writer:
            for first, last in pairwise(bounds):
                writer.append(frame.slice(first, last - first))
        assert writer.rows == 260
        assert pieces.read_bytes() == whole.read_bytes()


def test_pages_do_not_end_where_frames_ended(tmp_path: Path) -> None:
    # Long distinct texts fill several pages; those of Parquet end with an Arrow chunk unless the chunks are joined.
    frame = toy(40_000).with_columns(gene_id=pl.Series([f"{n * 2654435761 % 2**32:040b}" for n in range(40_000)]))
    for size in (40_000, 777):
        with TableWriter(tmp_path / f"{size}.parquet", TABLE) as writer:
            for piece in frame.iter_slices(size):
                writer.append(piece)
    assert (tmp_path / "777.parquet").read_bytes() == (tmp_path / "40000.parquet").read_bytes()


def test_row_groups_have_the_declared_size(tmp_path: Path, small_groups: int) -> None:
    with TableWriter(tmp_path / "a.parquet", TABLE) as writer:
        writer.append(toy(120))
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [50, 50, 20]


def test_tables_of_thousands_of_columns_have_smaller_row_groups() -> None:
    assert tables.row_group_rows(dataset_table((3,))) == tables.ROW_GROUP_ROWS
    wide = dataset_table((6,))
    assert 10_000 < tables.row_group_rows(wide) < 20_000


def test_a_writer_without_rows_leaves_an_empty_table(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "a.parquet", TABLE):
        pass
    assert read_parquet(tmp_path / "a.parquet", TABLE).equals(TABLE.empty())


def test_an_error_between_frames_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half way"), TableWriter(tmp_path / "a.parquet", TABLE) as writer:
        writer.append(toy(10))
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "rows"), [(200, 49), (30_000, 20_000)], ids=["while closing", "while appending"])
def test_a_full_disk_leaves_nothing_whenever_it_is_noticed(
    tmp_path: Path, small_groups: int, limit: int, rows: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(DiskFullError, match="room to write"), TableWriter(tmp_path / "a.parquet", TABLE) as writer:
            for piece in toy(rows).iter_slices(30):
                writer.append(piece)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 10, -5])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(toy(100), path, TABLE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError, match=r"a readable Parquet file .*a\.parquet(.|\n)*delete the file"):
        read_parquet(path, TABLE)


@pytest.mark.parametrize("wanted", [[], ["gene 0"], ["gene 7", "gene 8", "gene 9"], ["gene 1", "gene 16"], ["gene 99"]])
def test_rows_of_some_genes_are_read_in_order(tmp_path: Path, small_groups: int, wanted: list[str]) -> None:
    frame = toy(120)
    write_parquet(frame, tmp_path / "a.parquet", TABLE)
    found = read_rows(tmp_path / "a.parquet", TABLE, "gene_id", wanted)
    assert found.equals(frame.filter(pl.col("gene_id").is_in(wanted)))


def test_row_groups_without_the_genes_are_not_read(tmp_path: Path, small_groups: int) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(toy(120), path, TABLE)
    last = pq.read_metadata(path).row_group(2).column(1)
    content = bytearray(path.read_bytes())
    start = last.data_page_offset
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)
    assert read_rows(path, TABLE, "gene_id", ["gene 3"]).height == 7
    with pytest.raises(StoreError, match="a readable Parquet file"):
        read_rows(path, TABLE, "gene_id", ["gene 16"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a file .*a\.parquet\nfound: there is none"):
        read_parquet(tmp_path / "a.parquet")


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_parquet(toy(3), tmp_path / "a.parquet", TABLE)
    with pytest.raises(SchemaError, match=r"a\.parquet to be a dataset table, version 1"):
        read_parquet(tmp_path / "a.parquet", dataset_table((1,)))


def test_tsv_gives_back_the_frame_nulls_and_all(tmp_path: Path) -> None:
    frame = toy(10)
    write_tsv(frame, tmp_path / "a.tsv")
    assert read_tsv(tmp_path / "a.tsv", TABLE).equals(frame)
    assert (tmp_path / "a.tsv").read_text().splitlines()[0] == "gene_id\tscore\ttranscript_id\tcount"


def test_a_damaged_tsv_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("gene_id\tscore\ttranscript_id\tcount\ng\tmany\t\t1\n")
    with pytest.raises(StoreError, match=r"a toy table in .*a\.tsv"):
        read_tsv(tmp_path / "a.tsv", TABLE)
