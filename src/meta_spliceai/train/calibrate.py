"""Strictly increasing maps from scores to probabilities: rankings, hence average precision, stay what they were.

Beta calibration (Kull, Silva Filho and Flach 2017) has three parameters:

    logit(calibrated p) = a ln p - b ln(1 - p) + c        with a, b > 0

The identity is a = b = 1, c = 0. Platt scaling of the logit is a = b. A weak prior keeps few data near the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.logistic import fit_logistic

Floats = npt.NDArray[np.float64]

SMALLEST_SLOPE = 0.05
"""Keeps maps increasing."""

_PRIOR = 1.0
_SMALLEST_LOG = -50.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted map; called with scores, it gives probabilities of the same shape as float32."""

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def of_probability(self, probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities of the base model's; 0 stays 0 and 1 stays 1."""
        p = probability.astype(np.float64)
        with np.errstate(divide="ignore"):
            return self._mapped(np.log(p), np.log1p(-p))

    def of_margin(self, margin: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Calibrated probabilities of logits."""
        return self._mapped(*logs_of_margin(margin))

    def _mapped(self, log_p: Floats, log_not_p: Floats) -> npt.NDArray[np.float32]:
        margin = self.a * log_p - self.b * log_not_p + self.c
        # exp overflows to infinity for hopeless bases, and 1 / (1 + infinity) is the 0 that is meant
        with np.errstate(over="ignore"):
            return (1.0 / (1.0 + np.exp(-margin))).astype(np.float32)


def logs_of_margin(margin: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Logarithms ln p and ln(1 - p) of logits, without cancellation."""
    wide = margin.astype(np.float64)
    return -np.logaddexp(0.0, -wide), -np.logaddexp(0.0, wide)


def fit_calibration(log_p: Floats, log_not_p: Floats, label: BoolArray, weight: Floats) -> Calibration:
    """The map that maximises the weighted likelihood of labels, with a weak prior for the identity.

    Parameters
    ----------
    log_p, log_not_p
        ln p and ln(1 - p) of the scores, shape (n,).
    label, weight
        The truth, and how many bases each row stands for, shape (n,): weighted, the rows have the true prevalence.
    """
    x, y = np.maximum(log_p, _SMALLEST_LOG), np.maximum(log_not_p, _SMALLEST_LOG)
    found = fit_logistic(
        (x, -y, np.ones_like(x)),
        label,
        weight,
        start=(1.0, 1.0, 0.0),
        prior=(_PRIOR, _PRIOR, _PRIOR),
        lowest=(SMALLEST_SLOPE, SMALLEST_SLOPE, -np.inf),
    )
    return Calibration(*found.tolist())
