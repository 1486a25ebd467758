"""The training run of the tiny genome, to be explained."""

from tests.train.conftest import inputs, run, scored

__all__ = ["inputs", "run", "scored"]
