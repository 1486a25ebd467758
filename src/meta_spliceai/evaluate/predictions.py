"""A predictions table: one row per unit of the held-out genes, two probability columns per arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import SchemaError, StoreError, first_few
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.tables import PREDICTION_TABLE_KEYS
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.tables import read_parquet

ABOUT = "predictions.json"
PARTS = "part_*.parquet"

STRATUM_COLUMNS: tuple[Column, ...] = (
    Column("fold", pl.Int8, "key", "gene", "fold in which the base was held out; -1 for a test set"),
    Column("is_coding", pl.Boolean, "text", "gene", "a protein_coding gene of the run covers the base"),
    Column("base_unseen", pl.Boolean, "text", "gene", "the base model was not trained on this chromosome"),
    Column(
        "site_class", pl.UInt8, "text", "annotation", "1 canonical site, 2 alternative site, 0 no site or not known"
    ),
)
KEYS = tuple(column.name for column in (*PREDICTION_TABLE_KEYS, *STRATUM_COLUMNS))


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of scoring bases: its name in column names, its title for people, its profile, and what to know about it."""

    name: str
    title: str
    profile: str
    note: str


class Predictions:
    """A predictions folder; columns are read one at a time, so memory holds a few of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise StoreError(f"a predictions folder {folder}", "there is none", "run `meta-spliceai train` first")
        self.about: dict[str, Any] = read_json(folder / ABOUT)
        self._parts = sorted(folder.glob(PARTS))
        if not self._parts:
            raise StoreError(f"files {PARTS} in {folder}", "none", "run `meta-spliceai train` again; it resumes")
        self.arms = [
            Arm(**{key: str(arm.get(key, "")) for key in ("name", "title", "profile", "note")})
            for arm in self.about["arms"]
        ]
        self.reference_arm = str(self.about.get("reference_arm") or self.about["reference arm"])
        self._check()

    def _check(self) -> None:
        keys = pl.concat([self._read(path, ["chrom", "strand", "position", "group", "fold"]) for path in self._parts])
        self.bases = keys.height
        if self.bases == 0:
            raise StoreError(
                f"bases in {self.folder}", "none", "run `meta-spliceai train` with at least one held-out gene"
            )
        units = keys.select("chrom", "strand", "position")
        doubled = self.bases - units.n_unique()
        if doubled:
            first = units.filter(units.is_duplicated()).row(0)
            raise SchemaError(
                expected=f"each (chrom, strand, position) once in {self.folder}",
                found=f"{doubled} units more than once, first {first}",
                action="remove the doubled part and evaluate again",
            )
        for arm in self.arms:
            for kind in ("donor", "acceptor"):
                self.scores(arm.name, kind)

    def _read(self, path: Path, columns: Sequence[str]) -> pl.DataFrame:
        frame = read_parquet(path, columns=list(columns))
        missing = [name for name in columns if name not in frame.columns]
        if missing:
            raise SchemaError(
                f"columns {first_few(columns, 12)} in {path}", f"no {first_few(missing)}", "make the predictions again"
            )
        return frame

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column over all parts, shape (bases,)."""
        return np.concatenate([self._read(path, [name])[name].to_numpy() for path in self._parts])

    def scores(self, arm: str, kind: str) -> npt.NDArray[np.float32]:
        """The probabilities of one arm, float32 of shape (bases,).

        Raises
        ------
        SchemaError
            Some are NaN or outside [0, 1].
        """
        values = self.column(f"{arm}_{kind}").astype(np.float32, copy=False)
        bad = int((~((values >= 0) & (values <= 1))).sum())
        if bad:
            raise SchemaError(
                expected=f"probabilities in column {arm}_{kind} of {self.folder}",
                found=f"{bad} values that are NaN or outside 0 to 1",
                action="make the predictions again",
            )
        return values
