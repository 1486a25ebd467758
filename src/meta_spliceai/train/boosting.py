"""XGBoost over rows that come in batches: binned once, in memory or in pages on disk, for models of several labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.learners.protocol import Fitted, LearningRows
from meta_spliceai.train.learners.xgboost_learner import XGBoost

Floats = npt.NDArray[np.float32]
Batches = Callable[[], Iterator[tuple[Floats, npt.NDArray[np.float64]]]]
"""Gives features and weights of all rows in batches, each time anew."""


class _Fed(xgboost.DataIter):
    """Batches for XGBoost, which asks for all of them two or three times."""

    def __init__(self, batches: Batches, folder: Path | None) -> None:
        self._batches = batches
        self._at = batches()
        super().__init__(cache_prefix=None if folder is None else str(folder / "pages"), release_data=True)

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Hand the next batch over; False after the last."""
        rows = next(self._at, None)
        if rows is None:
            return False
        input_data(data=rows[0], weight=rows[1])
        return True

    def reset(self) -> None:
        """Begin anew."""
        self._at = self._batches()


def edges_in(learner: XGBoost, features: Floats, weight: npt.NDArray[np.float64], *, threads: int) -> xgboost.DMatrix:
    """Rows of a sample, binned, in which the edges of a learner's bins are found.

    To look for them in millions of rows takes XGBoost longer than anything else it does.
    """
    return xgboost.QuantileDMatrix(features, weight=weight, max_bin=learner.max_bin, nthread=threads)


class Bins:
    """The binned features of rows.

    Parameters
    ----------
    learner
        Whose number of bins counts.
    edges
        What `edges_in` found.
    batches
        All rows; None where they are those of `edges` and bins stay in memory.
    folder
        For pages on disk; None keeps the bins in memory.
    """

    def __init__(
        self, learner: XGBoost, edges: xgboost.DMatrix, batches: Batches | None, folder: Path | None, *, threads: int
    ) -> None:
        self._learner, self._threads = learner, threads
        if batches is None:
            self._matrix = edges
            return
        kind = xgboost.QuantileDMatrix if folder is None else xgboost.ExtMemQuantileDMatrix
        self._matrix = kind(_Fed(batches, folder), ref=edges, max_bin=learner.max_bin, nthread=threads)

    def fit(self, label: BoolArray, start: Floats | None, *, seed: int, held: LearningRows | None) -> Fitted:
        """Boost with the labels and starts of all rows, shape (n,); see `Learner.fit`."""
        self._matrix.set_label(label.astype(np.float32))
        if start is not None:
            self._matrix.set_base_margin(start)
        held_matrix = None
        if held is not None:
            held_matrix = self._learner.matrix(held, self._threads, self._matrix)
        return self._learner.boost(self._matrix, seed=seed, held=held_matrix, threads=self._threads)
