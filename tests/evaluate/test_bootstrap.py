import numpy as np
import pytest

from meta_spliceai.evaluate import bootstrap as bootstrap_module
from meta_spliceai.evaluate.bootstrap import bootstrap, interval, multiplicities
from meta_spliceai.evaluate.ranking import average_precision, top_k_accuracy
from meta_spliceai.evaluate.tally import tally_of
from tests.oracles import evaluation_oracles as slow

GROUPS = 7


def _random(seed, n=400, decimals=2):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.1
    scores = np.round(rng.random(n) * 0.6 + 0.4 * truth, decimals).astype(np.float32)
    return scores, truth, rng.integers(0, GROUPS, n).astype(np.int32)


def _tally(scores, truth, group):
    return tally_of(scores, truth, group, np.zeros(truth.size, np.uint8))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decimals", [1, 5])
def test_counted_draws_equal_copied_rows(seed, decimals):
    columns = _random(seed, decimals=decimals)
    drawn = multiplicities(GROUPS, 20, seed)
    fast = bootstrap(_tally(*columns), drawn).average_precision
    np.testing.assert_allclose(fast, slow.resampled_average_precision(*columns, drawn), rtol=1e-6)


@pytest.mark.parametrize("decimals", [1, 5])
def test_drawing_every_group_once_gives_the_measure_itself(decimals):
    tally = _tally(*_random(1, decimals=decimals))
    once = bootstrap(tally, np.ones((2, GROUPS), np.float32))
    np.testing.assert_allclose(once.average_precision, average_precision(tally), rtol=1e-6)
    np.testing.assert_allclose(once.top_k_accuracy, top_k_accuracy(tally), atol=1 / tally.sites)


@pytest.mark.parametrize("cells", [8, 100])
def test_blocks_of_any_size_give_the_same(monkeypatch, cells):
    tally, drawn = _tally(*_random(9)), multiplicities(GROUPS, 5, 0)
    whole = bootstrap(tally, drawn)
    monkeypatch.setattr(bootstrap_module, "BLOCK_CELLS", cells)
    parts = bootstrap(tally, drawn)
    np.testing.assert_allclose(parts.average_precision, whole.average_precision)
    np.testing.assert_allclose(parts.top_k_accuracy, whole.top_k_accuracy, rtol=1e-6)


def test_a_draw_takes_as_many_groups_as_there_are_and_depends_on_the_seed_alone():
    drawn = multiplicities(GROUPS, 50, 3)
    assert (drawn.sum(axis=1) == GROUPS).all()
    np.testing.assert_array_equal(drawn, multiplicities(GROUPS, 50, 3))
    assert (drawn != multiplicities(GROUPS, 50, 4)).any()


def test_draws_without_sites_are_skipped_and_counted():
    tally = _tally(np.array([1, 0], np.float32), np.array([True, False]), np.array([0, 1], np.int32))
    drawn = np.array([[0, 2], [2, 0], [1, 1]], np.float32)
    found = bootstrap(tally, drawn)
    np.testing.assert_array_equal(np.isnan(found.average_precision), [True, False, False])
    np.testing.assert_array_equal(np.isnan(found.top_k_accuracy), [True, False, False])
    assert interval(found.average_precision).draws == 2
    assert interval(np.array([np.nan, np.nan, 1.0])) is None


def test_an_arm_against_itself_has_an_interval_of_zero_width():
    values = bootstrap(_tally(*_random(2)), multiplicities(GROUPS, 50, 3)).average_precision
    bounds = interval(values - values)
    assert (bounds.low, bounds.high) == (0, 0)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(200):
        bounds = interval(multiplicities(40, 400, seed) @ rng.normal(0, 1, 40) / 40)
        covered.append(bounds.low <= 0 <= bounds.high)
    assert 0.88 <= np.mean(covered) <= 0.99
