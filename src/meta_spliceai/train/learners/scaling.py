"""Features as deviations from their mean, for learners whose steps depend on the size of a feature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from meta_spliceai.train.learners.protocol import Doubles, Floats

_FARTHEST = 10.0
"""Standard deviations at which values are cut: one absurd value must not decide."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Weighted mean and standard deviation of each feature, shape (number of features,)."""

    mean: Doubles
    deviation: Doubles

    def __call__(self, features: Floats) -> Floats:
        """Standardised features, shape kept; what is missing becomes the mean, 0."""
        scaled: Floats = np.subtract(features, self.mean, dtype=np.float32)
        scaled /= self.deviation.astype(np.float32)
        np.clip(scaled, -_FARTHEST, _FARTHEST, out=scaled)
        scaled[np.isnan(scaled)] = 0.0
        return scaled


def fit_scaling(batches: Iterable[tuple[Floats, Doubles]]) -> Scaling:
    """Means and deviations over batches of features and weights; missing values are left out.

    The batches are merged by the exact update of mean and squared deviations (Chan, Golub and LeVeque 1979).
    """
    total: Doubles | None = None
    for features, weight in batches:
        values = features.astype(np.float64)
        known = np.isfinite(values)
        values[~known] = 0.0
        here = weight @ known
        mean = np.divide(weight @ values, here, out=np.zeros_like(here), where=here > 0)
        squares = weight @ (np.square(values - mean) * known)
        if total is None:
            total, means, spread = here, mean, squares
            continue
        both = total + here
        share = np.divide(here, both, out=np.zeros_like(here), where=both > 0)
        spread = spread + squares + np.square(mean - means) * total * share
        means, total = means + (mean - means) * share, both
    assert total is not None
    deviation = np.sqrt(np.divide(spread, total, out=np.zeros_like(total), where=total > 0))
    # a constant feature says nothing: any scale makes it 0
    return Scaling(means, np.where(deviation > 0, deviation, 1.0))
