"""Datasets as frames and arrays, for scripts and notebooks: `load_dataset` and `prepare_xy`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.build.master import MASTER
from meta_spliceai.errors import InputError, SchemaError, StoreError, first_few
from meta_spliceai.features.profile import Profile, admitted_features
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import CHANNELS, FurtherBase, kmer_size
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store.folder import MANIFEST
from meta_spliceai.train.matrix import open_dataset

SPLICE_TYPE, SPLICE_SITE = "splice_type", "splice_site"
CODES = {"neither": 0, "donor": 1, "acceptor": 2}
"""What `prepare_xy` makes of `splice_type`."""


@overload
def load_dataset(
    source: Path | str, columns: Sequence[str] | None = None, *, lazy: Literal[False] = False
) -> pl.DataFrame: ...
@overload
def load_dataset(source: Path | str, columns: Sequence[str] | None = None, *, lazy: Literal[True]) -> pl.LazyFrame: ...
def load_dataset(
    source: Path | str, columns: Sequence[str] | None = None, *, lazy: bool = False
) -> pl.DataFrame | pl.LazyFrame:
    """All rows of a dataset, in the order of its files.

    Parameters
    ----------
    source
        A built dataset or its `master` folder, a folder of Parquet files, or one such file.
    columns
        The columns wanted; all by default.
    lazy
        Give a plan of the reading (a LazyFrame), to be filtered before anything is read.

    Raises
    ------
    StoreError, SchemaError
        There is none, it is damaged, or it lacks a column.
    """
    scan = _scan(Path(source))
    if columns is not None:
        held = scan.collect_schema().names()
        missing = [name for name in columns if name not in held]
        if missing:
            near = [match for name in missing[:3] for match in difflib.get_close_matches(name, held, 1)]
            raise SchemaError(
                expected=f"the columns {first_few(columns)} in {source}",
                found=f"no {first_few(missing)}",
                action=f"did you mean {first_few(near)}?" if near else "docs/reference/schema.md lists the columns",
            )
        scan = scan.select(columns)
    return scan if lazy else scan.collect()


def is_dataset(path: Path) -> bool:
    """Whether a path is a built dataset, with a manifest, or its `master` folder."""
    return (path / MANIFEST).exists() or (path.name == MASTER and (path.parent / MANIFEST).exists())


def _scan(source: Path) -> pl.LazyFrame:
    if is_dataset(source):
        return open_dataset(source).scan()
    files = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not files or not files[0].is_file():
        raise StoreError(
            f"a dataset at {source}", "no Parquet file", "give the folder that `meta-spliceai build` wrote"
        )
    try:
        scan = pl.scan_parquet(files, glob=False)
        scan.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"readable Parquet files at {source}", str(error).splitlines()[0], "restore them or make them again"
        ) from error
    return scan


def prepare_xy(
    frame: pl.DataFrame,
    label_col: str = SPLICE_TYPE,
    *,
    profile: Profile = "de_novo",
    columns: Sequence[str] | None = None,
) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
    """Features and labels of rows.

    Parameters
    ----------
    frame
        Rows of a dataset.
    label_col
        `splice_type` gives 0 for neither, 1 for donor, 2 for acceptor; `splice_site` gives 1 for both, from the same
        column; another column must hold whole numbers or truth values.
    profile
        Which declared features are taken.
    columns
        Features to take instead.

    Returns
    -------
    tuple
        Float32 features, and labels of shape (n,). Labels, keys, calls and sampling are never among the features.

    Raises
    ------
    SchemaError
        No such label, labels that are missing or unknown, or features that the frame lacks.
    """
    names = list(columns) if columns is not None else features_in(frame.columns, profile)
    missing = [name for name in names if name not in frame.columns]
    if missing or not names:
        raise SchemaError(
            expected="feature columns in the frame",
            found=f"no {first_few(missing)}" if missing else f"none that the profile {profile} admits",
            action="load the dataset with these columns, or give --feature-profile or columns",
        )
    return frame.select(pl.col(names).cast(pl.Float32)), labels_of(frame, label_col)


def labels_of(frame: pl.DataFrame, label_col: str) -> npt.NDArray[np.int64]:
    """The labels of rows as `prepare_xy` gives them."""
    column = SPLICE_TYPE if label_col == SPLICE_SITE and SPLICE_SITE not in frame.columns else label_col
    if column not in frame.columns:
        raise SchemaError(f"a label column {column}", f"columns {first_few(frame.columns)}", "name the one that exists")
    values = frame[column]
    if values.dtype == pl.String or isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        strange = sorted(set(values.unique().drop_nulls().cast(pl.String).to_list()) - set(CODES))
        if strange:
            raise SchemaError(f"labels {', '.join(CODES)} in {column}", first_few(strange), "correct the column")
        values = values.cast(pl.String).replace_strict(CODES, return_dtype=pl.Int64)
    if values.null_count() or not (values.dtype.is_integer() or values.dtype == pl.Boolean):
        found = f"{values.null_count()} nulls" if values.null_count() else f"{values.dtype}"
        raise SchemaError(f"whole numbers or texts in {column}", found, "remove these rows, or name another column")
    codes = values.cast(pl.Int64).to_numpy()
    return (codes > 0).astype(np.int64) if label_col == SPLICE_SITE else codes


def features_in(names: Sequence[str], profile: Profile) -> list[str]:
    """The declared features among column names that a profile admits, in the order of the columns."""
    admitted = set(admitted_features(declared_in(names), profile))
    return [name for name in names if name in admitted]


def declared_in(names: Sequence[str]) -> Table:
    """The dataset table that has columns of these names: its k-mer sizes and further base models show in them."""
    sizes = {size for name in names if (size := kmer_size(name)) is not None}
    bases = [match[1] for name in names if (match := re.fullmatch(r"(.+)_donor_score", name))]
    further = []
    for base in bases:
        own = [name.removeprefix(f"{base}_") for name in names if name.startswith((f"{base}_site_", f"{base}_usage_"))]
        channels = tuple(name for name in own if not name.endswith("_logit"))
        further.append(FurtherBase(base, channels or CHANNELS))
    return dataset_table(tuple(sorted(sizes)), further)


def check_target(label_col: str, codes: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """The channels that labels are about: donor and acceptor, or `splice_site`.

    Raises
    ------
    InputError
        Labels besides 0, 1 and 2.
    """
    held = set(np.unique(codes).tolist())
    if not held <= {0, 1, 2}:
        raise InputError("labels 0, 1 and 2", first_few(sorted(held)), "code them as neither 0, donor 1, acceptor 2")
    return channels_of(label_col)


def channels_of(label_col: str) -> tuple[str, ...]:
    """What models of a label predict: donor and acceptor, or `splice_site`."""
    return SITE_TYPES if label_col == SPLICE_TYPE else (SPLICE_SITE,)


__all__ = ["SPLICE_SITE", "SPLICE_TYPE", "load_dataset", "prepare_xy"]
