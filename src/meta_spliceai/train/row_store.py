"""Where rows lie while a model learns from them: in memory, or in a dataset on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.train.feature_matrix import float_matrix
from meta_spliceai.train.light import Light, Wanted, light_names, light_of
from meta_spliceai.train.matrix import DatasetFolder, row_groups

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]

BATCH_ROWS = 200_000
"""Rows of a batch from disk, where nothing else is said."""
_COPIED_ROWS = 20_000
"""Rows of a batch from memory: XGBoost makes several copies of a batch while it bins it."""


class RowStore(Protocol):
    """Features, weights and base scores of all rows."""

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats, Light]]:
        """The rows at ascending places, in batches: numbers of the places, float32 of shape (m, width), and the rest."""

    def light(self, places: Indices) -> Iterator[Light]:
        """Weights and base scores of the rows at ascending places, in batches of any size; at least one batch."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A matrix, shape (n, width), handed over in small batches."""

    matrix: Floats
    known: Light

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats, Light]]:
        """See `RowStore`."""
        for first in range(0, places.size, _COPIED_ROWS):
            at = np.arange(first, min(places.size, first + _COPIED_ROWS))
            yield at, self.matrix[places[at]], self.known.part(places[at])

    def light(self, places: Indices) -> Iterator[Light]:
        """See `RowStore`."""
        yield self.known.part(places)


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A dataset, read row group by row group each time; at most `batch_rows` rows are handed over at once."""

    dataset: DatasetFolder
    names: tuple[str, ...]
    wanted: Wanted
    channels: tuple[str, ...]
    batch_rows: int

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats, Light]]:
        """See `RowStore`; only one row group and one batch are held."""
        done = held_rows = 0
        held: list[tuple[Floats, Light]] = []
        for here, frame in self._chosen(places, self.names):
            features, known, first = frame.select(self.names), frame.select(self._known()), 0
            while first < here.size:
                rows = here[first : first + self.batch_rows - held_rows]
                held.append((float_matrix(features, rows), light_of(known[rows], self.wanted, self.channels)))
                first, held_rows = first + rows.size, held_rows + rows.size
                if held_rows == self.batch_rows:
                    yield np.arange(done, done + held_rows), *_joined(held)
                    done, held_rows, held = done + held_rows, 0, []
        if held_rows:
            yield np.arange(done, done + held_rows), *_joined(held)

    def light(self, places: Indices) -> Iterator[Light]:
        """See `RowStore`."""
        for here, frame in self._chosen(places, ()):
            yield light_of(frame[here], self.wanted, self.channels)

    def _chosen(self, places: Indices, names: tuple[str, ...]) -> Iterator[tuple[Indices, pl.DataFrame]]:
        """Each row group that holds some of the rows, with their places in it."""
        first = done = 0
        for _, _, frame in row_groups(self.dataset, list(dict.fromkeys([*self._known(), *names])), checked=False):
            last = int(np.searchsorted(places, first + frame.height))
            yield (places[done:last] - first).astype(np.int64), frame
            first, done = first + frame.height, last

    def _known(self) -> list[str]:
        known = light_names(self.wanted, self.dataset.table.names)
        return [name for name in self.dataset.table.names if name in known]


def _joined(parts: list[tuple[Floats, Light]]) -> tuple[Floats, Light]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([matrix for matrix, _ in parts]), Light.joined([light for _, light in parts])
