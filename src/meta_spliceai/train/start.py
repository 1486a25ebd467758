"""Which base models' logits a correction starts from: the mean of those that rank the rows learnt from best.

The mean of all base models is not the best untrained score there is: a weak one drags it down, and a model of usage ranks
sites better than one of site probability. Which mean is best is a question to the labels, so it is asked of the rows that
a model learns from, never of those it is measured on. What is chosen among is small, a handful of means without a free
parameter, so next to nothing can be learnt by heart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.sampled import weighted_average_precision

Floats = npt.NDArray[np.float32]

ALL_SUBSETS_UP_TO = 6
"""Logits up to which every subset is tried; of more, each one, each pair, and all."""


def logit_columns(names: Sequence[str], channel: str) -> tuple[int, ...]:
    """Places, among feature names, of the base models' own logits of a channel, those of usage included."""
    return tuple(
        place
        for place, name in enumerate(names)
        if name.endswith(f"{channel}_logit") and name != f"mean_{channel}_logit"
    )


def mean_of(features: Floats, columns: Sequence[int]) -> Floats:
    """The mean of some columns, float32, shape (n,)."""
    mean: Floats = features[:, list(columns)].mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def best_mean(
    features: Floats, logits: Sequence[int], label: BoolArray, weight: npt.NDArray[np.float64]
) -> tuple[int, ...]:
    """The columns whose mean has the highest weighted average precision; the fewest columns where several have it.

    Parameters
    ----------
    features
        float32, shape (n, width).
    logits
        The columns to choose among, at least one.
    label, weight
        The truth, and how many bases each row stands for, shape (n,).
    """
    best, highest = tuple(logits), -1.0
    for columns in _subsets(logits):
        found = weighted_average_precision(mean_of(features, columns).astype(np.float64), label, weight)
        if found is not None and found > highest:
            best, highest = columns, found
    return best


def _subsets(columns: Sequence[int]) -> Iterator[tuple[int, ...]]:
    sizes = range(1, len(columns) + 1) if len(columns) <= ALL_SUBSETS_UP_TO else (1, 2, len(columns))
    for size in sizes:
        yield from combinations(columns, size)
