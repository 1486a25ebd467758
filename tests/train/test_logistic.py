"""Logistic regression against a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from meta_spliceai.train.logistic import fit_logistic

LOWEST = (0.05, 0.0, -np.inf)


def drawn(seed: int, rows: int = 300) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = [rng.normal(-1, 2, rows), rng.normal(0, 1, rows), np.ones(rows)]
    truth = rng.uniform(-1, 2) * columns[0] + rng.uniform(-2, 2) * columns[1] + rng.uniform(-2, 1)
    return columns, rng.random(rows) < 1 / (1 + np.exp(-truth)), rng.choice([1.0, 40.0], rows)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_the_minimum_is_that_of_a_general_optimiser(seed: int, strength: float) -> None:
    columns, label, weight = drawn(seed)

    def loss(at: np.ndarray) -> float:
        logit = sum(value * column for value, column in zip(at, columns, strict=True))
        prior = strength * ((at[0] - 1) ** 2 + at[2] ** 2) / 2
        return float((weight * np.logaddexp(0, np.where(label, -logit, logit))).sum() + prior)

    found = fit_logistic(columns, label, weight, start=(1, 0, 0), prior=(strength, 0, strength), lowest=LOWEST)
    expected = optimize.minimize(loss, [1, 0.1, 0], bounds=[(0.05, None), (0, None), (None, None)], method="L-BFGS-B")
    assert (found >= LOWEST).all()
    assert loss(found) <= expected.fun * (1 + 1e-6)


def test_columns_that_say_the_same_and_labels_that_separate_end_somewhere_finite() -> None:
    column = np.linspace(-3, 3, 50)
    found = fit_logistic(
        [column, column, np.ones(50)], column > 0, np.ones(50), start=(1, 0, 0), prior=(1, 0, 1), lowest=LOWEST
    )
    assert np.isfinite(found).all()


def test_no_rows_leave_the_start() -> None:
    empty = np.empty(0)
    found = fit_logistic(
        [empty, empty, empty], empty.astype(bool), empty, start=(1, 0, 0), prior=(1, 1, 1), lowest=LOWEST
    )
    assert found.tolist() == pytest.approx([1, 0, 0])
