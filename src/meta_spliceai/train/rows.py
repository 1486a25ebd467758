"""Rows to learn from, from a dataset, a frame or arrays: what every row needs, and features that may stay on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, SchemaError, first_few
from meta_spliceai.features.base_scores import logit
from meta_spliceai.features.further import probability_of_logit
from meta_spliceai.features.profile import Profile, admitted_features
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.train.datasets import (
    SPLICE_SITE,
    check_target,
    declared_in,
    features_in,
    is_dataset,
    labels_of,
    load_dataset,
)
from meta_spliceai.train.leakage import check_admitted
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, row_groups

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


_BLOCK_ROWS = 2048
BATCH_ROWS = 200_000
"""Rows of a batch, where nothing else is said."""


class Features(Protocol):
    """The feature matrix of all rows, in memory or on disk."""

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats]]:
        """Features of the rows at ascending places, in batches: numbers of the places, and float32 of shape (m, width)."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A matrix, shape (n, width), handed over in batches of as many rows as are usual on disk."""

    matrix: Floats

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats]]:
        """See `Features`."""
        for first in range(0, places.size, BATCH_ROWS):
            at = np.arange(first, min(places.size, first + BATCH_ROWS))
            yield at, self.matrix[places[at]]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The features of a dataset, read row group by row group each time; at most `batch_rows` rows are handed over at once."""

    dataset: DatasetFolder
    names: tuple[str, ...]
    batch_rows: int

    def batches(self, places: Indices) -> Iterator[tuple[Indices, Floats]]:
        """See `Features`; batches end where row groups do, so that only one is held."""
        first = done = 0
        held: list[Floats] = []
        held_rows = 0
        for _, _, frame in row_groups(self.dataset, self.names, checked=False):
            last = int(np.searchsorted(places, first + frame.height))
            matrix = float_matrix(frame[places[done + held_rows : last] - first])
            first += frame.height
            while held_rows + len(matrix) >= self.batch_rows:
                cut = self.batch_rows - held_rows
                whole = np.concatenate([*held, matrix[:cut]])
                yield np.arange(done, done + self.batch_rows), whole
                done, held, held_rows, matrix = done + self.batch_rows, [], 0, matrix[cut:]
            held.append(matrix)
            held_rows += len(matrix)
        if held_rows:
            yield np.arange(done, done + held_rows), np.concatenate(held)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to learn from.

    Parameters
    ----------
    channels
        What is predicted: donor and acceptor, or splice_site.
    names, columns
        Features, and their declared columns.
    features
        Their values.
    codes
        0 neither, 1 donor (or a site), 2 acceptor; int8, shape (n,).
    weight
        Bases each row stands for, shape (n,).
    group
        Rows of one group are never divided; codes of `groups`, shape (n,).
    groups
        Names of the groups, sorted.
    base
        The base model's probability by channel, shape (n,); empty where it is not known.
    schema_version
        Of the dataset; None where the rows come from elsewhere.
    """

    channels: tuple[str, ...]
    names: tuple[str, ...]
    columns: Table
    features: Features
    codes: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float64]
    group: npt.NDArray[np.int32]
    groups: tuple[str, ...]
    base: Mapping[str, Floats]
    schema_version: int | None

    def truth(self, channel: str) -> npt.NDArray[np.bool_]:
        """Whether a row is a true site of the channel."""
        return self.codes > 0 if channel == SPLICE_SITE else self.codes == 1 + SITE_TYPES.index(channel)

    def start(self, channel: str, places: Indices) -> Floats | None:
        """The base model's logits of some rows, if they are known."""
        return logit(self.base[channel][places]).astype(np.float32) if self.base else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read of rows, in the words of `Trainer`."""

    label_col: str
    group_col: str
    profile: Profile
    columns: tuple[str, ...] | None
    weighted: bool
    batch_rows: int | None
    """Rows in memory at once; None for all of them."""


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
    light = [name for name in dataset.table.names if name in _light_names(wanted, dataset.table.names)]
    parts: list[pl.DataFrame] = []
    matrix: Floats | None = None
    total, filled = int(dataset.manifest.facts["rows"]), 0
    # in incremental mode features are only checked here: they are read again, batch by batch
    for _, _, frame in row_groups(dataset, list(dict.fromkeys([*light, *names]))):
        parts.append(_described(frame, wanted))
        if wanted.batch_rows is None:
            if matrix is None:
                matrix = np.empty((total, len(names)), dtype=np.float32)
            fill_matrix(matrix[filled : filled + frame.height], frame.select(names))
        filled += frame.height
    features: Features = InMemory(matrix) if matrix is not None else OnDisk(dataset, names, wanted.batch_rows or total)
    return _assembled(pl.concat(parts), wanted, names, dataset.table, features, dataset.table.version)


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
    return _assembled(_described(frame, wanted), wanted, names, _with(table, names), InMemory(features), None)


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
    light = pl.DataFrame(
        {
            "code": pl.Series(codes, dtype=pl.Int8),
            "group": pl.Series([str(one) for one in (np.arange(codes.size) if groups is None else groups)]),
            "weight": np.ones(codes.size) if weight is None else np.asarray(weight, dtype=np.float64),
        }
    )
    known = [name for name in BASE_SCORE_COLUMNS if name in names]
    scores = _base_scores(pl.DataFrame({name: matrix[:, names.index(name)] for name in known}))
    light = light.with_columns(**{kind: pl.Series(one) for kind, one in scores.items()})
    return _assembled(light, wanted, names, _with(declared_in(names), names), InMemory(matrix), None)


def float_matrix(frame: pl.DataFrame) -> Floats:
    """A frame as float32 in rows, shape (n, width); nulls become NaN."""
    matrix = np.empty(frame.shape, dtype=np.float32)
    fill_matrix(matrix, frame)
    return matrix


def fill_matrix(matrix: Floats, frame: pl.DataFrame) -> None:
    """Write a frame into rows of a matrix, block by block, so that columns become rows inside the processor's cache."""
    narrow = frame.cast(pl.Float32)
    for first in range(0, frame.height, _BLOCK_ROWS):
        block = narrow.slice(first, _BLOCK_ROWS)
        matrix[first : first + block.height] = block.to_numpy()


