"""Where Ensembl, GENCODE and RefSeq keep genomes and annotations, and under which names.

An archive's folder has a list of checksums; a file is found in that list by its name's pattern, so nothing is asked for
that the archive does not announce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from meta_spliceai.download.checksums import Checksum, bsd_checksum
from meta_spliceai.download.fetch import fetch_text
from meta_spliceai.download.remote import RemoteFile
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.formats.contigs import common_name

Source = Literal["ensembl", "gencode", "refseq"]

HOMES: Mapping[Source, str] = {
    "ensembl": "https://ftp.ensembl.org/pub",
    "gencode": "https://ftp.ebi.ac.uk/pub/databases/gencode",
    "refseq": "https://ftp.ncbi.nlm.nih.gov/genomes/all/annotation_releases",
}
_ENSEMBL_SPECIES = {
    "GRCh38": "Homo_sapiens",
    "GRCh37": "Homo_sapiens",
    "GRCm39": "Mus_musculus",
    "GRCm38": "Mus_musculus",
}
_LAST_ENSEMBL_OF_GRCH37 = 75
"""Later releases of GRCh37 are in a branch of their own."""
_REFSEQ_ASSEMBLIES = {
    "GRCh38": ("9606", "GCF_000001405.40"),
    "GRCh37": ("9606", "GCF_000001405.25"),
    "T2T-CHM13v2.0": ("9606", "GCF_009914755.1"),
    "GRCm39": ("10090", "GCF_000001635.27"),
}
"""Taxon and accession by build."""

_MD5_LINE = re.compile(r"([0-9a-f]{32})\s+\*?(?:\./)?(\S+)")
_BSD_LINE = re.compile(r"(\d+)\s+(\d+)\s+(\S+)")


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """A folder of an archive.

    Parameters
    ----------
    url
        Its address.
    checksums
        The name of its list of checksums: `CHECKSUMS` (Ensembl: BSD sums), or a list of MD5 sums.
    """

    url: str
    checksums: str

    def listed(self) -> dict[str, Checksum]:
        """The checksum of each file by name, as the archive says now; `DownloadError` where the list cannot be had."""
        text = fetch_text(f"{self.url}/{self.checksums}")
        return _bsd_sums(text) if self.checksums == "CHECKSUMS" else _md5_sums(text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is needed, by the pattern of its name."""

    folder: ArchiveFolder
    pattern: str
    what: str


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """Files of one genome and its annotation.

    Parameters
    ----------
    genome
        FASTA files, to be read one after the other.
    annotation
        GTF or GFF3.
    """

    genome: tuple[Wanted, ...]
    annotation: Wanted


def plan_of(
    source: Source, build: str, release: str, chromosomes: Sequence[str] | None, base_url: str | None
) -> ArchivePlan:
    """Where the files of a release lie.

    Parameters
    ----------
    chromosomes
        Only these, where the archive keeps chromosomes apart (Ensembl does).
    base_url
        Address of a mirror, laid out as `HOMES[source]`.

    Raises
    ------
    InputError
        The archive has no such build, or its releases are not called like this.
    """
    home = (HOMES[source] if base_url is None else base_url).rstrip("/")
    match source:
        case "ensembl":
            return _ensembl(home, build, release, chromosomes)
        case "gencode":
            return _gencode(home, build, release)
        case "refseq":
            return _refseq(home, build, release)


def find_files(plan: ArchivePlan) -> tuple[tuple[RemoteFile, ...], RemoteFile]:
    """Genome files and annotation with the archive's own checksums.

    Raises
    ------
    DownloadError
        A list of checksums cannot be had.
    InputError
        The archive lists no such file, or several.
    """
    folders = dict.fromkeys(wanted.folder for wanted in (*plan.genome, plan.annotation))
    listed = {folder: folder.listed() for folder in folders}
    genome = tuple(_found(wanted, listed[wanted.folder]) for wanted in plan.genome)
    return genome, _found(plan.annotation, listed[plan.annotation.folder])


