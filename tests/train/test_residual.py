"""Corrections of the base model's logit: found where there is evidence, absent where there is none, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.train.residual import (
    Correction,
    Ensemble,
    Examples,
    Recipe,
    base_margin,
    fit_correction,
    inner_corrections,
    inner_folds,
    shrinkage_of,
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
    assert correction.shrinkage > 0.9
    assert loss(fresh, correction.margin(fresh.features, fresh.margin)) < 0.93 * loss(fresh, fresh.margin)


@pytest.mark.parametrize("rows", [60, 400, 2_000])
def test_without_evidence_the_base_model_is_left_alone(rows: int) -> None:
    shrunk, harm, harm_unshrunk = [], [], []
    fresh = examples(4_000, effect=0.0, seed=99)
    for seed in range(6):
        correction = fit_correction(examples(rows, effect=0.0, seed=seed), RECIPE, seed=seed)
        shrunk.append(correction.shrinkage)
        unshrunk = Correction(correction.booster, 1.0)
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
    added = inner_corrections(boastful, RECIPE, seed=1)
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
    correction = fit_correction(data, RECIPE, seed=1)
    assert correction.shrinkage == 0
    assert correction.booster.num_boosted_rounds() == 0
    np.testing.assert_array_equal(correction.margin(data.features, data.margin), data.margin)


def test_the_same_examples_give_the_same_trees() -> None:
    raw = [fit_correction(examples(1_000, effect=1.5), RECIPE, seed=7).to_bytes() for _ in range(2)]
    other = fit_correction(examples(1_000, effect=1.5), RECIPE, seed=8).to_bytes()
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
    recipe = Recipe(rounds=20, min_child_weight=10.0, subsample=1.0, colsample_bytree=1.0)
    correction = Correction(data.train(recipe, np.arange(2_000), 1), 1.0)
    outlier, neighbour = np.array([[50.0]], np.float32), np.array([[3.0]], np.float32)
    margin = data.margin[:1]
    assert correction.margin(outlier, margin) == correction.margin(neighbour, margin)


def test_a_correction_comes_back_from_its_bytes() -> None:
    data = examples(1_000, effect=1.5)
    correction = fit_correction(data, RECIPE, seed=1)
    again = Correction.from_bytes(correction.to_bytes())
    assert again.shrinkage == correction.shrinkage
    np.testing.assert_array_equal(
        again.margin(data.features, data.margin), correction.margin(data.features, data.margin)
    )
    with pytest.raises(ValueError, match="without a shrinkage"):
        Correction.from_bytes(bytes(data.train(RECIPE, np.arange(1_000), 1).save_raw("ubj")))
    with pytest.raises(ValueError, match=r".+"):
        Correction.from_bytes(b"no booster")


def test_an_ensemble_takes_the_mean_margin() -> None:
    data = examples(1_000, effect=1.5)
    fitted = tuple(fit_correction(data, RECIPE, seed=seed) for seed in (1, 2))
    ensemble = Ensemble(("a", "b", "c", "d"), 0.0, {"donor": fitted, "acceptor": fitted[:1]})
    margins = [correction.margin(data.features, data.margin) for correction in fitted]
    np.testing.assert_allclose(
        ensemble.margin("donor", data.features, data.margin), np.mean(margins, axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(ensemble.margin("acceptor", data.features, data.margin), margins[0])


def test_no_rows_give_no_margins() -> None:
    correction = fit_correction(examples(1_000, effect=1.5), RECIPE, seed=1)
    assert correction.margin(np.empty((0, 4), np.float32), np.empty(0, np.float32)).shape == (0,)


def test_the_margin_is_the_logit_kept_finite() -> None:
    margin = base_margin(np.array([0.0, 0.5, 1.0], dtype=np.float32))
    assert margin.dtype == np.float32
    assert margin.tolist() == pytest.approx([-16.118, 0.0, 16.118], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": -1}, "recipe rounds of at least 0"),
        ({"inner_folds": 1}, "recipe inner_folds of at least 2"),
        ({"eta": 0.0}, "recipe eta above 0"),
        ({"subsample": 1.1}, "recipe subsample above 0 and at most 1"),
        ({"gate": 1.0}, "recipe gate from 0 to below 1"),
    ],
)
def test_a_recipe_out_of_range_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**options)  # type: ignore[arg-type]
