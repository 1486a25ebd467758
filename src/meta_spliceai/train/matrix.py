"""The rows of a dataset as arrays.

A row's weight says how many bases of the genes it stands for:

    weight = 1 / inclusion_probability / genes

with `genes` the number of the dataset's genes on that strand whose body holds the base. A base is a row of each of those
genes, kept with its own probability in each, so the expected weight of a base over all its rows is exactly 1: sums over
weighted rows estimate sums over the distinct bases of whole genes without bias, however genes overlap. Where a site has a
row for each of its transcripts, the weight is shared among them.
Where
`dataset dedup --subset-cols` merged the rows of one base, its one row has the probability that any of them was kept, and
`genes` is 1.

Only rows that reach the gate have features here, because only those are ever learnt from; the others, which are nearly
all, keep the few columns that calibration needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.build.master import MASTER
from meta_spliceai.build.patches import MERGED_UNITS, PATCHES, Patch, patched_table, patches_of, stored_table
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import SchemaError, StoreError, first_few
from meta_spliceai.features.further import probability_of_logit
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import CHANNELS, FurtherBase, mean_logit_features
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import MANIFEST, Manifest, file_is_whole, read_manifest
from meta_spliceai.store.tables import SCHEMA_KEY

Floats = npt.NDArray[np.float32]

_LIGHT = (
    "gene_id",
    "chrom",
    "strand",
    "position",
    "is_donor",
    "is_acceptor",
    "donor_score",
    "acceptor_score",
    "inclusion_probability",
)
_MEANS = tuple(column.name for column in mean_logit_features([FurtherBase("any", CHANNELS)]))


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """A built dataset: its folder, its manifest, its table, its patches, and the files that training reads."""

    path: Path
    manifest: Manifest
    table: Table
    files: tuple[Path, ...]
    patches: tuple[Patch, ...] = ()

    @property
    def gene_ids(self) -> list[str]:
        """The genes it was built of, in reference order."""
        return list(self.manifest.parameters["gene_ids"])

    @property
    def fingerprint(self) -> str:
        """Identity of the rows, those of patches included."""
        folders = (f"{MASTER}/", f"{PATCHES}/")
        return fingerprint({file.name: file.sha256 for file in self.manifest.files() if file.name.startswith(folders)})

    @property
    def one_row_per_unit(self) -> bool:
        """Whether the rows that overlapping genes had of one base were merged into one."""
        return bool(self.manifest.parameters.get(MERGED_UNITS, False))

    def sources(self, path: Path, names: Sequence[str]) -> dict[Path, list[str]]:
        """Which files hold the named columns of the rows of one part: the part itself, or side files of patches."""
        by_file: dict[Path, list[str]] = {}
        for name in names:
            holder = next((patch for patch in reversed(self.patches) if name in patch.table.names), None)
            file = path if holder is None else self.path / holder.side_file(path.name)
            by_file.setdefault(file, []).append(name)
        return by_file

    def scan(self) -> pl.LazyFrame:
        """All rows with all columns, patched ones included, as one lazy table."""
        return pl.concat([self._scan_part(path) for path in self.files])

    def _scan_part(self, path: Path) -> pl.LazyFrame:
        sides = self.sources(path, self.table.names)
        frames = [pl.scan_parquet(file, glob=False).select(names) for file, names in sides.items()]
        return pl.concat(frames, how="horizontal").select(self.table.names)


def open_dataset(path: Path) -> DatasetFolder:
    """Open a dataset by its folder or by the `master` folder inside it, and check the columns of every file.

    Raises
    ------
    StoreError
        There is no dataset, it is not finished, or a file cannot be read.
    SchemaError
        A file has missing, other or reordered columns, or was written with another version of the schema.
    PlanMismatchError
        The files changed after they were patched.
    """
    folder = path.parent if path.name == MASTER and not (path / MANIFEST).exists() else path
    if not (folder / MANIFEST).exists() and any((*folder.glob("*.parquet"), *folder.glob(f"{MASTER}/*.parquet"))):
        raise StoreError(
            expected=f"a dataset with {MANIFEST} at {folder}",
            found="Parquet files without one, as another program or an older version writes them",
            action=f"run `meta-spliceai dataset migrate {folder} --reference FOLDER`: it converts them, or says why not",
        )
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    if not manifest.complete:
        raise StoreError(
            expected=f"a finished dataset at {folder}",
            found=f"{len(manifest.parts)} finished parts of a build that was not completed",
            action="run the same build command again; it resumes",
        )
    table = stored_table(manifest)
    patches = patches_of(manifest, folder)
    files = tuple(folder / file.name for file in manifest.files() if file.name.startswith(f"{MASTER}/"))
    for file in files:
        _check_file(file, table)
    _check_side_files(folder, manifest, patches)
    return DatasetFolder(folder, manifest, patched_table(table, patches), files, patches)


def _check_side_files(folder: Path, manifest: Manifest, patches: Sequence[Patch]) -> None:
    entries = {file.name: file for file in manifest.files()}
    for patch in patches:
        names = [patch.side_file(name) for name in patch.aligned]
        damaged = [name for name in names if name not in entries or not file_is_whole(folder, entries[name])]
        if damaged:
            raise StoreError(
                expected=f"all {len(names)} side files of patch {patch.name} in {folder}",
                found=f"missing or damaged: {first_few(damaged)}",
                action=f"run `meta-spliceai dataset patch {folder} --rollback {patch.name}`, then patch again",
            )


def _check_file(path: Path, table: Table) -> None:
    schema = _parquet(path).schema_arrow
    written = json.loads((schema.metadata or {}).get(SCHEMA_KEY, b"{}"))
    if written.get("table") != table.name or written.get("version") != table.version:
        raise SchemaError(
            expected=f"{path} to be a {table.name} table, version {table.version}",
            found=f"{written.get('table', 'no table name')}, version {written.get('version', 'unknown')}",
            action="build the dataset again with this version of meta-spliceai, or run `meta-spliceai dataset migrate`",
        )
    missing = [name for name in table.names if name not in schema.names]
    extra = [name for name in schema.names if name not in set(table.names)]
    if missing or extra:
        found = [f"missing {first_few(missing)}"] * bool(missing) + [f"not declared {first_few(extra)}"] * bool(extra)
        raise SchemaError(
            expected=f"the {len(table.names)} columns of a {table.name} table in {path}",
            found="; ".join(found),
            action="build the dataset again; docs/reference/schema.md lists the columns",
        )


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        expected=f"a readable Parquet file {path}",
        found=str(error).splitlines()[0],
        action="run the same build command again with --verify; only the damaged batch is made again",
    )


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The rows of a dataset, in the order of its files.

    Parameters
    ----------
    keys
        gene_id, chrom, strand, position (1-based) of all n rows.
    donor_score, acceptor_score
        The base model's, shape (n,).
    donor_start, acceptor_start
        Where corrections start, shape (n,): the probability of the mean logit of all base models, or the only one's score.
    is_donor, is_acceptor
        The truth, shape (n,).
    weight
        Bases each row stands for, shape (n,).
    gated
        Ascending numbers of the m rows that have features, shape (m,).
    names, features
        Feature names, and their values, shape (m, len(names)); NaN where a nullable feature is missing.
    """

    keys: pl.DataFrame
    donor_score: Floats
    acceptor_score: Floats
    donor_start: Floats
    acceptor_start: Floats
    is_donor: BoolArray
    is_acceptor: BoolArray
    weight: npt.NDArray[np.float64]
    gated: npt.NDArray[np.int64]
    names: tuple[str, ...]
    features: Floats

    def score(self, channel: str) -> Floats:
        """The base model's score of 'donor' or 'acceptor'."""
        return self.donor_score if channel == "donor" else self.acceptor_score

    def start(self, channel: str) -> Floats:
        """Where the correction of 'donor' or 'acceptor' starts."""
        return self.donor_start if channel == "donor" else self.acceptor_start

    def truth(self, channel: str) -> BoolArray:
        """Whether a row is a true 'donor' or 'acceptor'."""
        return self.is_donor if channel == "donor" else self.is_acceptor

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Places of the named features."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[name] for name in names], dtype=np.int64)


