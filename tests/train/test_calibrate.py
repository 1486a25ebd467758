"""Calibration: rankings stay, probabilities become true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.train.calibrate import Calibration, fit_calibration, logs_of_margin

SLOPES = st.floats(0.05, 5.0)


def drawn(rows: int, a: float, b: float, c: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and labels for which the map with these parameters is the true one."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2, 3, rows).astype(np.float32)
    truth = Calibration(a, b, c).of_margin(margin)
    return margin, rng.random(rows) < truth, truth


@given(SLOPES, SLOPES, st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_larger_scores_keep_larger_probabilities(a: float, b: float, c: float) -> None:
    scores = np.unique(np.concatenate([np.logspace(-8, -1, 200), np.linspace(0.1, 0.999, 200)])).astype(np.float32)
    calibrated = Calibration(a, b, c).of_probability(scores)
    middle = (calibrated > 1e-30) & (calibrated < 0.99)
    assert (np.diff(calibrated) >= 0).all()
    assert (np.diff(calibrated[middle]) > 0).all()


def test_the_ends_stay_and_nothing_warns() -> None:
    ends = Calibration(0.7, 1.3, -2.0).of_probability(np.array([0, 1], dtype=np.float32))
    assert ends.tolist() == [0.0, 1.0]
    assert ends.dtype == np.float32
    assert Calibration().of_margin(np.array([-800, 800], dtype=np.float32)).tolist() == [0.0, 1.0]


def test_the_identity_changes_nothing() -> None:
    scores = np.array([1e-6, 0.2, 0.5, 0.9], dtype=np.float32)
    np.testing.assert_allclose(Calibration().of_probability(scores), scores, rtol=1e-6)


def test_a_margin_and_its_probability_are_mapped_alike() -> None:
    margin = np.array([-6, -1, 0, 2], dtype=np.float32)
    fitted = Calibration(0.8, 1.4, -0.5)
    np.testing.assert_allclose(
        fitted.of_margin(margin), fitted.of_probability((1 / (1 + np.exp(-margin))).astype(np.float32)), rtol=1e-5
    )


def test_the_fit_finds_the_true_map() -> None:
    margin, label, truth = drawn(200_000, 0.7, 1.5, -0.8)
    fitted = fit_calibration(*logs_of_margin(margin), label, np.ones(label.size))
    np.testing.assert_allclose(fitted.of_margin(margin), truth, atol=0.01)


def test_a_weight_counts_as_that_many_rows() -> None:
    margin, label, _ = drawn(300, 0.6, 1.2, -1.0)
    weight = np.random.default_rng(2).integers(1, 5, label.size)
    once = fit_calibration(*logs_of_margin(margin), label, weight.astype(float))
    repeated = np.repeat(np.arange(label.size), weight)
    again = fit_calibration(*logs_of_margin(margin[repeated]), label[repeated], np.ones(repeated.size))
    assert (once.a, once.b, once.c) == pytest.approx((again.a, again.b, again.c), rel=1e-3)


def test_few_data_stay_near_the_identity() -> None:
    margin = np.array([2.0, -2.0], dtype=np.float32)
    fitted = fit_calibration(*logs_of_margin(margin), np.array([True, False]), np.ones(2))
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((1, 1, 0), abs=0.2)


def test_scores_of_zero_and_one_can_be_fitted() -> None:
    with np.errstate(divide="ignore"):
        log_p, log_not_p = np.log([0.0, 1.0, 0.5, 0.5]), np.log([1.0, 0.0, 0.5, 0.5])
    fitted = fit_calibration(log_p, log_not_p, np.array([False, True, True, False]), np.ones(4))
    assert np.isfinite([fitted.a, fitted.b, fitted.c]).all()
