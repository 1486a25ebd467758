"""Every learner keeps the same promises: it learns, repeats itself, and comes back from its own safe file."""

from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.train.learners import spec
from meta_spliceai.train.learners.arrays import pack, unpack
from meta_spliceai.train.learners.protocol import Learner, LearningRows
from meta_spliceai.train.learners.scaling import fit_scaling
from meta_spliceai.train.learners.spec import LEARNERS, learner_of, settings_of

SMALL = {
    "xgboost": {"rounds": 60, "eta": 0.1},
    "lightgbm": {"rounds": 60, "learning_rate": 0.1},
    "catboost": {"rounds": 60, "learning_rate": 0.1},
    "random_forest": {"n_estimators": 20, "max_depth": 8},
    "log_reg": {},
    "sgd_logistic": {"batch_rows": 500},
    "mlp": {"hidden": [16], "epochs": 30},
}
LIBRARY = {"lightgbm": "lightgbm", "catboost": "catboost", "random_forest": "sklearn", "sgd_logistic": "sklearn", "mlp": "sklearn"}  # fmt: skip


def learner(name: str, **others: Any) -> Learner:
    if name in LIBRARY:
        pytest.importorskip(LIBRARY[name], reason=f"the extra of learner {name} is not installed")
    return learner_of({"name": name, **SMALL[name], **others})


