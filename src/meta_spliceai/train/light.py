"""What is known of rows besides their features: labels, groups, weights, and what the base model thinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import SchemaError, first_few
from meta_spliceai.features.base_scores import logit
from meta_spliceai.features.further import probability_of_logit
from meta_spliceai.features.profile import Profile
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.datasets import SPLICE_SITE, check_target, labels_of

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Light:
    """Weights and base scores of rows.

    Parameters
    ----------
    weight
        Bases each row stands for, shape (n,).
    base
        The base model's probability by channel, shape (n,); empty where it is not known.
    """

    weight: npt.NDArray[np.float64]
    base: Mapping[str, Floats]

    def start(self, channel: str) -> Floats | None:
        """The base model's logits, if they are known."""
        return logit(self.base[channel]).astype(np.float32) if self.base else None

    def part(self, places: Indices) -> Light:
        """Those of some of the rows."""
        return Light(self.weight[places], {channel: score[places] for channel, score in self.base.items()})

    @classmethod
    def joined(cls, parts: Sequence[Light]) -> Light:
        """Those of one batch after the other; of at least one."""
        base = {channel: np.concatenate([one.base[channel] for one in parts]) for channel in parts[0].base}
        return cls(np.concatenate([one.weight for one in parts]), base)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read of rows, in the words of `Trainer`."""

    label_col: str
    group_col: str
    profile: Profile
    columns: tuple[str, ...] | None
    weighted: bool
    batch_rows: int | None
    """Rows in memory at once; None for all of them."""


def light_names(wanted: Wanted, held: Sequence[str]) -> set[str]:
    """The columns that `codes_of`, `light_of` and the groups are made of, of which some may not exist.

    Raises
    ------
    SchemaError
        There is no label or no group among the columns that are held.
    """
    label = "splice_type" if wanted.label_col == SPLICE_SITE and SPLICE_SITE not in held else wanted.label_col
    missing = [name for name in (label, wanted.group_col) if name not in held]
    if missing:
        raise SchemaError(f"columns {label} and {wanted.group_col}", f"no {first_few(missing)}", "name others")
    return {label, wanted.group_col, "inclusion_probability", *BASE_SCORE_COLUMNS}


_SCORES = tuple(f"{kind}_score" for kind in SITE_TYPES)
_MEANS = tuple(f"mean_{kind}_logit" for kind in SITE_TYPES)
BASE_SCORE_COLUMNS = (*_SCORES, *_MEANS)
"""Columns that say what the base model thinks, of which starts and comparisons are made."""


def codes_of(frame: pl.DataFrame, wanted: Wanted) -> npt.NDArray[np.int8]:
    """0 neither, 1 donor (or a site), 2 acceptor; shape (n,).

    Raises
    ------
    SchemaError, InputError
        Labels that are missing, or others.
    """
    codes = labels_of(frame, wanted.label_col)
    check_target(wanted.label_col, codes)
    return codes.astype(np.int8)


def light_of(frame: pl.DataFrame, wanted: Wanted, channels: Sequence[str]) -> Light:
    """Weights and base scores of rows.

    Raises
    ------
    SchemaError
        The weights cannot be known.
    """
    weight = np.ones(frame.height)
    if wanted.weighted:
        if "inclusion_probability" not in frame.columns:
            raise SchemaError(
                expected="a column inclusion_probability, of which the weights are made",
                found=f"none among {len(frame.columns)} columns",
                action='load it too, or say weights="none" (--weights none): rows then count alike',
            )
        weight = (1.0 / frame["inclusion_probability"].cast(pl.Float64)).to_numpy()
    return Light(weight, base_scores(frame, channels))


def base_scores(frame: pl.DataFrame, channels: Sequence[str]) -> dict[str, Floats]:
    """The base model's probability of rows by channel: of the mean logit of all base models where there are several.

    Empty where the frame does not say. A base is a `splice_site` with the sum of both probabilities.
    """
    return _for_channels(_base_scores(frame), channels)


def _base_scores(frame: pl.DataFrame) -> dict[str, Floats]:
    if set(_MEANS) <= set(frame.columns):
        logits = [frame[name].cast(pl.Float32).to_numpy() for name in _MEANS]
        return {kind: probability_of_logit(one) for kind, one in zip(SITE_TYPES, logits, strict=True)}
    if set(_SCORES) <= set(frame.columns):
        return {kind: frame[name].cast(pl.Float32).to_numpy() for kind, name in zip(SITE_TYPES, _SCORES, strict=True)}
    return {}


def _for_channels(typed: Mapping[str, Floats], channels: Sequence[str]) -> dict[str, Floats]:
    if not typed or tuple(channels) == SITE_TYPES:
        return dict(typed)
    both = np.minimum(typed["donor"] + typed["acceptor"], np.float32(1.0))
    return dict.fromkeys(channels, both)
