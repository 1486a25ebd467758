"""One model from one split, for scripts and notebooks: `Trainer`; and `IncrementalTrainer` for more rows than memory.

Everything a `Trainer` measures, it measures on sampled rows of genes that it held out: estimates, weighted by inverse
inclusion probability. What counts is measured on whole genes, by the command `train` and `evaluate`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, ModelError, first_few
from meta_spliceai.features.base_scores import logit
from meta_spliceai.features.profile import Profile
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.atomic import json_bytes, write_bytes, write_text
from meta_spliceai.store.folder import software_versions
from meta_spliceai.train.baseline import DELTA_FILE, deltas, read_baseline
from meta_spliceai.train.datasets import SPLICE_TYPE
from meta_spliceai.train.feed import fit_in_batches
from meta_spliceai.train.holdout import SIDES, TEST, TRAIN, VALID, divide
from meta_spliceai.train.leakage import check_rows
from meta_spliceai.train.learners.protocol import Fitted, LearningRows
from meta_spliceai.train.learners.spec import LEARNERS, learner_of, settings_of
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.matrix import TrainingRows
from meta_spliceai.train.model import PICKLE_FILE, load_pickle
from meta_spliceai.train.residual import Correction, Examples, Method, shrinkage_of
from meta_spliceai.train.rows import (
    BATCH_ROWS,
    Rows,
    Wanted,
    base_scores,
    check_finite,
    float_matrix,
    rows_of_arrays,
    rows_of_frame,
    rows_of_path,
)
from meta_spliceai.train.sampled import calls_by_gene, estimates

log = logging.getLogger(__name__)

KIND, FORMAT_VERSION = "trained correction", 1
DESCRIPTION = "trainer.json"
METRICS_FILE, FEATURES_FILE, CARD_FILE = "metrics.json", "feature_manifest.csv", "model_card.md"
_VALID_ROWS = 100_000
PREDICTIONS_FILE = "predictions/held_out_rows.parquet"

_NOTE = (
    "weighted estimates from the sampled rows of held-out groups, base model and meta-model on the same rows; the result "
    "that counts is measured on whole genes by `meta-spliceai train` and `meta-spliceai evaluate`"
)

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


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

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainedCorrection.from_files, (self.to_files(),)


class Trainer:
    """Train one model on part of the genes and estimate what it is worth on the others.

    Parameters
    ----------
    model_spec
        What learns: a name, a JSON object or a mapping of hyper-parameters, or a file of such; see `learner_of`.
    out_dir
        Folder for everything that `save` writes.
    label_col
        `splice_type`: one model for donors and one for acceptors. `splice_site`, or another column of 0 and 1: one model.
    group_col
        Rows that agree in it stay together. Genes that overlap or resemble one another are kept together only by the
        command `train`.
    test_size, valid_size
        Shares of the groups that are held out: to measure, and to decide when boosting stops and how far corrections are
        shrunk.
    feature_profile
        Which declared features are used, where no columns are named.
    base_margin
        Whether models start from the base model's logit, where the rows have base scores.
    weights
        `inverse_inclusion` or `none`.
    early_stopping
        Whether boosting stops when the validation rows gain no more.
    seed, threads
        Of all choices; threads of the learner. One thread gives the same trees on any machine.
    threshold
        Probability from which a site counts as called.

    Raises
    ------
    InputError
        Options that cannot be used; nothing has been read yet.
    """

    batch_rows: int | None = None
    """Rows in memory at once; None for all of them."""
    _sides: ClassVar[tuple[str, ...]] = (VALID, TEST)

    def __init__(
        self,
        model_spec: str | Mapping[str, Any] | Path = "xgboost",
        *,
        out_dir: Path | str = "trained_model",
        label_col: str = SPLICE_TYPE,
        group_col: str = "gene_id",
        test_size: float = 0.2,
        valid_size: float = 0.1,
        feature_profile: Profile = "de_novo",
        base_margin: bool = True,
        weights: str = "inverse_inclusion",
        early_stopping: bool = False,
        seed: int = 42,
        threads: int = 1,
        threshold: float = 0.5,
    ) -> None:
        if weights not in ("inverse_inclusion", "none"):
            raise InputError("weights inverse_inclusion or none", f"{weights!r}", "choose one of them")
        self.out_dir = Path(out_dir)
        self.label_col, self.group_col = label_col, group_col
        self.method = Method(
            learner_of(model_spec),
            base_margin=base_margin,
            early_stopping=early_stopping,
            weighted=weights == "inverse_inclusion",
        )
        divide(["a"] * 1000, test_size=test_size, valid_size=valid_size, seed=seed)
        if early_stopping and not valid_size:
            raise InputError("a valid_size above 0 for early stopping", "0", "hold some groups out for it")
        self._sizes = {"test_size": test_size, "valid_size": valid_size}
        self._profile: Profile = feature_profile
        self._seed, self._threads, self._threshold = seed, threads, threshold
        self._model: TrainedCorrection | None = None
        self._rows: Rows | None = None
        self._side: npt.NDArray[np.int8] = np.empty(0, np.int8)
        self._scores: dict[str, Floats] = {}
        self._delta: pl.DataFrame | None = None

    @property
    def model(self) -> TrainedCorrection:
        """What was learnt.

        Raises
        ------
        ModelError
            Nothing yet.
        """
        if self._model is None:
            raise ModelError("a trained model", "none yet", "call fit, or Trainer.load")
        return self._model

    def fit(
        self,
        data: Any,
        labels: Any = None,
        groups: Any = None,
        *,
        sample_weight: Any = None,
        columns: Sequence[str] | None = None,
    ) -> Self:
        """Learn, and score the rows that were held out.

        Parameters
        ----------
        data
            Path of a dataset; a data frame with its columns; or an array or frame of features, shape (n, width), with
            `labels`.
        labels, groups
            Of an array's rows, shape (n,); labels as `prepare_xy` gives them.
        sample_weight
            Bases that each of an array's rows stands for; 1 by default.
        columns
            Features to use instead of the profile's; of an array, their names.

        Raises
        ------
        InputError, SchemaError, GeneError, LeakageError
            Rows that cannot be learnt from: labels of one kind, too few groups, values that are not finite, a feature that
            gives the label away.
        """
        rows = self._read(data, labels, groups, sample_weight, columns)
        self._side = divide(rows.groups, seed=self._seed, **self._sizes)[rows.group]
        train = self._places(TRAIN)
        for channel in rows.channels:
            truth = rows.truth(channel)[train]
            if truth.all() or not truth.any():
                raise InputError(
                    expected=f"rows that are a {channel} and rows that are none among those to learn from",
                    found=f"{int(truth.sum())} among {truth.size} rows of {len(np.unique(rows.group[train]))} groups",
                    action="give rows of more genes, or a smaller test_size",
                )
        self._check_leaks(rows, train)
        corrections = {channel: self._correction(rows, channel, train) for channel in rows.channels}
        self._rows = rows
        self._model = TrainedCorrection(rows.names, corrections, settings_of(self.method.learner), rows.schema_version)
        self._delta = None
        self._score_held_out()
        return self

    def _read(self, data: Any, labels: Any, groups: Any, weight: Any, columns: Sequence[str] | None) -> Rows:
        wanted = Wanted(
            self.label_col,
            self.group_col,
            self._profile,
            tuple(columns) if columns is not None else None,
            self.method.weighted,
            self.batch_rows,
        )
        if isinstance(data, (str, Path)):
            return rows_of_path(Path(data), wanted)
        if labels is not None:
            return rows_of_arrays(data, labels, groups, weight, columns, wanted)
        if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
            return rows_of_frame(data.collect() if isinstance(data, pl.LazyFrame) else data, wanted)
        if hasattr(data, "columns"):
            return rows_of_frame(pl.from_pandas(data), wanted)
        raise InputError("a path, a data frame, or an array with labels", f"{type(data).__name__}", "give labels too")

    def _places(self, side: str) -> Indices:
        return np.flatnonzero(self._side == SIDES.index(side))

    def _check_leaks(self, rows: Rows, train: Indices) -> None:
        """The leakage lint over an evenly spaced sample of the rows to learn from.

        It judges features beside the base model's score, so it says nothing about rows without one.
        """
        if not rows.base:
            log.warning("the rows have no base scores, so they are not searched for features that give the label away")
            return
        sample = train[:: max(1, -(-train.size // 200_000))]
        matrix = np.concatenate([batch for _, batch in rows.features.batches(sample)])
        codes = rows.codes[sample]
        both = next(iter(rows.base.values()))
        donor, acceptor = (rows.base.get(kind, both)[sample] for kind in SITE_TYPES)
        check_rows(
            TrainingRows(
                keys=pl.DataFrame(),
                donor_score=donor,
                acceptor_score=acceptor,
                donor_start=donor,
                acceptor_start=acceptor,
                is_donor=codes == 1,
                is_acceptor=codes == 2,
                weight=rows.weight[sample],
                gated=np.arange(sample.size),
                names=rows.names,
                features=matrix,
            ),
            rows.names,
            rows.columns,
        )

    def _correction(self, rows: Rows, channel: str, train: Indices) -> Correction:
        starts_known = self.method.base_margin and bool(rows.base)
        valid = self._places(VALID)
        if self.batch_rows is not None:
            valid = valid[:: max(1, -(-valid.size // _VALID_ROWS))]  # what decides is held in memory
        held = self.learning_rows(rows, channel, valid) if valid.size else None
        stop_on = held if self.method.early_stopping else None
        model = self._fit(rows, channel, train, stop_on)
        start = rows.start(channel, valid)
        if not starts_known or held is None or start is None:
            return Correction(model, 1.0, residual=starts_known)
        added = Correction(model, 1.0).margin(held.features, start) - start
        worth = shrinkage_of(
            Examples(held.features, start, held.label, rows.weight[valid], rows.group[valid].astype(np.int64)), added
        )
        return Correction(model, worth)

    def _fit(self, rows: Rows, channel: str, train: Indices, held: LearningRows | None) -> Fitted:
        learner = self.method.learner
        if self.batch_rows is None and not isinstance(learner, XGBoost):
            given = self.learning_rows(rows, channel, train)
            return learner.fit(given, seed=self._learner_seed, held=held, threads=self._threads)

        def light(at: Indices, matrix: Floats) -> LearningRows:
            return self._light_rows(rows, channel, train[at], matrix)

        # XGBoost makes its bins batch by batch in memory too: no copy of the rows
        return fit_in_batches(
            learner,
            rows.features,
            train,
            light,
            seed=self._learner_seed,
            held=held,
            threads=self._threads,
            cache=None if self.batch_rows is None else self.out_dir,
        )

    @property
    def _learner_seed(self) -> int:
        return self._seed % 2**31

    def learning_rows(self, rows: Rows, channel: str, places: Indices) -> LearningRows:
        """Some rows, with their features in memory, as the learner is given them."""
        matrix = np.empty((places.size, len(rows.names)), dtype=np.float32)
        for at, batch in rows.features.batches(places):
            matrix[at] = batch
        return self._light_rows(rows, channel, places, matrix)

    def _light_rows(self, rows: Rows, channel: str, places: Indices, matrix: Floats) -> LearningRows:
        starts = self.method.base_margin and self.method.learner.starts_from_margin
        return LearningRows(
            matrix, rows.truth(channel)[places], rows.weight[places], rows.start(channel, places) if starts else None
        )

    def _score_held_out(self) -> None:
        rows, model = self._fitted_rows(), self.model
        held = np.flatnonzero(self._side != SIDES.index(TRAIN))
        scores = {channel: np.empty(held.size, dtype=np.float32) for channel in rows.channels}
        for at, batch in rows.features.batches(held):
            for channel in rows.channels:
                scores[channel][at] = _probability(model.corrections[channel], batch, rows.start(channel, held[at]))
        self._scores = scores
        self._held = held

    def _fitted_rows(self) -> Rows:
        if self._rows is None:
            raise ModelError("a trainer that has seen rows", "a loaded one", "call fit to measure on rows")
        return self._rows

    def evaluate(self) -> dict[str, Any]:
        """Estimates on the validation and test rows, base model and meta-model beside one another; see `estimates`."""
        rows = self._fitted_rows()
        found: dict[str, Any] = {"note": _NOTE, "target": self.label_col, "weights": "inverse inclusion probability"}
        if not self.method.weighted:
            found["weights"] = "none: every row counts alike, so nothing here is true of whole genes"
        for side in self._sides:
            at = np.flatnonzero(self._side[self._held] == SIDES.index(side))
            if not at.size:
                continue
            places = self._held[at]
            found[side] = {"rows": int(places.size), "groups": int(np.unique(rows.group[places]).size)}
            for channel in rows.channels:
                truth, weight = rows.truth(channel)[places], rows.weight[places]
                arms = {"meta": self._scores[channel][at]}
                if rows.base:
                    arms["base"] = rows.base[channel][places]
                found[side][channel] = {
                    "sites": int(truth.sum()),
                    **{
                        arm: estimates(score.astype(np.float64), truth, weight, self._threshold)
                        for arm, score in arms.items()
                    },
                }
        return found

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
        model = self.model
        if isinstance(data, pl.DataFrame):
            missing = [name for name in model.features if name not in data.columns]
            if missing:
                raise ModelError(
                    expected=f"the {len(model.features)} columns that the model learnt from",
                    found=f"no {first_few(missing)}",
                    action="give rows of a dataset with the same features",
                )
            matrix = float_matrix(data.select(model.features))
            check_finite(matrix, model.features, data.select(model.features))
        else:
            matrix = np.ascontiguousarray(data, dtype=np.float32)
            if matrix.ndim != 2 or matrix.shape[1] != len(model.features):
                raise ModelError(
                    expected=f"features of shape (n, {len(model.features)})",
                    found=f"{matrix.shape}",
                    action="give the columns that the model learnt from, in its order",
                )
            check_finite(matrix, model.features, None)
        return pl.DataFrame(
            {
                channel: _probability(one, matrix, self._starts(data, channel) if one.residual else None)
                for channel, one in model.corrections.items()
            }
        )

    def _starts(self, data: Any, channel: str) -> Floats:
        if not isinstance(data, pl.DataFrame):
            raise ModelError("base scores, which the model corrects", "an array of features", "give a data frame")
        known = base_scores(data, tuple(self.model.corrections))
        if not known:
            raise ModelError("base scores, which the model corrects", "no donor_score and acceptor_score", "add them")
        return logit(known[channel]).astype(np.float32)

    def feature_importance(self) -> pl.DataFrame:
        """feature, role, origin, `{channel}_gain` (shares of what all features gain) and rank, best first."""
        model = self.model
        declared = {column.name: column for column in self._rows.columns} if self._rows else {}
        gains = {}
        for channel, one in model.corrections.items():
            gain = one.model.gains(len(model.features))
            gains[f"{channel}_gain"] = gain / gain.sum() if gain.any() else gain
        frame = pl.DataFrame(
            {
                "feature": model.features,
                "role": [declared[name].role if name in declared else "feature" for name in model.features],
                "origin": [declared[name].origin if name in declared else "" for name in model.features],
                **gains,
            }
        )
        total = pl.sum_horizontal(list(gains))
        return frame.with_columns(rank=total.rank("ordinal", descending=True).cast(pl.Int64)).sort("rank")

    def compare_baseline(self, tsv: Path | str | None = None) -> pl.DataFrame:
        """Each held-out group beside the base model, both counted on the same rows; also written to `delta_vs_baseline.csv`.

        A called base and a true site are always rows, so the base model's counts are exact; the meta-model's are weighted
        estimates where it calls a base that was sampled.

        Parameters
        ----------
        tsv
            The base model's performance gene by gene, whose F1 is put beside.

        Raises
        ------
        InputError
            The rows have no base scores, or the table is one of other genes.
        """
        rows = self._fitted_rows()
        if not rows.base:
            raise InputError("base scores of the rows", "features only", "fit a dataset, or a frame with its columns")
        side = TEST if self._sizes["test_size"] else VALID
        at = np.flatnonzero(self._side[self._held] == SIDES.index(side))
        places = self._held[at]
        groups = pl.Series(np.array(rows.groups, dtype=object)[rows.group[places]].tolist(), dtype=pl.String)
        baseline = None if tsv is None else read_baseline(Path(tsv), rows.groups)
        frames = [
            calls_by_gene(
                groups,
                rows.truth(channel)[places],
                rows.weight[places],
                {
                    "base": rows.base[channel][places].astype(np.float64),
                    "meta": self._scores[channel][at].astype(np.float64),
                },
                self._threshold,
            ).with_columns(splice_type=pl.lit(channel))
            for channel in rows.channels
        ]
        calls = pl.concat(frames).sort("gene_id", "splice_type", descending=[False, True])
        self._delta = deltas(calls, "base", "meta", baseline)
        write_bytes(self.out_dir / DELTA_FILE, self._delta.write_csv().encode())
        return self._delta

    def save(self) -> Path:
        """Write the model, its card, `metrics.json`, `feature_manifest.csv` and the held-out rows' scores into `out_dir`."""
        files = self.model.to_files()
        importance = self.feature_importance()
        for name, content in {**files, PICKLE_FILE: pickle.dumps(self.model, protocol=5)}.items():
            write_bytes(self.out_dir / name, content)
        write_bytes(self.out_dir / FEATURES_FILE, importance.write_csv().encode())
        if self._rows is not None:
            metrics = self.evaluate()
            write_bytes(self.out_dir / METRICS_FILE, json_bytes(metrics))
            (self.out_dir / PREDICTIONS_FILE).parent.mkdir(parents=True, exist_ok=True)
            self.held_out_rows().write_parquet(self.out_dir / PREDICTIONS_FILE)
            write_text(self.out_dir / CARD_FILE, self._card(metrics))
            if self._rows.base and self._delta is None:
                self.compare_baseline()
        return self.out_dir

    def held_out_rows(self) -> pl.DataFrame:
        """The rows that were held out: group, row number, side, label, weight, and both models' probabilities."""
        rows, held = self._fitted_rows(), self._held
        return pl.DataFrame(
            {
                self.group_col: np.array(rows.groups, dtype=object)[rows.group[held]].tolist(),
                "row": held,
                "side": [SIDES[side] for side in self._side[held].tolist()],
                "label": rows.codes[held],
                "weight": rows.weight[held],
                **{f"base_{channel}": score[held] for channel, score in rows.base.items()},
                **{f"meta_{channel}": score for channel, score in self._scores.items()},
            }
        )

    def _card(self, metrics: Mapping[str, Any]) -> str:
        model = self.model
        lines = [
            "# Trained correction",
            "",
            "| | |",
            "|---|---|",
            f"| learner | `{json.dumps(dict(model.learner))}` |",
            f"| target | {self.label_col} |",
            f"| features | {len(model.features)} |",
            *(
                f"| share of the {c} correction that is applied | {one.shrinkage:.2f} |"
                for c, one in model.corrections.items()
            ),
            *(f"| {name} | {version} |" for name, version in software_versions().items()),
            "",
            "## What it is worth",
            "",
            _NOTE + ".",
            "",
            "```json",
            json.dumps({side: metrics[side] for side in self._sides if side in metrics}, indent=2),
            "```",
            "",
        ]
        return "\n".join(lines)

    @classmethod
    def load(cls, path: Path | str, *, trust_pickle: bool = False) -> Self:
        """A trainer with the model that `save` wrote, which can predict.

        Parameters
        ----------
        path
            Its folder, or its `model.pkl`.
        trust_pickle
            Whether a `.pkl` file may be loaded. Loading it runs whatever program it holds: trust only your own.

        Raises
        ------
        ModelError
            There is none, it is damaged, or it is a pickle that is not trusted.
        """
        given = Path(path)
        if given.suffix == ".pkl":
            model = load_pickle(given, TrainedCorrection, trust=trust_pickle)
        else:
            if not (given / DESCRIPTION).is_file():
                raise ModelError(
                    f"a folder with {DESCRIPTION} at {given}", "no such file", "give the out_dir that save wrote"
                )
            model = TrainedCorrection.from_files(
                {file.name: file.read_bytes() for file in given.iterdir() if file.is_file()}, given
            )
        label = SPLICE_TYPE if len(model.corrections) > 1 else next(iter(model.corrections))
        trainer = cls(model.learner, out_dir=given.parent if given.suffix == ".pkl" else given, label_col=label)
        trainer._model = model
        return trainer


