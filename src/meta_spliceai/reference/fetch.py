"""A genome and its annotation from a public archive, ready for `reference prepare`."""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.download.fetch import fetch_files
from meta_spliceai.download.remote import RemoteFile
from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.formats.bgzip import write_bgzip
from meta_spliceai.formats.contigs import common_name
from meta_spliceai.reference.archives import Source, find_files, plan_of
from meta_spliceai.reference.data_root import find_data_root
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file

log = logging.getLogger(__name__)

KIND = "download"
FORMAT_VERSION = 1
GENOME = "genome.fa.gz"
_GENOME_PART = "genome"
_BLOCK = 1 << 22
_HEADER = re.compile(rb"(?m)^>(\S*)")


@dataclass(frozen=True, slots=True)
class FetchedReference:
    """A genome and its annotation on this machine.

    Parameters
    ----------
    folder
        Where everything is, the archive's own files included.
    fasta
        The genome, compressed with bgzip so that it can be read from any place.
    gtf
        The annotation as the archive gives it.
    build, name
        Of the genome; and `SOURCE_BUILD_RELEASE`.
    data_root
        Where references are kept.
    """

    folder: Path
    fasta: Path
    gtf: Path
    build: str
    name: str
    data_root: Path

    def summary(self) -> str:
        """Where the files are, and the next command."""
        return "\n".join(
            [
                f"genome      {self.fasta}",
                f"annotation  {self.gtf}",
                f"next        meta-spliceai reference prepare --fasta {self.fasta} --gtf {self.gtf} "
                f"--build {self.build} --out {self.data_root / self.name}",
            ]
        )


def fetch_reference(
    *,
    source: Source,
    build: str,
    release: str,
    chromosomes: Sequence[str] | None = None,
    out: Path | None = None,
    base_url: str | None = None,
) -> FetchedReference:
    """Fetch a genome and its annotation from Ensembl, GENCODE or RefSeq.

    Every file is held to the checksum that the archive publishes; an interrupted download goes on where it broke off
    when the same command is given again. The genome is then rewritten with bgzip as genome.fa.gz.

    Parameters
    ----------
    source
        ensembl, gencode or refseq.
    build
        GRCh38 or GRCh37 for human, GRCm39 for mouse; Ensembl and GENCODE also have GRCm38, RefSeq T2T-CHM13v2.0.
    release
        Of the annotation, in the archive's own counting: 112 (Ensembl), 46 or M35 (GENCODE), RS_2023_10 (RefSeq).
    chromosomes
        Only these, by any of their names; by default all. Ensembl keeps them apart, so only they are fetched; from
        the others the whole genome is fetched and only they are kept. The annotation is always whole.
    out
        Folder for the files; by default downloads/SOURCE_BUILD_RELEASE in the data root (see `reference audit`).
    base_url
        Address of a mirror that is laid out as the archive is.

    Raises
    ------
    InputError
        The archive has no such build, release or chromosome.
    DownloadError
        A file cannot be had, or is another one than the archive's list of checksums says.
    PlanMismatchError
        The folder holds another download.
    """
    name = f"{source}_{build}_{release}"
    root = find_data_root().path
    folder = root / "downloads" / name if out is None else out
    wanted = _normalised(chromosomes)
    genome, annotation = find_files(plan_of(source, build, release, wanted, base_url))
    parameters = {"source": source, "build": build, "release": release, "chromosomes": wanted}
    inputs = {file.name: str(file.checksum) for file in (*genome, annotation)}
    identity = fingerprint([parameters, inputs])
    with Folder.opened(folder, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs) as store:
        fetch_files((*genome, annotation), folder, label=f"fetching {name}")
        if not store.is_done(_GENOME_PART, identity):
            log.info("rewriting the genome with bgzip, so that it can be read from any place")
            write_bgzip(folder / GENOME, _chosen(genome, folder, wanted), quick=True)
            store.record(_GENOME_PART, PartEntry(identity, (describe_file(folder, GENOME),)))
        store.finalise({_GENOME_PART: identity}, {"annotation": annotation.name})
    return FetchedReference(
        folder=folder, fasta=folder / GENOME, gtf=folder / annotation.name, build=build, name=name, data_root=root
    )


def _normalised(chromosomes: Sequence[str] | None) -> list[str] | None:
    """Common names, each once, in the given order."""
    if chromosomes is None:
        return None
    names = list(dict.fromkeys(common_name(name) for name in chromosomes if name.strip()))
    if not names:
        raise InputError("names of chromosomes", "none", "name some, or leave --chromosomes out for all")
    return names


def _chosen(genome: Sequence[RemoteFile], folder: Path, chromosomes: Sequence[str] | None) -> Iterator[bytes]:
    """The records of all files, only those of `chromosomes` where given, all of which must be there."""
    found: list[str] = []
    for file in genome:
        yield from _contigs(folder / file.name, chromosomes, found)
    known = {common_name(contig) for contig in found}
    missing = [name for name in chromosomes or () if name not in known]
    if missing:
        raise InputError(
            expected=f"the chromosomes {', '.join(missing)} in {first_few([file.name for file in genome])}",
            found=first_few(found) or "none of them",
            action="correct --chromosomes",
        )


def _contigs(path: Path, chromosomes: Sequence[str] | None, found: list[str]) -> Iterator[bytes]:
    """The records of a gzip-compressed FASTA file, only those of `chromosomes` where given; `found` collects names."""
    kept = False
    try:
        with gzip.open(path, "rb") as stream:
            for lines in _whole_lines(stream):
                starts = [(match.start(), match[1].decode()) for match in _HEADER.finditer(lines)]
                ends = [start for start, _ in starts[1:]] + [len(lines)]
                if kept:
                    yield lines[: starts[0][0] if starts else len(lines)]
                for (start, name), end in zip(starts, ends, strict=False):
                    kept = chromosomes is None or common_name(name) in chromosomes
                    if kept:
                        found.append(name)
                        yield lines[start:end]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StoreError(
            f"a FASTA file compressed with gzip in {path}", f"{error}", "delete the file and run the command again"
        ) from error


def _whole_lines(stream: gzip.GzipFile) -> Iterator[bytes]:
    """The content in blocks that end with a line; the last line gets its end where that is missing."""
    held = b""
    while block := stream.read(_BLOCK):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield held + block[:cut]
            held = block[cut:]
        else:
            held += block
    if held:
        yield held + b"\n"
