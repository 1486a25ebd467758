"""What does not belong together is refused with one message, and nothing is left behind."""

import gzip
import logging
import re

import pytest

from meta_spliceai.errors import GuardError, InputError
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import BUILD, tiny_gtf


def _moved(text: str, start: int, end: int) -> str:
    """The annotation with every start and end moved."""
    return re.sub(r"\t(\d+)\t(\d+)\t\.", lambda m: f"\t{max(1, int(m[1]) + start)}\t{int(m[2]) + end}\t.", text)


def _prepare(tiny, text=None, **options):
    if text is not None:
        tiny.gtf.write_text(text)
    return prepare(fasta=tiny.fasta, gtf=tiny.gtf, build=BUILD, out=tiny.fasta.parent.parent / "out", **options)


def _refused(tiny, text, match, error=GuardError):
    with pytest.raises(error, match=match):
        _prepare(tiny, text)
    assert not (tiny.fasta.parent.parent / "out").exists()


_INSIDE = "\n".join(row for row in tiny_gtf().splitlines() if "TG13" not in row) + "\n"
"""Without the gene at the contig's end, so that a shift keeps every gene inside."""


@pytest.mark.parametrize("shift", [-2, -1, 1, 2])
def test_a_shifted_annotation_is_refused_and_the_shift_is_named(own_tiny, shift):
    text = _moved(_INSIDE, shift, shift)
    _refused(
        own_tiny,
        text,
        rf"found: \d of 42 \(.*\) do; with every coordinate moved by {re.escape(f'{-shift:+d}')}, 100\.0 % would",
    )


def test_starts_from_a_zero_based_format_are_recognised(own_tiny):
    _refused(own_tiny, _moved(_INSIDE, -1, 0), r"with every exon start moved by \+1 \(starts are 0-based\), 100\.0 %")


def test_exchanged_strands_are_recognised(own_tiny):
    text = _INSIDE.replace("\t+\t", "\tx\t").replace("\t-\t", "\t+\t").replace("\tx\t", "\t-\t")
    _refused(own_tiny, text, r"with the strands exchanged, 100\.0 % would")


def test_another_build_is_named_as_the_likely_cause(own_tiny):
    text = _moved(_INSIDE, 37, 37)
    _refused(own_tiny, text, r"no shift .* helps; most others: TG[\s\S]*probably of another build .* given as tiny1")


def test_contigs_that_do_not_match_are_listed(own_tiny):
    _refused(
        own_tiny,
        tiny_gtf().replace("chrT", "scaffold_"),
        r"none: the annotation has scaffold_1, scaffold_2; the genome has chrT1, chrT2, chrT3",
    )


def test_a_gene_beyond_the_contigs_end_is_refused(own_tiny):
    _refused(
        own_tiny,
        tiny_gtf().replace("\t60000\t", "\t60001\t"),
        r"1 of 17 beyond its end: TG13\.1 at chrT1:59,001-60,001 \(chrT1 has 60,000 nt\)",
    )


def test_a_truncated_genome_is_refused(own_tiny):
    prepare(fasta=own_tiny.fasta, gtf=own_tiny.gtf, build=BUILD, out=own_tiny.fasta.parent / "before")
    own_tiny.fasta.unlink()
    source = (own_tiny.fasta.parent / "before" / "genome.fa").read_bytes()
    own_tiny.fasta.write_bytes(source[:-1_000])
    _refused(own_tiny, None, r"its index needs 96,6\d\d bytes, but it holds 95,6\d\d", InputError)


def test_a_genome_cut_before_it_was_indexed_is_refused_for_its_genes(own_tiny):
    own_tiny.fasta.write_bytes(own_tiny.fasta.read_bytes()[:60_000])
    own_tiny.gtf.write_text("\n".join(row for row in tiny_gtf().splitlines() if row.startswith("chrT1")))
    _refused(own_tiny, None, r"beyond its end: TG1\d[\s\S]*its file was cut off")


