"""Donor, acceptor and neither at once, instead of two corrections: three binary models, or one with a softmax.

`sigmoid`: a model for each class against the rest; their three probabilities are divided by their sum.
`multiclass`: one model with a softmax over the classes.

Both start from nothing and know the base model by its features only. They score the bases that reach the gate; elsewhere
the base score stands, as with corrections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.learners.protocol import Doubles, Fitted, Floats

Objective = Literal["corrections", "sigmoid", "multiclass"]

CLASSES = (*SITE_TYPES, "neither")
SOFTMAX = "softmax"
"""Name of the one model of `multiclass`."""

OUTPUTS: dict[Objective, tuple[str, ...]] = {
    "corrections": SITE_TYPES,
    "sigmoid": CLASSES,
    "multiclass": (SOFTMAX,),
}
"""The models that an arm has in each fold."""


@runtime_checkable
class ClassLearner(Protocol):
    """A learner that has a softmax over classes; its models give margins of shape (n, classes)."""

    def fit_classes(
        self,
        features: Floats,
        codes: npt.NDArray[np.int8],
        weight: Doubles,
        *,
        classes: int,
        seed: int,
        threads: int = 1,
    ) -> Fitted:
        """Learn classes from 0 to `classes` - 1.

        Parameters
        ----------
        features
            float32, shape (n, number of features).
        codes, weight
            The class of each row, and how many bases it stands for, shape (n,).
        """


@dataclass(frozen=True, slots=True)
class ClassModel:
    """Models of the three classes; used as an `Ensemble` is.

    Parameters
    ----------
    features
        The columns they read, in order.
    gate
        Own-channel base score from which they score.
    models
        By class, or one by `SOFTMAX`.
    """

    features: tuple[str, ...]
    gate: float
    models: Mapping[str, Fitted]

    def margin(self, channel: str, features: Floats, margin: Floats) -> Floats:
        """Logits of the probability of a class, shape (n,).

        Parameters
        ----------
        channel
            'donor' or 'acceptor'.
        features
            float32, shape (n, len(self.features)).
        margin
            The base model's logits, shape (n,); returned where there is nothing to score.
        """
        if margin.size == 0:
            return margin
        logs = self._logs(features)
        place = CLASSES.index(channel)
        # in logit(p / sum of p) the sum cancels out
        others = np.logaddexp.reduce(np.delete(logs, place, axis=1), axis=1)
        found: Floats = (logs[:, place] - others).astype(np.float32)
        return found

    def _logs(self, features: Floats) -> Doubles:
        """Logarithms of the probabilities of the classes, up to a number for each row, shape (n, classes)."""
        if SOFTMAX in self.models:
            return self.models[SOFTMAX].margin(features, None).astype(np.float64)
        margins = [self.models[name].margin(features, None).astype(np.float64) for name in CLASSES]
        logs: Doubles = -np.logaddexp(0.0, -np.stack(margins, axis=1))
        return logs
