import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.calibration import BetaMap, IsotonicMap
from meta_spliceai.evaluate.calibration import (
    EQUAL_COUNT,
    FIXED,
    FIXED_EDGES,
    calibration_of,
    equal_count_edges,
    mapped_by_fold,
)
from tests.oracles import evaluation_oracles as slow

ROWS = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60)


@given(ROWS)
def test_bins_and_error_agree_with_going_through_the_rows(rows):
    probability, truth = np.array([p for p, _ in rows], np.float32) / 40, np.array([t for _, t in rows])
    found = calibration_of(probability, truth)
    high = [(float(p), bool(t)) for p, t in zip(probability, truth, strict=True) if p >= 0.01]
    for name, edges in ((FIXED, FIXED_EDGES), (EQUAL_COUNT, equal_count_edges(np.array([p for p, _ in high])))):
        expected = slow.reliability([p for p, _ in high], [t for _, t in high], edges)
        assert [(item.bases, item.sites) for item in found.bins[name]] == [row[:2] for row in expected]
        assert [item.predicted for item in found.bins[name]] == pytest.approx([row[2] for row in expected])
    assert found.brier == pytest.approx(np.mean((probability.astype(float) - truth) ** 2), abs=1e-9)
    assert found.predicted_sites == pytest.approx(probability.sum(dtype=float))


def test_honest_probabilities_have_no_error_and_boastful_ones_do():
    rng = np.random.default_rng(1)
    p = rng.random(200_000).astype(np.float32)
    truth = rng.random(200_000) < p
    assert calibration_of(p, truth).expected_calibration_error < 0.01
    assert calibration_of(np.minimum(1, p * 1.5), truth).expected_calibration_error > 0.1


def test_equal_probabilities_share_a_bin_whatever_their_order():
    p = np.repeat(np.array([0.2, 0.4, 0.9], np.float32), [50, 40, 10])
    truth = np.arange(100) % 5 == 0
    order = np.random.default_rng(0).permutation(100)
    first, second = calibration_of(p, truth), calibration_of(p[order], truth[order])
    assert [item.bases for item in first.bins[EQUAL_COUNT]] == [50, 50]
    assert first.expected_calibration_error == pytest.approx(second.expected_calibration_error)


def test_bases_below_one_per_cent_are_in_brier_but_not_in_the_bins():
    found = calibration_of(np.array([0.001, 0.5], np.float32), np.array([True, True]))
    assert [item.bases for item in found.bins[EQUAL_COUNT]] == [1]
    assert found.brier == pytest.approx((0.999**2 + 0.25) / 2)


def test_nothing_above_one_per_cent_gives_no_error():
    found = calibration_of(np.array([0.001, 0.002], np.float32), np.array([False, False]))
    assert found.bins == {EQUAL_COUNT: (), FIXED: ()}
    assert found.expected_calibration_error is None


def test_each_fold_is_mapped_by_its_own_map_and_keeps_its_ranking() -> None:
    p = np.array([0.1, 0.9, 0.1, 0.9, 0.0, 1.0], np.float32)
    fold = np.array([0, 0, 1, 1, 1, 1])
    mapped = mapped_by_fold(p, fold, {0: BetaMap(1, 1, 0), 1: BetaMap(2, 2, 0)})
    # doubling the logit of 0.1 gives odds of 1 / 81
    assert mapped == pytest.approx([0.1, 0.9, 1 / 82, 81 / 82, 0, 1], rel=1e-5)


def test_a_map_that_ties_scores_is_applied_like_any_other() -> None:
    p, fold = np.array([0.1, 0.2, 0.9], np.float32), np.zeros(3, np.int8)
    assert mapped_by_fold(p, fold, {0: IsotonicMap((0.1, 0.2, 0.9), (0.25, 0.25, 0.5))}).tolist() == [0.25, 0.25, 0.5]


def test_folds_without_a_map_stay_as_they_are() -> None:
    assert mapped_by_fold(np.array([0.3], np.float32), np.array([7]), {0: BetaMap(2, 2, 1)}) == np.float32(0.3)