def test_genes_on_contigs_the_genome_lacks_are_left_out_and_counted(own_tiny, caplog):
    with caplog.at_level(logging.WARNING):
        reference = _prepare(own_tiny, tiny_gtf().replace("chrT2", "chrZ"))
    assert "4 of 17 genes are left out: the genome has no contig chrZ" in caplog.text
    assert reference.genes.height == 13
    assert "left out      4 genes" in reference.summary()


def test_contig_aliases_are_understood(own_tiny):
    assert _prepare(own_tiny, tiny_gtf().replace("chrT", "T")).genes["chrom"].unique().sort().to_list() == [
        "chrT1",
        "chrT2",
    ]


def test_some_odd_introns_give_a_warning_with_the_worst_genes(own_tiny, caplog):
    text = "\n".join(_moved(row, 1, 1) if "TG16.1" in row else row for row in tiny_gtf().splitlines())
    with caplog.at_level(logging.WARNING):
        reference = _prepare(own_tiny, text)
    assert "only 90.7 % of 43 introns read GT-AG, GC-AG or AT-AC" in caplog.text
    assert "most others: TG16.1 (4 of 4)" in caplog.text
    assert reference.genes.height == 17


def test_an_annotation_without_introns_is_not_checked_and_says_so(own_tiny, caplog):
    with caplog.at_level(logging.WARNING):
        _prepare(own_tiny, "\n".join(row for row in tiny_gtf().splitlines() if "TG04" in row))
    assert "the build could not be checked" in caplog.text


def test_genes_without_exons_are_left_out_and_counted(own_tiny, caplog):
    row = 'chrT1\tTOY\tgene\t100\t200\t.\t+\t.\tgene_id "BARE"; gene_type "pseudogene";\n'
    with caplog.at_level(logging.WARNING):
        reference = _prepare(own_tiny, tiny_gtf() + row)
    assert "1 genes have no exons" in caplog.text
    assert "BARE" not in reference.genes["gene_id"].to_list()


def test_one_id_on_two_contigs_becomes_two_genes(own_tiny, caplog):
    rows = [row.replace("chrT1", "chrT2") for row in tiny_gtf().splitlines() if "TG04" in row]
    with caplog.at_level(logging.WARNING):
        reference = _prepare(own_tiny, tiny_gtf() + "\n".join(rows) + "\n")
    ids = reference.genes.filter(reference.genes["gene_name"] == "ONEEXON").select("gene_id", "chrom").rows()
    assert ids == [("TG04.1", "chrT1"), ("TG04.1@chrT2:+", "chrT2")]
    assert reference.transcripts()["transcript_id"].to_list().count("TT04.1") == 2
    assert "1 genes share their id" in caplog.text


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda tiny: tiny.fasta.write_bytes(b""), "the file is empty"),
        (lambda tiny: tiny.fasta.unlink(), "none at"),
        (lambda tiny: tiny.gtf.unlink(), "none at"),
        (lambda tiny: tiny.gtf.write_bytes(gzip.compress(tiny_gtf().encode())[:-9]), "cut off"),
        (lambda tiny: tiny.gtf.write_text("nothing\n"), "fewer than nine fields"),
        (lambda tiny: tiny.fasta.write_bytes(gzip.compress(tiny.fasta.read_bytes())), "plain gzip"),
    ],
)
def test_unusable_files_are_refused_before_anything_is_written(own_tiny, damage, match):
    damage(own_tiny)
    _refused(own_tiny, None, match, InputError)


def test_options_without_sense_are_refused(own_tiny):
    with pytest.raises(InputError, match="a name for --build"):
        prepare(fasta=own_tiny.fasta, gtf=own_tiny.gtf, build=" ", out=own_tiny.fasta.parent / "out")
    with pytest.raises(InputError, match="--min-intron of at least 1"):
        _prepare(own_tiny, min_intron=0)
