"""A saved meta-model: boosters in XGBoost's own format, everything else in JSON. Nothing is ever unpickled.

model.json              what the model is and needs, with the SHA-256 of every booster
donor_1.ubj …           one booster per fold and site type
model_card.md           the same for people
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.errors import MetaSpliceAIError, ModelError, first_few
from meta_spliceai.features.assemble import request_of
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store.atomic import read_json, write_bytes, write_json
from meta_spliceai.store.fingerprint import file_sha256, plain
from meta_spliceai.train.calibrate import Calibration
from meta_spliceai.train.predictions import calibrated
from meta_spliceai.train.residual import Correction, Ensemble
from meta_spliceai.train.whole_gene import score_tiles

KIND = "meta-model"
FORMAT_VERSION = 1
MODEL_FILE, CARD_FILE = "model.json", "model_card.md"

Floats = npt.NDArray[np.float32]


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
    base_model
        What the base model says about itself; the model corrects no other.
    training_genes
        Ids of the genes it learnt from.
    provenance
        Fingerprints, versions and options of the training run.
    """

    profile: str
    features: tuple[ModelFeature, ...]
    ensemble: Ensemble
    calibration: Mapping[str, Calibration]
    base_model: Mapping[str, Any]
    training_genes: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def schema_version(self) -> int:
        """Version of the dataset table whose columns it learnt from."""
        return int(self.provenance["schema_version"])

    def check_base_model(self, artifacts: Artifacts) -> None:
        """Refuse artifacts of another base model, or of other weights of it.

        Raises
        ------
        ModelError
            They are another's.
        """
        own = {name: self.base_model.get(name) for name in ("name", "weights_fingerprint")}
        theirs = {name: artifacts.base_model.get(name) for name in own}
        if own != theirs:
            raise ModelError(
                expected=f"scores of base model {own['name']} with weights {_short(own['weights_fingerprint'])}",
                found=f"{theirs['name']} with weights {_short(theirs['weights_fingerprint'])} in {artifacts.path}",
                action="run the base pass with the model's own base model, or train a meta-model for this one",
            )

    def predict(self, genes: pl.DataFrame, artifacts: Artifacts, genome: Genome) -> Iterator[ScoredBases]:
        """Score every base of genes once, tile by tile.

        Parameters
        ----------
        genes
            Rows of `GENE_TABLE` in reference order.
        artifacts, genome
            Base scores and sequence of the genes and their flanks.

        Raises
        ------
        ModelError
            The artifacts are another base model's.
        StoreError
            A base was not scored by the base pass.
        """
        self.check_base_model(artifacts)
        for tile in score_tiles(genes, artifacts, genome, {KIND: self.ensemble}):
            corrected = tile.corrected[KIND]
            meta = {c: calibrated(tile.base[c], corrected[c], self.calibration[c]) for c in SITE_TYPES}
            yield ScoredBases(tile.interval, tile.genes, tile.base, meta)

    def save(self, folder: Path) -> list[str]:
        """Write boosters and description into `folder`, `model.json` last; returns the names of the files."""
        digests = {}
        for channel in SITE_TYPES:
            for number, correction in enumerate(self.ensemble.corrections[channel], 1):
                name = f"{channel}_{number}.ubj"
                write_bytes(folder / name, correction.to_bytes())
                digests[name] = file_sha256(folder / name)
        write_json(folder / MODEL_FILE, {**self._described(), "boosters": digests})
        return [*digests, MODEL_FILE]

    def _described(self) -> dict[str, Any]:
        described: dict[str, Any] = plain(
            {
                "kind": KIND,
                "format_version": FORMAT_VERSION,
                "profile": self.profile,
                "gate": self.ensemble.gate,
                "features": list(self.features),
                "calibration": dict(self.calibration),
                "base_model": dict(self.base_model),
                "training_genes": list(self.training_genes),
                "provenance": dict(self.provenance),
            }
        )
        return described

    @classmethod
    def load(cls, path: Path) -> MetaModel:
        """Load a model from its folder, or from the folder of the training run that made it.

        Raises
        ------
        ModelError
            There is none, it is damaged or of another format or schema version, or its features are unknown here.
        """
        folder = path if (path / MODEL_FILE).exists() else path / "model"
        described = _read_description(folder, path)
        try:
            features = tuple(ModelFeature(**feature) for feature in described["features"])
            model = cls(
                profile=described["profile"],
                features=features,
                ensemble=Ensemble(
                    tuple(feature.name for feature in features),
                    float(described["gate"]),
                    {c: _load_corrections(folder, described["boosters"], c) for c in SITE_TYPES},
                ),
                calibration={c: Calibration(**described["calibration"][c]) for c in SITE_TYPES},
                base_model=described["base_model"],
                training_genes=tuple(described["training_genes"]),
                provenance=described["provenance"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(folder / MODEL_FILE, f"it lacks or garbles {error}") from error
        _check_features(model, folder)
        return model


def _short(fingerprint: object) -> str:
    return str(fingerprint)[:12]


def _damaged(path: Path, found: str) -> ModelError:
    return ModelError(
        expected=f"a whole meta-model in {path}",
        found=found,
        action="restore the file, or train the model again; pickles and other formats are not read",
    )


def _read_description(folder: Path, path: Path) -> dict[str, Any]:
    if not (folder / MODEL_FILE).is_file():
        raise ModelError(
            expected=f"a meta-model folder with {MODEL_FILE} at {path}",
            found="no such file" if path.exists() else "the path does not exist",
            action="give the model folder that `meta-spliceai train` wrote",
        )
    try:
        described = read_json(folder / MODEL_FILE)
        kind, version = described["kind"], described["format_version"]
    except (MetaSpliceAIError, KeyError, TypeError) as error:
        raise _damaged(folder / MODEL_FILE, getattr(error, "found", f"it lacks or garbles {error}")) from error
    if (kind, version) != (KIND, FORMAT_VERSION):
        raise ModelError(
            expected=f"a {KIND} of format version {FORMAT_VERSION} in {folder}",
            found=f"a {kind} of version {version}",
            action="train it again with this version of meta-spliceai, or use the version that made it",
        )
    return dict(described)


def _load_corrections(folder: Path, digests: Mapping[str, str], channel: str) -> tuple[Correction, ...]:
    corrections = []
    for name, digest in sorted(digests.items(), key=lambda item: (len(item[0]), item[0])):
        if not name.startswith(f"{channel}_"):
            continue
        path = folder / name
        # the digest is compared first: XGBoost's parser should never meet a file that training did not write
        if not path.is_file() or file_sha256(path) != digest:
            raise _damaged(path, "no such file" if not path.is_file() else "its content is not what training wrote")
        corrections.append(Correction.from_bytes(path.read_bytes()))
    if not corrections:
        raise _damaged(folder / MODEL_FILE, f"no {channel} model is listed")
    return tuple(corrections)


def _check_features(model: MetaModel, folder: Path) -> None:
    """The columns must exist here, with the role and origin they had in training."""
    request = request_of([feature.name for feature in model.features])
    table = dataset_table(request.kmer_sizes)
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
