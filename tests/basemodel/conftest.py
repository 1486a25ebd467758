"""Weights, where they are installed or lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.protocol import BaseModel
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.basemodel.spliceai import weight_files
from meta_spliceai.errors import ModelError


@pytest.fixture(scope="session")
def spliceai_files() -> list[Path]:
    try:
        return weight_files()
    except ModelError:
        pytest.skip("no weights: the package spliceai is not installed")


@pytest.fixture(scope="session")
def spliceai(spliceai_files: list[Path]) -> BaseModel:
    return load_base_model("spliceai", options=EngineOptions(threads=2))


@pytest.fixture(scope="session")
def openspliceai_weights(shared: Path) -> Path:
    """Holds one folder per context, e.g. 80nt."""
    return shared / "weights" / "openspliceai-mane"


@pytest.fixture(scope="session")
def pangolin_weights(shared: Path) -> Path:
    return shared / "weights" / "pangolin"
