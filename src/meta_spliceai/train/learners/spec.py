"""`--model NAME|JSON|FILE` -> a checked learner; everything is refused before any work."""

from __future__ import annotations

import difflib
import importlib.util
import json
import typing
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from meta_spliceai.errors import InputError
from meta_spliceai.train.learners.catboost_learner import CatBoost
from meta_spliceai.train.learners.forest import RandomForest
from meta_spliceai.train.learners.lightgbm_learner import LightGBM
from meta_spliceai.train.learners.linear import LogisticRegression, StochasticLogistic
from meta_spliceai.train.learners.perceptron import Perceptron
from meta_spliceai.train.learners.protocol import Learner, imported
from meta_spliceai.train.learners.xgboost_learner import XGBoost

LEARNERS: dict[str, type[Any]] = {
    learner.name: learner
    for learner in (XGBoost, LightGBM, CatBoost, RandomForest, LogisticRegression, StochasticLogistic, Perceptron)
}
"""By name; the first is the default."""

_LIBRARY = {
    "lightgbm": ("lightgbm", "lightgbm"),
    "catboost": ("catboost", "catboost"),
    "random_forest": ("sklearn", "learners"),
    "sgd_logistic": ("sklearn", "learners"),
    "mlp": ("sklearn", "learners"),
}

_OTHER_NAMES = {
    "rounds": ("n_estimators", "num_boost_round", "num_iterations", "iterations", "num_trees"),
    "eta": ("learning_rate",),
    "learning_rate": ("eta",),
    "hidden": ("hidden_layer_sizes",),
    "max_depth": ("depth",),
    "depth": ("max_depth",),
    "epochs": ("max_iter", "n_iter"),
}
"""What libraries and habit call a hyper-parameter; used where a learner has no parameter of that name itself."""


def learner_of(model: str | Mapping[str, Any] | Path) -> Learner:
    """The learner that a name, a JSON object of hyper-parameters, a file of such, or a mapping describes.

    Without a `name` in the object, it is XGBoost's.

    Raises
    ------
    InputError
        Unknown learner or hyper-parameter (with the nearest ones), a value of a wrong type or out of range, a file or text
        that cannot be read, or a learner whose library is not installed.
    """
    settings = dict(_settings(model))
    name = settings.pop("name", XGBoost.name)
    if name not in LEARNERS:
        raise InputError(
            expected=f"--model to name a learner: {', '.join(LEARNERS)}",
            found=f"{name!r}{_near(str(name), list(LEARNERS))}",
            action="choose one of them, or give a JSON object or file with hyper-parameters",
        )
    kind = LEARNERS[name]
    types = typing.get_type_hints(kind)
    declared = [field.name for field in fields(kind)]
    given: dict[str, Any] = {}
    for key, value in settings.items():
        known = next((own for own in declared if own == key), None) or next(
            (own for own in declared if key in _OTHER_NAMES.get(own, ())), None
        )
        if known is None:
            raise InputError(
                expected=f"hyper-parameters of {name}: {', '.join(declared)}",
                found=f"{key!r}{_near(key, declared)}",
                action="correct the name or leave it out",
            )
        if known in given:
            raise InputError(f"each hyper-parameter of {name} once", f"{known} twice, as {key} too", "leave one out")
        given[known] = _typed(name, key, value, types[known])
    learner: Learner = kind(**given)
    _check_installed(name)
    return learner


def given_settings(model: str | Mapping[str, Any] | Path) -> frozenset[str]:
    """The learner's own names of the hyper-parameters that `learner_of` was told, whatever their values."""
    settings = dict(_settings(model))
    declared = [field.name for field in fields(LEARNERS[settings.pop("name", XGBoost.name)])]
    own = {known: own for own in declared for known in _OTHER_NAMES.get(own, ()) if known not in declared}
    return frozenset(own.get(key, key) for key in settings)


def settings_of(learner: Learner) -> dict[str, Any]:
    """What `learner_of` makes the same learner of."""
    return {"name": learner.name, **{field.name: getattr(learner, field.name) for field in fields(learner)}}  # type: ignore[arg-type]


def _settings(model: str | Mapping[str, Any] | Path) -> Mapping[str, Any]:
    if isinstance(model, Mapping):
        return model
    text = str(model).strip()
    if isinstance(model, str) and text in LEARNERS:
        return {"name": text}
    if not text.startswith("{"):
        path = Path(text)
        if not (path.is_file() or path.suffix == ".json"):
            return {"name": text}
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"a readable file {path} for --model", str(error), "check the path") from error
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            expected='--model as a JSON object such as {"name": "xgboost", "max_depth": 4}',
            found=f"{text[:60]!r}: {error}",
            action="correct it; in a shell, put it in single quotes",
        ) from error
    if not isinstance(settings, dict):
        raise InputError("--model as a JSON object", f"{text[:60]!r}", 'give {"name": …, …}')
    return settings


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    return f", which is near {' and '.join(close)}" if close else ""


def _typed(learner: str, key: str, value: Any, wanted: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is float and is_number and value == value:  # NaN differs from itself
        return float(value)
    if wanted is int and is_number and value == int(value):
        return int(value)
    if wanted == tuple[int, ...] and isinstance(value, (list, tuple)):
        return tuple(_typed(learner, key, one, int) for one in value)
    word = {float: "a number", int: "a whole number"}.get(wanted, "a list of whole numbers")
    raise InputError(f"{learner} {key} as {word}", f"{value!r}", "correct the value or leave it out")


def _check_installed(name: str) -> None:
    if name in _LIBRARY:
        library, extra = _LIBRARY[name]
        if importlib.util.find_spec(library) is None:
            imported(library, extra)
