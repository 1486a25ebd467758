"""Fitted calibrations: true maps are found, scikit-learn agrees, and the kind that fits is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss

from meta_spliceai.calibration import IDENTITY, BetaMap, CalibrationKind, IsotonicMap, logs_of_margin
from meta_spliceai.train.calibrate import choose_calibration, fit_calibration, log_loss

TRUE: dict[CalibrationKind, BetaMap] = {
    "none": IDENTITY,
    "temperature": BetaMap(0.4, 0.4, 0.0, "temperature"),
    "platt": BetaMap(0.6, 0.6, -1.5, "platt"),
    "beta": BetaMap(0.7, 1.5, -0.8, "beta"),
}


def drawn(rows: int, true: BetaMap, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and labels for which a map is the true one."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2, 3, rows).astype(np.float32)
    truth = true.of_margin(margin)
    return margin, rng.random(rows) < truth, truth


@pytest.mark.parametrize("kind", TRUE)
def test_the_fit_finds_the_true_map_of_its_kind(kind: CalibrationKind) -> None:
    margin, label, truth = drawn(200_000, TRUE[kind])
    fitted = fit_calibration(*logs_of_margin(margin), label, np.ones(label.size), kind)
    np.testing.assert_allclose(fitted.of_margin(margin), truth, atol=0.01)
    assert fitted.kind == kind
    assert isinstance(fitted, BetaMap)
    if kind != "beta":
        assert fitted.a == fitted.b
    if kind in ("none", "temperature"):
        assert fitted.c == 0


def test_platt_is_scikit_learns_logistic_regression() -> None:
    margin, label, _ = drawn(20_000, TRUE["beta"])
    weight = np.random.default_rng(3).uniform(1, 20, label.size)
    fitted = fit_calibration(*logs_of_margin(margin), label, weight, "platt")
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(margin[:, None], label, sample_weight=weight)
    assert isinstance(fitted, BetaMap)
    # our weak prior counts as little as one row among these
    assert (fitted.a, fitted.c) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), rel=1e-3)


def test_temperature_is_the_best_of_all_temperatures() -> None:
    margin, label, _ = drawn(20_000, TRUE["temperature"])
    weight = np.random.default_rng(3).uniform(1, 20, label.size)
    fitted = fit_calibration(*logs_of_margin(margin), label, weight, "temperature")
    assert isinstance(fitted, BetaMap)
    tried = np.linspace(0.2, 0.8, 601)
    loss = [(weight * np.logaddexp(0, -np.where(label, 1, -1) * slope * margin)).sum() for slope in tried]
    assert fitted.a == pytest.approx(tried[int(np.argmin(loss))], abs=1e-3)


def pooled(share: list[float], weight: list[float]) -> list[float]:
    """The slow way: neighbours that violate the order are merged until none does."""
    blocks: list[list[float]] = []  # level, weight, points
    for level, mass in zip(share, weight, strict=True):
        blocks.append([level, mass, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            second, first = blocks.pop(), blocks.pop()
            total = first[1] + second[1]
            blocks.append([(first[0] * first[1] + second[0] * second[1]) / total, total, first[2] + second[2]])
    return [level for level, _, points in blocks for _ in range(int(points))]


ROWS = st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.integers(1, 5)), min_size=1, max_size=60)


@given(ROWS)
def test_isotonic_is_that_of_a_slow_twin_and_of_scikit_learn(rows: list[tuple[int, bool, int]]) -> None:
    p = np.array([one for one, _, _ in rows], dtype=np.float32) / 31
    label, weight = np.array([one for _, one, _ in rows]), np.array([float(one) for _, _, one in rows])
    wide = p.astype(np.float64)
    fitted = fit_calibration(np.log(wide), np.log1p(-wide), label, weight, "isotonic")
    assert isinstance(fitted, IsotonicMap)
    points = np.unique(p)
    mass = [float(weight[p == one].sum()) for one in points]
    share = [float(weight[(p == one) & label].sum()) / total for one, total in zip(points, mass, strict=True)]
    np.testing.assert_allclose(fitted.of_probability(points), pooled(share, mass), atol=1e-6)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, label, sample_weight=weight)
    between = np.linspace(0, 1, 97).astype(np.float32)
    np.testing.assert_allclose(fitted.of_probability(between), theirs.predict(between), atol=1e-5)


@pytest.mark.parametrize("kind", ["beta", "platt", "temperature", "isotonic"])
def test_a_weight_counts_as_that_many_rows(kind: CalibrationKind) -> None:
    margin, label, _ = drawn(300, BetaMap(0.6, 1.2, -1.0))
    weight = np.random.default_rng(2).integers(1, 5, label.size)
    once = fit_calibration(*logs_of_margin(margin), label, weight.astype(float), kind)
    repeated = np.repeat(np.arange(label.size), weight)
    again = fit_calibration(*logs_of_margin(margin[repeated]), label[repeated], np.ones(repeated.size), kind)
    np.testing.assert_allclose(once.of_margin(margin), again.of_margin(margin), rtol=2e-3, atol=1e-6)


def test_few_data_stay_near_the_identity() -> None:
    margin = np.array([2.0, -2.0], dtype=np.float32)
    fitted = fit_calibration(*logs_of_margin(margin), np.array([True, False]), np.ones(2))
    assert isinstance(fitted, BetaMap)
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((1, 1, 0), abs=0.2)


@pytest.mark.parametrize("kind", ["beta", "platt", "temperature", "isotonic", "none"])
def test_scores_of_zero_and_one_can_be_fitted(kind: CalibrationKind) -> None:
    with np.errstate(divide="ignore"):
        log_p, log_not_p = np.log([0.0, 1.0, 0.5, 0.5]), np.log([1.0, 0.0, 0.5, 0.5])
    fitted = fit_calibration(log_p, log_not_p, np.array([False, True, True, False]), np.ones(4), kind)
    assert np.isfinite(fitted.of_probability(np.array([0, 0.3, 1], dtype=np.float32))).all()


def test_log_loss_is_scikit_learns() -> None:
    _, label, truth = drawn(2_000, TRUE["beta"])
    weight = np.random.default_rng(2).uniform(1, 9, label.size)
    theirs = sklearn_log_loss(label, truth.astype(np.float64), sample_weight=weight, normalize=False)
    assert log_loss(truth, label, weight) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("kind", [*TRUE, "isotonic"])
def test_the_kind_that_the_data_have_is_chosen_or_one_that_is_as_good(kind: CalibrationKind) -> None:
    rng = np.random.default_rng(4)
    margin, label, truth = drawn(60_000, TRUE.get(kind, IDENTITY))
    if kind == "isotonic":  # steps, which no smooth map follows
        truth = np.select([margin < -2, margin < 1], [0.05, 0.3], 0.6).astype(np.float32)
        label = rng.random(margin.size) < truth
    part = rng.integers(0, 4, label.size)
    examples = (*logs_of_margin(margin), label, np.ones(label.size))
    chosen = choose_calibration(*examples, part)
    loss = {
        one: sum(
            log_loss(
                fit_calibration(*(values[part != p] for values in examples), one).of_margin(margin[part == p]),
                label[part == p], np.ones(int((part == p).sum())),
            )
            for p in range(4)
        )
        for one in ("none", "temperature", "platt", "beta", "isotonic")
    }  # fmt: skip
    assert loss[chosen] == min(loss.values())
    if kind in ("platt", "beta", "isotonic"):
        assert chosen in {"platt": {"platt", "beta"}}.get(kind, {kind})
    else:
        assert loss[chosen] == pytest.approx(loss[kind], rel=1e-3)


def test_with_nothing_to_compare_on_the_default_is_taken() -> None:
    margin, label, _ = drawn(100, TRUE["platt"])
    assert choose_calibration(*logs_of_margin(margin), label, np.ones(100), np.zeros(100, dtype=np.int64)) == "beta"
