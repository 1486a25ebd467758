"""Rows to learn from, from a dataset, a frame or arrays: what every row needs, and features that may stay on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, SchemaError, first_few
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.train.datasets import (
    SPLICE_SITE,
    channels_of,
    check_target,
    declared_in,
    features_in,
    is_dataset,
    load_dataset,
)
from meta_spliceai.train.feature_matrix import check_finite, fill_matrix, float_matrix
from meta_spliceai.train.leakage import check_admitted
from meta_spliceai.train.light import BASE_SCORE_COLUMNS, Light, Wanted, base_scores, codes_of, light_names, light_of
from meta_spliceai.train.matrix import open_dataset, row_groups
from meta_spliceai.train.row_store import InMemory, OnDisk, RowStore

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to learn from.

    Parameters
    ----------
    channels
        What is predicted: donor and acceptor, or splice_site.
    names, columns
        Features, and their declared columns.
    store
        Their values, weights and base scores.
    codes
        0 neither, 1 donor (or a site), 2 acceptor; int8, shape (n,).
    group
        Rows of one group are never divided; codes of `groups`, shape (n,).
    groups
        Names of the groups, sorted.
    has_base
        Whether the base model's scores are known.
    schema_version
        Of the dataset; None where the rows come from elsewhere.
    """

    channels: tuple[str, ...]
    names: tuple[str, ...]
    columns: Table
    store: RowStore
    codes: npt.NDArray[np.int8]
    group: npt.NDArray[np.unsignedinteger[Any]]
    groups: tuple[str, ...]
    has_base: bool
    schema_version: int | None

    def truth(self, channel: str, places: Indices) -> npt.NDArray[np.bool_]:
        """Whether some of the rows are true sites of the channel."""
        codes = self.codes[places]
        return codes > 0 if channel == SPLICE_SITE else codes == 1 + SITE_TYPES.index(channel)

    def starts(self, channel: str, places: Indices) -> Floats | None:
        """The base model's logits of the rows at ascending places, if they are known."""
        if not self.has_base:
            return None
        found, filled = np.empty(places.size, dtype=np.float32), 0
        for light in self.store.light(places):
            found[filled : filled + light.weight.size] = light.start(channel)
            filled += light.weight.size
        return found

    def weights(self, places: Indices) -> npt.NDArray[np.float64]:
        """Bases that the rows at ascending places stand for."""
        return np.concatenate([light.weight for light in self.store.light(places)])

    def gathered(self, places: Indices) -> tuple[Floats, Light]:
        """Features, weights and base scores of the rows at ascending places, in memory."""
        matrix, lights = np.empty((places.size, len(self.names)), dtype=np.float32), []
        for at, batch, light in self.store.batches(places):
            matrix[at] = batch
            lights.append(light)
        return matrix, Light.joined(lights)


def rows_of_path(path: Path, wanted: Wanted) -> Rows:
    """The rows of a built dataset, or of other Parquet files with its columns."""
    if not is_dataset(path):
        if wanted.batch_rows is not None:
            raise InputError(
                f"a built dataset with its manifest at {path}", "other Parquet files", "train without --incremental"
            )
        return rows_of_frame(load_dataset(path), wanted)
    dataset = open_dataset(path)
    names = tuple(wanted.columns or admitted_features(dataset.table, wanted.profile))
    check_admitted(names, dataset.table, wanted.profile)
    light = [name for name in dataset.table.names if name in light_names(wanted, dataset.table.names)]
    channels = channels_of(wanted.label_col)
    total, filled = int(dataset.manifest.facts["rows"]), 0
    in_memory = wanted.batch_rows is None
    matrix = np.empty((total if in_memory else 0, len(names)), dtype=np.float32)
    codes, groups, known = np.empty(total, dtype=np.int8), _Groups(wanted.group_col), []
    # in incremental mode features are only checked here: they are read again, batch by batch
    for _, _, frame in row_groups(dataset, list(dict.fromkeys([*light, *names]))):
        here = slice(filled, filled + frame.height)
        codes[here] = codes_of(frame, wanted)
        groups.add(frame)
        if in_memory:
            known.append(light_of(frame, wanted, channels))
            fill_matrix(matrix[here], frame.select(names))
        filled += frame.height
    store = (
        InMemory(matrix, Light.joined(known))
        if wanted.batch_rows is None
        else OnDisk(dataset, names, wanted, channels, wanted.batch_rows)
    )
    group, named = groups.coded()
    has_base = bool(base_scores(frame.clear(), channels))
    return Rows(channels, names, dataset.table, store, codes, group, named, has_base, dataset.table.version)


