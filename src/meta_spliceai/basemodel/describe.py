"""Which base models there are, and what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meta_spliceai.basemodel.catalogue import FACTS, Facts
from meta_spliceai.basemodel.protocol import BaseModelInfo
from meta_spliceai.basemodel.registry import base_model_names, load_base_model, require_name, shipped_names
from meta_spliceai.basemodel.whereabouts import found_weights

Kind = Literal["shipped", "plug-in"]

_NOT_FOUND, _GIVEN, _ELSEWHERE = "not found", "given as --weights", "known to its package"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One line of the list: a base model, and where its weights are, as far as that is known without loading it."""

    name: str
    kind: Kind
    channels: tuple[str, ...] | None
    context: int | None
    licence: str | None
    weights: Path | None

    def cells(self) -> tuple[str, ...]:
        """What the list shows of it."""
        channels = "?" if self.channels is None else _short(self.channels)
        context = "?" if self.context is None else f"{self.context:,}"
        return self.name, self.kind, channels, context, _where(self.name, self.weights), self.licence or "?"


@dataclass(frozen=True, slots=True)
class ModelList:
    """All base models that can be named."""

    models: tuple[ListedModel, ...]

    def summary(self) -> str:
        """A table, and what to do about weights that are missing."""
        head = ("name", "kind", "channels", "context", "weights", "licence")
        text = _table([head, *(model.cells() for model in self.models)])
        missing = [model.name for model in self.models if model.kind == "shipped" and model.weights is None]
        lines = [f"{name}: {FACTS[name].source}" for name in missing if name in FACTS]
        return "\n\n".join([text, *(["Weights that are not found come from:\n" + "\n".join(lines)] if lines else [])])


@dataclass(frozen=True, slots=True)
class Description:
    """Everything that is known of a base model.

    Parameters
    ----------
    name
        As it is given to `--base-model`.
    kind
        Shipped with this package, or plugged in by another one.
    info
        What the loaded model says of itself; None where its weights are not found.
    facts
        What is known without weights; None for a plug-in, or where the weights decide.
    weights
        Where they were found, or were said to be; None where they were not found, or a plug-in knows.
    """

    name: str
    kind: Kind
    info: BaseModelInfo | None
    facts: Facts | None
    weights: Path | None

    def summary(self) -> str:
        """One line per fact."""
        lines = [("name", self.name), ("kind", self.kind)]
        identity = self.info or self.facts
        if identity is not None:
            lines += [
                ("channels", ", ".join((*identity.channels, "spread"))),
                ("context", f"{identity.context:,} bases, half of them on each side"),
                ("training build", identity.training_build),
                ("trained on", _trained_on(identity.training_chromosomes)),
                ("licence", identity.licence),
            ]
        if self.facts is not None:
            lines += [
                ("terms", self.facts.terms),
                ("members", f"{self.facts.members} networks"),
                ("weights from", self.facts.source),
                ("cite", self.facts.citation),
            ]
        lines.append(("weights in", _where(self.name, self.weights)))
        if self.info is not None:
            lines.append(("fingerprint", self.info.weights_fingerprint))
        width = max(len(title) for title, _ in lines)
        return "\n".join(f"{title:<{width}}  {text}" for title, text in lines)


def list_models() -> ModelList:
    """List the base models that can be named: shipped or plugged in, their channels, licence, and where weights are found.

    No weights are loaded. What a plug-in is, `basemodel describe` says.
    """
    return ModelList(tuple(_listed(name) for name in base_model_names()))


def describe_model(name: str, *, weights: Path | None = None) -> Description:
    """Say all that is known of a base model: identity, training data, terms, where its weights come from, how to cite it.

    Parameters
    ----------
    name
        One of `basemodel list`.
    weights
        Folder or file of its weights, where they are not found by themselves.

    Raises
    ------
    ModelError
        There is no base model of this name, or its weights are unusable.
    """
    require_name(name)
    kind: Kind = "shipped" if name in shipped_names() else "plug-in"
    where = weights
    if where is None and kind == "shipped":
        where = found_weights(name)
    loadable = kind == "plug-in" or where is not None
    info = load_base_model(name, weights=weights).info if loadable else None
    return Description(name=name, kind=kind, info=info, facts=FACTS.get(name), weights=where)


def _listed(name: str) -> ListedModel:
    facts = FACTS.get(name)
    shipped = name in shipped_names()
    return ListedModel(
        name=name,
        kind="shipped" if shipped else "plug-in",
        channels=facts.channels if facts else None,
        context=facts.context if facts else None,
        licence=facts.licence if facts else None,
        weights=found_weights(name) if shipped else None,
    )


def _where(name: str, weights: Path | None) -> str:
    """Where the weights are, in words."""
    if weights is not None:
        return str(weights)
    if name not in shipped_names():
        return _ELSEWHERE
    return _NOT_FOUND if name in FACTS else _GIVEN


def _trained_on(chromosomes: tuple[str, ...]) -> str:
    return f"chromosomes {', '.join(chromosomes)}" if chromosomes else "chromosomes that are not known"


def _short(channels: tuple[str, ...]) -> str:
    return ", ".join(channels) if len(channels) <= 2 else f"{channels[0]}, {channels[1]} … ({len(channels)})"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
