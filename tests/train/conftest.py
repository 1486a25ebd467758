"""The tiny genome with toy scores, a dataset of it, and a training run over it, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meta_spliceai.build.run import build
from meta_spliceai.train.residual import Recipe
from meta_spliceai.train.run import train
from tests.build.conftest import Passed, pass_over

RECIPE = Recipe(gate=1e-5, inner_folds=2)
MODEL = '{"rounds": 12, "eta": 0.2, "min_child_weight": 2.0, "max_depth": 3, "colsample_bytree": 0.5}'
"""Quick, and strong enough that corrections are worth something on the tiny genome."""

FOLDS = 3


@dataclass(frozen=True)
class Inputs:
    """What `train` is given."""

    dataset: Path
    reference: Path
    eval_dir: Path

    def options(self, **others: Any) -> dict[str, Any]:
        """Options of `train` that every test shares."""
        given = {"dataset": self.dataset, "reference": self.reference, "eval_dir": self.eval_dir}
        return {**given, "folds": FOLDS, "recipe": RECIPE, "model": MODEL, "threads": 2, **others}


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    return pass_over(tmp_path_factory.mktemp("scored"))


@pytest.fixture(scope="session")
def inputs(scored: Passed, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    dataset = tmp_path_factory.mktemp("dataset")
    build(reference=scored.reference, eval_dir=scored.eval_dir, output_dir=dataset, kmer_sizes=(1,), batch_size=6)
    return Inputs(dataset, scored.reference, scored.eval_dir)


@pytest.fixture(scope="session")
def run(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training run."""
    out = tmp_path_factory.mktemp("run") / "model_run"
    train(**inputs.options(out_dir=out))
    return out
