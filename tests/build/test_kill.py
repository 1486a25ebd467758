"""Killed at every write and resumed, a build leaves the bytes of one that was never interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import Passed, pass_over

DRIVER = Path(__file__).with_name("kill_driver.py")
OPTIONS = {"gene_ids": ["TG01.1", "TG09.1", "TG13.1"], "batch_size": 2, "kmer_sizes": [2]}


def outcomes(passed: Passed, folder: Path, points: list[int]) -> list[dict[str, Any]]:
    told = {
        "reference": str(passed.reference),
        "eval_dir": str(passed.eval_dir),
        "options": OPTIONS,
        "folder": str(folder),
        "points": points,
    }
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps(told),
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def few(passed: Passed) -> Passed:
    """A base pass over these genes alone: the build is done a hundred times."""
    genes = OPTIONS["gene_ids"]
    return pass_over(passed.reference.parent, eval_dir=passed.reference.parent / "few", genes=genes)


@pytest.fixture(scope="module")
def whole(few: Passed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A build that was left alone: its contents, and how many steps its writes took."""
    (outcome,) = outcomes(few, tmp_path_factory.mktemp("whole"), [0])
    return outcome


def test_a_build_left_alone_writes_everything_once(whole: dict[str, Any]) -> None:
    assert not whole["killed"]
    assert list(whole["contents"]) == [
        "BUILD_INFO.md",
        "README.md",
        "batch_00001_ledger.csv",
        "batch_00001_trim.parquet",
        "batch_00002_ledger.csv",
        "batch_00002_trim.parquet",
        "croissant.json",
        "gene_manifest.csv",
        "manifest.json",
        "master/batch_00001.parquet",
        "master/batch_00002.parquet",
        "sampling_ledger.csv",
        "schema.json",
        "statistics.json",
    ]
    # the manifest is written at the start, after each of three parts, and at the end
    assert whole["steps"] == 2 * (len(whole["contents"]) + 4)


@pytest.mark.parametrize("half", [0, 1])
def test_killed_at_any_write_and_resumed_it_leaves_the_same_bytes(
    few: Passed, whole: dict[str, Any], tmp_path: Path, half: int
) -> None:
    points = list(range(1 + half, whole["steps"] + 1, 2))
    results = outcomes(few, tmp_path, points)
    assert [result["at"] for result in results if not result["killed"] or not result["resumed"]] == []
    assert [result["at"] for result in results if result["contents"] != whole["contents"]] == []
