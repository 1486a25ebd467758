"""Genes, transcripts and exons of an annotation in GTF or GFF3, plain or compressed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.formats import gff3, gtf
from meta_spliceai.formats.feature_rows import first_data_line, read_rows
from meta_spliceai.formats.row_problems import RowProblems

_GENE = ["chrom", "strand", "gene_id"]
_TRANSCRIPT = [*_GENE, "transcript_id"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation; all starts and ends are 0-based half-open, ids and contigs as the file writes them.

    Parameters
    ----------
    genes
        gene_id, gene_name, gene_type (null where the file does not say), chrom, strand, start, end. A gene spans its
        own row and its exons. The same gene_id on two contigs or strands gives two rows. Genes without exons are kept.
    transcripts
        transcript_id, gene_id, transcript_type (or null), is_canonical, chrom, strand, start, end; spans of the exons.
        `is_canonical` is null everywhere when the file tags no transcript as canonical, MANE Select or principal.
    exons
        gene_id, transcript_id, chrom, strand, start, end.
    """

    genes: pl.DataFrame
    transcripts: pl.DataFrame
    exons: pl.DataFrame


def read_annotation(path: Path) -> Annotation:
    """Read a GTF or GFF3 file; which of the two it is, its content says.

    Raises
    ------
    InputError
        The file is missing, cut off, without exons, or has malformed exon rows (the first few are named by line).
    """
    first = first_data_line(path)
    if not first:
        raise _without_exons(path, "the file has no rows")
    problems = RowProblems(path)
    if _is_gff3(first):
        exons, descriptions = gff3.parse_gff3(read_rows(path, gff3.KINDS), problems)
    else:
        exons, descriptions = gtf.parse_gtf(read_rows(path, gtf.KINDS), problems)
    problems.report()
    if exons.is_empty():
        raise _without_exons(path, f"none; the first row is {first.strip()[:120]!r}")
    return _assemble(exons.unique(maintain_order=True), descriptions)


def _without_exons(path: Path, found: str) -> InputError:
    return InputError(f"exon rows in {path}", found, "give an annotation in GTF or GFF3 with exon rows")


def _is_gff3(line: str) -> bool:
    """Whether the attributes of a row are `name=value`, not `name "value"`."""
    return re.match(r"\s*[^\s=\"]+=", line.split("\t")[-1]) is not None


def _assemble(exons: pl.DataFrame, descriptions: pl.DataFrame) -> Annotation:
    spans = exons.group_by(_TRANSCRIPT).agg(pl.col("start").min(), pl.col("end").max())
    said = descriptions.filter(pl.col("transcript_id").is_not_null()).group_by(_TRANSCRIPT)
    transcripts = spans.join(
        said.agg(_first_said("transcript_type"), pl.col("is_canonical").any()), on=_TRANSCRIPT, how="left"
    )
    if not transcripts["is_canonical"].any():
        transcripts = transcripts.with_columns(is_canonical=pl.lit(None, dtype=pl.Boolean))
    names = descriptions.group_by(_GENE, maintain_order=True).agg(_first_said("gene_name"), _first_said("gene_type"))
    rows_of_genes = descriptions.filter(pl.col("transcript_id").is_null())
    extent = pl.concat([rows_of_genes.select(*_GENE, "start", "end"), spans.select(*_GENE, "start", "end")])
    genes = extent.group_by(_GENE).agg(pl.col("start").min(), pl.col("end").max()).join(names, on=_GENE, how="left")
    where = ["chrom", "strand", "start", "end"]
    return Annotation(
        genes.select("gene_id", "gene_name", "gene_type", *where).sort("chrom", "start", "end", "gene_id", "strand"),
        transcripts.select("transcript_id", "gene_id", "transcript_type", "is_canonical", *where).sort(
            "chrom", "start", "end", "transcript_id", "gene_id", "strand"
        ),
        exons.select("gene_id", "transcript_id", *where),
    )


def _first_said(column: str) -> pl.Expr:
    return pl.col(column).drop_nulls().first()
