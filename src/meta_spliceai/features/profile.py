"""Which features a model may use: a profile admits origins, and a claim is made for one profile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from meta_spliceai.errors import InputError
from meta_spliceai.schema.column import Column, Origin, features_of

Profile = Literal["base_only", "de_novo", "gene_conditioned", "annotated"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

_DE_NOVO: tuple[Origin, ...] = ("sequence", "base_score", "external")
ORIGINS_OF_PROFILE: dict[Profile, tuple[Origin, ...]] = {
    "base_only": ("base_score",),
    "de_novo": _DE_NOVO,
    "gene_conditioned": (*_DE_NOVO, "gene"),
    "annotated": (*_DE_NOVO, "gene", "annotation"),
}
"""Origins by profile; `label` is in none."""

BOUNDARY_BLIND: tuple[Profile, ...] = ("base_only", "de_novo")
"""Profiles whose features do not know where the annotation says a gene begins and ends."""


def admitted_features(columns: Iterable[Column], profile: Profile) -> list[str]:
    """Names of the feature columns that `profile` admits, in order.

    Raises
    ------
    InputError
        There is no such profile.
    """
    if profile not in ORIGINS_OF_PROFILE:
        raise InputError(
            expected=f"a feature profile: {', '.join(PROFILES)}", found=f"{profile!r}", action="choose one of them"
        )
    return features_of(columns, ORIGINS_OF_PROFILE[profile])