class IncrementalTrainer(Trainer):
    """A `Trainer` for datasets larger than memory: features stay on disk and are read batch by batch.

    The learners are those that can be fed so: xgboost (its external memory), lightgbm (its sequences) and sgd_logistic
    (partial_fit). All options, outputs and metrics are the `Trainer`'s. Labels, weights and base scores, about 30 bytes
    for each row, are kept. Of more than
    100,000 validation rows, evenly spaced ones decide.

    Parameters
    ----------
    batch_rows
        Rows of features in memory at once.
    **options
        As of `Trainer`.

    Raises
    ------
    InputError
        Another learner, or options that cannot be used.
    """

    def __init__(
        self, model_spec: str | Mapping[str, Any] | Path = "xgboost", *, batch_rows: int = BATCH_ROWS, **options: Any
    ) -> None:
        super().__init__(model_spec, **options)
        if batch_rows < 1:
            raise InputError("--batch-size of at least 1 row", f"{batch_rows}", "200000 is usual")
        if self.method.learner.name not in ("xgboost", "lightgbm", "sgd_logistic"):
            raise InputError(
                expected="--model xgboost, lightgbm or sgd_logistic for incremental training",
                found=self.method.learner.name,
                action="choose one of them, or train in memory",
            )
        self.batch_rows = batch_rows

    def _read(self, data: Any, labels: Any, groups: Any, weight: Any, columns: Sequence[str] | None) -> Rows:
        if not isinstance(data, (str, Path)):
            raise InputError("the path of a dataset for incremental training", f"{type(data).__name__}", "use Trainer")
        return super()._read(data, labels, groups, weight, columns)


def _probability(correction: Correction, features: Floats, start: Floats | None) -> Floats:
    margin = correction.margin(features, np.zeros(len(features), np.float32) if start is None else start)
    # exp overflows to infinity for hopeless bases, and 1 / (1 + infinity) is the 0 that is meant
    with np.errstate(over="ignore"):
        return (1.0 / (1.0 + np.exp(-margin.astype(np.float64)))).astype(np.float32)
