"""`reference fetch` from a local server laid out as the archives are."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta_spliceai.download.checksums import Checksum
from meta_spliceai.errors import DownloadError, InputError, PlanMismatchError, StoreError
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.reference import fetch
from meta_spliceai.reference.archives import HOMES, Source, plan_of
from meta_spliceai.reference.fetch import FetchedReference, fetch_reference
from meta_spliceai.reference.prepare import prepare
from tests.toys.misbehaving_server import MisbehavingServer, ServedFile, misbehaving_server
from tests.toys.tiny_genome import BUILD, LENGTHS, tiny_fasta, tiny_gtf, tiny_sequences

GTF = gzip.compress(tiny_gtf().encode(), mtime=0)
WHOLE = gzip.compress(tiny_fasta().encode(), mtime=0)
OTHER = b"something else that the archive has"

ENSEMBL_DNA = "/release-112/fasta/homo_sapiens/dna/"
ENSEMBL_GTF = "/release-112/gtf/homo_sapiens/"
GENCODE = "/Gencode_human/release_46/"
REFSEQ = "/9606/GCF_000001405.40-RS_2023_10/"
RELEASES: dict[Source, str] = {"ensembl": "112", "gencode": "46", "refseq": "RS_2023_10"}


def one_contig(name: str) -> bytes:
    return gzip.compress(
        f">{name} a description\n{tiny_sequences()[name]}".encode(), mtime=0
    )  # no end of the last line


FOLDERS: dict[str, dict[str, bytes]] = {
    ENSEMBL_DNA: {
        "Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz": WHOLE,
        "Homo_sapiens.GRCh38.dna_sm.primary_assembly.fa.gz": OTHER,
        "Homo_sapiens.GRCh38.dna.toplevel.fa.gz": OTHER,
        **{f"Homo_sapiens.GRCh38.dna.chromosome.{name[3:]}.fa.gz": one_contig(name) for name in LENGTHS},
    },
    ENSEMBL_GTF: {
        "Homo_sapiens.GRCh38.112.gtf.gz": GTF,
        "Homo_sapiens.GRCh38.112.chr.gtf.gz": OTHER,
        "Homo_sapiens.GRCh38.112.abinitio.gtf.gz": OTHER,
    },
    GENCODE: {
        "GRCh38.primary_assembly.genome.fa.gz": WHOLE,
        "gencode.v46.annotation.gtf.gz": GTF,
        "gencode.v46.basic.annotation.gtf.gz": OTHER,
        "GRCh37_mapping/gencode.v46lift37.annotation.gtf.gz": OTHER,
    },
    REFSEQ: {
        "GCF_000001405.40_GRCh38.p14_genomic.fna.gz": WHOLE,
        "GCF_000001405.40_GRCh38.p14_genomic.gff.gz": GTF,
        "GCF_000001405.40_GRCh38.p14_cds_from_genomic.fna.gz": OTHER,
        "GCF_000001405.40_GRCh38.p14_rna.fna.gz": OTHER,
    },
}


def checksum_list(folder: str, tmp_path: Path) -> tuple[str, str]:
    """Name and text of a folder's list of checksums, in its archive's own form."""
    files = FOLDERS[folder]
    if folder.startswith("/release"):
        lines = []
        for name, content in files.items():
            (tmp_path / "summed").write_bytes(content)
            lines.append(f"{Checksum('bsd', '').of_same_kind(tmp_path / 'summed').value} {name}")
        return "CHECKSUMS", "\n".join(lines)
    name, prefix = ("MD5SUMS", "") if folder == GENCODE else ("md5checksums.txt", "./")
    return name, "".join(f"{hashlib.md5(content).hexdigest()}  {prefix}{file}\n" for file, content in files.items())


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingServer]:
    """All three archives on one server; waiting between attempts takes no time; the data root is below `tmp_path`."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("META_SPLICEAI_DATA", str(tmp_path / "data"))
    with misbehaving_server() as server:
        for folder, files in FOLDERS.items():
            name, text = checksum_list(folder, tmp_path)
            server.files[folder + name] = ServedFile(text.encode())
            server.files |= {folder + file: ServedFile(content) for file, content in files.items()}
        yield server