def check_finite(matrix: Floats, names: Sequence[str], frame: pl.DataFrame | None) -> None:
    """Refuse infinite values, and in frames NaN, where a missing value is a null.

    Raises
    ------
    SchemaError
        Names the columns.
    """
    if matrix.ndim != 2:
        return
    bad = [name for place, name in enumerate(names) if np.isinf(matrix[:, place]).any()]
    if frame is not None:
        bad += [name for name in names if frame[name].dtype.is_float() and bool(frame[name].is_nan().any())]
    if bad:
        raise SchemaError(
            expected="finite features, missing ones as nulls (in arrays, as NaN)",
            found=f"NaN or infinite values in {first_few(sorted(set(bad)))}",
            action="correct these columns, or leave them out with columns=…",
        )


def _light_names(wanted: Wanted, held: Sequence[str]) -> set[str]:
    label = "splice_type" if wanted.label_col == SPLICE_SITE and SPLICE_SITE not in held else wanted.label_col
    missing = [name for name in (label, wanted.group_col) if name not in held]
    if missing:
        raise SchemaError(f"columns {label} and {wanted.group_col}", f"no {first_few(missing)}", "name others")
    return {label, wanted.group_col, "inclusion_probability", *BASE_SCORE_COLUMNS}


_SCORES = tuple(f"{kind}_score" for kind in SITE_TYPES)
_MEANS = tuple(f"mean_{kind}_logit" for kind in SITE_TYPES)
BASE_SCORE_COLUMNS = (*_SCORES, *_MEANS)
"""Columns that say what the base model thinks, of which starts and comparisons are made."""


def _described(frame: pl.DataFrame, wanted: Wanted) -> pl.DataFrame:
    """code, group, weight and the base model's probabilities of rows, as narrow as they can be."""
    columns: dict[str, pl.Series] = {
        "code": pl.Series(labels_of(frame, wanted.label_col), dtype=pl.Int8),
        "group": frame[wanted.group_col].cast(pl.String).cast(pl.Categorical),
    }
    if wanted.weighted:
        if "inclusion_probability" not in frame.columns:
            raise SchemaError(
                expected="a column inclusion_probability, of which the weights are made",
                found=f"none among {len(frame.columns)} columns",
                action='load it too, or say weights="none" (--weights none): rows then count alike',
            )
        columns["weight"] = 1.0 / frame["inclusion_probability"].cast(pl.Float64)
    return pl.DataFrame(columns | {kind: pl.Series(scores) for kind, scores in _base_scores(frame).items()})


def base_scores(frame: pl.DataFrame, channels: Sequence[str]) -> dict[str, Floats]:
    """The base model's probability of rows by channel: of the mean logit of all base models where there are several.

    Empty where the frame does not say. A base is a `splice_site` with the sum of both probabilities.
    """
    return _for_channels(_base_scores(frame), channels)


def _base_scores(frame: pl.DataFrame) -> dict[str, Floats]:
    if set(_MEANS) <= set(frame.columns):
        logits = [frame[name].cast(pl.Float32).to_numpy() for name in _MEANS]
        return {kind: probability_of_logit(one) for kind, one in zip(SITE_TYPES, logits, strict=True)}
    if set(_SCORES) <= set(frame.columns):
        return {kind: frame[name].cast(pl.Float32).to_numpy() for kind, name in zip(SITE_TYPES, _SCORES, strict=True)}
    return {}


def _for_channels(typed: Mapping[str, Floats], channels: Sequence[str]) -> dict[str, Floats]:
    if not typed or tuple(channels) == SITE_TYPES:
        return dict(typed)
    both = np.minimum(typed["donor"] + typed["acceptor"], np.float32(1.0))
    return dict.fromkeys(channels, both)


def _assembled(
    light: pl.DataFrame, wanted: Wanted, names: tuple[str, ...], table: Table, features: Features, version: int | None
) -> Rows:
    codes = light["code"].to_numpy()
    channels = check_target(wanted.label_col, codes)
    group = light["group"].cast(pl.Categorical)
    if group.null_count():
        raise SchemaError(f"a group for every row in {wanted.group_col}", f"{group.null_count()} nulls", "fill them")
    distinct = group.unique()
    named = sorted(zip(distinct.cast(pl.String).to_list(), distinct.to_physical().to_list(), strict=True))
    number = np.zeros(max((code for _, code in named), default=0) + 1, dtype=np.int32)
    number[[code for _, code in named]] = np.arange(len(named))
    base = _for_channels({kind: light[kind].to_numpy() for kind in SITE_TYPES if kind in light.columns}, channels)
    return Rows(
        channels=channels,
        names=names,
        columns=table,
        features=features,
        codes=codes,
        weight=light["weight"].to_numpy() if "weight" in light.columns else np.ones(codes.size),
        group=number[group.to_physical().to_numpy()],
        groups=tuple(name for name, _ in named),
        base=base,
        schema_version=version,
    )


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