def rows(count: int, *, seed: int = 1, missing: float = 0.05) -> LearningRows:
    """Labels whose logit is the start plus three times a feature; the start is a feature too, and some values are missing."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)).astype(np.float32)
    start = rng.normal(-1, 1.5, count).astype(np.float32)
    features[:, 1] = start
    label = rng.random(count) < 1 / (1 + np.exp(-(start + 3 * features[:, 0])))
    features[rng.random((count, 5)) < missing] = np.nan
    return LearningRows(features, label, rng.uniform(1, 3, count), start)


def loss(margin: np.ndarray, given: LearningRows) -> float:
    return float(np.average(np.logaddexp(0, np.where(given.label, -margin, margin)), weights=given.weight))


@pytest.mark.rows("R6", "R8")
@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_corrects_the_base_model_on_rows_it_has_not_seen(name: str) -> None:
    fresh = rows(2_000, seed=2)
    assert fresh.start is not None
    margin = learner(name).fit(rows(3_000), seed=5).margin(fresh.features, fresh.start)
    assert (margin.dtype, margin.shape) == (np.float32, (2_000,))
    assert loss(margin, fresh) < 0.8 * loss(fresh.start, fresh)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_learnt_comes_back_from_its_file_and_the_file_is_no_pickle(name: str) -> None:
    own, given = learner(name), rows(600)
    model = own.fit(given, seed=5)
    raw = model.to_bytes()
    again = own.load(raw)
    np.testing.assert_array_equal(again.margin(given.features, given.start), model.margin(given.features, given.start))
    np.testing.assert_array_equal(again.gains(5), model.gains(5))
    assert raw == again.to_bytes()
    assert not raw.startswith(pickle.PROTO)
    for foreign in (b"", b"no model", pickle.dumps([1]), raw[: len(raw) // 3]):
        with pytest.raises(ValueError, match=r".+"):
            own.load(foreign)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_rows_and_seed_give_the_same_file(name: str) -> None:
    own, given = learner(name), rows(600)
    assert own.fit(given, seed=5).to_bytes() == own.fit(given, seed=5).to_bytes()


@pytest.mark.parametrize("name", LEARNERS)
def test_the_feature_that_matters_gains_most_and_noise_little(name: str) -> None:
    # the base model's logit is known to learners that start from it, so the first feature is all they can gain from
    gains = learner(name).fit(rows(3_000, missing=0.0), seed=5).gains(5)
    assert gains.shape == (5,)
    assert max(gains[[0, 1]]) == gains.max()
    assert gains[0] > 1.15 * gains[2:].max()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_starts_from_the_base_models_logit_or_says_that_it_cannot(name: str) -> None:
    own, given = learner(name), rows(1_500)
    assert given.start is not None
    model = own.fit(given, seed=5)
    near, far = (model.margin(given.features, given.start + shift) for shift in (0, 4))
    np.testing.assert_allclose(far - near, 4.0 if own.starts_from_margin else 0.0, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, kind in LEARNERS.items() if kind.stops_early])
def test_boosting_stops_on_held_rows_and_keeps_the_best_rounds(name: str) -> None:
    rate = "eta" if name == "xgboost" else "learning_rate"
    own, held = learner(name, rounds=300, **{rate: 0.5}), rows(800, seed=2)
    stopped, whole = own.fit(rows(800), seed=5, held=held), own.fit(rows(800), seed=5)
    assert stopped.rounds < 300 == whole.rounds
    assert loss(stopped.margin(held.features, held.start), held) < loss(whole.margin(held.features, held.start), held)
    reloaded = own.load(stopped.to_bytes())
    np.testing.assert_array_equal(reloaded.margin(held.features, held.start), stopped.margin(held.features, held.start))


def test_the_forest_of_arrays_answers_as_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    fitted: list[Any] = []
    fit = ensemble.RandomForestClassifier.fit
    monkeypatch.setattr(
        ensemble.RandomForestClassifier, "fit", lambda self, *a, **k: fitted.append(self) or fit(self, *a, **k)
    )
    given = rows(800, missing=0.0)
    margin = learner("random_forest").fit(given, seed=5).margin(given.features, None)
    found = 1 / (1 + np.exp(-margin.astype(np.float64)))
    np.testing.assert_allclose(found, fitted[0].predict_proba(given.features)[:, 1], atol=2e-6)


def test_logistic_regression_finds_the_minimum_of_its_loss() -> None:
    given = rows(2_000, missing=0.0)
    model = learner("log_reg").fit(given, seed=1)
    held = unpack(model.to_bytes(), "linear", ("coefficients",))
    scaled = fit_scaling([(given.features, given.weight)])(given.features).astype(np.float64)
    assert given.start is not None

    def objective(at: np.ndarray) -> float:
        logit = given.start + scaled @ at[:-1] + at[-1]
        return float(given.weight @ np.logaddexp(0, np.where(given.label, -logit, logit)) + 5.0 * at[:-1] @ at[:-1])

    at = np.append(held["coefficients"], held["intercept"])
    for place in range(6):
        for step in (-0.02, 0.02):
            moved = at.copy()
            moved[place] += step
            assert objective(moved) > objective(at)


def test_scaling_is_the_same_over_batches_and_over_all_rows() -> None:
    given = rows(1_001)
    whole = fit_scaling([(given.features, given.weight)])
    parts = fit_scaling((given.features[at : at + 100], given.weight[at : at + 100]) for at in range(0, 1_001, 100))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(parts.deviation, whole.deviation, rtol=1e-12)
    known = ~np.isnan(given.features[:, 0])
    assert whole.mean[0] == pytest.approx(
        np.average(given.features[known, 0].astype(np.float64), weights=given.weight[known])
    )


def test_arrays_of_objects_are_never_unpickled() -> None:
    with pytest.raises(ValueError, match="pickle"):
        unpack(pack("linear", mean=np.array([{}], dtype=object)), "linear", ())


@pytest.mark.rows("R7")
def test_a_model_is_given_by_name_by_json_or_by_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"name": "log_reg", "l2": 3}))
    assert learner_of("xgboost") == LEARNERS["xgboost"]()
    assert learner_of(str(path)) == learner_of('{"name": "log_reg", "l2": 3.0}') == learner_of(path)
    assert settings_of(learner_of('{"learning_rate":0.05,"n_estimators":500}')) == {
        **settings_of(LEARNERS["xgboost"]()), "eta": 0.05, "rounds": 500,
    }  # fmt: skip
    for name in LEARNERS:
        if name not in LIBRARY or importlib.util.find_spec(LIBRARY[name]):
            assert learner_of(settings_of(learner_of(name))) == learner_of(name)


@pytest.mark.rows("R7")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("xgbost", "'xgbost', which is near xgboost"),
        ('{"name": "forest"}', "'forest', which is near random_forest"),
        ('{"max_dept": 3}', "'max_dept', which is near max_depth"),
        ('{"name": "log_reg", "zzz": 3}', "found: 'zzz'\n"),
        ('{"max_depth": "deep"}', "xgboost max_depth as a whole number"),
        ('{"max_depth": 2.5}', "xgboost max_depth as a whole number"),
        ('{"eta": true}', "xgboost eta as a number"),
        ('{"eta": NaN}', "xgboost eta as a number"),
        ('{"eta": 0}', "xgboost eta above 0 and at most 1"),
        ('{"rounds": -1}', "xgboost rounds of at least 0"),
        ('{"eta": 0.1, "learning_rate": 0.1}', "eta twice, as learning_rate too"),
        ('{"eta": ', "--model as a JSON object such as"),
        ("nowhere.json", "a readable file nowhere.json"),
        ({"name": "mlp", "hidden": 3}, "mlp hidden as a list of whole numbers"),
        ({"name": "mlp", "hidden": [0]}, "mlp hidden of at least 1"),
    ],
)
def test_a_model_that_cannot_be_is_refused_with_what_is_near(model: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        learner_of(model)
    assert message in str(caught.value)


def test_a_learner_whose_library_is_absent_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(InputError, match=r"pip install 'meta-spliceai\[lightgbm\]'"):
        learner_of("lightgbm")