def load_rows(dataset: DatasetFolder, names: Sequence[str], genes: pl.DataFrame, gate: float) -> TrainingRows:
    """Load the rows of a dataset; the feature matrix is filled row group by row group and never copied.

    Parameters
    ----------
    dataset
        The dataset.
    names
        Feature columns to load.
    genes
        The dataset's genes: chrom, strand, start, end (1-based, both included).
    gate
        Rows with a donor or acceptor start of at least this get features.

    Raises
    ------
    SchemaError
        Values that the schema does not allow, such as NaN, infinite or missing features.
    StoreError
        A file cannot be read.
    """
    shared = ["unit_rows"] if "unit_rows" in dataset.table.names else []
    means = [name for name in _MEANS if name in dataset.table.names]
    light = pl.concat([frame for _, _, frame in row_groups(dataset, [*_LIGHT, *shared, *means])])
    rows_of_base = light["unit_rows"].to_numpy() if shared else 1
    donor, acceptor = (light[f"{channel}_score"].to_numpy() for channel in ("donor", "acceptor"))
    starts = [probability_of_logit(light[name].to_numpy()) for name in means] or [donor, acceptor]
    passes = np.maximum(*starts) >= np.float32(gate)
    matrix = np.empty((int(passes.sum()), len(names)), dtype=np.float32)
    row = filled = 0
    for _, _, frame in row_groups(dataset, names):
        kept = frame.filter(pl.Series(passes[row : row + frame.height]))
        matrix[filled : filled + kept.height] = kept.cast(pl.Float32).to_numpy()
        row += frame.height
        filled += kept.height
    return TrainingRows(
        keys=light.select("gene_id", "chrom", "strand", "position"),
        donor_score=donor,
        acceptor_score=acceptor,
        donor_start=starts[0],
        acceptor_start=starts[1],
        is_donor=light["is_donor"].to_numpy(),
        is_acceptor=light["is_acceptor"].to_numpy(),
        weight=1.0
        / light["inclusion_probability"].to_numpy()
        / (1 if dataset.one_row_per_unit else genes_at(light, genes))
        / rows_of_base,
        gated=np.flatnonzero(passes),
        names=tuple(names),
        features=matrix,
    )


