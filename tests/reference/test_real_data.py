"""Golden figures of real annotations, and of the bundled example."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import GuardError
from meta_spliceai.formats.annotation import read_annotation
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sites import introns_of, split_by_length
from meta_spliceai.reference.guard import check_introns
from meta_spliceai.reference.placement import place
from meta_spliceai.reference.prepare import prepare

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "chr3_42M"


def _prepared(fasta, gtf, out):
    reference = prepare(fasta=fasta, gtf=gtf, build="x", out=out)
    facts = json.loads((out / "manifest.json").read_text())["facts"]
    introns = facts["introns"]
    counts = (introns["checked"], introns["gt_ag"], introns["gc_ag"], introns["at_ac"])
    return reference.genes.height, facts["transcripts"], facts["splice_sites"], counts


def test_the_bundled_example(tmp_path):
    found = _prepared(EXAMPLE / "genome.fa.gz", EXAMPLE / "annotation.gtf.gz", tmp_path / "out")
    assert found == (52, 250, 524, (380, 374, 3, 0))
    assert not list(EXAMPLE.glob(".*"))


def test_the_bundled_example_is_the_one_that_was_made():
    for line in (EXAMPLE / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split()
        assert hashlib.sha256((EXAMPLE / name).read_bytes()).hexdigest() == checksum


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("genome", "annotation", "expected"),
    [
        ("GRCh37", "GRCh37/annotation.gtf.gz", (760, 3_317, 7_917, (4_977, 4_785, 105, 1))),
        ("GRCh38", "GRCh38/annotation.gtf.gz", (117, 427, 1_020, (656, 624, 19, 0))),
        ("GRCh37", "extras/GRCh37_chr1_ensembl75.gtf.gz", (219, 904, 2_385, (1_454, 1_394, 31, 0))),
        ("GRCh38", "extras/GRCh38_chr22_32.0-32.3M_gencode38basic.gtf.gz", (16, 21, 102, (52, 51, 0, 0))),
    ],
)
def test_real_annotations_read_as_introns_do(shared, tmp_path, genome, annotation, expected):
    assert _prepared(shared / genome / "genome.fa.gz", shared / annotation, tmp_path / "out") == expected


@pytest.mark.real_data
def test_real_refseq_introns_all_read_gt_ag(shared):
    annotation = read_annotation(shared / "extras" / "GRCh38_chr22_32.0-32.3M_refseq.gff.gz")
    with open_genome(shared / "GRCh38" / "genome.fa.gz") as genome:
        with pytest.raises(GuardError, match="SLC5A4 at chr22:32,218,464-32,355,063"):
            place(annotation, genome.contigs)  # its gene row reaches beyond the sequenced part
        check = check_introns(split_by_length(introns_of(annotation.exons))[0], genome, "GRCh38")
    assert annotation.transcripts["is_canonical"].to_list() == [True] * 4
    assert (check.introns, check.gt_ag) == (40, 40)


@pytest.mark.real_data
def test_the_other_build_is_refused(shared, tmp_path):
    with pytest.raises(GuardError, match="beyond its end"):
        prepare(
            fasta=shared / "GRCh38" / "genome.fa.gz",
            gtf=shared / "GRCh37" / "annotation.gtf.gz",
            build="GRCh38",
            out=tmp_path / "out",
        )
    annotation = read_annotation(shared / "GRCh38" / "annotation.gtf.gz")
    introns = introns_of(annotation.exons.filter(pl.col("chrom") == "chr20"))
    refused = pytest.raises(GuardError, match=r"found: \d+ of 152 \([\d.]+ %\) do; no shift[\s\S]*another build")
    with open_genome(shared / "GRCh37" / "genome.fa.gz") as genome, refused:
        check_introns(introns, genome, "GRCh37")
    assert not (tmp_path / "out").exists()
