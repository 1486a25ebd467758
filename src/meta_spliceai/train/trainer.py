"""One model from one split, for scripts and notebooks: `Trainer`.

Everything a `Trainer` measures, it measures on sampled rows of genes that it held out: estimates, weighted by inverse
inclusion probability. What counts is measured on whole genes, by the command `train` and `evaluate`.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import polars as pl

from meta_spliceai.errors import InputError, ModelError
from meta_spliceai.features.profile import Profile
from meta_spliceai.store.atomic import json_bytes, write_bytes, write_text
from meta_spliceai.train.baseline import DELTA_FILE
from meta_spliceai.train.datasets import SPLICE_TYPE
from meta_spliceai.train.fitting import Fitting
from meta_spliceai.train.held_out import NOTE, HeldOut, score_held_out
from meta_spliceai.train.holdout import TRAIN, VALID, divide, places_of
from meta_spliceai.train.learners.spec import learner_of, settings_of
from meta_spliceai.train.light import Wanted
from meta_spliceai.train.model import PICKLE_FILE
from meta_spliceai.train.residual import Method
from meta_spliceai.train.rows import Rows, rows_of_arrays, rows_of_frame, rows_of_path
from meta_spliceai.train.trained import TrainedCorrection, read_trained
from meta_spliceai.train.trained_card import card, importance

METRICS_FILE, FEATURES_FILE, CARD_FILE = "metrics.json", "feature_manifest.csv", "model_card.md"
PREDICTIONS_FILE = "predictions/held_out_rows.parquet"


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
        self._held_out: HeldOut | None = None
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
        side = divide(rows.groups, seed=self._seed, **self._sizes)[rows.group]
        fitting = Fitting(
            self.method, self._seed % 2**31, self._threads, cache=None if self.batch_rows is None else self.out_dir
        )
        corrections = fitting.corrections(rows, places_of(side, TRAIN), places_of(side, VALID))
        self._rows = rows
        self._model = TrainedCorrection(rows.names, corrections, settings_of(self.method.learner), rows.schema_version)
        self._delta = None
        self._held_out = score_held_out(rows, side, self._model)
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

    def _measured(self) -> HeldOut:
        if self._held_out is None:
            raise ModelError("a trainer that has seen rows", "a loaded one", "call fit to measure on rows")
        return self._held_out

    def evaluate(self) -> dict[str, Any]:
        """Estimates on the validation and test rows, base model and meta-model beside one another; see `estimates`."""
        measured = self._measured().estimates(self._threshold)
        counted = "inverse inclusion probability"
        if not self.method.weighted:
            counted = "none: every row counts alike, so nothing here is true of whole genes"
        return {"note": NOTE, "target": self.label_col, "weights": counted, **measured}

    def predict(self, data: Any) -> pl.DataFrame:
        """Probabilities of rows, one column for each channel; see `TrainedCorrection.predict`."""
        return self.model.predict(data)

    def feature_importance(self) -> pl.DataFrame:
        """feature, role, origin, `{channel}_gain` (shares of what all features gain) and rank, best first."""
        return importance(self.model, self._rows.columns if self._rows else ())

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
        self._delta = self._measured().deltas(None if tsv is None else Path(tsv), self._threshold)
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
            write_text(self.out_dir / CARD_FILE, card(self.model, self.label_col, metrics))
            if self._rows.has_base and self._delta is None:
                self.compare_baseline()
        return self.out_dir

    def held_out_rows(self) -> pl.DataFrame:
        """The rows that were held out: group, row number, side, label, weight, and both models' probabilities."""
        return self._measured().frame(self.group_col)

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
        model = read_trained(given, trust_pickle=trust_pickle)
        label = SPLICE_TYPE if len(model.corrections) > 1 else next(iter(model.corrections))
        trainer = cls(model.learner, out_dir=given.parent if given.suffix == ".pkl" else given, label_col=label)
        trainer._model = model
        return trainer
