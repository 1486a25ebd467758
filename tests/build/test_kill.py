"""Killed at any write and resumed, a build, an extension or a merge leaves the bytes of one that was never interrupted."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from meta_spliceai.build.run import build
from tests.build.conftest import Passed, pass_over
from tests.build.kill_driver import contents

DRIVER = Path(__file__).with_name("kill_driver.py")
GENES = ["TG01.1", "TG09.1", "TG13.1"]
OPTIONS = {"gene_ids": GENES, "batch_size": 2, "kmer_sizes": [2]}
HALF = 0.5

Job = dict[str, Any]


def outcomes(job: Job, folder: Path, moments: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
    """What became of the job killed at each moment: the step of writing, and the share of its bytes that is written."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps({"job": job, "folder": str(folder), "moments": moments}),
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


def random_moments(seed: int, number: int, steps: int) -> list[tuple[int, float]]:
    """Moments to die at, the same in every run."""
    drawn = random.Random(seed)
    return [(drawn.randint(1, steps), drawn.random()) for _ in range(number)]


@pytest.fixture(scope="module")
def few(passed: Passed) -> Passed:
    """A base pass over these genes alone: the build is done a hundred times."""
    return pass_over(passed.reference.parent, eval_dir=passed.reference.parent / "few", genes=GENES)


def job_of(passed: Passed, name: str, **more: Any) -> Job:
    return {"name": name, "reference": str(passed.reference), "eval_dir": str(passed.eval_dir), **more}


def build_all(few: Passed, _: Path) -> Job:
    return job_of(few, "build", options=OPTIONS)


def extend_by_one(few: Passed, folder: Path) -> Job:
    build(
        reference=few.reference, eval_dir=few.eval_dir, output_dir=folder / "two", **{**OPTIONS, "gene_ids": GENES[:2]}
    )  # type: ignore[arg-type]
    options = {**OPTIONS, "gene_ids": GENES[2:]}
    return job_of(few, "extend", options=options, extended=str(folder / "two"))


def merge_shards(few: Passed, folder: Path) -> Job:
    shards = [folder / f"shard_{number}" for number in (1, 2)]
    for number, shard in enumerate(shards, start=1):
        build(reference=few.reference, eval_dir=few.eval_dir, output_dir=shard, **OPTIONS, shard=f"{number}/2")  # type: ignore[arg-type]
    return job_of(few, "merge", sources=[str(shard) for shard in shards])


@pytest.fixture(scope="module")
def whole(few: Passed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A build that was left alone: its contents, and how many steps its writes took."""
    folder = tmp_path_factory.mktemp("whole")
    (outcome,) = outcomes(build_all(few, folder), folder, [(0, HALF)])
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


@pytest.mark.rows("B14", "B15", "B20")
@pytest.mark.parametrize("half", [0, 1])
def test_killed_at_any_write_and_resumed_it_leaves_the_same_bytes(
    few: Passed, whole: dict[str, Any], tmp_path: Path, half: int
) -> None:
    moments = [(step, HALF) for step in range(1 + half, whole["steps"] + 1, 2)]
    results = outcomes(build_all(few, tmp_path), tmp_path, moments)
    assert [result["at"] for result in results if not result["killed"] or not result["resumed"]] == []
    assert [result["at"] for result in results if result["contents"] != whole["contents"]] == []


@pytest.mark.rows("B13", "B14", "B20", "B30")
@pytest.mark.parametrize(
    ("job_for", "number", "seed"), [(build_all, 16, 1), (extend_by_one, 17, 2), (merge_shards, 17, 3)]
)
def test_killed_at_random_moments_and_resumed_every_job_leaves_the_same_bytes(
    few: Passed, tmp_path: Path, job_for: Callable[[Passed, Path], Job], number: int, seed: int
) -> None:
    job = job_for(few, tmp_path)
    before = contents(tmp_path)
    (left_alone,) = outcomes(job, tmp_path / "left_alone", [(0, HALF)])
    results = outcomes(job, tmp_path / "killed", random_moments(seed, number, left_alone["steps"]))
    moments = [(result["at"], result["written"]) for result in results]
    assert [m for m, result in zip(moments, results, strict=True) if not (result["killed"] and result["resumed"])] == []
    other = [m for m, result in zip(moments, results, strict=True) if result["contents"] != left_alone["contents"]]
    assert other == []
    now = contents(tmp_path)
    assert {name: now[name] for name in before} == before, "what was merged or copied is as it was"


def test_a_merge_left_alone_is_the_build_left_alone(few: Passed, whole: dict[str, Any], tmp_path: Path) -> None:
    (merged,) = outcomes(merge_shards(few, tmp_path), tmp_path / "merged", [(0, HALF)])
    assert merged["contents"] == whole["contents"]
