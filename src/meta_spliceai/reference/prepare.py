"""From a genome and an annotation to a checked reference folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meta_spliceai.errors import InputError
from meta_spliceai.formats.annotation import read_annotation
from meta_spliceai.formats.bgzip import GZIP_MAGIC
from meta_spliceai.formats.fasta import index_path, open_genome
from meta_spliceai.genome.sites import MIN_INTRON, introns_of, split_by_length
from meta_spliceai.reference.derive import ReferenceTables, derive_tables
from meta_spliceai.reference.guard import IntronCheck, check_introns
from meta_spliceai.reference.load import FORMAT_VERSION, GENOME_PART, KIND, TABLES_PART, Reference, load
from meta_spliceai.reference.placement import Placement, place
from meta_spliceai.schema.tables import SHORT_GAP_TABLE
from meta_spliceai.store.atomic import disk_errors, link_or_copy, remove, written_aside
from meta_spliceai.store.fingerprint import file_sha256, fingerprint
from meta_spliceai.store.folder import MANIFEST, FileEntry, Folder, PartEntry, describe_file
from meta_spliceai.store.tables import write_parquet, write_tsv

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What decides the content of the folder."""

    fasta: Path
    gtf: Path
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]

    @property
    def identity(self) -> str:
        return fingerprint([self.parameters, self.inputs])

    @property
    def parts(self) -> dict[str, str]:
        return {GENOME_PART: self.identity, TABLES_PART: self.identity}


@dataclass(frozen=True, slots=True)
class _Checked:
    """Everything that is computed before the first byte is written."""

    placement: Placement
    check: IntronCheck
    tables: ReferenceTables

    def facts(self) -> dict[str, Any]:
        """What the reference says about itself in its manifest."""
        placed = self.placement
        return {
            "genes": self.tables.genes.height,
            "transcripts": self.tables.transcripts.height,
            "splice_sites": self.tables.splice_sites.select("chrom", "strand", "position").n_unique(),
            "introns": {**asdict(self.check), "checked": self.check.checked, "rate": self.check.rate},
            "short_gaps": self.tables.short_gaps.select("chrom", "strand", "start", "end").n_unique(),
            "genes_left_out": sum(placed.left_out.values()) + placed.without_exons,
            "genes_left_out_by_missing_contig": dict(placed.left_out),
            "genes_left_out_without_exons": placed.without_exons,
            "genes_renamed": dict(placed.renamed),
        }


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
    PlanMismatchError
        `out` holds a reference made from other files or options.
    """
    plan = _plan_of(fasta, gtf, build, min_intron)
    if not overwrite and (out / MANIFEST).exists() and _is_finished(plan, out):
        log.info("the reference in %s is finished; nothing to do", out)
        return load(out)
    checked = _checked(plan)
    with _folder(plan, out, overwrite=overwrite) as store:
        if not store.is_done(GENOME_PART, plan.identity):
            store.record(GENOME_PART, _link_genome(plan, out))
        if not store.is_done(TABLES_PART, plan.identity):
            store.record(TABLES_PART, _write_tables(plan, checked.tables, out))
        store.finalise(plan.parts, checked.facts())
    return load(out)


def _plan_of(fasta: Path, gtf: Path, build: str, min_intron: int) -> _Plan:
    if not build.strip():
        raise InputError("a name for --build, such as GRCh38", "an empty one", "give the build of the genome")
    if min_intron < 1:
        raise InputError("--min-intron of at least 1", f"{min_intron}", "give a number of bases; 20 is usual")
    for option, path in (("--fasta", fasta), ("--gtf", gtf)):
        if not path.is_file():
            raise InputError(f"a file for {option}", f"none at {path}", "check the path")
    inputs = {"fasta": file_sha256(fasta), "gtf": file_sha256(gtf)}
    return _Plan(fasta, gtf, {"build": build, "min_intron": min_intron}, inputs)


def _folder(plan: _Plan, out: Path, *, overwrite: bool) -> Any:
    return Folder.opened(
        out,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=plan.parameters,
        inputs=plan.inputs,
        overwrite=overwrite,
    )


def _is_finished(plan: _Plan, out: Path) -> bool:
    """Whether all of it is there; a folder made from something else is refused before any work is done."""
    with _folder(plan, out, overwrite=False) as store:
        return bool(store.manifest.complete) and all(store.is_done(part, plan.identity) for part in plan.parts)


def _checked(plan: _Plan) -> _Checked:
    build, min_intron = plan.parameters["build"], plan.parameters["min_intron"]
    with open_genome(plan.fasta) as genome:
        log.info("reading %s", plan.gtf.name)
        placement = place(read_annotation(plan.gtf), genome.contigs)
        introns, short_gaps = split_by_length(introns_of(placement.annotation.exons), min_intron)
        check = check_introns(introns, genome, build)
        tables = derive_tables(placement.annotation, introns, short_gaps, genome)
    rate = "" if check.rate is None else f", {100 * check.rate:.1f} % of them read GT-AG, GC-AG or AT-AC"
    log.info("%s genes, %s distinct introns%s", f"{tables.genes.height:,}", f"{check.introns:,}", rate)
    if short_gaps.height:
        log.info("gaps between exons too short for introns are listed in %s.tsv", SHORT_GAP_TABLE.name)
    return _Checked(placement, check, tables)


def _link_genome(plan: _Plan, out: Path) -> PartEntry:
    name = _genome_name(plan.fasta)
    linked = out / name
    _link(plan.fasta.resolve(), linked)
    if index_path(plan.fasta).is_file():
        with written_aside(index_path(linked)) as aside:
            shutil.copyfile(index_path(plan.fasta), aside)
    open_genome(linked).close()  # makes the index where there was none to copy, or none that fits
    return PartEntry(plan.identity, (FileEntry(name, linked.stat().st_size, None, plan.inputs["fasta"]),))


def _genome_name(fasta: Path) -> str:
    if fasta.suffix == ".2bit":
        return "genome.2bit"
    with fasta.open("rb") as stream:
        return "genome.fa.gz" if stream.read(2) == GZIP_MAGIC else "genome.fa"


def _link(source: Path, destination: Path) -> None:
    """A hard link, a symbolic link on another file system, or a copy where there are no links."""
    # renaming a link onto another link of the same file does nothing and would leave both
    remove(destination)
    if source.stat().st_dev == destination.parent.stat().st_dev:
        link_or_copy(source, destination)
        return
    with disk_errors(destination):
        try:
            destination.symlink_to(source)
        except OSError:
            link_or_copy(source, destination)


def _write_tables(plan: _Plan, tables: ReferenceTables, out: Path) -> PartEntry:
    files = []
    for table, frame in tables.by_table():
        write_parquet(frame, out / f"{table.name}.parquet", table)
        write_tsv(frame, out / f"{table.name}.tsv")
        files += [describe_file(out, f"{table.name}.{kind}", frame.height) for kind in ("parquet", "tsv")]
    return PartEntry(plan.identity, tuple(files))