def run(archive: MisbehavingServer, source: Source, **options: object) -> FetchedReference:
    wanted = {"build": "GRCh38", "release": RELEASES[source], "base_url": archive.address, **options}
    return fetch_reference(source=source, **wanted)


@pytest.mark.parametrize("source", HOMES)
def test_what_is_fetched_can_be_prepared(archive: MisbehavingServer, tmp_path: Path, source: Source) -> None:
    done = run(archive, source)
    assert done.folder == tmp_path / "data" / "downloads" / f"{source}_GRCh38_{RELEASES[source]}"
    assert done.gtf.read_bytes() == GTF
    with open_genome(done.fasta) as genome:
        assert genome.contigs == LENGTHS
    reference = prepare(fasta=done.fasta, gtf=done.gtf, build=BUILD, out=tmp_path / "reference")
    assert reference.genes.height == 17
    assert (
        f"--fasta {done.fasta} --gtf {done.gtf} --build GRCh38 --out {tmp_path / 'data' / done.name}" in done.summary()
    )


@pytest.mark.parametrize("block", [7, 4_096, 1 << 22])
@pytest.mark.parametrize("source", HOMES)
def test_chosen_chromosomes_alone_are_in_the_genome(
    archive: MisbehavingServer, source: Source, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_BLOCK", block)
    done = run(archive, source, chromosomes=["T3", "chrT2", "T2"])
    order = ["chrT3", "chrT2"] if source == "ensembl" else ["chrT2", "chrT3"]
    with open_genome(done.fasta) as genome, open_genome_of(tiny_fasta(), done.folder) as whole:
        assert list(genome.contigs) == order
        for contig, length in genome.contigs.items():
            assert (genome.codes(contig, 0, length) == whole.codes(contig, 0, length)).all()
    asked = {Path(request.path).name for request in archive.gets}
    assert "Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz" not in asked


def open_genome_of(text: str, folder: Path):
    (folder / "whole.fa").write_text(text)
    return open_genome(folder / "whole.fa")


def test_the_second_time_only_the_lists_are_asked_for(archive: MisbehavingServer) -> None:
    first = run(archive, "ensembl")
    before = first.fasta.stat().st_mtime_ns
    archive.asked.clear()
    assert run(archive, "ensembl") == first
    assert {Path(asked.path).name for asked in archive.asked} == {"CHECKSUMS"}
    assert first.fasta.stat().st_mtime_ns == before


def test_a_bad_line_and_lengths_that_lie_do_not_harm(archive: MisbehavingServer) -> None:
    fasta = archive.files[ENSEMBL_DNA + "Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz"]
    fasta.drop_after, fasta.statuses = [5_000, 0, 1_000], [503]
    gtf = archive.files[ENSEMBL_GTF + "Homo_sapiens.GRCh38.112.gtf.gz"]
    gtf.announced = len(GTF) + 100
    done = run(archive, "ensembl")
    assert done.gtf.read_bytes() == GTF
    assert (done.folder / "Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("ensembl", ENSEMBL_GTF + "Homo_sapiens.GRCh38.112.gtf.gz"),
        ("gencode", GENCODE + "gencode.v46.annotation.gtf.gz"),
        ("refseq", REFSEQ + "GCF_000001405.40_GRCh38.p14_genomic.gff.gz"),
    ],
)
def test_a_wrong_checksum_is_refused_and_the_next_call_goes_on(
    archive: MisbehavingServer, source: Source, path: str
) -> None:
    archive.files[path] = ServedFile(GTF[:-1] + b"x")
    with pytest.raises(DownloadError, match="the server gives another file"):
        run(archive, source)
    archive.files[path] = ServedFile(GTF)
    archive.asked.clear()
    assert run(archive, source).gtf.read_bytes() == GTF
    assert not [asked.path for asked in archive.gets if "primary_assembly" in asked.path or ".fna" in asked.path]


def test_without_a_list_of_checksums_nothing_is_fetched(archive: MisbehavingServer, tmp_path: Path) -> None:
    del archive.files[GENCODE + "MD5SUMS"]
    with pytest.raises(DownloadError, match=r"the text .*MD5SUMS\nfound: the server answers 404"):
        run(archive, "gencode")
    assert not (tmp_path / "data").exists()


