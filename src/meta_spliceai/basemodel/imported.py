"""Scores that somebody has already, as a base that computes nothing.

A folder holds them in one of three forms, recognised by its files (`imported_sources`): bigWig per channel and strand,
Parquet, or what `openspliceai predict` wrote. A `description.json` beside them may say

    name                  short name, part of folder names; `imported` without it
    training_build        genome build of the training data
    training_chromosomes  chromosomes the model behind the scores was trained on, so that splits can keep away from them
    licence               the terms of the scores
    missing               what a base without a score means: `refuse` (stop there), or `zero`

Without `missing`, bigWig and Parquet refuse, since a base they leave out may never have been scored; OpenSpliceAI's BED
lists only bases above a threshold, so there it is zero.
"""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from meta_spliceai.basemodel.imported_sources import OpenSpliceAIBedScores, ScoreSource, open_source
from meta_spliceai.basemodel.protocol import SPREAD, BaseModelInfo, ScoreArray, Scores
from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.fingerprint import file_sha256, fingerprint

log = logging.getLogger(__name__)

NAME = "imported"
DESCRIPTION = "description.json"

Missing = Literal["refuse", "zero"]


@dataclass(frozen=True, slots=True)
class ScoreDescription:
    """What `description.json` may say; see the module's text."""

    name: str = NAME
    training_build: str = "not known"
    training_chromosomes: tuple[str, ...] = ()
    licence: str = "not stated: ask whoever made these scores"
    missing: Missing | None = None


class ImportedScores:
    """`PositionedScores` out of files.

    Parameters
    ----------
    source
        The files.
    info
        Identity of the scores.
    missing
        What a base without a score means.
    """

    def __init__(self, source: ScoreSource, info: BaseModelInfo, missing: Missing) -> None:
        self._source = source
        self._info = info
        self._missing = missing
        self._said_absent: set[str] = set()

    @property
    def info(self) -> BaseModelInfo:
        """Identity of the scores."""
        return self._info

    def scores_of(self, interval: Interval) -> Scores:
        """As `PositionedScores.scores_of`."""
        given = self._source.read(interval)
        nothing = np.zeros(interval.length, dtype=np.float32)
        return Scores({name: self._checked(name, given.get(name, nothing), interval) for name in self._names})

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._info.channels, SPREAD)

    def _checked(self, name: str, values: ScoreArray, interval: Interval) -> ScoreArray:
        unknown = np.isnan(values)
        outside = ~unknown & ~((values >= 0) & (values <= 1))
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise ModelError(
                expected=f"{name} scores between 0 and 1 from {self._info.name}",
                found=f"{values[first]:g} at {_base(interval, first)}",
                action="import probabilities: neither percentages nor logarithms",
            )
        if not unknown.any():
            return values
        if self._missing == "refuse":
            raise self._nothing_known(name, interval, int(np.flatnonzero(unknown)[0]))
        if not self._holds(interval.chrom) and interval.chrom not in self._said_absent:
            self._said_absent.add(interval.chrom)
            log.warning(
                "%s: the files hold nothing on contig %s, so all of it counts as 0; they hold %s",
                self._info.name,
                interval.chrom,
                first_few(self._source.contigs),
            )
        return np.where(unknown, np.float32(0), values)

    def _holds(self, chrom: str) -> bool:
        return not match_contigs([chrom], self._source.contigs).unmatched

    def _nothing_known(self, name: str, interval: Interval, first: int) -> ModelError:
        return ModelError(
            expected=f"a {name} score from {self._info.name} for every base of {interval}",
            found=f"none at {_base(interval, first)}"
            + ("" if self._holds(interval.chrom) else f"; the files hold contigs {first_few(self._source.contigs)}"),
            action="import scores of whole genes and the flanks that are scored with them (see --flank), or write "
            f'"missing": "zero" into {DESCRIPTION} if a base without a score is no site',
        )


def load_imported(*, weights: Path | None = None) -> ImportedScores:
    """Scores in the folder `weights`.

    Raises
    ------
    ModelError
        No folder was given, it holds no scores, or an incomplete or doubtful set of them.
    InputError
        A file cannot be read.
    """
    if weights is None:
        raise ModelError(
            expected="the folder that holds the scores to import",
            found="none was given",
            action="give it as weights, for example --base imported=FOLDER",
        )
    source, files = open_source(weights)
    described = _description(weights / DESCRIPTION)
    missing = described.missing or ("zero" if isinstance(source, OpenSpliceAIBedScores) else "refuse")
    if not described.training_chromosomes:
        log.warning(
            "%s: which chromosomes the model behind these scores was trained on is not known, so no split can keep away "
            "from them; say it in %s",
            described.name,
            weights / DESCRIPTION,
        )
    info = BaseModelInfo(
        name=described.name,
        training_build=described.training_build,
        training_chromosomes=described.training_chromosomes,
        context=0,
        weights_fingerprint=fingerprint([missing, {file.name: file_sha256(file) for file in files}]),
        licence=described.licence,
        channels=source.channels,
    )
    return ImportedScores(source, info, missing)


def _description(path: Path) -> ScoreDescription:
    if not path.is_file():
        return ScoreDescription()
    said = read_json(path)
    known = {field.name for field in fields(ScoreDescription)}
    if not isinstance(said, dict) or not set(said) <= known:
        strange = sorted(set(said) - known) if isinstance(said, dict) else [type(said).__name__]
        raise _refused(path, f"an object with some of {', '.join(sorted(known))}", first_few(strange))
    _check_description(path, said)
    if "training_chromosomes" in said:
        said["training_chromosomes"] = tuple(name.removeprefix("chr") for name in said["training_chromosomes"])
    return ScoreDescription(**{**asdict(ScoreDescription()), **said})


def _check_description(path: Path, said: dict[str, Any]) -> None:
    for key in ("name", "training_build", "licence"):
        if key in said and not (isinstance(said[key], str) and said[key].strip()):
            raise _refused(path, f"a text as {key}", repr(said[key]))
    if not re.fullmatch(r"[a-z0-9_]+", said.get("name", NAME)):
        raise _refused(path, "a name of small letters, digits and underscores", repr(said["name"]))
    chromosomes = said.get("training_chromosomes", [])
    if not isinstance(chromosomes, list) or not all(isinstance(name, str) for name in chromosomes):
        raise _refused(path, 'training_chromosomes as a list of names, such as ["2", "4", "X"]', repr(chromosomes))
    if said.get("missing", "zero") not in get_args(Missing):
        raise _refused(path, f"missing as one of {', '.join(get_args(Missing))}", repr(said["missing"]))


def _refused(path: Path, expected: str, found: str) -> ModelError:
    return ModelError(f"{expected} in {path}", found, "correct the file, or remove it")


def _base(interval: Interval, place: int) -> str:
    return f"{interval.chrom}:{interval.start + place + 1}({interval.strand})"
