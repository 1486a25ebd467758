import numpy as np
import pytest

from meta_spliceai.evaluate.tally import tally_of
from meta_spliceai.evaluate.thresholds import (
    Folds,
    best_f1_cuts,
    budget_of,
    cuts_within_false_calls,
    cuts_within_misses,
    errors_at,
    fold_counts,
)
from tests.oracles import evaluation_oracles as slow

NAMES = np.array([-1, 0, 1, 2])
FOLDS = Folds(NAMES, np.array([0, 1, 2, 3, 1]))


def _random(seed, n=160):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.2
    base, other = (np.round(rng.random(n) * 0.6 + 0.4 * truth, 2).astype(np.float32) for _ in range(2))
    group = rng.integers(0, 5, n).astype(np.int32)
    return truth, base, other, group


def _counts(scores, truth, group):
    return fold_counts(tally_of(scores, truth, group, np.zeros(truth.size, np.uint8)), FOLDS)


def _choosing(group, place):
    """Rows that may choose for a fold: the other folds, but never the one that was set aside."""
    fold = FOLDS.of_group[group]
    return (fold != place) & (NAMES[fold] >= 0)


def _of_fold(group, place):
    return FOLDS.of_group[group] == place


def _expected(scores, truth, group, choose):
    """Errors of each fold at the cut that `choose` finds on the rows that may choose, summed."""
    total = np.zeros(2, dtype=int)
    cuts = slow.site_cuts(scores.tolist(), truth.tolist())
    for place in range(NAMES.size):
        others, own = _choosing(group, place), _of_fold(group, place)
        cut = choose(place, scores[others].tolist(), truth[others].tolist(), cuts)
        total += slow.errors(scores[own].tolist(), truth[own].tolist(), cut)
    return tuple(total.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_each_fold_is_cut_where_the_others_have_their_best_f1(seed):
    truth, scores, _, group = _random(seed)
    counts = _counts(scores, truth, group)
    found = errors_at(counts, best_f1_cuts(counts))
    expected = _expected(scores, truth, group, lambda _, s, t, cuts: slow.best_f1_cut(s, t, cuts))
    assert (found.false_positives, found.false_negatives) == expected


@pytest.mark.parametrize("seed", range(6))
def test_matched_cuts_spend_what_the_reference_arm_spends_on_the_other_folds(seed):
    truth, base, scores, group = _random(seed)
    reference, counts = _counts(base, truth, group), _counts(scores, truth, group)
    budget = budget_of(reference)
    allowed = []
    for place in range(NAMES.size):
        others = _choosing(group, place)
        s, t = base[others].tolist(), truth[others].tolist()
        allowed.append(slow.errors(s, t, slow.best_f1_cut(s, t, slow.site_cuts(base.tolist(), truth.tolist()))))
    assert list(zip(budget.false_calls, budget.misses, strict=True)) == allowed
    at_misses = errors_at(counts, cuts_within_misses(counts, budget.misses))
    at_false = errors_at(counts, cuts_within_false_calls(counts, budget.false_calls))
    assert (at_misses.false_positives, at_misses.false_negatives) == _expected(
        scores, truth, group, lambda place, s, t, cuts: slow.highest_cut_within_misses(s, t, cuts, allowed[place][1])
    )
    assert (at_false.false_positives, at_false.false_negatives) == _expected(
        scores,
        truth,
        group,
        lambda place, s, t, cuts: slow.lowest_cut_within_false_calls(s, t, cuts, allowed[place][0]),
    )


def test_no_false_call_allowed_and_none_possible_means_calling_nothing():
    # the best base of all is no site
    scores, truth = np.array([0.9, 0.5, 0.9, 0.5], np.float32), np.array([False, True, False, True])
    folds = Folds(np.array([0, 1]), np.array([0, 1]))
    counts = fold_counts(tally_of(scores, truth, np.array([0, 0, 1, 1], np.int32), np.zeros(4, np.uint8)), folds)
    found = errors_at(counts, cuts_within_false_calls(counts, np.array([0, 0])))
    assert (found.false_positives, found.false_negatives, found.lowest) == (0, 2, np.inf)


def test_a_single_fold_chooses_for_itself_and_says_so():
    alone, several = Folds(np.array([0]), np.array([0])), Folds(np.array([0, 1]), np.array([0, 1]))
    assert not alone.out_of_fold
    assert several.out_of_fold
    assert Folds(np.array([-1, 0, 1]), np.array([0, 1, 2])).out_of_fold
    assert not Folds(np.array([-1]), np.array([0])).out_of_fold
