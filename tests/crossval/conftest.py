"""One cross-validation over the tiny genome, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.crossval.run import cv
from tests.train.conftest import Inputs, inputs, scored

__all__ = ["inputs", "scored"]

ARMS = ("base_scores", "meta")
DRAWS = 40


def options(inputs: Inputs, out_dir: Path, **others: object) -> dict[str, object]:
    """Options of `cv` that every test shares."""
    return {**inputs.options(arms=ARMS, draws=DRAWS, out_dir=out_dir), **others}


@pytest.fixture(scope="session")
def crossed(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished cross-validation."""
    out = tmp_path_factory.mktemp("crossed") / "cv"
    cv(**options(inputs, out))  # type: ignore[arg-type]
    return out
