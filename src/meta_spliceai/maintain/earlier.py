"""Datasets of the implementation that came before this one: what their positions mean, found out or refused.

They are folders of Parquet files without a manifest. A position there is counted from a gene's 5' end, from 0, in the
direction of transcription; on the plus strand from one base before the annotated start, because the recorded start was
0-based; and a site is named by the base of the *intron* next to the exon. Other writers of such files counted otherwise.
Which it was is not guessed: the labelled sites are looked up in a reference under each named convention, and one of them
must explain nearly all sites.

Where sites are named by their intron base, rows that are no site cannot be placed: they were counted on score vectors that
had been shifted for donors and for acceptors apart, and a row does not say which. They are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from meta_spliceai.errors import InputError, SchemaError, StoreError, first_few
from meta_spliceai.genome.labels import NEITHER, PRED_TYPES, SITE_TYPES
from meta_spliceai.reference.genes import without_version
from meta_spliceai.reference.load import Reference

Frame = Literal["genomic", "gene", "gene_from_recorded_start"]
Side = Literal["exon", "intron"]

_LABELS = ("splice_type", "label", "site_type")
_NEEDED = ("gene_id", "position", "strand")
_EXPLAINED, _CHANCE = 0.95, 0.5


@dataclass(frozen=True, slots=True)
class Convention:
    """What a position means.

    Parameters
    ----------
    frame
        `genomic`: 1-based on the contig. `gene`: from 0, from the gene's 5' end. `gene_from_recorded_start`: the same, but
        on the plus strand from one base before the gene.
    side
        Which base names a site: the last or first base of the `exon`, or the base of the `intron` next to it.
    """

    frame: Frame
    side: Side

    def __str__(self) -> str:
        counted = {
            "genomic": "1-based genomic positions",
            "gene": "positions from 0 from the gene's 5' end",
            "gene_from_recorded_start": "positions from 0 from the gene's 5' end, on the plus strand from one base before it",
        }
        return f"{counted[self.frame]}, sites named by their {self.side} base"


CONVENTIONS: tuple[Convention, ...] = tuple(
    Convention(frame, side) for frame in ("genomic", "gene", "gene_from_recorded_start") for side in ("exon", "intron")
)


@dataclass(frozen=True, slots=True)
class EarlierDataset:
    """The files of such a dataset.

    Parameters
    ----------
    path
        The folder.
    files
        Its Parquet files, by name.
    label
        The column that holds donor, acceptor or neither.
    columns
        All column names of the first file.
    """

    path: Path
    files: tuple[Path, ...]
    label: str
    columns: tuple[str, ...]


def find_earlier(path: Path) -> EarlierDataset | None:
    """The dataset in a folder (or in its master folder) if it has the columns of that implementation, else None.

    Raises
    ------
    StoreError
        A file cannot be read.
    SchemaError
        The label is no text.
    """
    folder = path / "master" if (path / "master").is_dir() else path
    files = tuple(sorted(folder.glob("*.parquet")))
    if not files:
        return None
    try:
        schema = pl.read_parquet_schema(files[0])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            expected=f"a readable Parquet file {files[0]}",
            found=str(error).splitlines()[0],
            action="restore the file, or move it away",
        ) from error
    label = next((name for name in _LABELS if name in schema), None)
    if label is None or any(name not in schema for name in _NEEDED):
        return None
    if schema[label] != pl.String:
        raise SchemaError(
            expected=f"donor, acceptor or neither in column {label} of {files[0]}",
            found=f"values of type {schema[label]}, which do not say which number means what",
            action="write the label as text first",
        )
    return EarlierDataset(path, files, label, tuple(schema))


def read_part(dataset: EarlierDataset, file: Path) -> pl.DataFrame:
    """The columns of one file that can be converted, under our names.

    Returns
    -------
    DataFrame
        gene_id, position and site_position (as they are there), splice_type, and, where the file has them,
        transcript_id and pred_type.
    """
    held = pl.read_parquet_schema(file)
    missing = [name for name in (*_NEEDED, dataset.label) if name not in held]
    if missing:
        raise SchemaError(
            f"the columns of {dataset.files[0].name} in {file}", f"no {first_few(missing)}", "move the file away"
        )
    label = pl.col(dataset.label).str.to_lowercase()
    position = pl.col("position").cast(pl.Int64)
    # a called site was filed under the base that was called, up to two bases beside the site
    site = pl.coalesce(pl.col("true_position").cast(pl.Int64), position) if "true_position" in held else position
    columns = {
        "gene_id": pl.col("gene_id").cast(pl.String),
        "position": position,
        "site_position": site,
        "splice_type": pl.when(label.is_in(SITE_TYPES)).then(label).otherwise(pl.lit(NEITHER)),
    }
    for name in ("transcript_id", "pred_type"):
        if name in held:
            columns[name] = pl.col(name).cast(pl.String).replace("", None)
    rows = pl.scan_parquet(file, glob=False).select(**columns).collect()
    if "pred_type" in rows.columns and not set(rows["pred_type"].drop_nulls().unique()) <= set(PRED_TYPES):
        rows = rows.drop("pred_type")
    return rows


@dataclass(frozen=True, slots=True)
class Genes:
    """The reference's genes by the ids that a dataset uses: their_id, gene_id, gene_name, gene_type, chrom, strand, start, end."""

    table: pl.DataFrame
    missing: tuple[str, ...]


