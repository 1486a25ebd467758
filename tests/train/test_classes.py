"""Donor, acceptor and neither at once: the probabilities, and what cannot be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.train.classes import CLASSES, SOFTMAX, ClassLearner, ClassModel
from meta_spliceai.train.learners.linear import LogisticRegression
from meta_spliceai.train.learners.protocol import LearningRows
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.residual import Method

LEARNER = XGBoost(rounds=40, eta=0.2, min_child_weight=1.0, colsample_bytree=1.0)


def three_classes(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and classes that the larger of the first two decides where it is large."""
    features = np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)
    codes = np.where(features[:, :2].max(axis=1) > 0.8, features[:, :2].argmax(axis=1), 2).astype(np.int8)
    return features, codes


def probabilities(model: ClassModel, features: np.ndarray) -> dict[str, np.ndarray]:
    start = np.zeros(len(features), dtype=np.float32)
    return {name: 1 / (1 + np.exp(-model.margin(name, features, start).astype(float))) for name in CLASSES}


def sigmoid_model() -> ClassModel:
    features, codes = three_classes(2_000, 1)
    models = {
        name: LEARNER.fit(LearningRows(features, codes == code, np.ones(codes.size), None), seed=1)
        for code, name in enumerate(CLASSES)
    }
    return ClassModel(("a", "b", "c"), 0.01, models)


def softmax_model() -> ClassModel:
    features, codes = three_classes(2_000, 1)
    fitted = LEARNER.fit_classes(features, codes, np.ones(codes.size), classes=3, seed=1)
    return ClassModel(("a", "b", "c"), 0.01, {SOFTMAX: XGBoost.load(fitted.to_bytes())})


@pytest.mark.parametrize("make", [sigmoid_model, softmax_model])
def test_the_probabilities_of_the_classes_add_to_one_and_find_them(make: Any) -> None:
    features, codes = three_classes(1_000, 2)
    found = probabilities(make(), features)
    np.testing.assert_allclose(sum(found.values()), 1, atol=1e-5)
    assert (np.stack([found[name] for name in CLASSES]).argmax(axis=0) == codes).mean() > 0.9


def test_three_sigmoids_are_divided_by_their_sum() -> None:
    model = sigmoid_model()
    features, _ = three_classes(50, 3)
    each = {name: 1 / (1 + np.exp(-model.models[name].margin(features, None).astype(float))) for name in CLASSES}
    found = probabilities(model, features)
    for name in CLASSES:
        np.testing.assert_allclose(found[name], each[name] / sum(each.values()), rtol=1e-4)


def test_without_rows_there_is_nothing_to_score() -> None:
    nothing = np.empty(0, dtype=np.float32)
    assert sigmoid_model().margin("donor", np.empty((0, 3), dtype=np.float32), nothing) is nothing


def test_xgboost_has_a_softmax_and_log_reg_has_none() -> None:
    assert isinstance(XGBoost(), ClassLearner)
    assert not isinstance(LogisticRegression(), ClassLearner)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"objective": "ordinal"}, "--objective corrections, sigmoid, multiclass"),
        ({"objective": "sigmoid", "base_margin": True}, "start from nothing"),
        ({"objective": "multiclass", "learner": LogisticRegression()}, "a softmax over classes"),
        ({"objective": "multiclass", "early_stopping": True}, "a fixed number of rounds"),
    ],
)
def test_what_an_objective_cannot_serve_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        Method(**{"base_margin": False, **options})
