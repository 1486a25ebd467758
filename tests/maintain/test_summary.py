"""The summary counts what a slow reader would count."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.cli.rendering import as_json
from meta_spliceai.maintain import summary as module
from meta_spliceai.maintain.patch import patch
from meta_spliceai.maintain.summary import DatasetSummary, summarise
from meta_spliceai.maintain.summary_text import log_bins, number, sparkline, without_kmers
from meta_spliceai.train.matrix import row_groups
from tests.maintain.conftest import change_part, rows_of


@pytest.fixture(scope="module")
def summary(good: Path, tmp_path_factory: pytest.TempPathFactory) -> DatasetSummary:
    return summarise(good / "master", html=tmp_path_factory.mktemp("page") / "summary.html")


def test_T10_rows_and_class_balance_are_counted(summary: DatasetSummary, good: Path) -> None:
    rows = rows_of(good).to_dicts()
    assert (summary.rows, summary.genes, summary.parts) == (len(rows), 17, 4)
    for frame, column in (
        (summary.labels, "splice_type"),
        (summary.calls, "pred_type"),
        (summary.tiers, "sampling_tier"),
    ):
        for value, count, share, bases in frame.iter_rows():
            own = [row for row in rows if row[column] == value]
            assert (count, share) == (len(own), pytest.approx(len(own) / len(rows)))
            assert bases == pytest.approx(math.fsum(1 / row["inclusion_probability"] for row in own))
        assert frame["rows"].sum() == len(rows)


def test_T10_nulls_ranges_and_means_are_those_of_the_columns(summary: DatasetSummary, good: Path) -> None:
    rows = rows_of(good)
    table = {row["column"]: row for row in summary.columns.to_dicts()}
    assert list(table) == rows.columns
    for name in rows.columns:
        assert table[name]["nulls"] == rows[name].null_count()
        if rows[name].dtype.is_numeric():
            values = rows[name].cast(pl.Float64)
            assert (table[name]["min"], table[name]["max"]) == (values.min(), values.max())
            assert table[name]["mean"] == pytest.approx(values.mean())
    assert table["transcript_id"]["nulls"] > 0


def test_what_rows_stand_for_is_an_estimate_of_the_gene_bodies(summary: DatasetSummary) -> None:
    assert summary.bases == pytest.approx(summary.body_bases, rel=0.03)
    assert summary.inclusion["bases"].sum() == pytest.approx(summary.bases, abs=1)
    assert "an estimate" in summary.summary()


def test_gene_types_and_rows_per_gene_add_up(summary: DatasetSummary, good: Path) -> None:
    manifest = pl.read_csv(good / "gene_manifest.csv")
    assert summary.gene_types["genes"].sum() == manifest.height
    assert summary.gene_types["donors"].sum() == manifest["donor_sites"].sum()
    assert dict(summary.rows_per_gene.iter_rows()) == dict(manifest.select("gene_id", "rows").iter_rows())


def test_every_row_is_in_each_histogram(summary: DatasetSummary) -> None:
    assert {name: sum(counts) for name, counts in summary.histograms.items()} == dict.fromkeys(
        ("donor_score", "acceptor_score", "spread", "gc_content"), summary.rows
    )
    assert [log_bins([0, 1, 2, 3, 4, 9])] == [[1, 1, 2, 1, 1]]


def test_how_the_rows_are_cut_into_files_leaves_no_trace(
    summary: DatasetSummary, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*arguments, **options):
        for path, group, frame in row_groups(*arguments, **options):
            for piece in frame.iter_slices(37):
                yield path, group, piece

    monkeypatch.setattr(module, "row_groups", cut)
    again = summarise(good)
    assert again.labels.drop("bases").equals(summary.labels.drop("bases"))
    assert again.columns.drop("mean").equals(summary.columns.drop("mean"))
    assert again.histograms == summary.histograms
    assert again.rows_per_gene.equals(summary.rows_per_gene)


def test_damaged_values_are_counted_not_refused(dataset: Path) -> None:
    nan = pl.when(pl.int_range(pl.len()) < 3).then(float("nan")).otherwise("gc_content").cast(pl.Float32)
    none = pl.when(pl.int_range(pl.len()) < 2).then(None).otherwise("donor_score").cast(pl.Float32)
    change_part(dataset, 1, lambda rows: rows.with_columns(gc_content=nan, donor_score=none))
    result = summarise(dataset)
    table = {row["column"]: row for row in result.columns.to_dicts()}
    assert (table["gc_content"]["not_finite"], table["gc_content"]["nulls"]) == (3, 0)
    assert math.isfinite(table["gc_content"]["mean"])
    assert table["donor_score"]["nulls"] == 2
    assert "finite" in result.summary()


@pytest.mark.parametrize("value", [0.0, -1.0, None, float("nan")])
def test_rows_without_a_weight_stand_for_nothing_and_end_no_summary(value: float | None, dataset: Path) -> None:
    whole = summarise(dataset).bases
    change_part(dataset, 1, lambda rows: rows.with_columns(inclusion_probability=pl.lit(value, pl.Float64)))
    left = rows_of(dataset).filter(pl.col("inclusion_probability") > 0, pl.col("inclusion_probability").is_not_nan())
    summary = summarise(dataset)
    assert summary.bases == round((1 / left["inclusion_probability"]).sum()) < (whole or 0)
    assert "standing for" in summary.summary()


def test_patched_values_are_summarised(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "expr.tsv").write_text("gene_id\ttpm\nTG02.3\t5\n")
    patch(dataset, kind="columns", table=tmp_path / "expr.tsv")
    result = summarise(dataset)
    own = result.columns.row(by_predicate=pl.col("column") == "tpm", named=True)
    assert (own["max"], own["origin"]) == (5.0, "external")
    assert own["nulls"] == result.rows - rows_of(dataset).filter(pl.col("gene_id") == "TG02.3").height
    assert "patch expr in side files" in result.summary()


def test_gene_types_are_those_the_rows_say(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "types.tsv").write_text("gene_id\tgene_type\nTG02.3\tmiRNA\n")
    patch(dataset, kind="gene_type", gene_features=tmp_path / "types.tsv")
    own = summarise(dataset).gene_types.row(by_predicate=pl.col("gene_type") == "miRNA", named=True)
    assert (own["genes"], own["donors"]) == (1, 5)
    assert own["rows"] == rows_of(dataset).filter(pl.col("gene_id") == "TG02.3").height


# ---- how it looks ----------------------------------------------------------------------------------------------------


def test_the_text_is_not_wider_than_a_terminal(summary: DatasetSummary) -> None:
    lines = summary.summary().splitlines()
    assert max(len(line) for line in lines[1:]) <= 120
    assert any(line.startswith("donor_score") and "█" in line for line in lines)


def test_features_that_may_surprise_are_shown_in_the_terminal(dataset: Path) -> None:
    constant = pl.lit(0.5, pl.Float32)
    for part in (1, 2, 3, 4):
        change_part(dataset, part, lambda rows: rows.with_columns(donor_max_up_1_10=constant))
    shown = summarise(dataset).summary()
    assert "donor_max_up_1_10" in shown
    assert "donor_max_up_11_50" not in shown
    assert "more lines of features" in shown


def test_all_kmers_of_one_size_are_one_line(summary: DatasetSummary) -> None:
    line = without_kmers(summary.columns).row(by_predicate=pl.col("column") == "1mer_* (4)", named=True)
    own = summary.columns.filter(pl.col("column").str.starts_with("1mer_"))
    assert (line["min"], line["max"]) == (own["min"].min(), own["max"].max())


def test_a_single_row_already_shows_in_a_histogram() -> None:
    assert sparkline([0, 1, 10**6]) == " ▁█"
    assert sparkline([0, 0]) == "  "
    assert (number(None), number(1234), number(0.123456), number(2500.0)) == ("–", "1,234", "0.1235", "2,500")


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_needs_no_network_and_holds_the_counts(summary: DatasetSummary) -> None:
    assert summary.html is not None
    text = summary.html.read_text()
    parts = _Parts()
    parts.feed(text)
    assert (parts.open, parts.addresses) == ([], [])
    assert "http" not in text
    assert "<script" not in text
    assert f"{summary.rows:,} rows of 17 genes" in text
    for value in summary.labels["splice_type"]:
        assert re.search(rf">{value}<", text)


def test_the_command_prints_json_for_machines(summary: DatasetSummary, good: Path) -> None:
    assert json.loads(as_json(summary))["rows"] == summary.rows
    done = subprocess.run(
        [sys.executable, "-m", "meta_spliceai", "dataset", "summary", str(good), "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
    )
    content = json.loads(done.stdout)
    assert content["labels"][0]["splice_type"] == "neither"
    assert content["rows"] == summary.rows
