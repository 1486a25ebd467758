"""A saved split: one row per gene below a line that says how it was made, and what is refused when it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import GeneError, InputError, SchemaError, first_few
from meta_spliceai.schema.check import check_frame
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.train.groups import overlap_groups
from meta_spliceai.train.split import LEFT_OUT, SPLIT_TABLE

_MADE_BY = "# meta-spliceai split: "


@dataclass(frozen=True, slots=True)
class SavedSplit:
    """A split as its file holds it.

    Parameters
    ----------
    table
        `SPLIT_TABLE`.
    made
        How it was made: scheme, seed, build, …; empty where the file does not say.
    """

    table: pl.DataFrame
    made: Mapping[str, Any]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.table["fold"].max()) + 1  # type: ignore[arg-type]


def write_split(path: Path, table: pl.DataFrame, made: Mapping[str, Any]) -> None:
    """Write a split as TSV, whole or not at all."""
    head = f"{_MADE_BY}{json.dumps(dict(made), sort_keys=True)}\n"
    write_bytes(path, (head + table.write_csv(separator="\t")).encode())


def read_split(path: Path) -> SavedSplit:
    """Read a saved split.

    Raises
    ------
    InputError
        There is no such file, or it is no table.
    SchemaError
        Columns or values that a split does not have.
    """
    expected = f"a split as `meta-spliceai split plan` writes it in {path}"
    try:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        made = json.loads(first.removeprefix(_MADE_BY)) if first.startswith(_MADE_BY) else {}
        schema = SPLIT_TABLE.polars_schema()
        table = pl.read_csv(path, separator="\t", comment_prefix="#", schema_overrides=schema, infer_schema=False)
    except FileNotFoundError as error:
        raise InputError(
            expected, "no such file", "make one with `meta-spliceai split plan`, or name family, gene or chromosome"
        ) from error
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise InputError(expected, str(error).splitlines()[0], "make it again, or correct the file") from error
    return SavedSplit(check_frame(table, SPLIT_TABLE, source=str(path)), made)


def split_of(saved: SavedSplit, genes: pl.DataFrame, known: pl.Series, path: Path) -> pl.DataFrame:
    """The rows of a saved split for some genes, in their order.

    Parameters
    ----------
    genes
        gene_id, gene_name, chrom, start, end of the genes that are to be divided.
    known
        The ids of all genes of the reference; the split may name more of them than `genes` holds.
    path
        The file, for messages.

    Raises
    ------
    GeneError
        Genes that the split does not name, names twice, or that the reference does not have.
    SchemaError
        Folds that are not numbered from 0, or genes that overlap or resemble one another in different folds.
    """
    table = saved.table
    ids = set(table["gene_id"])
    _refuse_genes("each gene once", "named twice", table.filter(table["gene_id"].is_duplicated()), path)
    _refuse_genes("genes of the reference", "unknown", table.filter(~pl.col("gene_id").is_in(known.to_list())), path)
    _refuse_genes("all genes of the dataset", "missing", genes.filter(~pl.col("gene_id").is_in(list(ids))), path)
    own = genes.select("gene_id").join(table, on="gene_id", how="left", maintain_order="left")
    used = own.filter(pl.col("fold") >= 0)["fold"].unique().sort().to_list()
    if len(used) < 2 or used != list(range(len(used))):
        raise SchemaError(
            expected=f"at least two folds, numbered from 0, of the dataset's genes in {path}",
            found=f"folds {first_few(used)}" if used else "none",
            action="make a split of these genes with `meta-spliceai split plan`",
        )
    overlapping = own.with_columns(overlap=overlap_groups(genes))
    _refuse_mixed(overlapping, "overlap", "genes that overlap", path)
    _refuse_mixed(own, "group", "genes of one group", path)
    if saved.made.get("scheme") != "gene":
        _refuse_mixed(own, "family", "genes of one family", path)
    return own


def _refuse_genes(expected: str, problem: str, rows: pl.DataFrame, path: Path) -> None:
    if rows.height:
        named = rows["gene_id"].unique(maintain_order=True).to_list()
        raise GeneError(
            expected=f"{expected} in {path}",
            found=f"{len(named)} {problem}: {first_few(named)}",
            action="make a split of these genes with `meta-spliceai split plan`",
        )


def _refuse_mixed(split: pl.DataFrame, column: str, what: str, path: Path) -> None:
    """Genes that belong together must have one fold, but for those that are left out."""
    used = split.filter(pl.col("fold") != LEFT_OUT)
    mixed = used.filter(pl.col("fold").n_unique().over(column) > 1).sort(column)
    if mixed.height:
        shown = mixed.filter(pl.col(column) == mixed[column][0])
        named = [f"{row['gene_name']} (fold {row['fold']})" for row in shown.iter_rows(named=True)]
        raise SchemaError(
            expected=f"{what} on one side in {path}",
            found=f"{mixed[column].n_unique()} mixed, such as {first_few(named, 8)}",
            action="give them one fold, or leave some out (side left_out, fold -2); `meta-spliceai split plan` does",
        )
