"""Checks that read all feature columns: are the values allowed, and do the k-mers of a row add up?

They take time in proportion to the number of columns, so `--quick` leaves them out.
"""

from __future__ import annotations

import polars as pl

from meta_spliceai.features.sequence import WINDOW
from meta_spliceai.maintain.row_checks import light_columns
from meta_spliceai.maintain.row_looks import PLACE, place
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.features import kmer_names
from meta_spliceai.train.matrix import DatasetFolder, row_groups

FEATURE_CODES = ("DS024", "DS025")
_KNOWN = "sequence_length"


class FeatureTally:
    """Offences of the features of all rows, read once, row group by row group; nothing else is kept."""

    def __init__(self, dataset: DatasetFolder) -> None:
        self.problems: dict[str, list[str]] = {code: [] for code in FEATURE_CODES}
        light = set(light_columns(dataset.table))
        features = dataset.table.part({name for name in dataset.table.names if name not in light})
        self.kmer_sizes = tuple(k for k in range(1, 9) if set(kmer_names(k)) <= set(features.names))
        names = [*(name for name in PLACE if name in dataset.table.names), *features.names]
        if not features.names:
            return
        for path, group, frame in row_groups(dataset, names, checked=False):
            where = f"{path.name}, row group {group}"
            own = frame.select(features.names)
            self.problems["DS024"] += [f"{problem} ({where})" for problem in problems_of(own, features)]
            for k in self.kmer_sizes:
                self._add_up(frame, k, where)

    def _add_up(self, frame: pl.DataFrame, k: int, where: str) -> None:
        """A window of 500 known bases has 501 - k k-mers; unknown bases take away at least one each."""
        whole, counted = WINDOW + 1 - k, pl.col("counted")
        wrong = counted > whole
        if _KNOWN in frame.columns:
            known = pl.col(_KNOWN).cast(pl.Float64)
            most = (known - k + 1).clip(lower_bound=0)
            wrong = (counted > most) | ((counted < most) & ((known == WINDOW) | (k == 1)))
        sums = pl.sum_horizontal(pl.col(kmer_names(k)).cast(pl.UInt32))
        bad = frame.with_columns(counted=sums).filter(wrong.fill_null(True))
        if bad.height:
            first = bad.row(0, named=True)
            self.problems["DS025"].append(
                f"{bad.height} rows in {where}, such as {place(first)}: {first['counted']} {k}-mers, not {whole}"
            )
