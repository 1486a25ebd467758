"""Where corrections start: the mean of base models' logits that ranks best."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from sklearn.metrics import average_precision_score

from meta_spliceai.train.residual import Correction, Examples, Method, NothingLearnt, fit_correction
from meta_spliceai.train.start import best_mean, logit_columns, mean_of

NAMES = (
    "donor_logit",
    "acceptor_logit",
    "noisy_donor_logit",
    "noisy_usage_donor_logit",
    "mean_donor_logit",
    "donor_score",
)


def scores_of(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two logits with errors of their own, one of noise alone; labels and weights."""
    rng = np.random.default_rng(3)
    truth = rng.normal(-2, 2, rows)
    label = rng.random(rows) < 1 / (1 + np.exp(-truth))
    logits = np.stack([truth + rng.normal(0, 1, rows), rng.normal(0, 1, rows), truth + rng.normal(0, 1, rows)], axis=1)
    return logits.astype(np.float32), label, rng.choice([1.0, 5.0], rows)


def test_the_logits_of_a_channel_are_those_of_each_base_model_but_not_their_mean() -> None:
    assert logit_columns(NAMES, "donor") == (0, 2, 3)
    assert logit_columns(NAMES, "acceptor") == (1,)


def test_the_best_mean_is_the_one_that_an_exhaustive_search_by_another_library_finds() -> None:
    logits, label, weight = scores_of()
    worth = {
        columns: average_precision_score(label, logits[:, list(columns)].mean(axis=1), sample_weight=weight)
        for size in (1, 2, 3)
        for columns in combinations(range(3), size)
    }
    assert best_mean(logits, (0, 1, 2), label, weight) == max(worth, key=lambda columns: worth[columns]) == (0, 2)


def test_of_equal_means_the_one_of_fewest_models_is_taken() -> None:
    logits, label, weight = scores_of()
    assert best_mean(np.stack([logits[:, 0]] * 3, axis=1), (0, 1, 2), label, weight) == (0,)


def test_a_correction_starts_from_the_best_mean_and_is_applied_from_there() -> None:
    logits, label, weight = scores_of()
    margin = logits[:, 1].copy()
    examples = Examples(logits, margin, label, weight, np.arange(label.size) // 100)
    fitted = fit_correction(examples, Method(), seed=1, logits=(0, 1, 2))
    assert fitted.start == (0, 2)
    start = mean_of(logits, (0, 2))
    own = fitted.model.margin(logits, start)
    expected = start + np.float32(fitted.shrinkage) * (own - start)
    np.testing.assert_array_equal(fitted.margin(logits, margin), expected)
    # the same correction learnt by hand from that start
    by_hand = fit_correction(Examples(logits, start, label, weight, examples.group), Method(), seed=1)
    assert by_hand.shrinkage == fitted.shrinkage
    np.testing.assert_array_equal(by_hand.margin(logits, start), expected)


def test_what_nothing_was_learnt_for_scores_with_the_mean_it_starts_from() -> None:
    logits, _, _ = scores_of(10)
    np.testing.assert_array_equal(
        Correction(NothingLearnt(), 0.0, start=(0, 2)).margin(logits, logits[:, 1]), mean_of(logits, (0, 2))
    )


def test_one_base_model_leaves_nothing_to_choose() -> None:
    logits, label, weight = scores_of()
    examples = Examples(logits, logits[:, 0], label, weight, np.arange(label.size) // 100)
    assert fit_correction(examples, Method(), seed=1, logits=(0,)).start == ()
    assert fit_correction(examples, Method(base_margin=False), seed=1, logits=(0, 2)).start == ()
