"""Learners fed batch by batch: XGBoost's external memory, LightGBM's sequences, partial_fit."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.store.atomic import disk_errors
from meta_spliceai.train.learners.lightgbm_learner import LightGBM
from meta_spliceai.train.learners.linear import StochasticLogistic
from meta_spliceai.train.learners.protocol import Fitted, Learner, LearningRows, imported
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.rows import Features

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Light = Callable[[Indices, Floats], LearningRows]
"""Numbers of places and their features -> rows to learn from."""


def fit_in_batches(
    learner: Learner,
    features: Features,
    places: Indices,
    light: Light,
    *,
    seed: int,
    held: LearningRows | None,
    threads: int,
    cache: Path | None,
) -> Fitted:
    """Learn from rows whose features are read in batches.

    Parameters
    ----------
    features, places
        The features, and which rows to learn from, ascending.
    light
        Puts labels, weights and starts beside a batch of features.
    held
        Rows on which a learner that stops early chooses its rounds.
    cache
        Folder in which XGBoost may put its binned pages while it learns; they are removed. None keeps them in memory.
    """

    def batches() -> Iterator[LearningRows]:
        for at, matrix in features.batches(places):
            yield light(at, matrix)

    if isinstance(learner, XGBoost):
        # imported here because XGBoost itself takes a second or two to import
        from meta_spliceai.train.boosting import boost_in_batches

        if cache is None:
            return boost_in_batches(learner, batches, None, seed=seed, held=held, threads=threads)
        with disk_errors(cache):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".pages-") as folder:
                return boost_in_batches(learner, batches, Path(folder), seed=seed, held=held, threads=threads)
    if isinstance(learner, LightGBM):
        nothing = np.empty((places.size, 0), dtype=np.float32)
        sequences = _sequences(features, places)
        return learner.boost(sequences, light(np.arange(places.size), nothing), seed=seed, held=held, threads=threads)
    assert isinstance(learner, StochasticLogistic)
    return learner.fit_batches(batches, seed=seed)


def _sequences(features: Features, places: Indices) -> Sequence[Any]:
    """One sequence of LightGBM's over all rows, which reads ascending rows in one pass and starts anew for earlier ones."""
    lightgbm = imported("lightgbm", "lightgbm")

    class Ascending(lightgbm.Sequence):  # type: ignore[misc, name-defined]
        batch_size = 4096

        def __init__(self) -> None:
            self._sizes = [at.size for at, _ in features.batches(places)]
            self._ends = list(accumulate(self._sizes))
            self._restart()

        def _restart(self) -> None:
            self._reader, self._number, self._held = features.batches(places), -1, np.empty((0, 0), np.float32)

        def _batch(self, number: int) -> Floats:
            if number < self._number:
                self._restart()
            while self._number < number:
                _, self._held = next(self._reader)
                self._number += 1
            return self._held

        def __len__(self) -> int:
            return self._ends[-1]

        def __getitem__(self, index: Any) -> Any:
            if isinstance(index, slice):
                rows = range(*index.indices(len(self)))
                parts = []
                first = rows.start
                while first < rows.stop:
                    number = bisect_right(self._ends, first)
                    begin = self._ends[number] - self._sizes[number]
                    last = min(rows.stop, self._ends[number])
                    parts.append(self._batch(number)[first - begin : last - begin])
                    first = last
                return np.concatenate(parts).astype(np.float64)
            if isinstance(index, (list, np.ndarray)):
                return np.stack([self[int(one)] for one in index])
            number = bisect_right(self._ends, int(index))
            begin = self._ends[number] - self._sizes[number]
            return self._batch(number)[int(index) - begin].astype(np.float64)

    return [Ascending()]
