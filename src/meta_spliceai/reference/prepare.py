"""From a genome and an annotation to a checked reference folder."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.formats.annotation import Annotation, read_annotation
from meta_spliceai.formats.fasta import Genome, open_genome
from meta_spliceai.genome.sites import MIN_INTRON, introns_of, split_by_length
from meta_spliceai.reference import derive, guard
from meta_spliceai.reference.load import FORMAT_VERSION, KIND, Reference, load
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE
from meta_spliceai.store.atomic import link_or_copy
from meta_spliceai.store.fingerprint import file_sha256, fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import write_parquet, write_tsv

log = logging.getLogger(__name__)

SHORT_GAPS = "short_gaps.tsv"
_TABLES_PART = "tables"
_GENOME_PART = "genome"


def prepare(
    *, fasta: Path, gtf: Path, build: str, out: Path, min_intron: int = MIN_INTRON, overwrite: bool = False
) -> Reference:
    """Check a genome and an annotation against each other and derive the tables that everything else reads.

    Nothing is written unless the check passes. Calling it again with the same files does nothing.

    Parameters
    ----------
    fasta
        Genome: FASTA, bgzip-compressed FASTA or 2bit. It is linked into the folder, not copied, where that is possible.
    gtf
        Annotation of the same build: GTF or GFF3, plain or gzip-compressed.
    build
        Name of the build, such as GRCh38.
    out
        Folder of the reference.
    min_intron
        Gaps between exons shorter than this many nt are annotation artefacts: listed, never labels.
    overwrite
        Start anew where `out` holds a reference made from other files or options.

    Raises
    ------
    GuardError
        Genome and annotation do not belong together.
    InputError
        A file is missing, cut off or not understood.
    """
    if not build.strip():
        raise InputError(
            "a name for --build, such as GRCh38", "an empty one", "give the build of genome and annotation"
        )
    with open_genome(fasta) as genome:
        log.info("reading %s", gtf.name)
        annotation, dropped, genes_dropped = guard.with_genome_names(read_annotation(gtf), genome)
        introns, short = split_by_length(introns_of(annotation.exons), min_intron)
        checked = guard.check_introns(introns, genome)
        report = dataclasses.replace(checked, dropped_contigs=dropped, dropped_genes=genes_dropped)
        _say(annotation, report, short)
        inputs = {"fasta": file_sha256(fasta), "gtf": file_sha256(gtf)}
        parameters = {"build": build, "min_intron": min_intron}
        with Folder.opened(
            out, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs, overwrite=overwrite
        ) as store:
            identity = fingerprint([parameters, inputs])
            if not store.is_done(_GENOME_PART, identity):
                store.record(_GENOME_PART, _linked_genome(out, fasta, identity, inputs["fasta"]))
            if not store.is_done(_TABLES_PART, identity):
                store.record(_TABLES_PART, _written_tables(out, annotation, introns, short, genome, identity))
            facts = {
                "genome_file": _genome_name(fasta),
                "guard": dataclasses.asdict(report),
                "short_gaps": short.height,
                "genes": annotation.genes.height,
            }
            store.finalise({_GENOME_PART: identity, _TABLES_PART: identity}, facts)
    return load(out)


def _say(annotation: Annotation, report: guard.GuardReport, short: pl.DataFrame) -> None:
    share = (
        "" if report.canonical_share is None else f", {100 * report.canonical_share:.1f} % of them read as introns do"
    )
    log.info("%d genes, %d distinct introns%s", annotation.genes.height, report.introns, share)
    if short.height:
        log.info("%d gaps between exons are too short for introns; see %s", short.height, SHORT_GAPS)


def _genome_name(fasta: Path) -> str:
    suffix = ".2bit" if fasta.suffix == ".2bit" else ".fa.gz" if fasta.suffix in (".gz", ".bgz") else ".fa"
    return f"genome{suffix}"


def _linked_genome(out: Path, fasta: Path, identity: str, sha256: str) -> PartEntry:
    name = _genome_name(fasta)
    link_or_copy(fasta.resolve(), out / name)
    with open_genome(out / name):  # makes the index beside the link
        pass
    entry = dataclasses.replace(describe_file(out, name), sha256=sha256)
    return PartEntry(identity, (entry,))


def _written_tables(
    out: Path, annotation: Annotation, introns: pl.DataFrame, short: pl.DataFrame, genome: Genome, identity: str
) -> PartEntry:
    genes = derive.reference_order(annotation.genes, list(genome.contigs))
    transcripts, exons = derive.transcript_table(annotation, introns), derive.exon_table(annotation)
    sites, overlaps = derive.site_table(introns, genome), derive.overlap_table(genes)
    gene_table = derive.gene_table(genes, transcripts, exons, sites, overlaps)
    files = []
    for table, frame in (
        (TRANSCRIPT_TABLE, transcripts),
        (EXON_TABLE, exons),
        (SITE_TABLE, sites),
        (OVERLAP_TABLE, overlaps),
        (GENE_TABLE, gene_table),
    ):
        write_parquet(frame, out / f"{table.name}.parquet", table)
        write_tsv(frame, out / f"{table.name}.tsv")
        files += [describe_file(out, f"{table.name}.{kind}", frame.height) for kind in ("parquet", "tsv")]
    gaps = derive.on_disk(short).select("chrom", "strand", "start", "end", "gene_id", "transcript_id")
    write_tsv(gaps, out / SHORT_GAPS)
    return PartEntry(identity, (*files, describe_file(out, SHORT_GAPS, gaps.height)))
