import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.evaluate import tally as tally_module
from meta_spliceai.evaluate.ranking import (
    average_precision,
    average_precision_within_folds,
    group_average_precision,
    precision_recall_curve,
    top_k_accuracy,
)
from meta_spliceai.evaluate.strata import STRATA, TRAITS, without_class
from meta_spliceai.evaluate.tally import tally_of
from tests.oracles import evaluation_oracles as slow

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3), st.integers(0, TRAITS - 1)), min_size=1, max_size=40
)


def _columns(rows):
    scores, truth, group, traits = zip(*rows, strict=True)
    return (
        np.array(scores, np.float32) / 6,
        np.array(truth),
        np.array(group, np.int32),
        np.array(traits, np.uint16),
    )


def _tally(scores, truth):
    return tally_of(scores, truth, np.zeros(truth.size, np.int32), np.zeros(truth.size, np.uint8))


@given(ROWS)
def test_average_precision_with_ties_agrees_with_walking_down_the_rows(rows):
    scores, truth, group, traits = _columns(rows)
    expected = slow.average_precision(scores.tolist(), truth.tolist())
    assert average_precision(tally_of(scores, truth, group, traits)) == pytest.approx(expected)


def test_average_precision_of_a_known_ranking():
    # called in order: true, false, true -> (1/2) * 1 + (1/2) * (2/3)
    scores = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    assert average_precision(_tally(scores, np.array([True, False, True, False]))) == pytest.approx(5 / 6)


@given(ROWS)
def test_every_stratum_is_what_its_rows_alone_would_give(rows):
    scores, truth, group, traits = _columns(rows)
    whole = tally_of(scores, truth, group, traits)
    for stratum in STRATA:
        inside = np.where(truth, stratum.sites[traits], stratum.others[without_class(traits)])
        expected = slow.average_precision(scores[inside].tolist(), truth[inside].tolist())
        assert average_precision(whole.within(stratum)) == pytest.approx(expected)
        alone = tally_of(scores[inside], truth[inside], group[inside], traits[inside])
        assert top_k_accuracy(whole.within(stratum)) == pytest.approx(top_k_accuracy(alone))


@given(ROWS)
def test_each_group_is_ranked_as_if_it_were_alone(rows):
    scores, truth, group, traits = _columns(rows)
    found = group_average_precision(tally_of(scores, truth, group, traits), groups=4)
    for place, value in enumerate(found):
        own = group == place
        expected = slow.average_precision(scores[own].tolist(), truth[own].tolist())
        assert (None if np.isnan(value) else value) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_top_k_is_the_mean_over_all_orders_of_tied_bases(rows):
    scores, truth = np.array([s for s, _ in rows], np.float32) / 2, np.array([t for _, t in rows])
    assert top_k_accuracy(_tally(scores, truth)) == pytest.approx(slow.top_k_accuracy(scores.tolist(), truth.tolist()))


@given(ROWS, st.randoms())
def test_order_of_the_rows_and_size_of_the_chunks_change_nothing(rows, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)
    before = tally_of(*_columns(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally_module, "CHUNK", 3)
        after = tally_of(*_columns(shuffled))
    for name in before.__slots__:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_folds_are_ranked_one_by_one_and_weighted_by_their_sites():
    # fold 0: perfect, two sites; fold 1: its one site is second
    scores = np.array([0.4, 0.3, 0.1, 0.9, 0.8], np.float32)
    truth = np.array([True, True, False, False, True])
    tally = tally_of(scores, truth, np.array([0, 1, 1, 2, 2], np.int32), np.zeros(5, np.uint8))
    assert average_precision_within_folds(tally, np.array([0, 0, 1]), 2) == pytest.approx((2 * 1 + 1 * 0.5) / 3)


def test_curve_starts_at_the_best_site_and_ends_at_full_recall():
    rng = np.random.default_rng(0)
    truth = rng.random(4_000) < 0.1
    scores = rng.random(4_000).astype(np.float32)
    curve = precision_recall_curve(_tally(scores, truth), points=10)
    assert curve.cut[0] == scores[truth].max()
    assert curve.recall[-1] == 1
    called = scores >= curve.cut[4]
    assert curve.precision[4] == truth[called].mean()
    assert curve.recall[4] == truth[called].sum() / truth.sum()


def test_a_perfect_ranking_has_top_k_1_and_a_constant_one_the_prevalence():
    truth = np.array([True, False, False, True])
    assert top_k_accuracy(_tally(truth.astype(np.float32), truth)) == 1
    assert top_k_accuracy(_tally(np.zeros(4, np.float32), truth)) == 0.5


def test_without_sites_there_is_no_number():
    nothing = _tally(np.array([0.5, 0.1], np.float32), np.array([False, False]))
    assert average_precision(nothing) is None
    assert top_k_accuracy(nothing) is None
    assert precision_recall_curve(nothing).recall.size == 0
    assert np.isnan(group_average_precision(nothing, 1)).all()
