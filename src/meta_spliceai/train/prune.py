"""Features that say nothing, or nothing new, found without holding the dataset.

One pass over the row groups finds the features that hold one value in all rows, and takes a seeded sample of rows in which
the others are correlated. Of two features with a correlation of at least the limit, the later one is dropped. Keys, labels,
calls, sampling and the base model's scores are never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.schema.column import Table
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.feature_matrix import Floats, float_matrix
from meta_spliceai.train.light import BASE_SCORE_COLUMNS
from meta_spliceai.train.matrix import DatasetFolder, row_groups

TRIMMED_FILE, PRUNED_FILE = "dataset_trimmed.parquet", "pruned_features.csv"

_SAMPLE_ROWS = 20_000
_SAMPLE_VALUES = 50_000_000
"""Values of the sample at most: with thousands of k-mers it has fewer rows."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was dropped, and why.

    Parameters
    ----------
    constant
        Features with one value in all rows.
    correlated
        Dropped features, with the feature that stays in their place and the correlation of the two.
    """

    constant: tuple[str, ...]
    correlated: dict[str, tuple[str, float]]

    @property
    def names(self) -> set[str]:
        """All that were dropped."""
        return {*self.constant, *self.correlated}

    def as_frame(self) -> pl.DataFrame:
        """feature, reason, kept_instead, correlation."""
        rows = [(name, "constant", None, None) for name in self.constant]
        rows += [(name, "correlated", *found) for name, found in self.correlated.items()]  # type: ignore[misc]
        schema = {"feature": pl.String, "reason": pl.String, "kept_instead": pl.String, "correlation": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")


def find_prunable(dataset: DatasetFolder, names: Sequence[str], *, corr_thr: float, seed: int) -> Pruned:
    """Which of the named features to drop.

    Parameters
    ----------
    corr_thr
        Absolute correlation from which the later of two features is dropped; 1 drops only what is the same but for scale.
    seed
        Of the sample of rows in which features are correlated.

    Raises
    ------
    InputError
        A limit out of range.
    """
    if not 0 < corr_thr <= 1:
        raise InputError("--corr-thr above 0 and at most 1", f"{corr_thr}", "0.99 is usual")
    total = int(dataset.manifest.facts["rows"])
    size = min(total, _SAMPLE_ROWS, max(1_000, _SAMPLE_VALUES // max(1, len(names))))
    chosen = np.sort(np.random.default_rng(seed).choice(total, size=size, replace=False))
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    missing = np.zeros(len(names), dtype=np.int64)
    sample = np.empty((size, len(names)), dtype=np.float32)
    first = 0
    for _, _, frame in row_groups(dataset, names):
        matrix = float_matrix(frame)
        missing += np.isnan(matrix).sum(axis=0)
        low = np.fmin(low, np.fmin.reduce(matrix, axis=0))
        high = np.fmax(high, np.fmax.reduce(matrix, axis=0))
        begin, end = np.searchsorted(chosen, (first, first + len(matrix)))
        sample[begin:end] = matrix[chosen[begin:end] - first]
        first += len(matrix)
    is_constant = (missing == total) | ((low == high) & (missing == 0))
    constant = [name for name, dropped in zip(names, is_constant, strict=True) if dropped]
    constant = [name for name in constant if name not in BASE_SCORE_COLUMNS]
    varying = [place for place, name in enumerate(names) if name not in set(constant)]
    found = correlated(sample[:, varying], [names[place] for place in varying], corr_thr)
    return Pruned(tuple(constant), found)


def correlated(sample: Floats, names: Sequence[str], corr_thr: float) -> dict[str, tuple[str, float]]:
    """The features to drop for their correlation with an earlier one that stays: by name, that one and the correlation.

    Parameters
    ----------
    sample
        Values, shape (n, len(names)); what is missing counts as the mean.
    """
    mean = np.nanmean(sample.astype(np.float64), axis=0)
    centred = sample - mean.astype(np.float32)
    centred[np.isnan(centred)] = 0.0
    length = np.sqrt(np.square(centred, dtype=np.float64).sum(axis=0))
    # a feature that is constant in the sample alone is correlated with nothing
    centred /= np.where(length > 0, length, np.inf).astype(np.float32)
    together: npt.NDArray[np.float32] = centred.T @ centred
    dropped: dict[str, tuple[str, float]] = {}
    stays = np.ones(len(names), dtype=bool)
    for place, name in enumerate(names):
        earlier = np.flatnonzero(stays[:place])
        if name in BASE_SCORE_COLUMNS or not earlier.size:
            continue
        strength = np.abs(together[place, earlier])
        best = int(strength.argmax())
        # sums of float32 products reach 1 only nearly
        if strength[best] >= corr_thr - 1e-6:
            stays[place] = False
            dropped[name] = (names[int(earlier[best])], float(together[place, earlier[best]]))
    return dropped


def write_trimmed(dataset: DatasetFolder, dropped: set[str], path: Path) -> int:
    """Write the dataset without some features as one file, row group by row group; returns the rows."""
    kept = [name for name in dataset.table.names if name not in dropped]
    table = Table(
        dataset.table.name,
        dataset.table.version,
        dataset.table.meaning,
        tuple(column for column in dataset.table if column.name not in dropped),
    )
    with TableWriter(path, table) as writer:
        for _, _, frame in row_groups(dataset, kept, checked=False):
            writer.append(frame)
    return writer.rows
