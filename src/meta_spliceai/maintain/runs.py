"""Rows that lie together: where a value changes from one row to the next, found without hashing a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.labels import BoolArray


@dataclass(frozen=True, slots=True)
class GeneRuns:
    """Stretches of rows of one gene; a gene whose rows are not in one place has several.

    Parameters
    ----------
    genes
        gene_id of each of the n runs, null where the rows have none.
    starts
        The first row of each run, ascending from 0, shape (n,).
    rows
        How many rows each run has, shape (n,).
    """

    genes: pl.Series
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, gene_id: pl.Series) -> Self:
        """The runs of a column of genes."""
        starts = np.flatnonzero(changes([gene_id]))
        return cls(gene_id[starts], starts, np.diff(starts, append=len(gene_id)))

    def spans(self, position: pl.Series) -> pl.DataFrame:
        """gene_id of each run and the `lowest` and `highest` of its positions, null where one is missing."""
        if position.null_count():
            bounds = pl.DataFrame({"run": np.repeat(np.arange(len(self.genes)), self.rows), "position": position})
            by_run = bounds.group_by("run", maintain_order=True)
            found = by_run.agg(lowest=pl.col("position").min(), highest=pl.col("position").max()).drop("run")
            return found.insert_column(0, self.genes)
        place = position.to_numpy()
        lowest, highest = (bound.reduceat(place, self.starts) for bound in (np.minimum, np.maximum))
        return pl.DataFrame({"gene_id": self.genes, "lowest": lowest, "highest": highest})


def changes(columns: list[pl.Series]) -> BoolArray:
    """Whether any of the values differs from that of the row before, null being a value; true for the first row.

    Parameters
    ----------
    columns
        At least one, all of the same length n.

    Returns
    -------
    ndarray
        bool of shape (n,).
    """
    out = np.ones(len(columns[0]), dtype=bool)
    if out.size:
        differs = columns[0][1:].ne_missing(columns[0][:-1])
        for values in columns[1:]:
            differs |= values[1:].ne_missing(values[:-1])
        out[1:] = differs.to_numpy()
    return out
