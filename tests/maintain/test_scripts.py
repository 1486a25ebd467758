"""The scripts with the options that the documents print, as a user runs them: no terminal, another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
