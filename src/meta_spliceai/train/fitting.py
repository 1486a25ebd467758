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
from meta_spliceai.train.feed import Feeding, Fit, evenly
from meta_spliceai.train.leakage import check_rows
from meta_spliceai.train.learners.protocol import LearningRows
from meta_spliceai.train.light import Light
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
            truth = rows.truth(channel, train)
            if truth.all() or not truth.any():
                raise InputError(
                    expected=f"rows that are a {channel} and rows that are none among those to learn from",
                    found=f"{int(truth.sum())} among {truth.size} rows of {len(np.unique(rows.group[train]))} groups",
                    action="give rows of more genes, or a smaller test_size",
                )
        check_leaks(rows, train)
        decided = self._decided(rows, evenly(valid, _VALID_ROWS) if self.cache is not None else valid)
        starts = self.method.base_margin and self.method.learner.starts_from_margin
        feeding = Feeding(self.method.learner, rows, train, starts, self.seed, self.threads, self.cache)
        with feeding.opened() as fit:
            return {channel: self._correction(rows, channel, fit, decided) for channel in rows.channels}

    def _decided(self, rows: Rows, valid: Indices) -> _Decided | None:
        return _Decided(valid, *rows.gathered(valid)) if valid.size else None

    def _correction(self, rows: Rows, channel: str, fit: Fit, decided: _Decided | None) -> Correction:
        starts_known = self.method.base_margin and rows.has_base
        if decided is None:
            return Correction(fit(channel, None), 1.0, residual=starts_known)
        label, light = rows.truth(channel, decided.places), decided.light
        start = light.start(channel)
        own = start if self.method.base_margin and self.method.learner.starts_from_margin else None
        held = LearningRows(decided.features, label, light.weight, own)
        model = fit(channel, held if self.method.early_stopping else None)
        if not starts_known or start is None:
            return Correction(model, 1.0, residual=starts_known)
        added = Correction(model, 1.0).margin(decided.features, start) - start
        group = rows.group[decided.places].astype(np.int64)
        return Correction(model, shrinkage_of(Examples(decided.features, start, label, light.weight, group), added))


@dataclass(frozen=True, slots=True)
class _Decided:
    """Validation rows in memory: they decide when boosting stops and how far corrections are shrunk."""

    places: Indices
    features: Floats
    light: Light


def check_leaks(rows: Rows, train: Indices) -> None:
    """The leakage lint over an evenly spaced sample of the rows to learn from.

    It judges features beside the base model's score, so it says nothing about rows without one.

    Raises
    ------
    LeakageError
        Names the features that give the label away.
    """
    if not rows.has_base:
        log.warning("the rows have no base scores, so they are not searched for features that give the label away")
        return
    sample = evenly(train, _LINT_ROWS)
    matrix, light = rows.gathered(sample)
    codes = rows.codes[sample]
    both = next(iter(light.base.values()))
    donor, acceptor = (light.base.get(kind, both) for kind in SITE_TYPES)
    check_rows(
        TrainingRows(
            keys=pl.DataFrame(),
            donor_score=donor,
            acceptor_score=acceptor,
            donor_start=donor,
            acceptor_start=acceptor,
            is_donor=codes == 1,
            is_acceptor=codes == 2,
            weight=light.weight,
            gated=np.arange(sample.size),
            names=rows.names,
            features=matrix,
        ),
        rows.names,
        rows.columns,
    )