def rows_of_frame(frame: pl.DataFrame, wanted: Wanted) -> Rows:
    """The rows of a frame that has the columns of a dataset."""
    names = tuple(wanted.columns or features_in(frame.columns, wanted.profile))
    table = declared_in(frame.columns)
    missing = [name for name in (*names, wanted.group_col) if name not in frame.columns]
    if missing or not names:
        raise SchemaError(
            expected=f"the column {wanted.group_col} and features in the frame",
            found=f"no {first_few(missing)}" if missing else f"no feature that the profile {wanted.profile} admits",
            action="load them with `load_dataset`, or name others: columns=…, group_col=…",
        )
    if wanted.columns is None:
        check_admitted(names, table, wanted.profile)
    features = float_matrix(frame.select(names))
    check_finite(features, names, frame.select(names))
    codes, groups = codes_of(frame, wanted), _Groups(wanted.group_col)
    channels = channels_of(wanted.label_col)
    groups.add(frame)
    known = light_of(frame, wanted, channels)
    store, (group, named) = InMemory(features, known), groups.coded()
    return Rows(channels, names, _with(table, names), store, codes, group, named, bool(known.base), None)


def rows_of_arrays(
    features: Any, labels: Any, groups: Any, weight: Any, names: Sequence[str] | None, wanted: Wanted
) -> Rows:
    """Rows from arrays: features (n, width), labels and groups (n,), and bases each row stands for (n,), 1 by default."""
    if isinstance(features, pl.DataFrame):
        names, matrix = tuple(features.columns), float_matrix(features)
        check_finite(matrix, names, features)
    else:
        matrix = np.ascontiguousarray(features, dtype=np.float32)
        names = tuple(names or (f"f{number}" for number in range(matrix.shape[1] if matrix.ndim == 2 else 0)))
        check_finite(matrix, names, None)
    codes = np.asarray(labels).astype(np.int64)
    sizes = {"features": len(matrix), "labels": codes.size, "groups": len(codes) if groups is None else len(groups)}
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or len(set(sizes.values())) > 1:
        raise InputError(
            expected="features of shape (n, number of names), and n labels and groups",
            found=f"features of shape {matrix.shape}, {len(names)} names, "
            + ", ".join(f"{size} {name}" for name, size in sizes.items()),
            action="give arrays of the same rows",
        )
    channels = check_target(wanted.label_col, codes)
    coded = _Groups("group")
    coded.add(pl.DataFrame({"group": [str(one) for one in (np.arange(codes.size) if groups is None else groups)]}))
    scores = [name for name in BASE_SCORE_COLUMNS if name in names]
    known = Light(
        np.ones(codes.size) if weight is None else np.asarray(weight, dtype=np.float64),
        base_scores(pl.DataFrame({name: matrix[:, names.index(name)] for name in scores}), channels),
    )
    store, (group, named) = InMemory(matrix, known), coded.coded()
    columns = _with(declared_in(names), names)
    return Rows(channels, names, columns, store, codes.astype(np.int8), group, named, bool(known.base), None)


class _Groups:
    """Names of groups as numbers, frame by frame."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._parts: list[npt.NDArray[np.uint32]] = []
        self._numbers: dict[str, int] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Take the groups of a frame's rows."""
        group = frame[self._column].cast(pl.String).cast(pl.Categorical)
        if group.null_count():
            raise SchemaError(f"a group for every row in {self._column}", f"{group.null_count()} nulls", "fill them")
        distinct = group.unique()
        physical = distinct.to_physical().to_numpy()
        number = np.zeros(int(physical.max(initial=0)) + 1, dtype=np.uint32)
        number[physical] = [self._numbers.setdefault(name, len(self._numbers)) for name in distinct.cast(pl.String)]
        self._parts.append(number[group.to_physical().to_numpy()])

    def coded(self) -> tuple[npt.NDArray[np.unsignedinteger[Any]], tuple[str, ...]]:
        """Each row's place among the sorted names, in as few bytes as will do, and the names."""
        narrow = np.min_scalar_type(len(self._numbers))
        names = sorted(self._numbers)
        place = np.empty(len(names), dtype=narrow)
        place[[self._numbers[name] for name in names]] = np.arange(len(names), dtype=narrow)
        group = np.concatenate([place[part] for part in self._parts]) if self._parts else np.empty(0, narrow)
        return group, tuple(names)


def _with(table: Table, names: Sequence[str]) -> Table:
    """The named columns; those that no dataset declares count as external features."""
    declared = {column.name: column for column in table}
    return Table(
        table.name,
        table.version,
        "",
        tuple(
            declared.get(name, Column(name, pl.Float32, "feature", "external", "given by the user")) for name in names
        ),
    )
