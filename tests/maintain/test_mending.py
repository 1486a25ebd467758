"""What a check prints as its remedy mends: the commands are run as they are printed, and the original bytes are back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.cli import main
from meta_spliceai.maintain.dedup import dedup
from meta_spliceai.maintain.validate import validate_dataset
from tests.build.conftest import Passed
from tests.maintain.conftest import change_part, rows_of
from tests.maintain.damages import DAMAGES, Damage

MENDED = [
    damage
    for damage in DAMAGES
    if damage.restored
    and (
        damage.code in ("DS002", "DS003", "DS004", "DS005", "DS006", "DS012", "DS018", "DS019", "DS020", "DS021")
        or damage is next(one for one in DAMAGES if one.code == damage.code)
    )
]


def content(dataset: Path, pattern: str = "**/*") -> dict[str, bytes]:
    """Bytes by name; what only says how a run went is left out."""
    files = [path for path in dataset.glob(pattern) if path.is_file() and path.name not in ("run_log.jsonl", ".lock")]
    return {path.relative_to(dataset).as_posix(): path.read_bytes() for path in files}


def run_printed(remedy: str) -> None:
    for command in re.findall("`([^`]*)`", remedy):
        program, *arguments = shlex.split(command)
        assert program == "meta-spliceai"
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code in (0, None), command


@pytest.mark.parametrize("damage", MENDED, ids=lambda damage: damage.name)
def test_the_printed_commands_restore_the_bytes(
    damage: Damage, dataset: Path, good: Path, passed: Passed, capsys: pytest.CaptureFixture[str]
) -> None:
    damage.make(dataset)
    (finding,) = validate_dataset(dataset, reference=passed.reference, verify=True, only=[damage.code]).findings
    run_printed(finding.remedy)
    if "dataset dedup" in finding.remedy or "dataset patch" in finding.remedy:
        assert content(dataset, "master/*") == content(good, "master/*")
    else:
        assert content(dataset) == content(good)
    assert validate_dataset(dataset, reference=passed.reference, quick=True).found() == set()


def test_a_base_that_got_a_second_row_in_another_gene_is_found_and_merged_again(
    good: Path, passed: Passed, tmp_path: Path
) -> None:
    merged = tmp_path / "merged"
    dedup(good, dst=merged, subset_cols=["chrom", "position", "strand"])
    before = rows_of(merged)
    assert validate_dataset(merged, reference=passed.reference, only=["DS012"]).found() == set()

    # TG06.1 begins in the second part, and its rows lie among those of TG05.1, which the first part holds
    of_tg05 = before.filter((pl.col("gene_id") == "TG05.1") & (pl.col("position") > 25_000)).head(1)
    change_part(merged, 2, lambda rows: pl.concat([of_tg05.with_columns(gene_id=pl.lit("TG06.1")), rows]))
    (finding,) = validate_dataset(merged, reference=passed.reference, only=["DS012"]).findings
    assert "2 rows of TG05.1, TG06.1" in finding.reason
    run_printed(finding.remedy)
    assert rows_of(merged).equals(before)
