"""Corrections of the base model's logit: found where there is evidence, absent where there is none, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.train.learners.linear import LogisticRegression
from meta_spliceai.train.learners.protocol import Learner
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.residual import (
    Correction,
    Ensemble,
    Examples,
    Method,
    Recipe,
    base_margin,
    fit_correction,
    inner_corrections,
    inner_folds,
    shrinkage_of,
)

METHOD = Method(XGBoost(rounds=30, eta=0.1, min_child_weight=2.0))


def examples(rows: int, *, effect: float, seed: int = 1, groups: int = 12) -> Examples:
    """Labels whose logit is the base model's plus `effect` times the sign of the first of four features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 4)).astype(np.float32)
    margin = rng.normal(-1, 2, rows).astype(np.float32)
    truth = 1 / (1 + np.exp(-(margin + effect * np.sign(features[:, 0]))))
    return Examples(features, margin, rng.random(rows) < truth, np.ones(rows), rng.integers(0, groups, rows))


def loss(data: Examples, margin: np.ndarray) -> float:
    return float(np.logaddexp(0, np.where(data.label, -margin, margin)).mean())


def test_a_correction_that_is_there_is_found() -> None:
    correction = fit_correction(examples(4_000, effect=1.5), METHOD, seed=1)
    fresh = examples(4_000, effect=1.5, seed=2)
    assert correction.shrinkage > 0.9
    assert loss(fresh, correction.margin(fresh.features, fresh.margin)) < 0.93 * loss(fresh, fresh.margin)


@pytest.mark.parametrize("rows", [60, 400, 2_000])
def test_without_evidence_the_base_model_is_left_alone(rows: int) -> None:
    shrunk, harm, harm_unshrunk = [], [], []
    fresh = examples(4_000, effect=0.0, seed=99)
    for seed in range(6):
        correction = fit_correction(examples(rows, effect=0.0, seed=seed), METHOD, seed=seed)
        shrunk.append(correction.shrinkage)
        unshrunk = Correction(correction.model, 1.0)
        for found, applied in ((harm, correction), (harm_unshrunk, unshrunk)):
            found.append(loss(fresh, applied.margin(fresh.features, fresh.margin)) - loss(fresh, fresh.margin))
    assert np.median(shrunk) < 0.1
    assert np.mean(harm) < 0.002
    assert np.mean(harm) <= 0.5 * np.mean(harm_unshrunk)


def test_a_correction_gets_little_credit_for_what_recalibration_would_do() -> None:
    """The base model is overconfident and a feature repeats its logit: there is nothing to correct beyond a slope."""
    data = examples(4_000, effect=0.0)
    boastful = Examples(data.features.copy(), 2 * data.margin, data.label, data.weight, data.group)
    boastful.features[:, 0] = boastful.margin
    added, _ = inner_corrections(boastful, METHOD, seed=1)
    assert loss(boastful, boastful.margin + added) < 0.95 * loss(boastful, boastful.margin)
    assert shrinkage_of(boastful, added) < 0.5


def test_the_shrinkage_is_the_share_that_the_labels_bear_out() -> None:
    rng = np.random.default_rng(5)
    data = examples(40_000, effect=0.0)
    added = rng.normal(0, 2, 40_000).astype(np.float32)
    truth = 1 / (1 + np.exp(-(data.margin + 0.4 * added)))
    borne_out = Examples(data.features, data.margin, rng.random(40_000) < truth, data.weight, data.group)
    assert shrinkage_of(borne_out, added) == pytest.approx(0.4, abs=0.03)
    assert shrinkage_of(borne_out, -added) == 0.0
    assert shrinkage_of(borne_out, 0.1 * added) == 1.0


def test_a_single_group_with_sites_gives_no_evidence() -> None:
    data = examples(500, effect=1.5, groups=1)
    correction = fit_correction(data, METHOD, seed=1)
    assert correction.shrinkage == 0
    assert correction.model.rounds == 0
    np.testing.assert_array_equal(correction.margin(data.features, data.margin), data.margin)


def test_the_same_examples_give_the_same_trees() -> None:
    raw = [fit_correction(examples(1_000, effect=1.5), METHOD, seed=7).model.to_bytes() for _ in range(2)]
    other = fit_correction(examples(1_000, effect=1.5), METHOD, seed=8).model.to_bytes()
    assert raw[0] == raw[1]
    assert raw[0] != other


