"""Which base models a pass runs: their names, their weights, how they are executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import AnyBaseModel
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.errors import InputError, ModelError, first_few
from meta_spliceai.schema.features import FurtherBase


@dataclass(frozen=True, slots=True)
class ChosenBase:
    """A base model to run.

    Parameters
    ----------
    name
        As the registry knows it.
    weights
        Folder of its weights, where they are not found by themselves.
    options
        How it is executed.
    """

    name: str
    weights: Path | None = None
    options: EngineOptions = DEFAULT_OPTIONS

    def load(self) -> AnyBaseModel:
        """The base model, loaded and compiled once per process."""
        return _loaded(self)


@lru_cache(maxsize=1)
def _loaded(base: ChosenBase) -> AnyBaseModel:
    return load_base_model(base.name, weights=base.weights, options=base.options)


def forget_loaded_models() -> None:
    """Let go of the base model that this process holds."""
    _loaded.cache_clear()


def choose_bases(
    names: Sequence[str], weights: Path | None, options: EngineOptions = DEFAULT_OPTIONS
) -> tuple[ChosenBase, ...]:
    """The base models to run, from `NAME` or `NAME=FOLDER` of their weights; `weights` is the first one's folder.

    Raises
    ------
    InputError
        No name, one given twice, or two folders for one model.
    """
    chosen = []
    for text in names:
        name, _, folder = text.partition("=")
        chosen.append(ChosenBase(name.strip(), Path(folder).expanduser() if folder else None, options))
    doubled = sorted({base.name for base in chosen if [other.name for other in chosen].count(base.name) > 1})
    if not chosen or doubled or any(not base.name for base in chosen):
        raise InputError(
            expected="the names of different base models",
            found=f"{first_few(doubled)} twice" if doubled else f"--base {' '.join(names)}".rstrip(),
            action="give for example --base spliceai, or --base spliceai --base openspliceai=FOLDER",
        )
    if weights is not None:
        first = chosen[0]
        if first.weights is not None:
            raise InputError(
                expected=f"one folder of weights for {first.name}",
                found=f"{first.weights} and --weights {weights}",
                action="give one of the two",
            )
        chosen[0] = ChosenBase(first.name, weights, options)
    return tuple(chosen)


def further_base(model: AnyBaseModel) -> FurtherBase:
    """What a table needs to know of a further base model."""
    return FurtherBase(model.info.name, model.info.channels)


def check_models(models: Sequence[AnyBaseModel]) -> None:
    """Refuse base models that cannot be run together.

    Raises
    ------
    ModelError
        The first one does not tell donors from acceptors, so that its calls cannot be compared with the annotation; or
        two have one name.
    """
    first, names = models[0].info, [model.info.name for model in models]
    if not first.is_typed:
        raise ModelError(
            expected="a first base model with donor and acceptor scores",
            found=f"{first.name}, which gives {first_few(first.channels)}",
            action=f"name another one first, as in --base spliceai --base {first.name}",
        )
    if len(set(names)) < len(names):
        raise ModelError(
            expected="base models of different names",
            found=", ".join(names),
            action="leave one of them out, or give imported scores a name in their description.json",
        )
