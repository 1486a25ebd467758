"""Where the values of a patch come from: the reference, a table of gene types, or a table of the user's.

A source names its columns and computes them for rows given by their keys. It never looks at another column, so what it adds
does not depend on whether a row is a positive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.features.gene import GeneFacts, annotation_features, gene_features
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.reference.genes import without_version
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.features import ANNOTATION_FEATURES, GENE_FEATURES
from meta_spliceai.schema.tables import dataset_table

KEYS = ("gene_id", "chrom", "position", "strand")
UNKNOWN = "unknown"

PatchRole = Literal["feature", "text"]
PatchOrigin = Literal["external", "gene", "annotation"]

_SCORE_BOUND = ("donor_rank_in_gene", "acceptor_rank_in_gene")
_OF_TYPE = "gene_is_protein_coding"
_STRUCTURAL_GENE = tuple(c for c in GENE_FEATURES if c.name not in (*_SCORE_BOUND, _OF_TYPE))
_PLAIN_NAME = re.compile(r"[A-Za-z]\w*")


class ColumnSource(Protocol):
    """Values for the rows of a dataset."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it gives."""

    def values(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The columns for rows (`KEYS`, and the dataset's own values of the columns, where it has them), in order."""


# ---- structure of genes ----------------------------------------------------------------------------------------------


class StructuralColumns:
    """Lengths, exons, overlaps and splice sites of each row's gene, from a reference: every row of every gene alike.

    Raises
    ------
    GeneError
        The reference lacks genes of the dataset.
    """

    columns = (*_STRUCTURAL_GENE, *ANNOTATION_FEATURES)

    def __init__(self, reference: Reference, gene_ids: Sequence[str]) -> None:
        self._genes = _rows_by_gene(reference, gene_ids)

    def values(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The structural columns of rows (`KEYS`)."""
        blocks = [self._of_gene(str(key[0]), block) for key, block in _runs(rows)]
        return pl.concat([Table("", 1, "", self.columns).empty(), *blocks])

    def _of_gene(self, gene_id: str, rows: pl.DataFrame) -> pl.DataFrame:
        gene = self._genes[gene_id]
        facts, position = GeneFacts.of_row(gene), rows["position"].to_numpy()
        no_rank = np.zeros(rows.height, dtype=np.float32)
        elsewhere = (rows["chrom"][0], rows["strand"][0]) != (gene["chrom"], gene["strand"])
        if elsewhere or position.min() < gene["start"] or position.max() > gene["end"]:
            raise InputError(
                expected=f"the rows of {gene_id} inside its body in the reference: {gene['chrom']}:{gene['start']}-{gene['end']}({gene['strand']})",
                found=f"{rows['chrom'][0]}:{position.min()}-{position.max()}({rows['strand'][0]})",
                action="give the reference that the dataset was built from, or one of the same genome build",
            )
        about = gene_features(facts, position, no_rank, no_rank) | annotation_features(facts, rows.height)
        return pl.DataFrame({column.name: about[column.name] for column in self.columns})


def _rows_by_gene(reference: Reference, gene_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = {row["gene_id"]: row for row in reference.genes.iter_rows(named=True)}
    missing = [gene_id for gene_id in gene_ids if gene_id not in rows]
    if missing:
        raise GeneError(
            expected=f"every gene of the dataset in the reference {reference.path}",
            found=f"{len(missing)} are not there: {first_few(missing)}",
            action="give the reference that the dataset was built from",
        )
    return {gene_id: rows[gene_id] for gene_id in gene_ids}


def _runs(rows: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    """The rows of each gene, in the order of the rows; those of a gene lie together."""
    found, first = [], 0
    for length in rows["gene_id"].rle().struct.field("len").to_list():
        block = rows.slice(first, length)
        found.append(((block["gene_id"][0],), block))
        first += length
    return found


# ---- gene types ------------------------------------------------------------------------------------------------------


class GeneTypes:
    """The type of each row's gene: from a table where it has one, else the dataset's own, else `unknown`."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = dict(types)
        declared = {column.name: column for column in dataset_table(())}
        self.columns = (declared["gene_type"], declared[_OF_TYPE])

    def values(self, rows: pl.DataFrame) -> pl.DataFrame:
        """gene_type and gene_is_protein_coding of rows (gene_id, and gene_type where there is one)."""
        own = pl.col("gene_type") if "gene_type" in rows.columns else pl.lit(None, dtype=pl.String)
        given = pl.col("gene_id").replace_strict(self._types, default=None, return_dtype=pl.String)
        kind = pl.coalesce(given, own, pl.lit(UNKNOWN))
        return rows.select(
            gene_type=kind, gene_is_protein_coding=(kind == "protein_coding").cast(self.columns[1].dtype)
        )


def types_of_reference(reference: Reference) -> dict[str, str]:
    """Gene type by gene id; genes without one are left out."""
    return _known(reference.genes.select("gene_id", "gene_type"))


def types_of_file(path: Path, gene_ids: Sequence[str]) -> dict[str, str]:
    """Gene type by gene id of the dataset, from a table with gene_id and gene_type; versions of ids may differ.

    Raises
    ------
    InputError
        The table cannot be read, lacks a column, or gives a gene two types.
    """
    table = read_user_table(path)
    _require(table, ("gene_id", "gene_type"), path)
    table = table.select(pl.col("gene_id", "gene_type").cast(pl.String)).unique(maintain_order=True)
    doubled = table.filter(pl.col("gene_id").is_duplicated())
    if doubled.height:
        raise InputError(
            expected=f"one gene type per gene in {path}",
            found=f"several for {first_few(doubled['gene_id'].unique(maintain_order=True).to_list())}",
            action="keep one row per gene",
        )
    given = _known(table)
    bare = {without_version(gene_id): kind for gene_id, kind in given.items()}
    found = {gene_id: given.get(gene_id, bare.get(without_version(gene_id))) for gene_id in gene_ids}
    return {gene_id: kind for gene_id, kind in found.items() if kind is not None}


def _known(table: pl.DataFrame) -> dict[str, str]:
    rows = table.filter(pl.col("gene_type").is_not_null() & ~pl.col("gene_type").is_in(["", UNKNOWN]))
    return {str(gene_id): str(kind) for gene_id, kind in rows.iter_rows()}


# ---- columns of the user's -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table of the user's, ready to be asked for the values of rows.

    Parameters
    ----------
    columns
        Its value columns as they are declared in the dataset; a row without a match has null.
    by
        Its key: gene_id, or chrom, position and strand.
    rows
        Keys and values, sorted by key; contigs named as in the dataset.
    """

    columns: tuple[Column, ...]
    by: tuple[str, ...]
    rows: pl.DataFrame

    def values(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The value columns of rows (`KEYS`)."""
        near = self.rows if self.by == ("gene_id",) else self._near(rows)
        joined = rows.select(self.by).join(near, on=list(self.by), how="left", maintain_order="left")
        return joined.select(column.name for column in self.columns)

    def _near(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The part of the table between the first and the last of the rows on each contig: the rest need not be joined."""
        spans = rows.group_by("chrom").agg(low=pl.col("position").min(), high=pl.col("position").max())
        pieces = [self.rows.clear()]
        chroms, positions = self.rows["chrom"], self.rows["position"]
        for chrom, low, high in spans.iter_rows():
            first, last = (int(chroms.search_sorted(chrom, side)) for side in ("left", "right"))
            here = positions.slice(first, last - first)
            inside = slice(int(here.search_sorted(low, "left")), int(here.search_sorted(high, "right")))
            pieces.append(self.rows.slice(first + inside.start, inside.stop - inside.start))
        return pl.concat(pieces)


def read_user_table(path: Path) -> pl.DataFrame:
    """Read a Parquet, TSV or CSV file (the last two may be compressed)."""
    if not path.is_file():
        raise InputError(f"a table {path}", "there is none", "check the path")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        separator = "," if ".csv" in path.suffixes else "\t"
        return pl.read_csv(path, separator=separator, infer_schema_length=None, schema_overrides={"chrom": pl.String})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            expected=f"a Parquet, TSV or CSV table in {path}",
            found=str(error).splitlines()[0],
            action="check the file; .csv is read with commas, .parquet as Parquet, others with tabs",
        ) from error


def user_table(
    path: Path,
    columns: Sequence[str] | None,
    role: PatchRole,
    origin: PatchOrigin,
    dataset: Table,
    chroms: Sequence[str],
) -> UserTable:
    """Read and check a table of columns to be added.

    Parameters
    ----------
    path
        A table with gene_id, or with chrom, position (1-based) and strand, and value columns.
    columns
        Value columns to take; None for all.
    role, origin
        What the columns may be used for, and where their information comes from.
    dataset
        The dataset's columns; a value column may not have the name of one.
    chroms
        Contigs of the dataset; aliases in the table are understood.

    Raises
    ------
    InputError
        No key, a key given twice, values that cannot be used, or names that are taken.
    """
    for option, value, allowed in (("--role", role, PatchRole), ("--origin", origin, PatchOrigin)):
        if value not in get_args(allowed):
            raise InputError(f"{option} of {', '.join(get_args(allowed))}", value, "choose one of these")
    table = read_user_table(path)
    by = KEYS[1:] if "position" in table.columns else ("gene_id",)
    chosen = list(columns) if columns else [name for name in table.columns if name not in KEYS]
    _require(table, (*by, *chosen), path)
    _check_names(chosen, dataset, path)
    declared = tuple(_declared(table[name], role, origin, path) for name in chosen)
    keyed = table.select(*by, *(pl.col(column.name).cast(column.dtype) for column in declared))
    if by != ("gene_id",):
        names = match_contigs(keyed["chrom"].cast(pl.String).unique(maintain_order=True), chroms).to_genome
        chrom = pl.col("chrom").cast(pl.String).replace_strict(names, default=None, return_dtype=pl.String)
        keyed = keyed.with_columns(chrom, pl.col("position").cast(pl.Int64)).filter(pl.col("chrom").is_not_null())
    doubled = keyed.filter(pl.struct(by).is_duplicated())
    if doubled.height:
        raise InputError(
            expected=f"one row per {', '.join(by)} in {path}",
            found=f"several for {first_few([' '.join(map(str, key)) for key in doubled.select(by).unique(maintain_order=True).rows()])}",
            action="keep one row for each",
        )
    return UserTable(declared, by, keyed.sort(by))


def _require(table: pl.DataFrame, names: Sequence[str], path: Path) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(
            expected=f"columns {first_few(names)} in {path}",
            found=f"no {first_few(missing)} among {first_few(table.columns, 12)}",
            action="a table needs gene_id, or chrom, position and strand, and the columns that --columns names",
        )


def _check_names(names: Sequence[str], dataset: Table, path: Path) -> None:
    taken = [name for name in names if name in dataset.names]
    odd = [name for name in names if not _PLAIN_NAME.fullmatch(name)]
    if not names or taken or odd:
        raise InputError(
            expected=f"new columns with plain names in {path}",
            found="none besides the keys"
            if not names
            else f"names the dataset has already: {first_few(taken)}"
            if taken
            else f"names with other characters than letters, digits and _: {first_few(odd)}",
            action="rename the columns, or choose others with --columns",
        )


def _declared(values: pl.Series, role: PatchRole, origin: PatchOrigin, path: Path) -> Column:
    numeric = values.dtype.is_numeric() or values.dtype == pl.Boolean
    if not numeric and role == "feature":
        raise InputError(
            expected=f"numbers in column {values.name} of {path}, to be a feature",
            found=f"{values.dtype}",
            action="give numbers, or add --role text",
        )
    numbers = values.cast(pl.Float32, strict=False) if numeric else None
    if numbers is not None and not numbers.drop_nulls().is_finite().all():
        raise InputError(
            expected=f"finite numbers in column {values.name} of {path}",
            found="NaN or infinite ones",
            action="leave unknown values empty",
        )
    dtype = pl.Float32 if numeric else pl.String
    return Column(values.name, dtype, role, origin, f"added later, from {path.name}", nullable=True)
