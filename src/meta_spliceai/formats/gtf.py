"""GTF: `gene_id "…"; transcript_id "…";` as GENCODE, Ensembl and RefSeq write it."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from meta_spliceai.formats.row_problems import RowProblems

KINDS = "exon|transcript|gene"

CANONICAL_TAG = r"tag[ =]\"?(?:[^;\"]*,)?(?:Ensembl_canonical|MANE[_ ]Select|appris_principal|spliceai_canonical)"
"""A tag by which an annotation says that a transcript stands for its gene."""

_TRANSCRIPT = ["chrom", "strand", "gene_id", "transcript_id"]


def parse_gtf(blocks: Iterable[pl.DataFrame], problems: RowProblems) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Exons, and what the rows say about genes and transcripts.

    Parameters
    ----------
    blocks
        Rows as `feature_rows.read_rows` gives them.

    Returns
    -------
    exons
        chrom, strand, start, end, gene_id, transcript_id; 0-based half-open, in the file's order.
    descriptions
        chrom, strand, start, end, gene_id, transcript_id (null in a gene's own row), gene_name, gene_type,
        transcript_type (null where the row does not say), is_canonical; at least one row per transcript.
    """
    exons, descriptions = [], []
    for rows in blocks:
        identified = problems.without_bad(rows).with_columns(
            gene_id=_value("gene_id"), transcript_id=_value("transcript_id")
        )
        good = problems.without_bad(identified.with_columns(problem=_missing_id()))
        in_exons = good.filter(pl.col("kind") == "exon")
        exons.append(in_exons.select("chrom", "strand", "start", "end", "gene_id", "transcript_id"))
        # where a file has exon rows only, the first one of each transcript has to speak for it
        spoken_for = in_exons.unique(_TRANSCRIPT, keep="first", maintain_order=True)
        descriptions.append(_described(pl.concat([good.filter(pl.col("kind") != "exon"), spoken_for])))
    return pl.concat(exons), pl.concat(descriptions)


def _value(*names: str) -> pl.Expr:
    """The value of the first of these attributes that is there and not empty."""
    attributes = pl.col("attributes")
    found = [attributes.str.extract(rf'(?:^|;\s*){name}\s+"?([^";]+)') for name in names]
    return pl.coalesce(found) if len(found) > 1 else found[0]


def _missing_id() -> pl.Expr:
    return (
        pl.when(pl.col("gene_id").is_null())
        .then(pl.lit("no gene_id"))
        .when(pl.col("transcript_id").is_null() & (pl.col("kind") != "gene"))
        .then(pl.lit("no transcript_id"))
    )


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    # Ensembl 75 and older give the transcript's biotype in the second field, and tell the true source in an attribute
    in_source = pl.when(_value("transcript_source").is_not_null()).then(pl.col("source"))
    of_gene = pl.col("kind") == "gene"
    return rows.select(
        "chrom",
        "strand",
        "start",
        "end",
        "gene_id",
        transcript_id=pl.when(~of_gene).then(pl.col("transcript_id")),
        gene_name=_value("gene_name", "gene"),
        gene_type=_value("gene_type", "gene_biotype"),
        transcript_type=pl.when(~of_gene).then(pl.coalesce(_value("transcript_type", "transcript_biotype"), in_source)),
        is_canonical=~of_gene & pl.col("attributes").str.contains(CANONICAL_TAG),
    )
