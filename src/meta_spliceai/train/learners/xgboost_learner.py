"""XGBoost: the default learner, in its own .ubj format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from meta_spliceai.train.learners.base import Settings
from meta_spliceai.train.learners.protocol import (
    SHARE,
    Doubles,
    Floats,
    LearningRows,
    Range,
    check_ranges,
)

if TYPE_CHECKING:
    import xgboost  # importing it takes a second or two, which only commands that train or predict should pay


@dataclass(frozen=True, slots=True)
class XGBoostModel:
    """A booster."""

    booster: xgboost.Booster

    @property
    def rounds(self) -> int:
        """Trees that are used."""
        best = self.booster.attr("best_iteration")
        return self.booster.num_boosted_rounds() if best is None else int(best) + 1

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits; see `Fitted`."""
        found: Floats = self.booster.inplace_predict(
            features, base_margin=start, predict_type="margin", iteration_range=(0, self.rounds)
        )
        return found

    def gains(self, width: int) -> Doubles:
        """Loss that the splits on each feature take away."""
        total = np.zeros(width)
        for name, gain in self.booster.get_score(importance_type="total_gain").items():
            total[int(name[1:])] += float(np.sum(gain))
        return total

    def contributions(self, features: Floats) -> Doubles:
        """SHAP values of the trees, exact for what they were grown on; see `Contributing`."""
        import xgboost

        # no base margin is given, so the last column is what the trees add on average
        found = self.booster.predict(
            xgboost.DMatrix(features, nthread=1), pred_contribs=True, iteration_range=(0, self.rounds)
        )
        return found.astype(np.float64)

    def to_bytes(self) -> bytes:
        """The booster as .ubj."""
        return bytes(self.booster.save_raw("ubj"))

    @classmethod
    def load(cls, raw: bytes) -> XGBoostModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        import xgboost

        # XGBoost's parser ends the process on bytes that are cut off or empty
        if not (raw.startswith(b"{L") and raw.endswith(b"}")):
            raise ValueError("no whole .ubj file of XGBoost's")
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(raw))
        except xgboost.core.XGBoostError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        booster.set_param({"nthread": 1})
        return cls(booster)


@dataclass(frozen=True, slots=True)
class XGBoost(Settings):
    """Boosted trees by XGBoost; the names are XGBoost's where it has them.

    Parameters
    ----------
    rounds
        Trees.
    max_depth
        Depth of a tree.
    eta
        Share of a tree that is added.
    subsample
        Share of the rows that a tree is grown on.
    colsample_bytree
        Share of the features that a tree may use.
    min_child_weight
        Uncertain bases (summed hessian) that a leaf must speak for.
    reg_lambda
        Uncertain bases by which a leaf's value is drawn towards 0.
    max_bin
        Bins of a feature.
    patience
        Rounds without gain on held rows after which early stopping stops.
    """

    rounds: int = 250
    max_depth: int = 5
    eta: float = 0.025
    subsample: float = 0.6
    colsample_bytree: float = 0.2
    min_child_weight: float = 10.0
    reg_lambda: float = 10.0
    max_bin: int = 128
    patience: int = 25

    name: ClassVar[str] = "xgboost"
    suffix: ClassVar[str] = ".ubj"
    starts_from_margin: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    rounds_field: ClassVar[str | None] = "rounds"
    fewest_rounds: ClassVar[int] = 0
    fitted: ClassVar[type[Any]] = XGBoostModel

    def __post_init__(self) -> None:
        at_least = {"rounds": 0, "max_depth": 1, "min_child_weight": 0, "reg_lambda": 0, "max_bin": 2, "patience": 1}
        shares = dict.fromkeys(("eta", "subsample", "colsample_bytree"), SHARE)
        check_ranges(self, {name: Range(low) for name, low in at_least.items()} | shares)

    def parameters(self, seed: int, threads: int) -> dict[str, Any]:
        """Parameters for XGBoost."""
        names = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda", "max_bin")
        return {
            **{name: getattr(self, name) for name in names},
            "objective": "binary:logistic",
            "tree_method": "hist",
            "base_score": 0.5,
            "seed": seed,
            "nthread": threads,
        }

    def fit(self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1) -> XGBoostModel:
        """Boost; see `Learner`. With one thread sums are taken in one order, so trees do not depend on the machine."""
        matrix = self.matrix(rows, threads)
        held_matrix = None if held is None else self.matrix(held, threads, matrix)
        return self.boost(matrix, seed=seed, held=held_matrix, threads=threads)

    def fit_classes(
        self,
        features: Floats,
        codes: npt.NDArray[np.int8],
        weight: Doubles,
        *,
        classes: int,
        seed: int,
        threads: int = 1,
    ) -> XGBoostModel:
        """Boost a softmax over classes; see `ClassLearner`. A round is a tree for each class."""
        import xgboost

        matrix = xgboost.QuantileDMatrix(
            features, label=codes.astype(np.float32), weight=weight, max_bin=self.max_bin, nthread=threads
        )
        settings = {**self.parameters(seed, threads), "objective": "multi:softprob", "num_class": classes}
        return XGBoostModel(xgboost.train(settings, matrix, self.rounds, verbose_eval=False))

    def boost(
        self, matrix: xgboost.DMatrix, *, seed: int, held: xgboost.DMatrix | None = None, threads: int = 1
    ) -> XGBoostModel:
        """Boost rows that are in a matrix of XGBoost's."""
        import xgboost

        stop = {"early_stopping_rounds": self.patience, "evals": [(held, "held")]} if held is not None else {}
        return XGBoostModel(
            xgboost.train(self.parameters(seed, threads), matrix, self.rounds, verbose_eval=False, **stop)
        )

    def matrix(self, rows: LearningRows, threads: int, ref: xgboost.DMatrix | None = None) -> xgboost.QuantileDMatrix:
        """Rows as XGBoost's binned matrix; of the bins of `ref`, where it is given."""
        import xgboost

        return xgboost.QuantileDMatrix(
            rows.features,
            label=rows.label.astype(np.float32),
            weight=rows.weight,
            base_margin=rows.start,
            max_bin=self.max_bin,
            nthread=threads,
            ref=ref,
        )
