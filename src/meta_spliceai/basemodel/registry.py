"""From a name to a base model: the shipped ones, and those other packages plug in.

A package plugs in a base model with an entry point in the group `meta_spliceai.base_models`. Its name is the model's
name, its object a function that takes `weights` and `threads` as keywords and returns a `BaseModel`, or a
`PositionedScores` where the scores exist already.
"""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import AnyBaseModel, BaseModel, BaseModelInfo, PositionedScores
from meta_spliceai.errors import ModelError

ENTRY_POINT_GROUP = "meta_spliceai.base_models"

Loader = Callable[..., AnyBaseModel]


def _load_spliceai(*, weights: Path | None, options: EngineOptions) -> BaseModel:
    # Deferred: naming the base models must not load the inference library.
    from meta_spliceai.basemodel.spliceai import load_spliceai

    return load_spliceai(weights=weights, options=options)


def _openspliceai(name: str) -> Loader:
    def load(*, weights: Path | None, options: EngineOptions) -> BaseModel:
        from meta_spliceai.basemodel.openspliceai import load_openspliceai

        return load_openspliceai(name=name, weights=weights, options=options)

    return load


def _load_pangolin(*, weights: Path | None, options: EngineOptions) -> BaseModel:
    from meta_spliceai.basemodel.pangolin import load_pangolin

    return load_pangolin(weights=weights, options=options)


def _load_imported(*, weights: Path | None, options: EngineOptions) -> PositionedScores:
    del options  # nothing is computed
    from meta_spliceai.basemodel.imported import load_imported

    return load_imported(weights=weights)


_OPENSPLICEAI = ("openspliceai", "openspliceai_80nt", "openspliceai_400nt", "openspliceai_2000nt")
_SHIPPED: dict[str, Loader] = {
    "spliceai": _load_spliceai,
    **{name: _openspliceai(name) for name in _OPENSPLICEAI},
    "pangolin": _load_pangolin,
    "imported": _load_imported,
}


def _plugged_in() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}


def shipped_names() -> list[str]:
    """Names of the base models of this package, sorted."""
    return sorted(_SHIPPED)


def base_model_names() -> list[str]:
    """Names that `load_base_model` knows, sorted. A shipped name cannot be taken over by a plug-in."""
    return sorted({*_SHIPPED, *_plugged_in()})


def require_name(name: str) -> None:
    """Refuse a name that `load_base_model` does not know; the `ModelError` lists near ones."""
    if name not in base_model_names():
        raise _unknown(name)


def load_base_model(
    name: str, *, weights: Path | None = None, options: EngineOptions = DEFAULT_OPTIONS
) -> AnyBaseModel:
    """Load a base model, or scores that exist already.

    Parameters
    ----------
    name
        A shipped base model, e.g. 'spliceai', or the name of an entry point in the group `meta_spliceai.base_models`.
    weights
        Folder or file of the weights, where they are not found by themselves.
    options
        How the model is executed; a plug-in is told the number of threads only.

    Raises
    ------
    ModelError
        The name is unknown, a plug-in cannot be imported or does not give a base model, or the weights are unusable.
    """
    loader = _SHIPPED.get(name)
    if loader is not None:
        return loader(weights=weights, options=options)
    points = _plugged_in()
    if name not in points:
        raise _unknown(name)
    return _load_plugged_in(points[name], weights=weights, threads=options.threads)


def _load_plugged_in(
    point: importlib.metadata.EntryPoint, *, weights: Path | None, threads: int | None
) -> AnyBaseModel:
    action = f"check the package that provides {point.value}"
    try:
        loader: Loader = point.load()
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"a loadable base model {point.name} ({point.value})", f"{type(error).__name__}: {error}", action
        ) from error
    model = loader(weights=weights, threads=threads)
    if not isinstance(model, AnyBaseModel) or not isinstance(model.info, BaseModelInfo):
        raise ModelError(
            expected=f"a base model with `info` and `score` from {point.value}",
            found=f"a {type(model).__name__} without them",
            action=action,
        )
    return model


def _unknown(name: str) -> ModelError:
    known = base_model_names()
    near = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return ModelError(
        expected=f"one of the base models {', '.join(known)}",
        found=repr(name),
        action=f"{hint}Correct the name, or install the package that provides this base model",
    )
