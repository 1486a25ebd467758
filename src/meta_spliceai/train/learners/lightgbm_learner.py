"""LightGBM, an extra, in its own text format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from meta_spliceai.train.learners.base import Settings
from meta_spliceai.train.learners.protocol import (
    SHARE,
    Doubles,
    Floats,
    LearningRows,
    Range,
    check_ranges,
    imported,
)


@dataclass(frozen=True, slots=True)
class LightGBMModel:
    """A booster of LightGBM's."""

    booster: Any

    @property
    def rounds(self) -> int:
        """Trees that are used."""
        return int(self.booster.current_iteration())

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits; see `Fitted`."""
        added = np.asarray(self.booster.predict(features, raw_score=True, num_threads=1))
        return added.astype(np.float32) if start is None else (added + start).astype(np.float32)

    def gains(self, width: int) -> Doubles:
        """Loss that the splits on each feature take away."""
        total = np.zeros(width)
        total[:] = self.booster.feature_importance(importance_type="gain")
        return total

    def contributions(self, features: Floats) -> Doubles:
        """SHAP values of the trees, exact for what they were grown on; see `Contributing`."""
        return np.asarray(self.booster.predict(features, pred_contrib=True, num_threads=1), dtype=np.float64)

    def to_bytes(self) -> bytes:
        """The booster as text."""
        return str(self.booster.model_to_string()).encode()

    @classmethod
    def load(cls, raw: bytes) -> LightGBMModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        lightgbm = imported("lightgbm", "lightgbm")
        text = raw.decode(errors="replace")
        # LightGBM's parser ends the process on some texts that are none of its own
        if not text.startswith("tree\n") or "end of trees" not in text:
            raise ValueError("no LightGBM model")
        try:
            booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(str(error)) from error
        return cls(booster)


@dataclass(frozen=True, slots=True)
class LightGBM(Settings):
    """Boosted trees by LightGBM; the names are LightGBM's.

    Parameters
    ----------
    rounds
        Trees.
    learning_rate
        Share of a tree that is added.
    num_leaves
        Leaves of a tree.
    bagging_fraction, feature_fraction
        Shares of rows and features that a tree is grown on.
    min_sum_hessian_in_leaf
        Uncertain bases that a leaf must speak for.
    lambda_l2
        Uncertain bases by which a leaf's value is drawn towards 0.
    max_bin
        Bins of a feature.
    patience
        Rounds without gain on held rows after which early stopping stops.
    """

    rounds: int = 250
    learning_rate: float = 0.025
    num_leaves: int = 24
    bagging_fraction: float = 0.6
    feature_fraction: float = 0.2
    min_sum_hessian_in_leaf: float = 10.0
    lambda_l2: float = 10.0
    max_bin: int = 127
    patience: int = 25

    name: ClassVar[str] = "lightgbm"
    suffix: ClassVar[str] = ".txt"
    starts_from_margin: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    rounds_field: ClassVar[str | None] = "rounds"
    fitted: ClassVar[type[Any]] = LightGBMModel

    def __post_init__(self) -> None:
        at_least = {"rounds": 1, "num_leaves": 2, "min_sum_hessian_in_leaf": 0, "lambda_l2": 0, "max_bin": 2}
        shares = dict.fromkeys(("learning_rate", "bagging_fraction", "feature_fraction"), SHARE)
        check_ranges(self, {name: Range(low) for name, low in {**at_least, "patience": 1}.items()} | shares)

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """Parameters for LightGBM."""
        names = (
            "learning_rate",
            "num_leaves",
            "bagging_fraction",
            "feature_fraction",
            "min_sum_hessian_in_leaf",
            "lambda_l2",
        )
        return {
            **{name: getattr(self, name) for name in names},
            **self.binning(threads),
            "objective": "binary",
            "bagging_freq": 1,
            "min_data_in_leaf": 1,
            "seed": seed,
        }

    def binning(self, threads: int) -> dict[str, Any]:
        """Parameters that decide how a data set is binned."""
        return {
            "max_bin": self.max_bin,
            # bins are found on this many rows; more than any in-memory data set, so that none depends on a sample
            "bin_construct_sample_cnt": 10_000_000,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
        }

    def fit(
        self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1
    ) -> LightGBMModel:
        """Boost; see `Learner`."""
        return self.boost(rows.features, rows, seed=seed, held=held, threads=threads)

    def boost(
        self,
        features: Floats | Sequence[Any],
        rows: LearningRows,
        *,
        seed: int,
        held: LearningRows | None = None,
        threads: int = 1,
    ) -> LightGBMModel:
        """Boost `rows` with features that may lie elsewhere, such as in sequences of LightGBM's."""
        lightgbm = imported("lightgbm", "lightgbm")
        data = lightgbm.Dataset(
            features,
            label=rows.label.astype(np.float32),
            weight=rows.weight,
            init_score=rows.start,
            params=self.binning(threads),
        )
        stop: dict[str, Any] = {}
        if held is not None:
            stop["valid_sets"] = [
                data.create_valid(
                    held.features, label=held.label.astype(np.float32), weight=held.weight, init_score=held.start
                )
            ]
            stop["callbacks"] = [lightgbm.early_stopping(self.patience, verbose=False)]
        booster = lightgbm.train(self.parameters(seed, threads), data, self.rounds, **stop)
        # as text and back: what is applied is what is saved, and only the best rounds of it
        best = booster.best_iteration if held is not None else -1
        return LightGBMModel.load(booster.model_to_string(num_iteration=best).encode())
