"""An annotation on the contigs of a genome: matched names, genes inside their contigs, and one id per gene."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from meta_spliceai.errors import GuardError, first_few
from meta_spliceai.formats.annotation import Annotation
from meta_spliceai.formats.contigs import match_contigs

log = logging.getLogger(__name__)

_GENE = ["chrom", "strand", "gene_id"]


@dataclass(frozen=True, slots=True)
class Placement:
    """An annotation in the genome's words.

    Parameters
    ----------
    annotation
        Contigs named as in the genome, every gene_id once.
    left_out
        Genes left out because the genome lacks their contig, by contig.
    without_exons
        Number of genes left out because the annotation gives no exons for them: their sites are not known.
    renamed
        New ids by place, of genes whose id the annotation uses on several contigs or strands.
    """

    annotation: Annotation
    left_out: Mapping[str, int]
    without_exons: int
    renamed: Mapping[str, str]


def place(annotation: Annotation, contigs: Mapping[str, int]) -> Placement:
    """Bring an annotation onto the contigs (length by name) of a genome.

    Raises
    ------
    GuardError
        No contig matches, or a gene reaches beyond its contig's end.
    """
    matched, left_out = _onto_contigs(annotation, contigs)
    _check_ends(matched.genes, contigs)
    with_exons = matched.genes.join(matched.exons.select(_GENE).unique(), on=_GENE, how="semi", maintain_order="left")
    without_exons = matched.genes.height - with_exons.height
    if without_exons:
        log.warning("%s genes have no exons in the annotation and are left out", f"{without_exons:,}")
    unique, renamed = _one_id_per_gene(Annotation(with_exons, matched.transcripts, matched.exons), contigs)
    return Placement(unique, left_out, without_exons, renamed)


def in_reference_order(contigs: Mapping[str, int], *columns: str) -> list[pl.Expr]:
    """Sort keys: the contig in the genome's order, then the columns."""
    return [pl.col("chrom").cast(pl.Enum(list(contigs))), *(pl.col(name) for name in columns)]


def _onto_contigs(annotation: Annotation, contigs: Mapping[str, int]) -> tuple[Annotation, dict[str, int]]:
    match = match_contigs(annotation.genes["chrom"].unique(maintain_order=True), contigs)
    if not match.to_genome:
        raise GuardError(
            expected="contigs of the annotation in the genome (chr1 and 1, chrM and MT, NC_000001 and chr1 are the same)",
            found=f"none: the annotation has {first_few(match.unmatched)}; the genome has {first_few(list(contigs))}",
            action="give an annotation and a genome of the same species and assembly, with the usual contig names",
        )
    counts = dict(annotation.genes.group_by("chrom").len().iter_rows())
    left_out = {name: int(counts[name]) for name in match.unmatched}
    if left_out:
        log.warning(
            "%s of %s genes are left out: the genome has no contig %s (it has %s); an annotation of the whole genome "
            "beside a part of the sequence is the usual reason",
            f"{sum(left_out.values()):,}",
            f"{annotation.genes.height:,}",
            first_few(list(left_out)),
            first_few(list(contigs)),
        )

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        kept = frame.filter(pl.col("chrom").is_in(list(match.to_genome)))
        return kept.with_columns(pl.col("chrom").replace_strict(match.to_genome))

    return Annotation(
        *(renamed(part) for part in (annotation.genes, annotation.transcripts, annotation.exons))
    ), left_out


def _check_ends(genes: pl.DataFrame, contigs: Mapping[str, int]) -> None:
    length = pl.col("chrom").replace_strict(dict(contigs), return_dtype=pl.Int64)
    beyond = genes.with_columns(length=length).filter(pl.col("end") > pl.col("length"))
    if beyond.height:
        shown = [
            f"{gene['gene_id']} at {gene['chrom']}:{gene['start'] + 1:,}-{gene['end']:,} "
            f"({gene['chrom']} has {gene['length']:,} nt)"
            for gene in beyond.head(5).iter_rows(named=True)
        ]
        raise GuardError(
            expected="every gene inside its contig",
            found=f"{beyond.height:,} of {genes.height:,} beyond its end: {first_few(shown, 3)}",
            action="use the genome of the annotation's own build; if it is that one, its file was cut off or is a part",
        )


def _one_id_per_gene(annotation: Annotation, contigs: Mapping[str, int]) -> tuple[Annotation, dict[str, str]]:
    """Give genes that share an id on several contigs or strands (pseudoautosomal ones, say) ids of their own.

    The first in reference order keeps its id; the others become `id@contig:strand`.
    """
    ordered = annotation.genes.sort(in_reference_order(contigs, "start", "end", "strand"))
    doubled = ordered.filter(~pl.col("gene_id").is_first_distinct())
    if doubled.is_empty():
        return annotation, {}
    new = doubled.select(*_GENE, new_id=pl.format("{}@{}:{}", "gene_id", "chrom", "strand"))
    log.warning(
        "%s genes share their id with one on another contig or strand and are renamed: %s",
        f"{new.height:,}", first_few(new["new_id"].to_list()),
    )  # fmt: skip

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(new, on=_GENE, how="left", maintain_order="left")
        return joined.with_columns(gene_id=pl.coalesce("new_id", "gene_id")).drop("new_id")

    parts = (annotation.genes, annotation.transcripts, annotation.exons)
    return Annotation(*(renamed(part) for part in parts)), dict(new.select("new_id", "gene_id").iter_rows())
