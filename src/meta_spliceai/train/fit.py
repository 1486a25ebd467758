"""Fitting the arms fold by fold, and the calibrations across folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.calibration import CalibrationMap, logs_of_margin
from meta_spliceai.errors import InputError
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.train.arms import BASE_MEAN, BEST_MEAN, RECALIBRATED, Arm
from meta_spliceai.train.calibrate import choose_calibration, fit_calibration
from meta_spliceai.train.classes import CLASSES, SOFTMAX, ClassLearner
from meta_spliceai.train.leakage import check_rows, weighted_auc
from meta_spliceai.train.matrix import TrainingRows, load_rows
from meta_spliceai.train.plan import TrainPlan
from meta_spliceai.train.residual import (
    Correction,
    Examples,
    Method,
    NothingLearnt,
    Scorer,
    base_margin,
    chosen_start,
    fit_correction,
)
from meta_spliceai.train.sampled import estimated_average_precision, estimated_count, weighted_average_precision
from meta_spliceai.train.start import logit_columns

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FINAL = "final"
"""Name of the calibrations of the saved model, beside those of the folds."""


CalibrationsByFold = Mapping[str, Mapping[str, Mapping[str, CalibrationMap]]]
"""By fold (as text, or FINAL), arm, and site type."""


@dataclass(frozen=True, slots=True)
class Logs:
    """ln p and ln(1 - p) of every row, shape (n,)."""

    log_p: Floats
    log_not_p: Floats


def _logs(probability: npt.NDArray[np.float32]) -> Logs:
    wide = probability.astype(np.float64)
    with np.errstate(divide="ignore"):
        return Logs(np.log(wide), np.log1p(-wide))


class FoldFitter:
    """Learns from the rows of a plan's dataset; they are loaded, and searched for leaks, when first needed."""

    def __init__(self, plan: TrainPlan) -> None:
        self._plan = plan

    @cached_property
    def rows(self) -> TrainingRows:
        """The rows of the dataset.

        Raises
        ------
        LeakageError
            A feature gives the label away.
        """
        plan = self._plan
        rows = load_rows(plan.dataset, plan.columns, plan.genes, plan.method.recipe.gate)
        check_rows(rows, plan.columns, plan.dataset.table)
        return rows

    def with_method(self, method: Method) -> FoldFitter:
        """One that learns in another way, with the same gate, from the same rows in memory."""
        other = FoldFitter(replace(self._plan, method=method))
        other.rows = self.rows
        return other

    @cached_property
    def fold(self) -> Indices:
        """The fold of each row, shape (n,)."""
        return self._of_row("fold")

    @cached_property
    def group(self) -> Indices:
        """The gene group of each row, shape (n,)."""
        return self._of_row("group")

    def _of_row(self, column: str) -> Indices:
        values = self.rows.keys.select("gene_id").join(
            self._plan.split.select("gene_id", column), on="gene_id", how="left", maintain_order="left"
        )
        return values[column].cast(pl.Int64).to_numpy()

    def reaching(self, channel: str) -> BoolArray:
        """Which rows with features reach the gate in a channel, shape (rows with features,)."""
        return self.rows.start(channel)[self.rows.gated] >= np.float32(self._plan.method.recipe.gate)

    def fit_fold(self, fold: int) -> Iterator[tuple[Arm, str, Correction]]:
        """Fit every arm and output (of `Method.outputs`) on the other folds, several at a time, in a fixed order."""
        jobs = [(arm, output) for arm in self._plan.arms for output in self._plan.method.outputs]
        for channel in SITE_TYPES:
            self._check_labels(fold, channel)
        with ThreadPoolExecutor(max_workers=self._plan.threads) as pool:
            yield from (
                (arm, output, correction)
                for (arm, output), correction in zip(
                    jobs, pool.map(lambda job: self._fit(fold, *job), jobs), strict=True
                )
            )

    @cached_property
    def _drawn(self) -> tuple[BoolArray, float]:
        """Which rows models may learn from, shape (n,), and how many rows each of them stands for."""
        rows, cap = self.rows.keys.height, self._plan.row_cap
        if cap is None or cap >= rows:
            return np.ones(rows, dtype=bool), 1.0
        drawn = np.zeros(rows, dtype=bool)
        rng = np.random.default_rng(seeded_word(self._plan.seed, "row cap"))
        drawn[rng.choice(rows, size=cap, replace=False)] = True
        return drawn, rows / cap

    def _training_rows(self, fold: int, channel: str) -> Indices:
        """Places, among the rows with features, of those that a fold's model of a channel, or of classes, learns from."""
        of_row = self.fold[self.rows.gated]
        learnt = self._drawn[0][self.rows.gated]
        reaching = self.reaching(channel) if self._plan.method.objective == "corrections" else True
        return np.flatnonzero(reaching & (of_row != fold) & (of_row >= 0) & learnt)

    def _check_labels(self, fold: int, channel: str) -> None:
        label = self.rows.truth(channel)[self.rows.gated[self._training_rows(fold, channel)]]
        if label.all() or not label.any():
            raise InputError(
                expected=f"{channel}s and other bases with a base score of at least {self._plan.method.recipe.gate:g} in the rows "
                f"that the model of fold {fold + 1} learns from",
                found=f"{int(label.sum())} {channel}s among {label.size} rows",
                action="build a dataset of more genes with splice sites, or give fewer --folds",
            )

    def best_mean(self, fold: int, channel: str) -> Correction:
        """What `BEST_MEAN` scores the genes of a fold with: a mean chosen on the other folds, which nothing corrects."""
        places = self._training_rows(fold, channel)
        examples = self._examples(BEST_MEAN, channel, places)
        logits = logit_columns(self._plan.features_of(BEST_MEAN), channel)
        return Correction(NothingLearnt(), 0.0, start=chosen_start(examples, logits, self._plan.method))

    def _examples(self, arm: Arm, output: str, places: Indices) -> Examples:
        rows, at = self.rows, self.rows.gated[places]
        return Examples(
            features=rows.features[np.ix_(places, rows.columns(self._plan.features_of(arm)))],
            margin=base_margin(rows.start(output)[at]) if output in SITE_TYPES else np.zeros(at.size, dtype=np.float32),
            label=rows.truth(output)[at] if output in SITE_TYPES else ~(rows.is_donor | rows.is_acceptor)[at],
            weight=rows.weight[at] * self._drawn[1],
            group=self.group[at],
        )

    def _fit(self, fold: int, arm: Arm, output: str) -> Correction:
        method = self._plan.method
        seed = seeded_word(self._plan.seed, "fit", fold, arm.name, output)
        rows, places = self.rows, self._training_rows(fold, output)
        examples, at = self._examples(arm, output, places), rows.gated[places]
        if output != SOFTMAX:
            logits = logit_columns(self._plan.features_of(arm), output) if output in SITE_TYPES else ()
            return fit_correction(examples, method, seed=seed, logits=logits)
        assert isinstance(method.learner, ClassLearner)
        codes = np.select([rows.is_donor[at], rows.is_acceptor[at]], [0, 1], 2).astype(np.int8)
        weight = examples.weight if method.weighted else np.ones(at.size)
        model = method.learner.fit_classes(examples.features, codes, weight, classes=len(CLASSES), seed=seed % 2**31)
        return Correction(model, 1.0, residual=False)

    def out_of_fold(self, ensembles: Mapping[int, Mapping[str, Scorer]]) -> dict[str, dict[str, Logs]]:
        """Scores of every row by the model that had not seen it, by arm (and for the base model) and channel.

        Parameters
        ----------
        ensembles
            By fold and arm.
        """
        found: dict[str, dict[str, Logs]] = {}
        for channel in SITE_TYPES:
            found.setdefault(RECALIBRATED.name, {})[channel] = _logs(self.rows.score(channel))
            start = _logs(self.rows.start(channel))
            if self._plan.artifacts.further_bases:
                found.setdefault(BASE_MEAN.name, {})[channel] = start
            for arm in self._plan.fitted_arms:
                found.setdefault(arm.name, {})[channel] = self._corrected(arm, channel, start, ensembles)
        return found

    def _corrected(self, arm: Arm, channel: str, start: Logs, ensembles: Mapping[int, Mapping[str, Scorer]]) -> Logs:
        log_p, log_not_p = start.log_p.copy(), start.log_not_p.copy()
        columns = self.rows.columns(self._plan.features_of(arm))
        for fold, by_arm in ensembles.items():
            places = np.flatnonzero(self.reaching(channel) & (self.fold[self.rows.gated] == fold))
            at = self.rows.gated[places]
            own = base_margin(self.rows.start(channel)[at])
            margin = by_arm[arm.name].margin(channel, self.rows.features[np.ix_(places, columns)], own)
            log_p[at], log_not_p[at] = logs_of_margin(margin)
        return Logs(log_p, log_not_p)

    def calibrations(self, scores: Mapping[str, Mapping[str, Logs]]) -> CalibrationsByFold:
        """For each fold, and for the saved model, by arm and channel: fitted on the rows of the other folds."""
        found: dict[str, dict[str, dict[str, CalibrationMap]]] = {}
        used = self.fold >= 0
        for name in [*map(str, range(self._plan.folds)), FINAL]:
            others = used if name == FINAL else used & (self.fold != int(name))
            found[name] = {
                arm: {channel: self._calibration(channel, logs, others) for channel, logs in by_channel.items()}
                for arm, by_channel in scores.items()
            }
        return found

    def _calibration(self, channel: str, logs: Logs, rows: BoolArray) -> CalibrationMap:
        label, weight = self.rows.truth(channel)[rows], self.rows.weight[rows]
        examples = (logs.log_p[rows], logs.log_not_p[rows], label, weight)
        kind = self._plan.calibration
        if kind == "auto":
            kind = choose_calibration(*examples, self._parts(rows))
        return fit_calibration(*examples, kind)

    def _parts(self, rows: BoolArray) -> Indices:
        """What kinds of calibration are compared across: the folds of some rows, or halves of their gene groups in one fold."""
        folds = np.unique(self.fold[rows], return_inverse=True)[1]
        return folds if folds.any() else np.unique(self.group[rows], return_inverse=True)[1] % 2

    def average_precision(self, channel: str, logs: Logs) -> float | None:
        """What a channel's scores of the sampled rows estimate for whole genes; None where no row is a site."""
        used = self.fold >= 0
        margin = logs.log_p[used] - logs.log_not_p[used]
        return weighted_average_precision(margin, self.rows.truth(channel)[used], self.rows.weight[used])

    def sampled_metrics(
        self, scores: Mapping[str, Mapping[str, Logs]]
    ) -> dict[str, dict[str, dict[str, float | None]]]:
        """Estimates from the sampled rows, weighted, by arm and channel, of models that had not seen them."""
        used = self.fold >= 0
        return {
            arm: {
                channel: _estimates(
                    logs.log_p[used] - logs.log_not_p[used], self.rows.truth(channel)[used], self.rows.weight[used]
                )
                for channel, logs in by_channel.items()
            }
            for arm, by_channel in scores.items()
        }


def _estimates(margin: Floats, label: BoolArray, weight: Floats) -> dict[str, float | None]:
    """Weighted estimates of whole-gene numbers with their standard errors; calls are those at a probability of one half.

    The unweighted average precision stands beside them to show what it is worth: it estimates nothing.
    """
    called = margin >= 0
    precision = estimated_average_precision(margin, label, weight)
    false_calls = estimated_count(weight[called & ~label])
    return {
        "rows": label.size,
        "sites": int(label.sum()),
        "auc": weighted_auc(margin, label, weight),
        "average_precision": precision.value if precision else None,
        "average_precision_standard_error": precision.standard_error if precision else None,
        "unweighted_average_precision": weighted_average_precision(margin, label, np.ones(label.size)),
        "false_positives": false_calls.value,
        "false_positives_standard_error": false_calls.standard_error,
        "false_negatives": estimated_count(weight[~called & label]).value,
    }
