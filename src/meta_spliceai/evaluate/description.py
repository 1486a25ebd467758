"""predictions.json: what a predictions table says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meta_spliceai.calibration import CalibrationMap, map_from_json
from meta_spliceai.errors import SchemaError, first_few
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.atomic import read_json

_ACTION = "make the predictions again with `meta-spliceai train`; it resumes"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of scoring bases.

    Parameters
    ----------
    name
        Prefix of its columns.
    title, note
        For people.
    profile
        The features it may use; empty for arms that are not trained.
    """

    name: str
    title: str
    profile: str
    note: str


@dataclass(frozen=True, slots=True)
class Description:
    """The content of predictions.json.

    Parameters
    ----------
    raw
        All of it, as it was read.
    arms
        In the order in which they are shown; the reference arm, with which the others are compared, comes first.
    genes
        Gene names by gene group.
    gene_count
        Number of genes.
    maps
        Calibration by (arm, site type), then fold; none for arms whose scores are probabilities as they are.
    """

    raw: Mapping[str, Any]
    arms: tuple[Arm, ...]
    genes: Mapping[int, tuple[str, ...]]
    gene_count: int
    maps: Mapping[tuple[str, str], Mapping[int, CalibrationMap]]


def read_description(path: Path) -> Description:
    """Read predictions.json.

    Raises
    ------
    StoreError
        It is missing or no JSON.
    SchemaError
        It lacks arms, the reference arm or the gene groups, or a calibration cannot be used.
    """
    raw = read_json(path)
    try:
        arms = tuple(
            Arm(arm["name"], arm.get("title", arm["name"]), arm.get("profile") or "", arm.get("note", ""))
            for arm in raw["arms"]
        )
        reference = raw["reference arm"]
        genes = {int(group["group"]): tuple(map(str, group["gene_names"])) for group in raw["groups"]}
        gene_count = sum(len(group["gene_ids"]) for group in raw["groups"])
        maps = _maps_of(raw.get("calibrations", []))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(
            expected=f"in {path}: arms (name), reference arm, groups (group, gene_ids, gene_names), and calibrations "
            "(arm, splice_type, fold, a, b, c with a and b above 0; or p and q that never fall, of kind isotonic) where there are any",
            found=f"it lacks or garbles {error}",
            action=_ACTION,
        ) from error
    names = [arm.name for arm in arms]
    if reference not in names or len(set(names)) < len(names):
        raise SchemaError(
            expected=f"distinct arms with the reference arm among them in {path}",
            found=f"arms {first_few(names, 12)}, reference arm {reference}",
            action=_ACTION,
        )
    ordered = tuple(sorted(arms, key=lambda arm: arm.name != reference))
    return Description(raw, ordered, genes, gene_count, maps)


def _maps_of(entries: list[dict[str, Any]]) -> dict[tuple[str, str], dict[int, CalibrationMap]]:
    maps: dict[tuple[str, str], dict[int, CalibrationMap]] = {}
    for entry in entries:
        if entry["splice_type"] not in SITE_TYPES:
            raise ValueError(f"the calibration {entry}")
        maps.setdefault((entry["arm"], entry["splice_type"]), {})[int(entry["fold"])] = map_from_json(entry)
    return maps
