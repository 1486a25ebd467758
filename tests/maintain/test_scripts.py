"""The scripts with the options that the documents print, as a user runs them: no terminal, another folder."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.build.conftest import Passed
from tests.maintain.conftest import change_part, rows_of

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL, env=environment)


@pytest.fixture
def project(dataset: Path, passed: Passed, tmp_path: Path) -> Path:
    """A folder with train_pc_1000 in it, whose second part is outdated, and the reference where it is looked for."""
    wrong = {
        "num_exons": pl.lit(9.0, pl.Float32),
        "gene_type": pl.lit("unknown"),
        "gene_is_protein_coding": pl.lit(0.0, pl.Float32),
    }
    change_part(dataset, 2, lambda rows: rows.with_columns(**wrong))
    dataset.rename(tmp_path / "train_pc_1000")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ensembl").symlink_to(passed.reference, target_is_directory=True)
    return tmp_path


def test_T5_patch_structural_features_then_T6_patch_gene_type(project: Path, good: Path) -> None:
    first = run("patch_structural_features.py", "train_pc_1000", "--inplace", cwd=project)
    assert (first.returncode, first.stderr) == (0, "")
    assert "num_exons" in first.stdout
    second = run("patch_gene_type.py", "train_pc_1000", "--inplace", cwd=project)
    assert (second.returncode, second.stderr) == (0, "")
    assert pl.read_parquet(project / "train_pc_1000/master").equals(rows_of(good))


@pytest.mark.parametrize("script", ["patch_structural_features.py", "patch_gene_type.py"])
def test_T5_T6_without_inplace_nothing_is_rewritten_and_nothing_is_asked(
    project: Path, good: Path, script: str
) -> None:
    before = {path: path.read_bytes() for path in (project / "train_pc_1000").rglob("batch_*.parquet")}
    done = run(script, "train_pc_1000", "--reference", "data/ensembl", cwd=project)
    assert done.returncode == 0
    assert "side files" in done.stdout
    assert all(path.read_bytes() == content for path, content in before.items())


def test_what_is_missing_is_said_with_status_1(tmp_path: Path, good: Path) -> None:
    done = run("patch_structural_features.py", str(good), cwd=tmp_path)
    assert done.returncode == 1
    assert "--reference FOLDER, or one in data/ensembl" in done.stderr
    assert run("patch_gene_type.py", "nowhere", cwd=tmp_path).returncode == 1


def test_the_scripts_explain_themselves(tmp_path: Path) -> None:
    done = run("patch_gene_type.py", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "--gene-features" in done.stdout


@pytest.fixture
def documented(good: Path, passed: Passed, tmp_path: Path) -> Path:
    """A project laid out as the documents have it."""
    shutil.copytree(passed.eval_dir, tmp_path / "data/ensembl/spliceai_eval")
    shutil.copytree(good, tmp_path / "train_pc_1000")
    return tmp_path


@pytest.mark.rows("T1", "T2", "T3", "T8", "T9")
@pytest.mark.parametrize(
    "line",
    [
        "scripts/validate_artifacts.py --list-corrupted",
        "scripts/validate_artifacts.py --output-report validation_report.txt",
        "scripts/validate_artifacts.py --list-corrupted --list-wrong-schema --json",
        "scripts/cleanup_artifacts.py --corrupted-only",
        "scripts/test_dataset_integrity.py             train_pc_1000",
        "scripts/validate_meta_model_training_data.py  train_pc_1000",
    ],
)
def test_the_documented_lines_work_as_they_are_printed(documented: Path, line: str) -> None:
    script, *arguments = shlex.split(line)
    done = run(Path(script).name, *arguments, cwd=documented)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    if "--output-report" in arguments:
        assert "AR002" in (documented / "validation_report.txt").read_text()
    if "--json" in arguments:
        assert [finding["code"] for finding in json.loads(done.stdout)["findings"]] == ["AR001", "AR002", "AR003"]


def other_schema(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(dataset: Path) -> None:
        path = dataset / "schema.json"
        schema = json.loads(path.read_text())
        change(next(column for column in schema["columns"] if column["name"] == "donor_score"))
        path.write_text(json.dumps(schema))

    return damage


def lose_a_gene(dataset: Path) -> None:
    path = dataset / "gene_manifest.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda dataset: (dataset / "master/batch_00002.parquet").unlink(), "batch_00002.parquet is missing"),
        (other_schema(lambda column: column.update(name="donor_prob")), "donor_prob"),
        (other_schema(lambda column: column.update(high=0.5)), "donor_score"),
        (lose_a_gene, "TG17.1"),
    ],
    ids=["files", "columns", "values", "genes"],
)
def test_T13_the_validator_of_a_single_dataset_needs_only_the_folder(
    documented: Path, damage: Callable[[Path], None], said: str
) -> None:
    dataset = documented / "train_pc_1000"
    script = dataset / "validate_dataset.py"
    shutil.copy(SCRIPTS.parent / "src/meta_spliceai/build/validate_dataset.py", script)
    command = [sys.executable, str(script), str(dataset), "--quick"]
    assert subprocess.run(command, capture_output=True, cwd=documented).returncode == 0
    damage(dataset)
    done = subprocess.run(command, capture_output=True, text=True, cwd=documented)
    assert done.returncode == 1
    assert said in done.stdout
