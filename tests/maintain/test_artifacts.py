from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.errors import InputError
from meta_spliceai.maintain.artifacts import clean_artifacts, validate_artifacts
from tests.build.conftest import Passed, pass_over
from tests.maintain.test_mending import content, run_printed
from tests.maintain.test_scripts import run
from tests.toys.toy_base_model import ToyBaseModel


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


@pytest.mark.parametrize("artifact_format", ["parquet", "tsv"])
@pytest.mark.parametrize("kind", ["scores", "analysis_sequences", "splice_performance"])
def test_T3_the_printed_command_restores_the_bytes(
    tmp_path: Path, kind: str, artifact_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pass_over(tmp_path, artifact_format=artifact_format, threshold=0.4)
    before = content(made.eval_dir, "**/*_*_*")  # not gene_manifest.tsv, which tells the time that scoring took
    cut(made.eval_dir, kind)
    cleaned = clean_artifacts(eval_dir=made.eval_dir, yes=True)
    assert ("basepass run" in cleaned.command) == (kind == "scores")
    monkeypatch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
    run_printed(f"`{cleaned.command}`")
    assert content(made.eval_dir, "**/*_*_*") == before
    assert validate_artifacts(eval_dir=made.eval_dir).found() == set()


def test_tables_of_text_are_checked_like_parquet(tmp_path: Path) -> None:
    eval_dir = pass_over(tmp_path, artifact_format="tsv").eval_dir
    assert {finding.outcome for finding in validate_artifacts(eval_dir=eval_dir).findings} == {"passed"}
    path = first(eval_dir, "splice_errors")
    path.write_text(path.read_text().replace("FN", "XX"))
    report = validate_artifacts(eval_dir=eval_dir, list_wrong_schema=True)
    assert (report.found(), "XX" in report.summary()) == ({"AR003"}, True)
    path.write_text(path.read_text().replace("error_type", "kind_of_error"))
    assert "kind_of_error" in validate_artifacts(eval_dir=eval_dir, list_wrong_schema=True).summary()
    path = first(eval_dir, "analysis_sequences")
    path.write_text(path.read_text()[:-40])
    assert path.name in validate_artifacts(eval_dir=eval_dir, list_corrupted=True).summary()


def test_the_tables_of_the_whole_pass_are_checked_too(eval_dir: Path) -> None:
    path = eval_dir / "full_splice_performance.tsv"
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace("donor", "doner", 1))
    assert path.name in validate_artifacts(eval_dir=eval_dir, list_wrong_schema=True).summary()


def test_what_an_interruption_left_is_named(eval_dir: Path) -> None:
    (eval_dir / "meta_models/.staging").mkdir()
    report = validate_artifacts(eval_dir=eval_dir)
    assert (report.found(), report.exit_status) == ({"AR004"}, 3)
    assert ".staging was left by an interrupted command" in report.summary()


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


def test_T1_T2_every_corrupted_file_is_named_one_to_a_line(eval_dir: Path, tmp_path: Path) -> None:
    files = [path for path in sorted((eval_dir / "meta_models").glob("*_chunk_*")) if path.suffix == ".parquet"]
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    validate_artifacts(eval_dir=eval_dir, list_corrupted=True, output_report=tmp_path / "report.txt")
    lines = [line.strip() for line in (tmp_path / "report.txt").read_text().splitlines()]
    assert len(files) > 5
    assert {f"{path.name} cannot be read, or has not the recorded size and rows" for path in files} <= set(lines)
