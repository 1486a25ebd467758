"""Corrections of the base model's logit: found where there is evidence, absent where there is none, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from meta_spliceai.train.residual import (
    Ensemble,
    Examples,
    Recipe,
    base_margin,
    corrected_margin,
    fit_correction,
    inner_folds,
)

RECIPE = Recipe(rounds=30, eta=0.1, min_child_weight=2.0)


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
    correction = fit_correction(examples(4_000, effect=1.5), RECIPE, seed=1)
    fresh = examples(4_000, effect=1.5, seed=2)
    corrected = corrected_margin(correction.booster, fresh.features, fresh.margin)
    assert correction.rounds > 10
    assert correction.gain > 3 * correction.gain_error
    assert loss(fresh, corrected) < 0.93 * loss(fresh, fresh.margin)


@pytest.mark.parametrize("rows", [60, 400, 3_000])
def test_without_evidence_the_base_model_is_left_alone(rows: int) -> None:
    kept = []
    for seed in range(6):
        data = examples(rows, effect=0.0, seed=seed)
        correction = fit_correction(data, RECIPE, seed=seed)
        kept.append(correction.rounds)
        if correction.rounds == 0:
            corrected = corrected_margin(correction.booster, data.features, data.margin)
            np.testing.assert_array_equal(corrected, data.margin)
    assert kept.count(0) >= 5


def test_a_single_group_with_sites_gives_no_evidence() -> None:
    data = examples(500, effect=1.5, groups=1)
    assert fit_correction(data, RECIPE, seed=1).rounds == 0


def test_the_same_examples_give_the_same_trees() -> None:
    raw = [bytes(fit_correction(examples(1_000, effect=1.5), RECIPE, seed=7).booster.save_raw("ubj")) for _ in range(2)]
    other = bytes(fit_correction(examples(1_000, effect=1.5), RECIPE, seed=8).booster.save_raw("ubj"))
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
    parameters = Recipe(min_child_weight=10.0).parameters(1) | {"subsample": 1.0, "colsample_bytree": 1.0}
    booster = xgboost.train(parameters, data.matrix(Recipe(), np.arange(2_000)), 20)
    outlier, neighbour = np.array([[50.0]], np.float32), np.array([[3.0]], np.float32)
    margin = data.margin[:1]
    assert corrected_margin(booster, outlier, margin) == corrected_margin(booster, neighbour, margin)


def test_an_ensemble_takes_the_mean_margin() -> None:
    data = examples(1_000, effect=1.5)
    boosters = tuple(fit_correction(data, RECIPE, seed=seed).booster for seed in (1, 2))
    ensemble = Ensemble(("a", "b", "c", "d"), 0.0, {"donor": boosters, "acceptor": boosters[:1]})
    margins = [corrected_margin(booster, data.features, data.margin) for booster in boosters]
    np.testing.assert_allclose(
        ensemble.margin("donor", data.features, data.margin), np.mean(margins, axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(ensemble.margin("acceptor", data.features, data.margin), margins[0])


def test_no_rows_give_no_margins() -> None:
    booster = fit_correction(examples(200, effect=0.0), RECIPE, seed=1).booster
    empty = np.empty((0, 4), np.float32), np.empty(0, np.float32)
    assert corrected_margin(booster, *empty).shape == (0,)


def test_the_margin_is_the_logit_kept_finite() -> None:
    margin = base_margin(np.array([0.0, 0.5, 1.0], dtype=np.float32))
    assert margin.dtype == np.float32
    assert margin.tolist() == pytest.approx([-16.118, 0.0, 16.118], abs=1e-3)
