"""A predictions table: one row per unit of the held-out genes, two probability columns per arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.errors import SchemaError, StoreError, first_few
from meta_spliceai.evaluate.description import Arm, Description, read_description
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.tables import PREDICTION_TABLE_KEYS

DESCRIPTION = "predictions.json"
PARTS = "part_*.parquet"
READ_ROWS = 1 << 20
"""Rows held at once while a table is streamed."""

BASE_COLUMNS: tuple[Column, ...] = (
    *PREDICTION_TABLE_KEYS,
    Column("fold", pl.Int8, "key", "gene", "fold that held the base out; -1 where its gene was set aside as a test"),
    Column("is_coding", pl.Boolean, "text", "gene", "a protein_coding gene of the run covers the base"),
    Column("base_unseen", pl.Boolean, "text", "gene", "the base model was not trained on this chromosome"),
    Column("site_class", pl.UInt8, "text", "label", "1 canonical site, 2 alternative site, 0 none or unknown", high=2),
)
"""What is known of a base besides its scores."""

OPTIONAL_COLUMNS: tuple[Column, ...] = (
    Column("gene_class", pl.UInt8, "text", "annotation", "genes of the run that cover the base: 1 protein-coding, 2 lncRNA, 3 pseudogene, 0 others only; the first that applies", high=3),
    Column("motif", pl.UInt8, "text", "label", "introns of a site: 1 GT-AG, 2 GC-AG, 3 AT-AC, 4 another; the first that one of them reads; 0 no site or unknown", high=4),
    Column("exon_place", pl.UInt8, "text", "label", "exon of a site: 2 first or last in all transcripts, 1 an inner one in some; 0 no site or unknown", high=2),
)  # fmt: skip
"""What a table may say besides; strata that ask for what it does not say hold no sites."""

_ACTION = "make the predictions again with `meta-spliceai train`; it resumes"


def score_column(arm: str, kind: str) -> Column:
    """The column that holds an arm's probabilities of one site type."""
    return Column(
        f"{arm}_{kind}", pl.Float32, "call", "base_score", f"{kind} probability of arm {arm}", "probability", low=0, high=1
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predictions:
    """A predictions folder. Columns are read one at a time, so that memory holds a few of them and never the table.

    Parameters
    ----------
    folder
        Where it is.
    description
        The content of predictions.json.
    parts
        The Parquet files, by name.
    bases
        Rows of all parts.
    optional
        Those of `OPTIONAL_COLUMNS` that every part has.
    """

    folder: Path
    description: Description
    parts: tuple[Path, ...]
    bases: int
    optional: tuple[Column, ...]

    def batches(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Some columns of all parts in their order, at most `READ_ROWS` rows at a time."""
        for part in self.parts:
            try:
                for batch in pq.ParquetFile(part).iter_batches(READ_ROWS, columns=list(columns)):
                    frame = pl.from_arrow(batch)
                    assert isinstance(frame, pl.DataFrame)
                    yield frame
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(part, error) from error

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column over all parts, shape (bases,)."""
        values: npt.NDArray[Any] | None = None
        done = 0
        for frame in self.batches([name]):
            found = frame[name].to_numpy()
            if values is None:
                values = np.empty(self.bases, dtype=found.dtype)
            values[done : done + found.size] = found
            done += found.size
        assert values is not None
        return values

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms; the reference arm comes first."""
        return self.description.arms

    def scores(self, arm: str, kind: str) -> npt.NDArray[np.float32]:
        """The probabilities of one arm and site type, float32 of shape (bases,)."""
        return self.column(f"{arm}_{kind}")


def open_predictions(folder: Path) -> Predictions:
    """Open a predictions folder; reads predictions.json and the footers of the parts, no rows.

    Raises
    ------
    StoreError
        The folder, predictions.json or all parts are missing, or one of them is damaged.
    SchemaError
        predictions.json or a part lacks what the arms need.
    """
    if not folder.is_dir():
        raise StoreError(f"a predictions folder {folder}", "there is none", "run `meta-spliceai train` first")
    description = read_description(folder / DESCRIPTION)
    parts = tuple(sorted(folder.glob(PARTS)))
    if not parts:
        raise StoreError(f"files {PARTS} in {folder}", "none", _ACTION)
    needed = (*BASE_COLUMNS, *(score_column(arm.name, kind) for arm in description.arms for kind in SITE_TYPES))
    bases = sum(_checked_rows(part, needed) for part in parts)
    if bases == 0:
        raise StoreError(f"bases in {folder}", "none", "train with at least one held-out gene")
    held = [pl.read_parquet_schema(part) for part in parts]
    optional = tuple(
        column for column in OPTIONAL_COLUMNS if all(schema.get(column.name) == column.dtype for schema in held)
    )
    return Predictions(folder, description, parts, bases, optional)


def read_predictions(folder: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a predictions folder, part by part, at most `READ_ROWS` rows at a time.

    Raises
    ------
    StoreError, SchemaError
        As `open_predictions`; an unknown column is a `SchemaError`.
    """
    predictions = open_predictions(folder)
    known = {column.name for column in BASE_COLUMNS} | {
        f"{arm.name}_{kind}" for arm in predictions.arms for kind in SITE_TYPES
    }
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise SchemaError(
            f"columns of {folder}", f"no {first_few(unknown)}", f"choose among {first_few(sorted(known), 40)}"
        )
    return predictions.batches(columns)


def _checked_rows(part: Path, needed: Sequence[Column]) -> int:
    """Rows of a part whose footer declares the needed columns."""
    try:
        found = pl.read_parquet_schema(part)
        rows = int(pq.read_metadata(part).num_rows)
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise _unreadable(part, error) from error
    problems = [
        f"no column {column.name}"
        if column.name not in found
        else f"column {column.name} is {found[column.name]}, not {column.dtype}"
        for column in needed
        if found.get(column.name) != column.dtype
    ]
    if problems:
        raise SchemaError(f"{part} to be a part of a predictions table", first_few(problems, 8), _ACTION)
    return rows


def _unreadable(part: Path, error: Exception) -> StoreError:
    return StoreError(
        expected=f"a readable Parquet file {part}",
        found=str(error).splitlines()[0],
        action="delete the file and run the command that writes it again; only that part is made again",
    )


def check_scores(predictions: Predictions) -> None:
    """Read every probability once.

    Raises
    ------
    SchemaError
        Some are missing, NaN, or outside 0 to 1.
    """
    names = [f"{arm.name}_{kind}" for arm in predictions.arms for kind in SITE_TYPES]
    bad = dict.fromkeys(names, 0)
    for frame in predictions.batches(names):
        counts = frame.select((~pl.col(name).is_between(0, 1)).fill_null(value=True).sum() for name in names).row(0)
        for name, count in zip(names, counts, strict=True):
            bad[name] += count
    found = [f"{count:,} in column {name}" for name, count in bad.items() if count]
    if found:
        raise SchemaError(
            expected=f"probabilities from 0 to 1 in {predictions.folder}",
            found=f"values that are missing, NaN or outside: {first_few(found)}",
            action="look for the cause in the arm's model, then make the predictions again",
        )
