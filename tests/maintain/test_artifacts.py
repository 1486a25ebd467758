from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.maintain.artifacts import clean_artifacts, validate_artifacts
from tests.build.conftest import Passed, pass_over
from tests.maintain.test_scripts import run


@pytest.fixture
def eval_dir(passed: Passed, tmp_path: Path) -> Path:
    shutil.copytree(passed.eval_dir, tmp_path / "eval")
    return tmp_path / "eval"


def first(eval_dir: Path, kind: str) -> Path:
    return sorted((eval_dir / "meta_models").glob(f"{kind}_*_chunk_*"))[0]


def cut(eval_dir: Path, kind: str = "analysis_sequences") -> Path:
    path = first(eval_dir, kind)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    return path


def test_good_artifacts_pass(eval_dir: Path) -> None:
    report = validate_artifacts(eval_dir=eval_dir)
    assert {finding.outcome for finding in report.findings} == {"passed"}, report.summary()


@pytest.mark.parametrize("kind", ["scores", "analysis_sequences", "splice_positions_enhanced", "splice_errors"])
def test_T1_truncated_files_are_listed(eval_dir: Path, kind: str) -> None:
    damaged = cut(eval_dir, kind)
    report = validate_artifacts(eval_dir=eval_dir, list_corrupted=True)
    assert (report.found(), report.exit_status) == ({"AR002"}, 1)
    assert damaged.name in report.summary()


def test_wrong_columns_are_listed(eval_dir: Path) -> None:
    path = first(eval_dir, "splice_errors")
    changed = pl.read_parquet(path).drop("score")
    path.unlink()
    changed.write_parquet(path)
    assert validate_artifacts(eval_dir=eval_dir, list_wrong_schema=True).found() == {"AR003"}


def test_T3_cleaning_removes_only_what_is_listed(eval_dir: Path) -> None:
    damaged = cut(eval_dir)
    folder = eval_dir / "meta_models"
    (folder / "notes.txt").write_text("mine")
    before = {path.name for path in folder.iterdir()}
    assert not clean_artifacts(eval_dir=eval_dir, corrupted_only=True, dry_run=True).removed
    assert {path.name for path in folder.iterdir()} - {".lock"} == before - {".lock"}
    with pytest.raises(InputError, match="--yes"):
        clean_artifacts(eval_dir=eval_dir, corrupted_only=True)
    cleaned = clean_artifacts(eval_dir=eval_dir, corrupted_only=True, yes=True)
    assert damaged.name in cleaned.files
    assert before - {path.name for path in folder.iterdir()} == set(cleaned.files)
    assert validate_artifacts(eval_dir=eval_dir).found() == {"AR004"}


def test_T3_resuming_after_cleaning_restores_the_bytes(tmp_path: Path) -> None:
    made = pass_over(tmp_path)
    folder = made.eval_dir / "meta_models"
    before = {path.name: path.read_bytes() for path in folder.glob("*_chunk_*")}
    cut(made.eval_dir)
    clean_artifacts(eval_dir=made.eval_dir, yes=True)
    pass_over(tmp_path)
    assert {path.name: path.read_bytes() for path in folder.glob("*_chunk_*")} == before


def test_T1_T2_T3_the_scripts(eval_dir: Path, tmp_path: Path) -> None:
    damaged = cut(eval_dir)
    report = tmp_path / "report.txt"
    done = run(
        "validate_artifacts.py",
        "--eval-dir",
        str(eval_dir),
        "--list-corrupted",
        "--output-report",
        str(report),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert damaged.name in report.read_text()
    assert (
        run("cleanup_artifacts.py", "--eval-dir", str(eval_dir), "--corrupted-only", "--yes", cwd=tmp_path).returncode
        == 0
    )


@pytest.mark.parametrize("script", ["test_dataset_integrity.py", "validate_meta_model_training_data.py"])
def test_T8_T9_the_scripts(good: Path, passed: Passed, tmp_path: Path, script: str) -> None:
    done = run(script, str(good), "--reference", str(passed.reference), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