def match_genes(reference: Reference, their_ids: Sequence[str]) -> Genes:
    """Find genes by id, with or without version."""
    genes = reference.genes.select("gene_id", "gene_name", "gene_type", "chrom", "strand", "start", "end", "ordinal")
    by_id = {gene_id: gene_id for gene_id in genes["gene_id"]}
    by_bare = {without_version(gene_id): gene_id for gene_id in genes["gene_id"]}
    ours = {their: by_id.get(their, by_bare.get(without_version(their))) for their in their_ids}
    missing = tuple(sorted(their for their, our in ours.items() if our is None))
    pairs = pl.DataFrame(
        [(their, our) for their, our in ours.items() if our is not None],
        schema={"their_id": pl.String, "gene_id": pl.String},
        orient="row",
    )
    return Genes(genes.join(pairs, on="gene_id", maintain_order="left"), missing)


def placed(rows: pl.DataFrame, genes: pl.DataFrame, convention: Convention) -> pl.DataFrame:
    """Rows of known genes with their genomic positions under a convention; `position` is 1-based and of the exon's side.

    Rows whose base the convention cannot tell have position null.
    """
    joined = rows.rename({"gene_id": "their_id"}).join(genes, on="their_id", maintain_order="left")
    is_site = pl.col("splice_type") != NEITHER
    given = pl.when(is_site).then("site_position").otherwise("position")
    plus = pl.col("strand") == "+"
    if convention.frame == "genomic":
        genomic = given
    else:
        first = pl.col("start") - (1 if convention.frame == "gene_from_recorded_start" else 0)
        genomic = pl.when(plus).then(first + given).otherwise(pl.col("end") - given)
    if convention.side == "intron":
        # along the transcript the exon's base is one before an intron's first base, and one after its last
        along = pl.when(pl.col("splice_type") == "donor").then(-1).otherwise(1)
        genomic = pl.when(is_site).then(genomic + pl.when(plus).then(along).otherwise(-along))
    elif convention.frame == "gene_from_recorded_start":
        # only sites were counted from there; scores were counted from the gene's first base
        genomic = pl.when(is_site).then(genomic)
    return joined.with_columns(position=genomic)


def recognise(rows: pl.DataFrame, genes: pl.DataFrame, sites: pl.DataFrame) -> tuple[Convention, dict[str, float]]:
    """Find the convention under which the labelled sites of the rows are sites of the reference.

    Returns
    -------
    tuple
        The convention, and the share of sites each one explains, by its description.

    Raises
    ------
    InputError
        No convention explains 95 % of the sites, or a second one explains half of them.
    """
    labelled = rows.filter(pl.col("splice_type") != NEITHER)
    known = sites.select("gene_id", "position", "splice_type").unique()
    shares = {}
    for convention in CONVENTIONS:
        found = placed(labelled, genes, convention).join(known, on=["gene_id", "position", "splice_type"], how="semi")
        shares[convention] = found.height / labelled.height if labelled.height else 0.0
    best, second = sorted(shares, key=lambda c: shares[c], reverse=True)[:2]
    described = {str(convention): share for convention, share in shares.items()}
    if shares[best] < _EXPLAINED or shares[second] >= _CHANCE:
        rates = "; ".join(f"{100 * share:.1f} %: {name}" for name, share in described.items())
        raise InputError(
            expected=f"one convention under which {100 * _EXPLAINED:.0f} % of the labelled sites are sites of the reference",
            found=f"of {labelled.height:,} sites: {rates}",
            action="give the reference of the build and annotation the dataset was made with; positions are never guessed",
        )
    return best, described
