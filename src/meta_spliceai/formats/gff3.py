"""GFF3: rows that name their parents, as GENCODE, Ensembl and RefSeq write it.

An exon's parent is a transcript or, for some of RefSeq's pseudogenes and RNA genes, the gene itself, which then counts
as its own only transcript. A transcript's gene is found by climbing: RefSeq's miRNAs lie in a transcript that lies in
the gene.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from meta_spliceai.formats.gtf import CANONICAL_TAG
from meta_spliceai.formats.row_problems import RowProblems

KINDS = r"exon|\S*(?:[Gg]ene|_segment|RNA|[Tt]ranscript)"
"""Exons, and all kinds of genes and transcripts (`ncRNA_gene`, `lnc_RNA`, `V_gene_segment`, …)."""

_DEEPEST = 4
_DESCRIBED = ("gene_id", "transcript_id", "gene_name", "gene_type", "transcript_type", "is_canonical")


def parse_gff3(blocks: Iterable[pl.DataFrame], problems: RowProblems) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Exons, and what the rows say about genes and transcripts; parameters and results as of `gtf.parse_gtf`."""
    exons, nodes = [], []
    for rows in blocks:
        identified = problems.without_bad(rows).with_columns(id=_value("ID"), parent=_value("Parent"))
        good = problems.without_bad(identified.with_columns(problem=_missing_id()))
        exons.append(
            good.filter(pl.col("kind") == "exon")
            .select("line", "chrom", "strand", "start", "end", pl.col("parent").str.split(","))
            .explode("parent")
        )
        nodes.append(_nodes_of(good.filter(pl.col("kind") != "exon")))
    genes_of = _with_genes(pl.concat(nodes))
    found = pl.concat(exons).join(
        genes_of.select(parent="id", gene_id="gene_id", transcript_id="transcript_id"),
        on="parent",
        how="left",
        maintain_order="left",
    )
    orphan = pl.when(pl.col("gene_id").is_null()).then("the parent " + pl.col("parent") + " is not in the file")
    placed = problems.without_bad(found.with_columns(kind=pl.lit("exon"), problem=orphan))
    return placed.select("chrom", "strand", "start", "end", "gene_id", "transcript_id"), _described(genes_of)


def _value(*names: str) -> pl.Expr:
    """The value of the first of these attributes that is there, with GFF3's escapes undone."""
    attributes = pl.col("attributes")
    found = pl.coalesce([attributes.str.extract(rf"(?:^|;\s*){name}=([^;]+)") for name in names])
    for escape, letter in (("%2C", ","), ("%3B", ";"), ("%3D", "="), ("%26", "&"), ("%20", " "), ("%25", "%")):
        found = found.str.replace_all(escape, letter, literal=True)
    return found


def _missing_id() -> pl.Expr:
    return (
        pl.when((pl.col("kind") == "exon") & pl.col("parent").is_null())
        .then(pl.lit("no Parent"))
        .when((pl.col("kind") != "exon") & pl.col("id").is_null())
        .then(pl.lit("no ID"))
    )


def _nodes_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Genes and transcripts of a block, by ID."""
    is_gene = pl.col("kind").str.contains("[Gg]ene$")
    plain_id = pl.col("id").str.replace("^(?:gene|transcript|rna|id)[:-]", "")
    # RefSeq says a transcript's type by the kind of row; GENCODE's and Ensembl's rows have an attribute
    kind_of_transcript = pl.when(~pl.col("kind").is_in(["transcript", "gene"])).then(pl.col("kind"))
    return rows.select(
        "id", "chrom", "strand", "start", "end",
        parent=pl.col("parent").str.split(",").list.first(),
        is_gene=is_gene,
        own_gene_id=pl.coalesce(pl.when(is_gene).then(_value("gene_id")), plain_id),
        transcript_id=pl.coalesce(pl.when(~is_gene).then(_value("transcript_id")), plain_id),
        gene_name=pl.when(is_gene).then(_value("gene_name", "gene", "Name")).otherwise(_value("gene_name", "gene")),
        gene_type=_value("gene_type", "gene_biotype", "biotype"),
        transcript_type=pl.coalesce(_value("transcript_type", "transcript_biotype", "biotype"), kind_of_transcript),
        is_canonical=pl.col("attributes").str.contains(CANONICAL_TAG),
    )  # fmt: skip


def _with_genes(nodes: pl.DataFrame) -> pl.DataFrame:
    """The nodes with `gene_id`: of the gene above each, or of the topmost node where no gene is above."""
    nodes = nodes.unique("id", keep="first", maintain_order=True)
    above = nodes.select(top="id", next="parent", top_is_gene="is_gene", gene_id="own_gene_id")
    climbing = nodes.with_columns(top=pl.col("id")).join(above, on="top", how="left", maintain_order="left")
    for _ in range(_DEEPEST):
        stop = pl.col("top_is_gene") | pl.col("next").is_null() | ~pl.col("next").is_in(above["top"].implode())
        top = pl.when(stop).then(pl.col("top")).otherwise(pl.col("next"))
        climbing = (
            climbing.with_columns(top=top)
            .drop("next", "top_is_gene", "gene_id")
            .join(above, on="top", how="left", maintain_order="left")
        )
    return climbing


def _described(nodes: pl.DataFrame) -> pl.DataFrame:
    of_gene = pl.col("is_gene")
    as_gene = nodes.with_columns(
        transcript_id=pl.when(~of_gene).then(pl.col("transcript_id")),
        # a transcript's biotype is no gene type unless the transcript stands at the top itself
        gene_type=pl.when(of_gene | (pl.col("id") == pl.col("top"))).then(pl.col("gene_type")),
        transcript_type=pl.when(~of_gene).then(pl.col("transcript_type")),
        is_canonical=~of_gene & pl.col("is_canonical"),
    )
    own_transcript = nodes.filter(of_gene)
    both = pl.concat([as_gene, own_transcript])
    return both.select("chrom", "strand", "start", "end", *_DESCRIBED)