def test_a_chromosome_that_is_not_there_is_named_with_those_that_are(archive: MisbehavingServer) -> None:
    with pytest.raises(InputError, match=r"one file with the sequence \(chromosome\.T9\)"):
        run(archive, "ensembl", chromosomes=["T9"])
    with pytest.raises(InputError, match=r"the chromosomes T9 in GRCh38.*\nfound: chrT1\n"):
        run(archive, "gencode", chromosomes=["T9", "T1"])
    with pytest.raises(InputError, match="names of chromosomes"):
        run(archive, "gencode", chromosomes=[" "])


def test_a_folder_of_another_download_is_not_mixed_with_this_one(archive: MisbehavingServer, tmp_path: Path) -> None:
    run(archive, "ensembl", out=tmp_path / "out")
    with pytest.raises(PlanMismatchError, match="parameter source: on disk ensembl, now gencode"):
        run(archive, "gencode", out=tmp_path / "out")


def test_a_file_that_is_not_what_its_name_says_is_refused(
    archive: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "GRCh38.primary_assembly.genome.fa.gz"
    for content in (b">chr1\nACGT\n", WHOLE[:-9]):
        monkeypatch.setitem(FOLDERS[GENCODE], name, content)
        listed, text = checksum_list(GENCODE, tmp_path)
        archive.files[GENCODE + listed] = ServedFile(text.encode())
        archive.files[GENCODE + name] = ServedFile(content)
        with pytest.raises(StoreError, match="a FASTA file compressed with gzip"):
            run(archive, "gencode", out=tmp_path / str(len(content)))
        assert not (tmp_path / str(len(content)) / "genome.fa.gz").exists()


@pytest.mark.parametrize(
    ("source", "build", "release", "genome", "annotation"),
    [
        (
            "ensembl", "GRCh38", "112",
            "/release-112/fasta/homo_sapiens/dna/CHECKSUMS", "/release-112/gtf/homo_sapiens/CHECKSUMS",
        ),
        (
            "ensembl", "GRCh37", "87",
            "/grch37/release-87/fasta/homo_sapiens/dna/CHECKSUMS", "/grch37/release-87/gtf/homo_sapiens/CHECKSUMS",
        ),
        (
            "ensembl", "GRCh37", "75",
            "/release-75/fasta/homo_sapiens/dna/CHECKSUMS", "/release-75/gtf/homo_sapiens/CHECKSUMS",
        ),
        ("gencode", "GRCh37", "46", *["/Gencode_human/release_46/GRCh37_mapping/MD5SUMS"] * 2),
        ("gencode", "GRCm39", "M35", *["/Gencode_mouse/release_M35/MD5SUMS"] * 2),
        ("refseq", "GRCh37", "RS_2024_09", *["/9606/GCF_000001405.25-RS_2024_09/md5checksums.txt"] * 2),
    ],
)  # fmt: skip
def test_each_archive_is_asked_where_it_keeps_things(
    source: Source, build: str, release: str, genome: str, annotation: str
) -> None:
    plan = plan_of(source, build, release, None, None)
    folders = (plan.genome[0].folder, plan.annotation.folder)
    assert [f"{folder.url}/{folder.checksums}" for folder in folders] == [
        f"{HOMES[source]}{path}" for path in (genome, annotation)
    ]


@pytest.mark.parametrize(
    ("source", "build", "release", "message"),
    [
        ("ensembl", "hg38", "112", "a build that ensembl has: GRCh38, GRCh37"),
        ("refseq", "GRCm38", "RS_2023_04", "a build that refseq has"),
        ("ensembl", "GRCh38", "latest", "a release of ensembl: a number such as 112"),
        ("gencode", "GRCh38", "M35", "a release of gencode: a number such as 46"),
        ("gencode", "GRCm39", "35", "a release of gencode: M and a number"),
        ("refseq", "GRCh38", "110", "a release of refseq: RS_"),
    ],
)
def test_builds_and_releases_that_an_archive_does_not_have(
    source: Source, build: str, release: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fetch_reference(source=source, build=build, release=release)
