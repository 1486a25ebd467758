from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.build.run import build
from meta_spliceai.maintain.light_reading import over_row_groups
from meta_spliceai.maintain.migrate import migrate
from meta_spliceai.maintain.row_checks import RowTally
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.train.matrix import open_dataset
from tests.build.conftest import Passed, pass_over
from tests.maintain.conftest import change_part
from tests.maintain.damages import DAMAGES, Damage
from tests.maintain.test_mending import content, run_printed
from tests.maintain.test_migrate import EARLIER

PLACE_IN_ORDER = ("gene_id", "chrom", "position", "strand")


def test_T9_the_good_dataset_passes_every_check(good: Path, passed: Passed) -> None:
    report = validate_dataset(good, reference=passed.reference, verify=True)
    outcomes = {finding.code: finding.outcome for finding in report.findings if finding.outcome != "passed"}
    assert outcomes == {"DS027": "not applicable"}, report.summary()
    assert report.exit_status == 0


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_found_by_its_check(damage: Damage, dataset: Path, passed: Passed) -> None:
    damage.make(dataset)
    report = validate_dataset(dataset, reference=passed.reference, verify=True)
    assert damage.code in report.found(), report.summary()
    assert report.exit_status == 1


def test_quick_leaves_out_what_reads_all_features(dataset: Path, passed: Passed) -> None:
    change_part(dataset, 1, lambda rows: rows.with_columns(pl.lit(9.0, pl.Float32).alias("gc_content")))
    report = validate_dataset(dataset, reference=passed.reference, quick=True)
    left_out = {finding.code for finding in report.findings if "--quick" in finding.reason}
    assert left_out == {"DS015", "DS022", "DS024", "DS025"}
    assert report.exit_status == 0
    assert validate_dataset(dataset, reference=passed.reference).found() >= {"DS015", "DS024"}


def test_another_build_is_named(dataset: Path, passed: Passed) -> None:
    by_name = {damage.name: damage for damage in DAMAGES}
    by_name["wrong build"].make(dataset)
    (finding,) = validate_dataset(dataset, reference=passed.reference, only=["DS028"]).findings
    assert "was built on GRCh36" in finding.reason


@pytest.mark.parametrize("mode", ["transcript", "splice_aware", "hybrid"])
def test_datasets_of_every_position_id_mode_pass(mode: str, tmp_path: Path) -> None:
    made = pass_over(tmp_path, position_id_mode=mode)
    dataset = tmp_path / "dataset"
    build(reference=made.reference, eval_dir=made.eval_dir, output_dir=dataset, kmer_sizes=(1,), batch_size=5)
    report = validate_dataset(dataset, reference=made.reference)
    assert report.found() == set(), report.summary()
    applies = {finding.code for finding in report.findings if finding.outcome == "passed"}
    assert ("DS027" in applies) == (mode in ("transcript", "splice_aware"))
    if "DS027" in applies:
        change_part(dataset, 1, lambda rows: rows.with_columns(pl.col("unit_rows") + 1))
        assert "DS027" in validate_dataset(dataset, only=["DS027"]).found()
        first_of_base = pl.int_range(pl.len()).over("gene_id", "position") == 0
        for number in (1, 2, 3):
            change_part(dataset, number, lambda rows: rows.filter(first_of_base))
        assert "DS016" in validate_dataset(dataset, reference=made.reference, only=["DS016"]).found()


def test_datasets_with_fewer_enrichers_pass(tmp_path: Path, passed: Passed) -> None:
    dataset = tmp_path / "dataset"
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=dataset, enrichers=["performance"])
    report = validate_dataset(dataset, reference=passed.reference)
    assert report.found() == set(), report.summary()
    left_out = {finding.code for finding in report.findings if finding.outcome == "not applicable"}
    assert {"DS015", "DS025"} <= left_out


def test_the_chosen_checks_read_only_their_columns(good: Path) -> None:
    opened = open_dataset(good)
    assert RowTally(opened, ["DS017"]).columns == [*PLACE_IN_ORDER, "sampling_tier", "inclusion_probability"]
    assert set(RowTally(opened, ["DS003", "DS024"]).columns) == set()


def test_datasets_that_were_extended_pass_and_are_mended_by_extending(tmp_path: Path, passed: Passed) -> None:
    dataset = tmp_path / "dataset"
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir, "output_dir": dataset, "kmer_sizes": (1,)}
    build(**options, gene_ids=["TG01.1", "TG05.1"], batch_size=3)  # type: ignore[arg-type]
    build(**options, gene_ids=["TG12.1", "TG03.1"], batch_size=3, extend=True)  # type: ignore[arg-type]
    before = content(dataset)
    report = validate_dataset(dataset, reference=passed.reference, quick=True)
    assert report.found() == set(), report.summary()
    (dataset / "batch_00002_trim.parquet").unlink()
    (finding,) = validate_dataset(dataset, reference=passed.reference, only=["DS003"]).findings
    run_printed(finding.remedy)
    assert content(dataset) == before


def test_datasets_that_were_converted_can_be_validated(tmp_path: Path, passed: Passed) -> None:
    migrate(EARLIER, dst=tmp_path / "dataset", reference=passed.reference)
    report = validate_dataset(tmp_path / "dataset", reference=passed.reference, verify=True)
    assert report.found() == {"DS012"}, report.summary()  # the earlier dataset has one base of a transcript twice


def test_row_groups_are_looked_at_in_their_order_however_long_each_takes(good: Path) -> None:
    opened = open_dataset(good)

    def look(path: Path, group: int, frame: pl.DataFrame) -> tuple[str, int, int]:
        time.sleep(0.05 if path.name == "batch_00001.parquet" else 0)
        return path.name, group, frame.height

    seen = list(over_row_groups(opened, ["gene_id"], look))
    assert seen == [(path.name, 0, pl.read_parquet(path).height) for path in opened.files]


@pytest.mark.parametrize("column, also", [("gene_id", "DS019"), ("position", "DS026"), ("chrom", "DS026")])
def test_rows_without_a_key_are_told_and_the_other_checks_are_made(
    column: str, also: str, dataset: Path, passed: Passed
) -> None:
    change_part(dataset, 1, lambda rows: rows.with_columns(pl.lit(None, rows.schema[column]).alias(column)))
    report = validate_dataset(dataset, reference=passed.reference)
    assert {"DS007", also} <= report.found(), report.summary()


def test_without_a_gene_manifest_the_bodies_of_genes_are_those_of_the_reference(tmp_path: Path, passed: Passed) -> None:
    dataset = tmp_path / "dataset"
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir, "output_dir": dataset, "kmer_sizes": (1,)}
    build(**options, no_manifest=True)  # type: ignore[arg-type]
    report = validate_dataset(dataset, reference=passed.reference)
    left_out = {finding.code for finding in report.findings if finding.outcome == "not applicable"}
    assert (report.found(), left_out) == (set(), {"DS019", "DS027"}), report.summary()
    change_part(dataset, 1, lambda rows: rows.with_columns(pl.col("position") + 90_000))
    assert "DS026" in validate_dataset(dataset, reference=passed.reference).found()
    finding = validate_dataset(dataset, only=["DS026"]).findings[0]
    assert "without --no-manifest" in finding.reason
