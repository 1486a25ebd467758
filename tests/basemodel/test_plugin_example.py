"""A package of somebody else, installed for real: its base model is found by name and does all that ours do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import meta_spliceai
from meta_spliceai.basemodel.describe import describe_model, list_models
from meta_spliceai.basemodel.protocol import BaseModel
from meta_spliceai.basemodel.registry import base_model_names, load_base_model
from tests.protocols.base_model_protocol import BaseModelProtocol
from tests.toys.tiny_genome import write_tiny_genome

EXAMPLE = Path(__file__).resolve().parents[1] / "plugin_example"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip installed the example, without a network."""
    if not all(importlib.util.find_spec(name) for name in ("pip", "setuptools")):
        pytest.skip("pip and setuptools, which install the example, are not installed here")
    source, target = tmp_path_factory.mktemp("source") / "example", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module", autouse=True)
def importable(installed: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        yield


class TestProtocol(BaseModelProtocol):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> BaseModel:
        return load_base_model("pwm_example")


def test_the_model_is_listed_and_described():
    assert "pwm_example" in base_model_names()
    assert [model.kind for model in list_models().models if model.name == "pwm_example"] == ["plug-in"]
    assert "made for this example" in describe_model("pwm_example").summary()


def test_a_base_pass_runs_with_it(installed: Path, tmp_path: Path):
    tiny = write_tiny_genome(tmp_path / "tiny")
    source = Path(meta_spliceai.__file__).resolve().parents[1]
    path = os.pathsep.join([str(installed), str(source), *filter(None, [os.environ.get("PYTHONPATH")])])

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "meta_spliceai", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    reference = tmp_path / "reference"
    made = command(
        "reference", "prepare", "--fasta", str(tiny.fasta), "--gtf", str(tiny.gtf), "--build", tiny.build, "--out",
        str(reference),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = command("basepass", "run", "--reference", str(reference), "--base", "pwm_example", "--all")
    assert done.returncode == 0, done.stderr
    folder = reference / "pwm_example_eval"
    rows = pl.read_parquet(folder / "meta_models" / "full_splice_positions_enhanced.parquet")
    sites = rows.filter(pl.col("splice_type") == "donor")
    assert sites["donor_score"].mean() > 0.1
    assert rows.filter(pl.col("splice_type") == "neither")["donor_score"].mean() < 0.05
