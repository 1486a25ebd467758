"""Learning the corrections of one split: the leakage lint, the learner, and how far its corrections are shrunk."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.feed import Feeding, evenly
from meta_spliceai.train.leakage import check_rows
from meta_spliceai.train.learners.protocol import Fitted, LearningRows
from meta_spliceai.train.light import Light
from meta_spliceai.train.matrix import TrainingRows
from meta_spliceai.train.residual import Correction, Examples, Method, shrinkage_of
from meta_spliceai.train.rows import Rows

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]

_VALID_ROWS = 100_000
"""Validation rows that are held in memory where the others are not."""
SAMPLE_ROWS = 200_000
"""Rows to learn from in which leaks, and the edges of XGBoost's bins, are looked for."""


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
        starts = self.method.base_margin and self.method.learner.starts_from_margin
        feeding = Feeding(self.method.learner, rows, train, starts, self.seed, self.threads, self.cache)
        decide = _Deciding(rows, evenly(valid, _VALID_ROWS) if self.cache is not None else valid, starts)
        early = self.method.early_stopping
        with feeding.opened(_linted(rows, evenly(train, SAMPLE_ROWS))) as fit:
            models = {channel: fit(channel, decide.rows_of(channel) if early else None) for channel in rows.channels}
        return {channel: self._correction(model, channel, decide) for channel, model in models.items()}

    def _correction(self, model: Fitted, channel: str, decide: _Deciding) -> Correction:
        starts_known = self.method.base_margin and decide.rows.has_base
        if not starts_known or not decide.places.size:
            return Correction(model, 1.0, residual=starts_known)
        features, light = decide.gathered
        start = light.start(channel)
        assert start is not None
        added = Correction(model, 1.0).margin(features, start) - start
        group = decide.rows.group[decide.places].astype(np.int64)
        label = decide.rows.truth(channel, decide.places)
        return Correction(model, shrinkage_of(Examples(features, start, label, light.weight, group), added))


@dataclass(frozen=True)
class _Deciding:
    """Validation rows, read once and not before they are needed: they decide when boosting stops and how far to shrink."""

    rows: Rows
    places: Indices
    starts: bool

    @cached_property
    def gathered(self) -> tuple[Floats, Light]:
        return self.rows.gathered(self.places)

    def rows_of(self, channel: str) -> LearningRows:
        features, light = self.gathered
        label = self.rows.truth(channel, self.places)
        return LearningRows(features, label, light.weight, light.start(channel) if self.starts else None)


def _linted(rows: Rows, sample: Indices) -> tuple[Floats, Light]:
    """Some of the rows to learn from, evenly spaced, once the leakage lint has looked at them.

    It judges features beside the base model's score, so it says nothing about rows without one.

    Raises
    ------
    LeakageError
        Names the features that give the label away.
    """
    features, light = rows.gathered(sample)
    if not rows.has_base:
        log.warning("the rows have no base scores, so they are not searched for features that give the label away")
        return features, light
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
            features=features,
        ),
        rows.names,
        rows.columns,
    )
    return features, light
