"""Some columns of a dataset, read row group by row group: while one is looked at, the next one is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from meta_spliceai.train.matrix import DatasetFolder


def light_row_groups(dataset: DatasetFolder, names: Sequence[str]) -> Iterator[tuple[Path, int, pl.DataFrame]]:
    """File, number of the row group in it, and its rows with these columns, values as they are; two are held at most.

    For a few columns this is about twice as fast as `train.matrix.row_groups`, which reads thousands in little memory.

    Raises
    ------
    pyarrow.ArrowException, polars.exceptions.PolarsError
        A file cannot be read.
    """
    places = _places(dataset)
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for place in places:
            following = reader.submit(_read, dataset, place, list(names))
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def _places(dataset: DatasetFolder) -> Iterator[tuple[Path, int, int, int]]:
    """File, number of the row group, its first row, its rows."""
    for path in dataset.files:
        first, footer = 0, pq.read_metadata(path)
        for group in range(footer.num_row_groups):
            rows = footer.row_group(group).num_rows
            yield path, group, first, rows
            first += rows


def _read(
    dataset: DatasetFolder, place: tuple[Path, int, int, int], names: list[str]
) -> tuple[Path, int, pl.DataFrame]:
    path, group, first, rows = place
    frames = [
        pl.scan_parquet(file, glob=False).select(held).slice(first, rows)
        for file, held in dataset.sources(path, names).items()
    ]
    return path, group, pl.concat(frames, how="horizontal").select(names).collect()
