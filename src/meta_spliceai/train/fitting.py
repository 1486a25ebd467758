"""Learning the corrections of one split: the leakage lint, the learner, and how far its corrections are shrunk."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.feed import fit_in_batches
from meta_spliceai.train.leakage import check_rows
from meta_spliceai.train.learners.protocol import Fitted, LearningRows
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.matrix import TrainingRows
from meta_spliceai.train.residual import Correction, Examples, Method, shrinkage_of
from meta_spliceai.train.rows import Rows

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_VALID_ROWS = 100_000
"""Validation rows that are held in memory where the others are not."""
_LINT_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Fitting:
    """How corrections are learnt from rows.

    Parameters
    ----------
    method
        What learns, and what it learns.
    seed, threads
        Of the learner.
    cache
        Folder for the learner's pages, where rows stay on disk; None where they are in memory.
    """

    method: Method
    seed: int
    threads: int
    cache: Path | None

    def corrections(self, rows: Rows, train: Indices, valid: Indices) -> dict[str, Correction]:
        """The correction of each channel.

        Parameters
        ----------
        train, valid
            Rows to learn from, and rows that decide when boosting stops and how far corrections are shrunk; ascending.

        Raises
        ------
        InputError, LeakageError
            Labels of one kind, or a feature that gives the label away.
        """
        for channel in rows.channels:
            truth = rows.truth(channel)[train]
            if truth.all() or not truth.any():
                raise InputError(
                    expected=f"rows that are a {channel} and rows that are none among those to learn from",
                    found=f"{int(truth.sum())} among {truth.size} rows of {len(np.unique(rows.group[train]))} groups",
                    action="give rows of more genes, or a smaller test_size",
                )
        check_leaks(rows, train)
        if self.cache is not None:
            valid = _evenly(valid, _VALID_ROWS)
        return {channel: self._correction(rows, channel, train, valid) for channel in rows.channels}

    def _correction(self, rows: Rows, channel: str, train: Indices, valid: Indices) -> Correction:
        starts_known = self.method.base_margin and bool(rows.base)
        held = self.learning_rows(rows, channel, valid) if valid.size else None
        model = self._fit(rows, channel, train, held if self.method.early_stopping else None)
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
        if self.cache is None and not isinstance(learner, XGBoost):
            given = self.learning_rows(rows, channel, train)
            return learner.fit(given, seed=self.seed, held=held, threads=self.threads)

        def light(at: Indices, matrix: Floats) -> LearningRows:
            return self._light_rows(rows, channel, train[at], matrix)

        # XGBoost makes its bins batch by batch in memory too: no copy of the rows
        return fit_in_batches(
            learner, rows.features, train, light, seed=self.seed, held=held, threads=self.threads, cache=self.cache
        )

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


def check_leaks(rows: Rows, train: Indices) -> None:
    """The leakage lint over an evenly spaced sample of the rows to learn from.

    It judges features beside the base model's score, so it says nothing about rows without one.

    Raises
    ------
    LeakageError
        Names the features that give the label away.
    """
    if not rows.base:
        log.warning("the rows have no base scores, so they are not searched for features that give the label away")
        return
    sample = _evenly(train, _LINT_ROWS)
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


def _evenly(places: Indices, at_most: int) -> Indices:
    """At most so many of the places, evenly spaced."""
    return places[:: max(1, -(-places.size // at_most))]
