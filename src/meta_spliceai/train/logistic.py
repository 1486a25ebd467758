"""Weighted logistic regression with few parameters, each bounded from below and drawn towards a prior.

Projected Newton steps with halving: a handful of passes over the rows, no library whose threads would change a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.labels import BoolArray

Doubles = npt.NDArray[np.float64]

_STEPS, _HALVINGS = 60, 30
_TOLERANCE = 1e-9


def fit_logistic(
    columns: Sequence[Doubles],
    label: BoolArray,
    weight: Doubles,
    *,
    start: Sequence[float],
    prior: Sequence[float],
    lowest: Sequence[float],
) -> Doubles:
    """The parameters t that minimise the weighted loss of logit(p) = sum of t[i] columns[i], plus half the prior's terms.

    Parameters
    ----------
    columns
        What the logit is made of, each of shape (n,), finite.
    label, weight
        The truth, and how many bases each row stands for, shape (n,).
    start
        First guess, and the centre of the prior.
    prior
        Strength of the prior of each parameter: half of it times the squared distance from `start` is added to the loss.
    lowest
        Lower bound of each parameter; -inf for none.
    """
    signs = np.where(label, 1.0, -1.0)
    centre, strength, bound = (np.array(values, dtype=np.float64) for values in (start, prior, lowest))

    def agreement_of(at: Doubles) -> Doubles:
        logit: Doubles = np.zeros(label.size)
        for value, column in zip(at, columns, strict=True):
            logit = logit + value * column
        return signs * logit

    def loss_of(at: Doubles, agreement: Doubles) -> float:
        return float((weight * np.logaddexp(0.0, -agreement)).sum() + 0.5 * (strength * (at - centre) ** 2).sum())

    at = np.maximum(centre, bound)
    agreement = agreement_of(at)
    loss = loss_of(at, agreement)
    for _ in range(_STEPS):
        step = _newton_step(columns, signs, weight, agreement, strength * (at - centre), strength, at <= bound)
        length = 1.0
        for _ in range(_HALVINGS):
            tried = np.maximum(at - length * step, bound)
            new_agreement = agreement_of(tried)
            new_loss = loss_of(tried, new_agreement)
            if new_loss <= loss:
                break
            length /= 2
        else:
            return at
        gained = loss - new_loss
        at, agreement, loss = tried, new_agreement, new_loss
        if gained <= _TOLERANCE * (1.0 + abs(loss)):
            return at
    return at


def _newton_step(
    columns: Sequence[Doubles],
    signs: Doubles,
    weight: Doubles,
    agreement: Doubles,
    pull: Doubles,
    strength: Doubles,
    at_bound: BoolArray,
) -> Doubles:
    """What to subtract from the parameters; 0 for those that lie at their bound and would be pushed beyond it."""
    missing = np.exp(-np.logaddexp(0.0, agreement))
    slope = -signs * weight * missing
    curvature = weight * missing * (1.0 - missing)
    gradient = np.array([(slope * column).sum() for column in columns]) + pull
    hessian = np.array([[(curvature * one * other).sum() for other in columns] for one in columns]) + np.diag(strength)
    free = np.flatnonzero(~(at_bound & (gradient > 0)))
    step = np.zeros_like(gradient)
    # the small ridge keeps columns that say the same solvable
    kept = hessian[np.ix_(free, free)] + 1e-12 * np.eye(free.size) * max(1.0, float(np.trace(hessian)))
    step[free] = np.linalg.solve(kept, gradient[free])
    return step