def _ensembl(home: str, build: str, release: str, chromosomes: Sequence[str] | None) -> ArchivePlan:
    _require_build("ensembl", build, _ENSEMBL_SPECIES)
    _require_release("ensembl", release, r"\d+", "a number such as 112")
    species = _ENSEMBL_SPECIES[build]
    branch = "/grch37" if build == "GRCh37" and int(release) > _LAST_ENSEMBL_OF_GRCH37 else ""
    root = f"{home}{branch}/release-{release}"
    dna = ArchiveFolder(f"{root}/fasta/{species.lower()}/dna", "CHECKSUMS")
    gtf = ArchiveFolder(f"{root}/gtf/{species.lower()}", "CHECKSUMS")
    # releases before 76 have their number in the names of sequences; GRCh37's later ones keep an older one in annotations
    names = rf"{species}\.{build}(\.\d+)?\.dna\."
    parts = ["primary_assembly"] if chromosomes is None else [f"chromosome.{common_name(name)}" for name in chromosomes]
    return ArchivePlan(
        genome=tuple(Wanted(dna, rf"{names}{re.escape(part)}\.fa\.gz", f"sequence ({part})") for part in parts),
        annotation=Wanted(gtf, rf"{species}\.{build}\.\d+\.gtf\.gz", "annotation"),
    )


def _gencode(home: str, build: str, release: str) -> ArchivePlan:
    mouse = build.startswith("GRCm")
    _require_build("gencode", build, ("GRCh38", "GRCh37", "GRCm39", "GRCm38"))
    example = "M and a number, such as M35" if mouse else "a number such as 46"
    _require_release("gencode", release, r"M\d+" if mouse else r"\d+", example)
    url = f"{home}/Gencode_{'mouse' if mouse else 'human'}/release_{release}"
    lifted = "lift37" if build == "GRCh37" else ""
    folder = ArchiveFolder(f"{url}/GRCh37_mapping" if lifted else url, "MD5SUMS")
    return ArchivePlan(
        genome=(Wanted(folder, rf"{build}\.primary_assembly\.genome\.fa\.gz", "sequence"),),
        annotation=Wanted(folder, rf"gencode\.v{release}{lifted}\.annotation\.gtf\.gz", "annotation"),
    )


def _refseq(home: str, build: str, release: str) -> ArchivePlan:
    _require_build("refseq", build, _REFSEQ_ASSEMBLIES)
    _require_release("refseq", release, r"RS_\d{4}_\d{2}", "RS_, the year and the month, such as RS_2023_10")
    taxon, accession = _REFSEQ_ASSEMBLIES[build]
    folder = ArchiveFolder(f"{home}/{taxon}/{accession}-{release}", "md5checksums.txt")
    names = rf"{re.escape(accession)}_{re.escape(build)}(\.p\d+)?_genomic"
    return ArchivePlan(
        genome=(Wanted(folder, rf"{names}\.fna\.gz", "sequence"),),
        annotation=Wanted(folder, rf"{names}\.gff\.gz", "annotation"),
    )


def _require_build(source: Source, build: str, known: Sequence[str] | Mapping[str, object]) -> None:
    if build not in known:
        raise InputError(f"a build that {source} has: {', '.join(known)}", build, "give one of these as --build")


def _require_release(source: Source, release: str, pattern: str, example: str) -> None:
    if not re.fullmatch(pattern, release):
        raise InputError(f"a release of {source}: {example}", repr(release), "correct --release")


def _found(wanted: Wanted, listed: Mapping[str, Checksum]) -> RemoteFile:
    names = [name for name in listed if re.fullmatch(wanted.pattern, name)]
    if len(names) != 1:
        raise InputError(
            expected=f"one file with the {wanted.what} in {wanted.folder.url}",
            found=first_few(names or sorted(listed)) or "an empty list",
            action="check --build, --release and --chromosomes against what the archive has",
        )
    return RemoteFile(names[0], (f"{wanted.folder.url}/{names[0]}",), listed[names[0]])


def _md5_sums(text: str) -> dict[str, Checksum]:
    found = (_MD5_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {match[2]: Checksum("md5", match[1]) for match in found if match}


def _bsd_sums(text: str) -> dict[str, Checksum]:
    found = (_BSD_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {match[3]: bsd_checksum(int(match[1]), int(match[2])) for match in found if match}
