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
import xgboost

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
        if cache is None:
            return _boost(learner, batches, None, seed=seed, held=held, threads=threads)
        with disk_errors(cache):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".pages-") as folder:
                return _boost(learner, batches, Path(folder), seed=seed, held=held, threads=threads)
    if isinstance(learner, LightGBM):
        nothing = np.empty((places.size, 0), dtype=np.float32)
        sequences = _sequences(features, places)
        return learner.boost(sequences, light(np.arange(places.size), nothing), seed=seed, held=held, threads=threads)
    assert isinstance(learner, StochasticLogistic)
    return learner.fit_batches(batches, seed=seed)


class _Batches(xgboost.DataIter):
    """Batches for XGBoost, which asks for all of them several times over."""

    def __init__(self, batches: Callable[[], Iterator[LearningRows]], folder: Path | None) -> None:
        self._batches = batches
        self._at = batches()
        super().__init__(cache_prefix=None if folder is None else str(folder / "pages"), release_data=True)

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Hand the next batch over; False after the last."""
        rows = next(self._at, None)
        if rows is None:
            return False
        input_data(
            data=rows.features,
            label=rows.label.astype(np.float32),
            weight=rows.weight,
            **({} if rows.start is None else {"base_margin": rows.start}),
        )
        return True

    def reset(self) -> None:
        """Begin anew."""
        self._at = self._batches()


def _boost(
    learner: XGBoost,
    batches: Callable[[], Iterator[LearningRows]],
    folder: Path | None,
    *,
    seed: int,
    held: LearningRows | None,
    threads: int,
) -> Fitted:
    """Boost over bins in memory, or in a folder; they are let go of when this returns, before the folder is removed."""
    kind = xgboost.QuantileDMatrix if folder is None else xgboost.ExtMemQuantileDMatrix
    matrix = kind(_Batches(batches, folder), max_bin=learner.max_bin, nthread=threads)
    held_matrix = None
    if held is not None:
        held_matrix = xgboost.QuantileDMatrix(
            held.features,
            label=held.label.astype(np.float32),
            weight=held.weight,
            base_margin=held.start,
            max_bin=learner.max_bin,
            nthread=threads,
            ref=matrix,
        )
    return learner.boost(matrix, seed=seed, held=held_matrix, threads=threads)


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