def row_groups(
    dataset: DatasetFolder, names: Sequence[str], files: Sequence[Path] | None = None, *, checked: bool = True
) -> Iterator[tuple[Path, int, pl.DataFrame]]:
    """Some columns of each row group, patched ones included, checked against the schema: file, number in it, rows.

    With `files`, only those of the dataset's files are read; without `checked`, values are taken as they are.

    Raises
    ------
    SchemaError
        The dataset lacks a column, or holds values that its schema does not allow.
    StoreError
        A file cannot be read.
    """
    table = _selected(dataset, names)
    for path in dataset.files if files is None else files:
        sources = [(_parquet(file), held) for file, held in dataset.sources(path, names).items()]
        for group in range(sources[0][0].num_row_groups):
            frame = _side_by_side(path, sources, group).select(names)
            yield path, group, check_frame(frame, table, source=path.name) if checked else frame
    pa.default_memory_pool().release_unused()  # Arrow would keep what two or three row groups took


def read_row_group(dataset: DatasetFolder, path: Path, group: int, names: Sequence[str]) -> pl.DataFrame:
    """Some columns of one row group of a file, patched ones included; values are taken as they are."""
    sources = [(_parquet(file), held) for file, held in dataset.sources(path, names).items()]
    return _side_by_side(path, sources, group).select(names)


def _side_by_side(path: Path, sources: Sequence[tuple[pq.ParquetFile, list[str]]], group: int) -> pl.DataFrame:
    try:
        read: list[Any] = [pl.from_arrow(file.read_row_group(group, columns=held)) for file, held in sources]
        frames: list[pl.DataFrame] = read
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    if len({held.height for held in frames}) > 1:
        raise _unreadable(path, ValueError(f"row group {group} of a side file has another number of rows"))
    return pl.concat(frames, how="horizontal")


def _selected(dataset: DatasetFolder, names: Sequence[str]) -> Table:
    declared = {column.name: column for column in dataset.table}
    missing = [name for name in names if name not in declared]
    if missing:
        raise SchemaError(
            expected=f"the columns {first_few(names)} in {dataset.path}",
            found=f"no {first_few(missing)}: the dataset was converted from one that does not say",
            action="build a dataset of the same genes with this version of meta-spliceai",
        )
    return Table(dataset.table.name, dataset.table.version, "", tuple(declared[name] for name in names))


def genes_at(rows: pl.DataFrame, genes: pl.DataFrame) -> npt.NDArray[np.int64]:
    """How many of the genes hold each row's base on its strand, shape (n,).

    Parameters
    ----------
    rows
        chrom, strand, position (1-based).
    genes
        chrom, strand, start, end (1-based, both included).
    """
    count = np.zeros(rows.height, dtype=np.int64)
    places = rows.select("chrom", "strand", "position").with_row_index("row")
    bodies = genes.group_by("chrom", "strand").agg(pl.col("start").sort(), pl.col("end").sort())
    for chrom, strand, starts, ends in bodies.iter_rows():
        here = places.filter((pl.col("chrom") == chrom) & (pl.col("strand") == strand))
        position = here["position"].to_numpy()
        begun = np.searchsorted(np.asarray(starts), position, side="right")
        ended = np.searchsorted(np.asarray(ends), position, side="left")
        count[here["row"].to_numpy()] = begun - ended
    if (count == 0).any():
        row = rows.row(int(np.flatnonzero(count == 0)[0]), named=True)
        raise SchemaError(
            expected="every row of the dataset inside the body of one of its genes",
            found=f"{row['chrom']}:{row['position']}({row['strand']}) lies in none",
            action="give the reference that the dataset was built with",
        )
    return count
