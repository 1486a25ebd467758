"""What sampled rows say of all bases: weighted they agree with them, unweighted they do not."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score

from meta_spliceai.train.sampled import (
    Estimate,
    estimated_average_precision,
    estimated_count,
    weighted_average_precision,
)

BASES = 60_000
RNG = np.random.default_rng(5)
LABEL = RNG.random(BASES) < 0.004
LOGIT = np.round(np.where(LABEL, RNG.normal(1, 3, BASES), RNG.normal(-7, 2.2, BASES)), 2)  # rounded, so that scores tie
KEPT_WITH = np.where(LABEL | (LOGIT > -2), 1.0, np.where(LOGIT > -4.5, 0.4, 0.03))


def sampled(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    rows = np.random.default_rng(seed).random(BASES) < KEPT_WITH
    return LOGIT[rows], LABEL[rows], 1 / KEPT_WITH[rows]


def estimate(seed: int) -> Estimate:
    found = estimated_average_precision(*sampled(seed))
    assert found is not None
    return found


def test_weighted_rows_agree_with_all_bases_and_unweighted_ones_do_not() -> None:
    whole = average_precision_score(LABEL, LOGIT)
    found = estimate(0)
    assert abs(found.value - whole) < 4 * found.standard_error
    score, label, _ = sampled(0)
    unweighted = weighted_average_precision(score, label, np.ones(score.size))
    assert unweighted is not None
    assert unweighted - whole > 10 * found.standard_error


def test_the_standard_error_is_the_spread_over_samples() -> None:
    found = [estimate(seed) for seed in range(200)]
    spread = np.std([one.value for one in found])
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.2)
    off = [abs(one.value - average_precision_score(LABEL, LOGIT)) > 2 * one.standard_error for one in found]
    assert np.mean(off) < 0.12


def test_a_sample_of_everything_has_no_error() -> None:
    found = estimated_average_precision(LOGIT, LABEL, np.ones(BASES))
    assert found == Estimate(pytest.approx(average_precision_score(LABEL, LOGIT)), 0.0)


def test_counts_come_with_the_spread_over_samples() -> None:
    called = [score > -6 for score, _, _ in map(sampled, range(200))]
    found = [estimated_count(sampled(seed)[2][rows]) for seed, rows in enumerate(called)]
    assert np.mean([one.value for one in found]) == pytest.approx((LOGIT > -6).sum(), rel=0.02)
    assert found[0].standard_error == pytest.approx(np.std([one.value for one in found]), rel=0.2)


def test_without_a_site_there_is_no_average_precision() -> None:
    assert estimated_average_precision(LOGIT, np.zeros(BASES, dtype=bool), np.ones(BASES)) is None
