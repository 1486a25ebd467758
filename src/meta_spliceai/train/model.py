"""A saved meta-model: models in their learner's own format, everything else in JSON.

model.json              what the model is and needs, with shrinkage and SHA-256 of every learner's model
donor_1.ubj …           one learner's model per fold and site type
model.pkl               all of them in one pickle, for programs that want one; read only when told to trust it
model_card.md           the same for people

A pickle is a program that runs when it is loaded. `model.pkl` holds nothing but the content of the other files and a call
of `from_files`.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.calibration import CalibrationMap, map_from_json
from meta_spliceai.errors import MetaSpliceAIError, ModelError, first_few
from meta_spliceai.features.assemble import request_of
from meta_spliceai.features.enricher import Enricher
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.features import FurtherBase
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store.atomic import json_bytes, write_bytes
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.train.evidence import NeededEnricher, load_needed
from meta_spliceai.train.learners.spec import LEARNERS
from meta_spliceai.train.predictions import calibrated
from meta_spliceai.train.residual import Correction, Ensemble
from meta_spliceai.train.whole_gene import score_tiles

KIND = "meta-model"
FORMAT_VERSION = 4
MODEL_FILE, CARD_FILE, PICKLE_FILE = "model.json", "model_card.md", "model.pkl"

Floats = npt.NDArray[np.float32]
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class ModelFeature:
    """A column the model reads."""

    name: str
    role: str
    origin: str


@dataclass(frozen=True, slots=True)
class ScoredBases:
    """Consecutive bases of one strand in ascending genomic order, each array of shape (interval.length,).

    `base` holds the base model's scores, `meta` the meta-model's calibrated probabilities, both by site type.
    """

    interval: Interval
    genes: tuple[Mapping[str, Any], ...]
    base: Mapping[str, Floats]
    meta: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class MetaModel:
    """A trained meta-model.

    Parameters
    ----------
    profile
        The features it may use.
    features
        The columns it reads, in order.
    ensemble
        The fold models; their mean margin is calibrated.
    calibration
        By site type.
    learner
        Name and hyper-parameters of what learnt it.
    base_models
        What each base model says about itself, the first one first, which is the one that is corrected.
    training_genes
        Ids of the genes it learnt from.
    provenance
        Fingerprints, versions and options of the training run.
    enrichers
        Those that it needs besides the built-in ones.
    """

    profile: str
    features: tuple[ModelFeature, ...]
    ensemble: Ensemble
    calibration: Mapping[str, CalibrationMap]
    learner: Mapping[str, Any]
    base_models: tuple[Mapping[str, Any], ...]
    training_genes: tuple[str, ...]
    provenance: Mapping[str, Any]
    enrichers: tuple[NeededEnricher, ...] = ()

    @property
    def schema_version(self) -> int:
        """Version of the dataset table whose columns it learnt from."""
        return int(self.provenance["schema_version"])

    @property
    def base_model(self) -> Mapping[str, Any]:
        """What the base model that is corrected says about itself."""
        return self.base_models[0]

    def base_scores_in(self, artifacts: Artifacts) -> Artifacts:
        """The artifacts with the model's own base models only.

        Raises
        ------
        ModelError
            They are other base models', or of other weights of them.
        """
        own, theirs = self.base_models, artifacts.all_base_models
        names = [one["name"] for one in own]
        if set(names) <= set(artifacts.base_names) and names[0] == artifacts.base_names[0]:
            artifacts = artifacts.with_bases(names)
            theirs = artifacts.all_base_models
        if [_weights(one) for one in own] != [_weights(one) for one in theirs]:
            raise ModelError(
                expected=f"scores of {_named(own)}",
                found=f"{_named(theirs)} in {artifacts.path}",
                action="run the base pass with the model's own base models, or train a meta-model for these",
            )
        return artifacts

    def load_enrichers(self, evidence: Sequence[str], reference: Reference) -> tuple[Enricher, ...]:
        """Load the enrichers that the model needs.

        Parameters
        ----------
        evidence
            `NAME=FILE` for each that reads files. Other files than in training are said in the log, and used.
        reference
            What the files must belong to.

        Raises
        ------
        InputError
            Evidence is missing, cannot be used, or gives other columns than in training.
        """
        return load_needed(self.enrichers, evidence, reference)

    def predict(
        self, genes: pl.DataFrame, artifacts: Artifacts, genome: Genome, enrichers: Sequence[Enricher] = ()
    ) -> Iterator[ScoredBases]:
        """Score every base of genes once, tile by tile.

        Parameters
        ----------
        genes
            Rows of `GENE_TABLE` in reference order.
        artifacts, genome
            Base scores and sequence of the genes and their flanks.
        enrichers
            What `load_enrichers` gave.

        Raises
        ------
        ModelError
            The artifacts are another base model's, or an enricher is missing.
        StoreError
            A base was not scored by the base pass.
        """
        own = self.base_scores_in(artifacts)
        for tile in score_tiles(genes, own, genome, {KIND: self.ensemble}, enrichers=enrichers):
            corrected = tile.corrected[KIND]
            meta = {c: calibrated(tile.start[c], corrected[c], self.calibration[c]) for c in SITE_TYPES}
            yield ScoredBases(tile.interval, tile.genes, tile.base, meta)

    def save(self, folder: Path) -> list[str]:
        """Write models and description into `folder`, `model.json` last; returns the names of the files."""
        files = {**self.to_files(), PICKLE_FILE: pickle.dumps(self, protocol=5)}
        for name in sorted(files, key=lambda name: (name == MODEL_FILE, name)):
            write_bytes(folder / name, files[name])
        return [*(name for name in files if name != MODEL_FILE), MODEL_FILE]

    def to_files(self) -> dict[str, bytes]:
        """The content of its files by name, `model.json` last."""
        suffix = LEARNERS[self.learner["name"]].suffix
        files, held = {}, {}
        for channel in SITE_TYPES:
            for number, correction in enumerate(self.ensemble.corrections[channel], 1):
                name = f"{channel}_{number}{suffix}"
                files[name] = correction.model.to_bytes()
                held[name] = {
                    "sha256": hashlib.sha256(files[name]).hexdigest(),
                    "shrinkage": correction.shrinkage,
                    "residual": correction.residual,
                    **(
                        {"start": [self.features[column].name for column in correction.start]}
                        if correction.start
                        else {}
                    ),
                }
        return {**files, MODEL_FILE: json_bytes({**self._described(), "corrections": held})}

    def __reduce__(self) -> tuple[Any, ...]:
        return MetaModel.from_files, (self.to_files(),)

    def _described(self) -> dict[str, Any]:
        described: dict[str, Any] = plain(
            {
                "kind": KIND,
                "format_version": FORMAT_VERSION,
                "profile": self.profile,
                "gate": self.ensemble.gate,
                "features": list(self.features),
                "calibration": dict(self.calibration),
                "learner": dict(self.learner),
                "base_models": [dict(one) for one in self.base_models],
                "training_genes": list(self.training_genes),
                **({"enrichers": [one.described() for one in self.enrichers]} if self.enrichers else {}),
                "provenance": dict(self.provenance),
            }
        )
        return described

    @classmethod
    def load(cls, path: Path, *, trust_pickle: bool = False) -> MetaModel:
        """Load a model from its folder, from the folder of the training run that made it, or from its pickle.

        Parameters
        ----------
        trust_pickle
            Whether a `.pkl` file may be loaded. Loading it runs whatever program it holds: trust only your own.

        Raises
        ------
        ModelError
            There is none, it is damaged or of another format or schema version, its features are unknown here, or it is a
            pickle that is not trusted.
        """
        if path.suffix == ".pkl":
            return load_pickle(path, cls, trust=trust_pickle)
        folder = path if (path / MODEL_FILE).exists() else path / "model"
        if not (folder / MODEL_FILE).is_file():
            raise ModelError(
                expected=f"a meta-model folder with {MODEL_FILE} at {path}",
                found="no such file" if path.exists() else "the path does not exist",
                action="give the model folder that `meta-spliceai train` wrote",
            )
        return cls.from_files({file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}, folder)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], where: Path | None = None) -> MetaModel:
        """The model whose files have this content, by name; `where` they are is said in messages.

        Raises
        ------
        ModelError
            As `load`.
        """
        folder = where or Path("the pickle")
        described = _read_description(files[MODEL_FILE], folder)
        try:
            features = tuple(ModelFeature(**feature) for feature in described["features"])
            model = cls(
                profile=described["profile"],
                features=features,
                ensemble=Ensemble(
                    tuple(feature.name for feature in features),
                    float(described["gate"]),
                    {channel: _corrections(files, described, channel, folder) for channel in SITE_TYPES},
                ),
                calibration={c: map_from_json(described["calibration"][c]) for c in SITE_TYPES},
                learner=described["learner"],
                base_models=tuple(described["base_models"]),
                training_genes=tuple(described["training_genes"]),
                provenance=described["provenance"],
                enrichers=tuple(NeededEnricher.from_description(one) for one in described.get("enrichers", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(folder / MODEL_FILE, f"it lacks or garbles {error}") from error
        _check_features(model, folder)
        return model


def _weights(base_model: Mapping[str, Any]) -> tuple[object, object]:
    return base_model.get("name"), base_model.get("weights_fingerprint")


def _named(base_models: Sequence[Mapping[str, Any]]) -> str:
    named = (f"base model {name} with weights {str(weights)[:12]}" for name, weights in map(_weights, base_models))
    return " and ".join(named)


def _damaged(path: Path, found: str) -> ModelError:
    return ModelError(
        expected=f"a whole meta-model in {path}",
        found=found,
        action="restore the file, or train the model again; other formats are not read",
    )


def load_pickle(path: Path, kind: type[Kind], *, trust: bool) -> Kind:
    """The object of a trusted pickle.

    Raises
    ------
    ModelError
        It is not trusted, cannot be read, or holds something else.
    """
    if not trust:
        raise ModelError(
            expected=f"a model in its own safe files instead of the pickle {path}",
            found="a pickle, which is a program that runs when it is loaded",
            action=f"give the folder {path.parent}; or say trust_pickle=True if you made the file yourself",
        )
    try:
        held = pickle.loads(path.read_bytes())
    except MetaSpliceAIError:
        raise
    except Exception as error:  # a pickle can raise anything
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(held, kind):
        raise _damaged(path, f"a {type(held).__name__}")
    return held


def _read_description(content: bytes, folder: Path) -> dict[str, Any]:
    try:
        described = json.loads(content)
        kind, version = described["kind"], described["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / MODEL_FILE, f"it lacks or garbles {error}") from error
    if (kind, version) != (KIND, FORMAT_VERSION):
        raise ModelError(
            expected=f"a {KIND} of format version {FORMAT_VERSION} in {folder}",
            found=f"a {kind} of version {version}",
            action="train it again with this version of meta-spliceai, or use the version that made it",
        )
    return dict(described)


def _corrections(
    files: Mapping[str, bytes], described: Mapping[str, Any], channel: str, folder: Path
) -> tuple[Correction, ...]:
    name = described["learner"]["name"]
    if name not in LEARNERS:
        raise ModelError(
            f"a learner among {', '.join(LEARNERS)} in {folder}", f"{name}", "use the version that made it"
        )
    corrections = []
    place = {feature["name"]: number for number, feature in enumerate(described["features"])}
    for file, entry in sorted(described["corrections"].items(), key=lambda item: (len(item[0]), item[0])):
        if not file.startswith(f"{channel}_"):
            continue
        # the digest is compared first: a learner's parser should never meet a file that training did not write
        if file not in files or hashlib.sha256(files[file]).hexdigest() != entry["sha256"]:
            raise _damaged(folder / file, "its content is not what training wrote" if file in files else "no such file")
        corrections.append(
            Correction(
                LEARNERS[name].load(files[file]),
                float(entry["shrinkage"]),
                bool(entry["residual"]),
                tuple(place[column] for column in entry.get("start", ())),
            )
        )
    if not corrections:
        raise _damaged(folder / MODEL_FILE, f"no {channel} model is listed")
    return tuple(corrections)


def _check_features(model: MetaModel, folder: Path) -> None:
    """The columns must exist here, with the role and origin they had in training."""
    further = [FurtherBase(one["name"], tuple(one["channels"])) for one in model.base_models[1:]]
    enriched = [column for one in model.enrichers for column in one.columns]
    added = {column.name for column in enriched}
    request = request_of([feature.name for feature in model.features if feature.name not in added], further)
    table = dataset_table(request.kmer_sizes, further, enriched=enriched)
    if model.schema_version != table.version:
        raise ModelError(
            expected=f"a model of schema version {table.version} in {folder}",
            found=f"version {model.schema_version}",
            action="train it again on a dataset built with this version of meta-spliceai",
        )
    declared = {column.name: ModelFeature(column.name, column.role, column.origin) for column in table}
    changed = [feature.name for feature in model.features if declared[feature.name] != feature]
    if changed:
        raise ModelError(
            expected="features with the role and origin they had in training",
            found=f"{first_few(changed)} declared otherwise",
            action="train it again with this version of meta-spliceai",
        )


__all__ = ["MetaModel", "ModelFeature", "ScoredBases"]
