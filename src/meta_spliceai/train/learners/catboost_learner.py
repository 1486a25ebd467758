"""CatBoost, an extra, in its own .cbm format."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
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
class CatBoostModel:
    """A model of CatBoost's."""

    model: Any

    @property
    def rounds(self) -> int:
        """Trees that are used."""
        return int(self.model.tree_count_)

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits; see `Fitted`."""
        added = np.asarray(self.model.predict(features, prediction_type="RawFormulaVal", thread_count=1))
        return added.astype(np.float32) if start is None else (added + start).astype(np.float32)

    def gains(self, width: int) -> Doubles:
        """How much predictions change with each feature, in per cent."""
        total = np.zeros(width)
        total[:] = self.model.get_feature_importance(type="PredictionValuesChange")
        return total

    def contributions(self, features: Floats) -> Doubles:
        """SHAP values of the trees, exact for what they were grown on; see `Contributing`."""
        pool = imported("catboost", "catboost").Pool(features)
        found = self.model.get_feature_importance(data=pool, type="ShapValues", thread_count=1)
        return np.asarray(found, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """The model as .cbm, which CatBoost writes to files only."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            self.model.save_model(str(path), format="cbm")
            return path.read_bytes()

    @classmethod
    def load(cls, raw: bytes) -> CatBoostModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        catboost = imported("catboost", "catboost")
        model = catboost.CatBoost()
        try:
            model.load_model(blob=raw)
        except catboost.CatBoostError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        return cls(model)


@dataclass(frozen=True, slots=True)
class CatBoost(Settings):
    """Boosted symmetric trees by CatBoost; the names are CatBoost's.

    Parameters
    ----------
    rounds
        Trees.
    learning_rate
        Share of a tree that is added.
    depth
        Depth of a tree.
    l2_leaf_reg
        Strength by which a leaf's value is drawn towards 0.
    subsample, rsm
        Shares of rows and features that a tree is grown on.
    patience
        Rounds without gain on held rows after which early stopping stops.
    """

    rounds: int = 250
    learning_rate: float = 0.05
    depth: int = 5
    l2_leaf_reg: float = 10.0
    subsample: float = 0.6
    rsm: float = 0.2
    patience: int = 25

    name: ClassVar[str] = "catboost"
    suffix: ClassVar[str] = ".cbm"
    starts_from_margin: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    rounds_field: ClassVar[str | None] = "rounds"
    fitted: ClassVar[type[Any]] = CatBoostModel

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("learning_rate", "subsample", "rsm"), SHARE)
        check_ranges(
            self,
            {"rounds": Range(1), "depth": Range(1, 16), "l2_leaf_reg": Range(0), "patience": Range(1)} | shares,
        )

    def fit(
        self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1
    ) -> CatBoostModel:
        """Boost; see `Learner`."""
        catboost = imported("catboost", "catboost")
        names = ("learning_rate", "depth", "l2_leaf_reg", "subsample", "rsm")
        model = catboost.CatBoost(
            {
                **{name: getattr(self, name) for name in names},
                "iterations": self.rounds,
                "loss_function": "Logloss",
                "bootstrap_type": "Bernoulli",
                "random_seed": seed,
                "thread_count": threads,
                "allow_writing_files": False,
                "verbose": False,
            }
        )
        stop = {"eval_set": _pool(catboost, held), "early_stopping_rounds": self.patience} if held is not None else {}
        model.fit(_pool(catboost, rows), **stop)
        # the time, a random id and settings would make every file another one
        remarks = model.get_metadata()
        for key in list(remarks):
            if key != "class_params":
                del remarks[key]
        return CatBoostModel(model)


def _pool(catboost: Any, rows: LearningRows) -> Any:
    return catboost.Pool(rows.features, label=rows.label.astype(np.int8), weight=rows.weight, baseline=rows.start)
