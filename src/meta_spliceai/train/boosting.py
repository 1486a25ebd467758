"""XGBoost over rows that come in batches: binned in memory, or in pages on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from meta_spliceai.train.learners.protocol import Fitted, LearningRows
from meta_spliceai.train.learners.xgboost_learner import XGBoost


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


def boost_in_batches(
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