def test_inner_folds_keep_groups_whole_and_share_out_the_sites() -> None:
    data = examples(2_000, effect=0.0)
    inner = inner_folds(data, 3, seed=1)
    assert all(np.unique(inner[data.group == group]).size == 1 for group in range(12))
    sites = np.bincount(inner, weights=data.label)
    assert sites.size == 3
    assert sites.max() < 1.3 * sites.min()


def test_a_rare_negative_of_large_weight_makes_no_leaf_of_its_own() -> None:
    rng = np.random.default_rng(3)
    score = np.full(2_000, 0.009, dtype=np.float32)
    features = rng.normal(size=(2_000, 1)).astype(np.float32)
    features[0] = 50.0
    weight = np.ones(2_000)
    weight[0] = 40.0
    label = rng.random(2_000) < 0.02
    label[0] = False
    data = Examples(features, base_margin(score), label, weight, np.arange(2_000) % 10)
    learner = XGBoost(rounds=20, min_child_weight=10.0, subsample=1.0, colsample_bytree=1.0)
    correction = Correction(learner.fit(data.rows(np.arange(2_000), Method(learner)), seed=1), 1.0)
    outlier, neighbour = np.array([[50.0]], np.float32), np.array([[3.0]], np.float32)
    margin = data.margin[:1]
    assert correction.margin(outlier, margin) == correction.margin(neighbour, margin)


@pytest.mark.parametrize("learner", [XGBoost(rounds=30), LogisticRegression()])
def test_without_a_base_margin_the_models_own_logit_stands(learner: Learner) -> None:
    data = examples(2_000, effect=1.5)
    correction = fit_correction(data, Method(learner, base_margin=False), seed=1)
    assert not correction.residual
    margin = correction.margin(data.features, data.margin)
    np.testing.assert_array_equal(margin, correction.margin(data.features, data.margin + 5))
    assert np.corrcoef(margin, np.sign(data.features[:, 0]))[0, 1] > 0.6


def test_early_stopping_takes_the_median_of_what_the_inner_folds_chose() -> None:
    data = examples(1_500, effect=1.5)
    eager = Method(XGBoost(rounds=400, eta=0.3, min_child_weight=0.0, patience=5), early_stopping=True)
    correction = fit_correction(data, eager, seed=1)
    assert correction.model.rounds == inner_corrections(data, eager, seed=1)[1]
    assert 1 <= correction.model.rounds < 100
    with pytest.raises(InputError, match="a boosted learner for --early-stopping"):
        Method(LogisticRegression(), early_stopping=True)


def test_rows_count_as_one_base_each_when_weights_are_switched_off() -> None:
    data = examples(1_000, effect=1.5)
    heavy = Examples(data.features, data.margin, data.label, np.where(data.label, 9.0, 1.0), data.group)
    plain, switched_off = METHOD, Method(METHOD.learner, weighted=False)
    raw = [
        fit_correction(rows, method, seed=1).model.to_bytes() for rows, method in ((data, plain), (heavy, switched_off))
    ]
    assert raw[0] == raw[1]
    assert raw[0] != fit_correction(heavy, plain, seed=1).model.to_bytes()


def test_an_ensemble_takes_the_mean_margin() -> None:
    data = examples(1_000, effect=1.5)
    fitted = tuple(fit_correction(data, METHOD, seed=seed) for seed in (1, 2))
    ensemble = Ensemble(("a", "b", "c", "d"), 0.0, {"donor": fitted, "acceptor": fitted[:1]})
    margins = [correction.margin(data.features, data.margin) for correction in fitted]
    np.testing.assert_allclose(
        ensemble.margin("donor", data.features, data.margin), np.mean(margins, axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(ensemble.margin("acceptor", data.features, data.margin), margins[0])


def test_no_rows_give_no_margins() -> None:
    correction = fit_correction(examples(1_000, effect=1.5), METHOD, seed=1)
    assert correction.margin(np.empty((0, 4), np.float32), np.empty(0, np.float32)).shape == (0,)


def test_the_margin_is_the_logit_kept_finite() -> None:
    margin = base_margin(np.array([0.0, 0.5, 1.0], dtype=np.float32))
    assert margin.dtype == np.float32
    assert margin.tolist() == pytest.approx([-16.118, 0.0, 16.118], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_folds": 1}, "recipe inner_folds of at least 2"),
        ({"gate": 1.0}, "recipe gate from 0 to below 1"),
    ],
)
def test_a_recipe_out_of_range_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**options)  # type: ignore[arg-type]
