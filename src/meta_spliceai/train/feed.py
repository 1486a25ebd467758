"""Learners fed batch by batch: XGBoost's bins, LightGBM's sequences, partial_fit; and those that need all rows at once."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from meta_spliceai.train.light import Light
from meta_spliceai.train.row_store import RowStore
from meta_spliceai.train.rows import Rows

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]
Fit = Callable[[str, LearningRows | None], Fitted]
"""A channel, and held rows on which a learner that stops early chooses its rounds -> what was learnt."""


@dataclass(frozen=True, slots=True)
class Feeding:
    """Which rows a learner is given, and how.

    Parameters
    ----------
    learner
        What learns.
    rows, places
        All rows, and which of them to learn from, ascending.
    starts
        Whether it starts from the base model's logit, where that is known.
    seed, threads
        Of the learner.
    cache
        Folder in which XGBoost may put its binned pages while it learns, where rows stay on disk; they are removed. None
        where rows are in memory.
    """

    learner: Learner
    rows: Rows
    places: Indices
    starts: bool
    seed: int
    threads: int
    cache: Path | None

    @contextmanager
    def opened(self, sample: tuple[Floats, Light]) -> Iterator[Fit]:
        """What fits a channel; XGBoost's rows are binned once for all channels, in memory too: no copy of the rows.

        `sample` holds evenly spaced ones of the rows, or all; XGBoost finds the edges of its bins in them.
        """
        if isinstance(self.learner, XGBoost):
            # imported here because XGBoost itself takes a second or two to import
            from meta_spliceai.train.boosting import Bins, edges_in

            with self._pages() as folder:
                features, light = sample
                edges = edges_in(self.learner, features, light.weight, threads=self.threads)
                rest = None if folder is None and len(features) == self.places.size else self._features
                del sample, features, light  # binning needs the memory
                bins = [Bins(self.learner, edges, rest, folder, threads=self.threads)]
                del edges
                try:
                    yield lambda channel, held: bins[0].fit(*self._labelled(channel), seed=self.seed, held=held)
                finally:
                    bins.clear()  # before the folder of its pages is removed
        elif self.cache is None and not isinstance(self.learner, LightGBM):
            del sample
            yield self._fit_at_once
        else:
            del sample
            yield self._fit_in_batches

    def _fit_at_once(self, channel: str, held: LearningRows | None) -> Fitted:
        features, light = self.rows.gathered(self.places)
        label = self.rows.truth(channel, self.places)
        given = LearningRows(features, label, light.weight, light.start(channel) if self.starts else None)
        return self.learner.fit(given, seed=self.seed, held=held, threads=self.threads)

    def _fit_in_batches(self, channel: str, held: LearningRows | None) -> Fitted:
        if isinstance(self.learner, LightGBM):
            nothing = np.empty((self.places.size, 0), dtype=np.float32)
            label, start = self._labelled(channel)
            given = LearningRows(nothing, label, self.rows.weights(self.places), start)
            sequences = _sequences(self.rows.store, self.places)
            return self.learner.boost(sequences, given, seed=self.seed, held=held, threads=self.threads)
        assert isinstance(self.learner, StochasticLogistic)
        return self.learner.fit_batches(lambda: self._labelled_batches(channel), seed=self.seed)

    def _features(self) -> Iterator[tuple[Floats, npt.NDArray[np.float64]]]:
        for _, matrix, light in self.rows.store.batches(self.places):
            yield matrix, light.weight

    def _labelled_batches(self, channel: str) -> Iterator[LearningRows]:
        for at, matrix, light in self.rows.store.batches(self.places):
            yield LearningRows(matrix, self.rows.truth(channel, self.places[at]), light.weight, None)

    def _labelled(self, channel: str) -> tuple[npt.NDArray[np.bool_], Floats | None]:
        start = self.rows.starts(channel, self.places) if self.starts else None
        return self.rows.truth(channel, self.places), start

    @contextmanager
    def _pages(self) -> Iterator[Path | None]:
        if self.cache is None:
            yield None
            return
        with disk_errors(self.cache):
            self.cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.cache, prefix=".pages-") as folder:
                yield Path(folder)


def evenly(places: Indices, at_most: int) -> Indices:
    """At most so many of the places, evenly spaced."""
    return places[:: max(1, -(-places.size // at_most))]


def _sequences(store: RowStore, places: Indices) -> Sequence[Any]:
    """One sequence of LightGBM's over all rows, which reads ascending rows in one pass and starts anew for earlier ones."""
    lightgbm = imported("lightgbm", "lightgbm")

    class Ascending(lightgbm.Sequence):  # type: ignore[misc, name-defined]
        batch_size = 4096

        def __init__(self) -> None:
            self._sizes = [at.size for at, _, _ in store.batches(places)]
            self._ends = list(accumulate(self._sizes))
            self._restart()

        def _restart(self) -> None:
            self._reader, self._number, self._held = store.batches(places), -1, np.empty((0, 0), np.float32)

        def _batch(self, number: int) -> Floats:
            if number < self._number:
                self._restart()
            while self._number < number:
                _, self._held, _ = next(self._reader)
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
