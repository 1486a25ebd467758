"""Which hyper-parameters of a learner `tune` varies, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meta_spliceai.errors import InputError


@dataclass(frozen=True, slots=True)
class Span:
    """Values from `low` to `high`, both included; whole numbers where both are; `log` where ratios matter."""

    low: float
    high: float
    log: bool = False

    def suggested(self, trial: Any, name: str) -> float:
        """A value for a trial of Optuna's."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(trial.suggest_int(name, self.low, self.high, log=self.log))
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))


_ROUNDS, _RATE = Span(50, 800, log=True), Span(0.01, 0.2, log=True)
_SHARE_OF_ROWS, _SHARE_OF_FEATURES = Span(0.4, 1.0), Span(0.1, 1.0, log=True)
_BASES = Span(1.0, 100.0, log=True)

SPACES: dict[str, dict[str, Span]] = {
    "xgboost": {
        "rounds": _ROUNDS,
        "max_depth": Span(2, 8),
        "eta": _RATE,
        "subsample": _SHARE_OF_ROWS,
        "colsample_bytree": _SHARE_OF_FEATURES,
        "min_child_weight": _BASES,
        "reg_lambda": _BASES,
    },
    "lightgbm": {
        "rounds": _ROUNDS,
        "num_leaves": Span(4, 64, log=True),
        "learning_rate": _RATE,
        "bagging_fraction": _SHARE_OF_ROWS,
        "feature_fraction": _SHARE_OF_FEATURES,
        "min_sum_hessian_in_leaf": _BASES,
        "lambda_l2": _BASES,
    },
    "catboost": {
        "rounds": _ROUNDS,
        "depth": Span(2, 8),
        "learning_rate": _RATE,
        "subsample": _SHARE_OF_ROWS,
        "rsm": _SHARE_OF_FEATURES,
    },
    "random_forest": {
        "max_depth": Span(4, 20),
        "min_samples_leaf": Span(1, 50, log=True),
        "max_features": _SHARE_OF_FEATURES,
    },
    "sgd_logistic": {"alpha": Span(1e-7, 1e-2, log=True), "epochs": Span(2, 20, log=True)},
    "mlp": {
        "alpha": Span(1e-5, 1e-1, log=True),
        "learning_rate_init": Span(1e-4, 1e-2, log=True),
        "epochs": Span(5, 50, log=True),
    },
}
"""By learner, then hyper-parameter."""


def space_of(settings: dict[str, Any], given: frozenset[str]) -> dict[str, Span]:
    """What is varied of a learner with these settings: all of its space but for what was given.

    Raises
    ------
    InputError
        Nothing is left to vary.
    """
    space = {name: span for name, span in SPACES.get(settings["name"], {}).items() if name not in given}
    if not space:
        raise InputError(
            expected=f"a learner with hyper-parameters to vary: {', '.join(SPACES)}",
            found=f"{settings['name']}" + (" with all of them given" if given else ""),
            action="choose another --model, or give fewer of its hyper-parameters",
        )
    return space
