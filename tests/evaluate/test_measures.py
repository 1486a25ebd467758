import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import evaluation_oracles as slow

from meta_spliceai.evaluate.bootstrap import bootstrap_average_precision, interval, multiplicities
from meta_spliceai.evaluate.calibration import BetaMap, calibration_of, mapped_by_fold
from meta_spliceai.evaluate.ranking import average_precision, precision_recall_curve, top_k_accuracy
from meta_spliceai.evaluate.thresholds import best_f1_cuts, cuts_within_misses, errors_at, fold_counts

RANKINGS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


def _arrays(rows):
    return np.array([s / 12 for s, _ in rows], dtype=np.float32), np.array([t for _, t in rows])


def _random(seed, n=400, groups=7):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.1
    scores = np.round(rng.random(n) * 0.6 + 0.4 * truth, 2).astype(np.float32)
    return scores, truth, rng.integers(0, groups, n)


@given(RANKINGS)
def test_average_precision_with_ties_agrees_with_the_slow_twin(rows):
    scores, truth = _arrays(rows)
    expected = slow.average_precision(scores.tolist(), truth.tolist())
    assert average_precision(scores, truth) == (None if expected is None else pytest.approx(expected))


def test_average_precision_of_a_known_ranking():
    # called in order: true, false, true -> (1/2) * 1 + (1/2) * (2/3)
    assert average_precision(
        np.array([0.9, 0.8, 0.7, 0.1], np.float32), np.array([True, False, True, False])
    ) == pytest.approx(5 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_bootstrap_by_counts_equals_copying_rows(seed):
    scores, truth, group = _random(seed)
    drawn = multiplicities(7, 20, seed)
    assert (drawn.sum(axis=0) == 7).all()
    fast = bootstrap_average_precision(scores, truth, group, drawn)
    np.testing.assert_allclose(fast, slow.resampled_average_precision(scores, truth, group, drawn), rtol=1e-6)


def test_bootstrap_in_blocks_of_cuts_is_the_same(monkeypatch):
    scores, truth, group = _random(9)
    drawn = multiplicities(7, 15, 1)
    whole = bootstrap_average_precision(scores, truth, group, drawn)
    monkeypatch.setattr("meta_spliceai.evaluate.bootstrap._BLOCK_CELLS", 30)
    np.testing.assert_allclose(bootstrap_average_precision(scores, truth, group, drawn), whole)


def test_an_arm_against_itself_has_an_interval_of_zero_width():
    scores, truth, group = _random(2)
    drawn = multiplicities(7, 50, 3)
    values = bootstrap_average_precision(scores, truth, group, drawn)
    bounds = interval(values - values)
    assert bounds is not None
    assert (bounds.low, bounds.high) == (0, 0)


def test_draws_without_sites_give_no_number():
    truth = np.array([True, False])
    values = bootstrap_average_precision(
        np.array([1, 0], np.float32), truth, np.array([0, 1]), np.array([[0, 2], [2, 0]], np.float32)
    )
    assert np.isnan(values[0])
    assert values[1] == 1


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    means = []
    for seed in range(200):
        values = rng.normal(0, 1, 40)
        draws = (multiplicities(40, 400, seed).T @ values) / 40
        bounds = interval(draws)
        means.append(bounds.low <= 0 <= bounds.high)
    assert 0.88 <= np.mean(means) <= 0.99


def test_curve_ends_at_full_recall_and_starts_at_the_best_score():
    scores, truth, _ = _random(4)
    recall, precision, cut = precision_recall_curve(scores, truth, points=10)
    assert recall[-1] == 1
    assert cut[0] == scores[truth].max()
    assert ((precision > 0) & (precision <= 1)).all()


def test_top_k_of_a_perfect_and_of_a_constant_ranking():
    truth = np.array([True, False, False, True])
    assert top_k_accuracy(truth.astype(np.float32), truth) == 1
    assert top_k_accuracy(np.zeros(4, np.float32), truth) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_each_fold_is_cut_where_the_others_have_their_best_f1(seed):
    scores, truth, _ = _random(seed, n=150)
    fold = np.random.default_rng(seed).integers(0, 3, 150)
    counts = fold_counts(scores, truth, fold, 3)
    found = errors_at(counts, best_f1_cuts(counts))
    expected = [slow.best_f1_cut(scores[fold != f].tolist(), truth[fold != f].tolist()) for f in range(3)]
    f1 = [_f1(scores[fold != f], truth[fold != f], cut) for f, cut in enumerate(found.cuts)]
    assert f1 == pytest.approx([_f1(scores[fold != f], truth[fold != f], cut) for f, cut in enumerate(expected)])
    called = scores >= np.array(found.cuts, np.float32)[fold]
    assert (found.false_positives, found.false_negatives) == ((called & ~truth).sum(), (~called & truth).sum())


def _f1(scores, truth, cut):
    called = scores >= np.float32(cut)
    return 2 * (called & truth).sum() / (called.sum() + truth.sum())


def test_matched_cut_misses_no_more_sites_than_allowed_on_the_other_folds():
    scores, truth, _ = _random(6)
    fold = np.random.default_rng(0).integers(0, 2, scores.size)
    counts = fold_counts(scores, truth, fold, 2)
    rows = cuts_within_misses(counts, np.array([3, 3]))
    for f, row in enumerate(rows):
        others = fold != f
        assert ((scores < counts.score[row]) & truth & others).sum() <= 3
        assert row == 0 or ((scores < counts.score[row - 1]) & truth & others).sum() > 3


def test_calibration_of_honest_and_of_boastful_probabilities():
    rng = np.random.default_rng(1)
    p = rng.random(200_000).astype(np.float32)
    truth = rng.random(200_000) < p
    assert calibration_of(p, truth).expected_calibration_error < 0.01
    assert calibration_of(np.minimum(1, p * 1.5).astype(np.float32), truth).expected_calibration_error > 0.1


def test_bases_below_one_per_cent_are_in_brier_but_not_in_the_bins():
    found = calibration_of(np.array([0.001, 0.5], np.float32), np.array([True, True]))
    assert [item.bases for item in found.bins] == [1]
    assert found.brier == pytest.approx((0.999**2 + 0.25) / 2)


def test_each_fold_is_mapped_by_its_own_map_and_keeps_its_ranking():
    p = np.array([0.1, 0.9, 0.1, 0.9, 0.0, 1.0], np.float32)
    fold = np.array([0, 0, 1, 1, 1, 1])
    mapped = mapped_by_fold(p, fold, {0: BetaMap(1, 1, 0), 1: BetaMap(2, 2, 0)})
    # doubling the logit of 0.1 gives odds of 1 / 81
    assert mapped == pytest.approx([0.1, 0.9, 1 / 82, 81 / 82, 0, 1], rel=1e-5)


def test_folds_without_a_map_stay_as_they_are():
    assert mapped_by_fold(np.array([0.3], np.float32), np.array([7]), {0: BetaMap(2, 2, 1)}) == np.float32(0.3)
