"""Logistic regression: whole (`log_reg`, starting from the base model's logit) and by stochastic gradient (`sgd_logistic`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize

from meta_spliceai.train.learners.arrays import pack, unpack
from meta_spliceai.train.learners.base import Settings
from meta_spliceai.train.learners.protocol import (
    Doubles,
    Floats,
    LearningRows,
    Range,
    check_ranges,
    imported,
)
from meta_spliceai.train.learners.scaling import Scaling, fit_scaling

_ARRAYS = ("mean", "deviation", "coefficients", "intercept", "adds_to_start")


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Coefficients of standardised features, shape (number of features,), and an intercept."""

    scaling: Scaling
    coefficients: Doubles
    intercept: float
    adds_to_start: bool

    @property
    def rounds(self) -> int:
        """There is no such number."""
        return 1

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits; see `Fitted`."""
        own = self.scaling(features) @ self.coefficients.astype(np.float32) + np.float32(self.intercept)
        found: Floats = own if start is None or not self.adds_to_start else own + start
        return found.astype(np.float32)

    def gains(self, width: int) -> Doubles:
        """Change of the logit by one standard deviation of each feature."""
        assert self.coefficients.size == width
        return np.abs(self.coefficients)

    def to_bytes(self) -> bytes:
        """The arrays as .npz."""
        return pack(
            "linear",
            mean=self.scaling.mean,
            deviation=self.scaling.deviation,
            coefficients=self.coefficients,
            intercept=np.array(self.intercept),
            adds_to_start=np.array(self.adds_to_start),
        )

    @classmethod
    def load(cls, raw: bytes) -> LinearModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        held = unpack(raw, "linear", _ARRAYS)
        return cls(
            Scaling(held["mean"], held["deviation"]),
            held["coefficients"],
            float(held["intercept"]),
            bool(held["adds_to_start"]),
        )


@dataclass(frozen=True, slots=True)
class LogisticRegression(Settings):
    """Logistic regression of standardised features beside the base model's logit.

    Parameters
    ----------
    l2
        Uncertain bases by which a coefficient is drawn towards 0.
    max_iter
        Steps of L-BFGS at most.
    """

    l2: float = 10.0
    max_iter: int = 300

    name: ClassVar[str] = "log_reg"
    suffix: ClassVar[str] = ".npz"
    starts_from_margin: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    rounds_field: ClassVar[str | None] = None
    fitted: ClassVar[type[Any]] = LinearModel

    def __post_init__(self) -> None:
        check_ranges(self, {"l2": Range(0), "max_iter": Range(1)})

    def fit(self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1) -> LinearModel:
        """Minimise the weighted loss; see `Learner`."""
        scaling = fit_scaling([(rows.features, rows.weight)])
        scaled = scaling(rows.features)
        start = np.zeros(rows.label.size) if rows.start is None else rows.start.astype(np.float64)
        signs = np.where(rows.label, 1.0, -1.0)
        total = float(rows.weight.sum())

        def loss(at: Doubles) -> tuple[float, Doubles]:
            own = (scaled @ at[:-1].astype(np.float32)).astype(np.float64)
            agreement = signs * (start + own + at[-1])
            value = float(rows.weight @ np.logaddexp(0.0, -agreement)) + 0.5 * self.l2 * float(at[:-1] @ at[:-1])
            slope = -signs * rows.weight * np.exp(-np.logaddexp(0.0, agreement))
            by_feature = (slope.astype(np.float32) @ scaled).astype(np.float64) + self.l2 * at[:-1]
            return value / total, np.append(by_feature, slope.sum()) / total

        found = minimize(
            loss, np.zeros(scaled.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": self.max_iter}
        )
        return LinearModel(scaling, found.x[:-1], float(found.x[-1]), rows.start is not None)


@dataclass(frozen=True, slots=True)
class StochasticLogistic(Settings):
    """Logistic regression by stochastic gradient, batch by batch (scikit-learn's SGDClassifier).

    Parameters
    ----------
    alpha
        Strength by which coefficients are drawn towards 0.
    eta0
        Size of the first step; steps shrink with the fourth root of their number.
    epochs
        Passes over the rows.
    batch_rows
        Rows handed over at a time; the order of the batches is that of the rows.
    """

    alpha: float = 1e-4
    eta0: float = 0.05
    epochs: int = 5
    batch_rows: int = 200_000

    name: ClassVar[str] = "sgd_logistic"
    suffix: ClassVar[str] = ".npz"
    starts_from_margin: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False
    rounds_field: ClassVar[str | None] = "epochs"
    fitted: ClassVar[type[Any]] = LinearModel

    def __post_init__(self) -> None:
        above = Range(0, above=True)
        check_ranges(self, {"alpha": above, "eta0": above, "epochs": Range(1), "batch_rows": Range(1)})

    def fit(self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1) -> LinearModel:
        """Fit in batches of rows; see `Learner`."""
        return self.fit_batches(lambda: self._batches(rows), seed=seed)

    def _batches(self, rows: LearningRows) -> Iterator[LearningRows]:
        size = rows.label.size
        for first in range(0, size, self.batch_rows):
            yield rows.part(np.arange(first, min(size, first + self.batch_rows)))

    def fit_batches(self, batches: Any, *, seed: int) -> LinearModel:
        """Fit rows that come in batches, each time that `batches()` is called the same ones in the same order."""
        classifier = imported("sklearn.linear_model", "learners").SGDClassifier(
            loss="log_loss",
            alpha=self.alpha,
            learning_rate="invscaling",
            eta0=self.eta0,
            power_t=0.25,
            average=True,
            random_state=seed % 2**32,
        )
        scaling = fit_scaling((batch.features, batch.weight) for batch in batches())
        mean_weight = _mean_weight(batch.weight for batch in batches())
        for _ in range(self.epochs):
            for batch in batches():
                with warnings.catch_warnings():
                    # hopeless rows overflow exp inside scikit-learn, where 0 is meant and used
                    warnings.simplefilter("ignore", RuntimeWarning)
                    classifier.partial_fit(
                        scaling(batch.features),
                        batch.label,
                        classes=np.array([False, True]),
                        sample_weight=batch.weight / mean_weight,
                    )
        return LinearModel(
            scaling, np.asarray(classifier.coef_[0], np.float64), float(classifier.intercept_[0]), adds_to_start=False
        )


def _mean_weight(weights: Iterable[Doubles]) -> float:
    total, rows = 0.0, 0
    for weight in weights:
        total, rows = total + float(weight.sum()), rows + weight.size
    return total / rows
