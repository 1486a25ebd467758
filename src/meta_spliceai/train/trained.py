"""What a `Trainer` has learnt: corrections by channel, and their files, which hold no program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.features.base_scores import logit
from meta_spliceai.features.further import probability_of_logit
from meta_spliceai.store.atomic import json_bytes
from meta_spliceai.train.feature_matrix import check_finite, float_matrix
from meta_spliceai.train.learners.spec import LEARNERS
from meta_spliceai.train.light import base_scores
from meta_spliceai.train.model import load_pickle
from meta_spliceai.train.residual import Correction

KIND, FORMAT_VERSION = "trained correction", 1
DESCRIPTION = "trainer.json"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainedCorrection:
    """What a trainer has learnt.

    Parameters
    ----------
    features
        The columns it reads, in order.
    corrections
        By channel: donor and acceptor, or splice_site.
    learner
        Name and hyper-parameters.
    schema_version
        Of the dataset it learnt from; None where it learnt from other rows.
    """

    features: tuple[str, ...]
    corrections: Mapping[str, Correction]
    learner: Mapping[str, Any]
    schema_version: int | None

    def to_files(self) -> dict[str, bytes]:
        """The content of its files by name, the description last."""
        suffix = LEARNERS[self.learner["name"]].suffix
        files = {f"{channel}{suffix}": one.model.to_bytes() for channel, one in self.corrections.items()}
        described = {
            "kind": KIND,
            "format_version": FORMAT_VERSION,
            "features": list(self.features),
            "learner": dict(self.learner),
            "schema_version": self.schema_version,
            "corrections": {
                channel: {
                    "file": f"{channel}{suffix}",
                    "sha256": hashlib.sha256(files[f"{channel}{suffix}"]).hexdigest(),
                    "shrinkage": one.shrinkage,
                    "residual": one.residual,
                }
                for channel, one in self.corrections.items()
            },
        }
        return {**files, DESCRIPTION: json_bytes(described)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], where: Path | None = None) -> TrainedCorrection:
        """The reverse of `to_files`.

        Raises
        ------
        ModelError
            A file is missing, damaged, or of another version.
        """
        folder = where or Path("the pickle")
        try:
            described = json.loads(files[DESCRIPTION])
            if (described["kind"], described["format_version"]) != (KIND, FORMAT_VERSION):
                raise ValueError(f"{described['kind']} of version {described['format_version']}")
            learner = LEARNERS[described["learner"]["name"]]
            corrections = {}
            for channel in sorted(described["corrections"], reverse=True):  # donor before acceptor
                entry = described["corrections"][channel]
                if hashlib.sha256(files[entry["file"]]).hexdigest() != entry["sha256"]:
                    raise ValueError(f"{entry['file']}, whose content is not what training wrote")
                model = learner.load(files[entry["file"]])
                corrections[channel] = Correction(model, float(entry["shrinkage"]), bool(entry["residual"]))
            return cls(tuple(described["features"]), corrections, described["learner"], described["schema_version"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                expected=f"a whole {KIND} of version {FORMAT_VERSION} in {folder}",
                found=f"it lacks or garbles {error}",
                action="restore the files, or train again",
            ) from error

    def predict(self, data: Any) -> pl.DataFrame:
        """Probabilities of rows, one column for each channel.

        Parameters
        ----------
        data
            A frame with the model's columns, and base scores where it corrects them (others are left aside); or an array
            of features in the model's order.

        Raises
        ------
        ModelError
            Columns are missing, or an array has another width.
        """
        if isinstance(data, pl.DataFrame):
            missing = [name for name in self.features if name not in data.columns]
            if missing:
                raise ModelError(
                    expected=f"the {len(self.features)} columns that the model learnt from",
                    found=f"no {first_few(missing)}",
                    action="give rows of a dataset with the same features",
                )
            matrix = float_matrix(data.select(self.features))
            check_finite(matrix, self.features, data.select(self.features))
        else:
            matrix = np.ascontiguousarray(data, dtype=np.float32)
            if matrix.ndim != 2 or matrix.shape[1] != len(self.features):
                raise ModelError(
                    expected=f"features of shape (n, {len(self.features)})",
                    found=f"{matrix.shape}",
                    action="give the columns that the model learnt from, in its order",
                )
            check_finite(matrix, self.features, None)
        return pl.DataFrame(
            {
                channel: probability_of(one, matrix, self._starts(data, channel) if one.residual else None)
                for channel, one in self.corrections.items()
            }
        )

    def _starts(self, data: Any, channel: str) -> Floats:
        if not isinstance(data, pl.DataFrame):
            raise ModelError("base scores, which the model corrects", "an array of features", "give a data frame")
        known = base_scores(data, tuple(self.corrections))
        if not known:
            raise ModelError("base scores, which the model corrects", "no donor_score and acceptor_score", "add them")
        return logit(known[channel]).astype(np.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainedCorrection.from_files, (self.to_files(),)


def read_trained(given: Path, *, trust_pickle: bool) -> TrainedCorrection:
    """What was saved into a folder, or as a `.pkl`, which is loaded only where it is trusted.

    Raises
    ------
    ModelError
        There is none, it is damaged, or it is a pickle that is not trusted.
    """
    if given.suffix == ".pkl":
        return load_pickle(given, TrainedCorrection, trust=trust_pickle)
    if not (given / DESCRIPTION).is_file():
        raise ModelError(f"a folder with {DESCRIPTION} at {given}", "no such file", "give the out_dir that save wrote")
    return TrainedCorrection.from_files(
        {file.name: file.read_bytes() for file in given.iterdir() if file.is_file()}, given
    )


def probability_of(correction: Correction, features: Floats, start: Floats | None) -> Floats:
    """Corrected probabilities, shape (n,); `start` holds the base model's logits, or is None where they are unknown."""
    begin = np.zeros(len(features), np.float32) if start is None else start
    return probability_of_logit(correction.margin(features, begin))
