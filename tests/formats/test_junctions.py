"""Junctions: conventions, checked against the sequence of real data."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.formats.junctions import read_junctions, sites_of_junctions
from meta_spliceai.reference.motifs import site_motifs

STAR = "chr1\t101\t200\t1\t1\t1\t7\t3\t30\nchr1\t301\t400\t2\t2\t0\t4\t0\t20\nchr1\t501\t600\t0\t0\t0\t9\t0\t20\n"
BED = (
    "track name=junctions\n"
    "1\t80\t240\tJ1\t7\t+\t80\t240\t255,0,0\t2\t20,40\t0,120\n"
    "1\t290\t410\tJ2\t4\t-\t290\t410\t255,0,0\t2\t10,10,\t0,110,\n"
)


def test_both_formats_name_the_same_introns(tmp_path: Path) -> None:
    (tmp_path / "SJ.out.tab").write_text(STAR)
    (tmp_path / "junctions.bed").write_bytes(BED.replace("\n", "\r\n").encode())
    star = read_junctions([tmp_path / "SJ.out.tab"])
    assert star.drop("sample").rows() == [("chr1", "+", 100, 200, 7, 3), ("chr1", "-", 300, 400, 4, 0)]
    shared = ["strand", "start", "end", "reads"]
    assert read_junctions([tmp_path / "junctions.bed"]).select(shared).equals(star.select(shared))


def test_sites_are_the_bases_of_the_exons_beside_the_intron(tmp_path: Path) -> None:
    (tmp_path / "SJ.out.tab").write_text(STAR)
    sites = sites_of_junctions(read_junctions([tmp_path / "SJ.out.tab"]))
    assert sites.select("strand", "splice_type", "position", "reads").sort("position").rows() == [
        ("+", "donor", 100, 7), ("+", "acceptor", 201, 7), ("-", "acceptor", 300, 4), ("-", "donor", 401, 4),
    ]  # fmt: skip


def test_samples_and_junctions_that_share_a_site_are_counted(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "SJ.out.tab.gz", "wt") as file:
        file.write(STAR + "chr1\t101\t700\t1\t1\t0\t5\t2\t9\n")
    (tmp_path / "again.tab").write_text(STAR + STAR)
    found = read_junctions([tmp_path / "SJ.out.tab.gz", tmp_path / "again.tab"])
    assert found.filter(strand="+").select("end", "reads", "sample").rows() == [(200, 7, 0), (200, 14, 1), (700, 5, 0)]
    donor = sites_of_junctions(found).filter(position=100).row(0, named=True)
    assert {name: donor[name] for name in ("reads", "multi_reads", "junctions", "samples")} == {
        "reads": 26, "multi_reads": 11, "junctions": 2, "samples": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found"),
        ("chr1\t5\t9\n", "a first row of 3 columns"),
        ("chr1\t200\t100\t1\t1\t1\t7\t3\t30\n", "1 rows that are no junctions: line 1"),
        (STAR + "chr1\tx\t100\t1\t1\t1\t7\t3\t30\n", "line 4"),
        ("chr1\t10\t100\t5\t1\t1\t7\t3\t30\n", "line 1"),
        ("chr1\t10\t100\t1\t1\t1\t-7\t3\t30\n", "line 1"),
        ("1\t80\t240\tJ1\t7\t+\t80\t240\t0\t3\t20,40,9\t0,120,9\n", "1 rows that are no junctions"),
    ],
)
def test_what_is_no_junction_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_junctions([tmp_path / "file"])
    assert "SJ.out.tab" in caught.value.expected


def test_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        read_junctions([tmp_path / "none"])


def shares_of_usual_motifs(shared: Path, folder: Path, build: str, sites: pl.DataFrame) -> dict[str, float]:
    """Share of sites whose two intron bases are GT (donors) or AG (acceptors), where the sequence is known."""
    for suffix in ("", ".fai", ".gzi"):
        link = folder / f"genome.fa.gz{suffix}"
        if not link.exists():
            link.symlink_to(shared / build / link.name)
    with open_genome(folder / "genome.fa.gz") as genome:
        read = sites.with_columns(motif=site_motifs(sites, genome)).filter(~pl.col("motif").str.contains("N"))
    usual = {"donor": "GT", "acceptor": "AG"}
    return {kind: float((read.filter(splice_type=kind)["motif"] == motif).mean()) for kind, motif in usual.items()}


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "build", "lowest"),
    [("GRCh37_chr22_20-21M_junctions.bed.gz", "GRCh37", 0.95), ("GRCh38_chr1_GM12878_SJ.out.tab.gz", "GRCh38", 0.9)],
)
def test_real_junctions_begin_with_gt_and_end_with_ag(
    shared: Path, tmp_path: Path, file: str, build: str, lowest: float
) -> None:
    junctions = read_junctions([shared / "extras" / file])
    sites = sites_of_junctions(junctions.with_columns(chrom="chr" + pl.col("chrom").str.strip_prefix("chr")))
    assert min(shares_of_usual_motifs(shared, tmp_path, build, sites).values()) > lowest
    for moved in (-1, 1):
        off = sites.with_columns(pl.col("position") + moved)
        assert max(shares_of_usual_motifs(shared, tmp_path, build, off).values()) < 0.2
