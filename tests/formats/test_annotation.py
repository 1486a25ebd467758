import gzip
import logging
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.formats import feature_rows
from meta_spliceai.formats.annotation import read_annotation
from tests.oracles.reference_oracles import parse_gtf_slowly
from tests.toys.tiny_genome import GENES, tiny_gtf, write_tiny_genome

GENCODE = """##description: GENCODE
chr1\tHAVANA\tgene\t11\t90\t.\t-\t.\tgene_id "ENSG1.2"; gene_type "lncRNA"; gene_name "A1; B"; level 2;
chr1\tHAVANA\ttranscript\t11\t90\t.\t-\t.\tgene_id "ENSG1.2"; transcript_id "ENST1.1"; gene_type "lncRNA"; gene_name "A1"; transcript_type "retained_intron"; level 2; tag "basic"; tag "Ensembl_canonical";
chr1\tHAVANA\texon\t71\t90\t.\t-\t.\tgene_id "ENSG1.2"; transcript_id "ENST1.1"; exon_number 1;
chr1\tHAVANA\texon\t11\t30\t.\t-\t.\tgene_id "ENSG1.2"; transcript_id "ENST1.1"; exon_number 2;
chr1\tHAVANA\tCDS\t11\t30\t.\t-\t0\tgene_id "ENSG1.2"; transcript_id "ENST1.1";
chr1\tHAVANA\ttranscript\t21\t80\t.\t-\t.\tgene_id "ENSG1.2"; transcript_id "ENST2.1"; tag "basic";
chr1\tHAVANA\texon\t21\t80\t.\t-\t.\tgene_id "ENSG1.2"; transcript_id "ENST2.1";
"""

ENSEMBL_75 = """#!genome-build GRCh37.p13
1\tpseudogene\tgene\t11\t90\t.\t+\t.\tgene_id "ENSG1"; gene_name "P"; gene_source "havana"; gene_biotype "pseudogene";
1\tprocessed_transcript\ttranscript\t11\t90\t.\t+\t.\tgene_id "ENSG1"; transcript_id "ENST1"; gene_biotype "pseudogene"; transcript_source "havana";
1\tprocessed_transcript\texon\t11\t90\t.\t+\t.\tgene_id "ENSG1"; transcript_id "ENST1"; exon_number "1"; transcript_source "havana";
"""

REFSEQ_GTF = """#gtf-version 2.2
NC_000001.11\tBestRefSeq\tgene\t11\t90\t.\t+\t.\tgene_id "DDX"; transcript_id ""; db_xref "GeneID:1"; gbkey "Gene"; gene "DDX"; gene_biotype "protein_coding";
NC_000001.11\tBestRefSeq\ttranscript\t11\t90\t.\t+\t.\tgene_id "DDX"; transcript_id "NM_1.2"; gbkey "mRNA"; gene "DDX"; tag "MANE Select"; transcript_biotype "mRNA";
NC_000001.11\tBestRefSeq\texon\t11\t90\t.\t+\t.\tgene_id "DDX"; transcript_id "NM_1.2"; gene "DDX"; note "a; b";
"""

ENSEMBL_GFF3 = """##gff-version 3
1\tGRCh38\tchromosome\t1\t1000\t.\t.\t.\tID=chromosome:1
1\thavana\tncRNA_gene\t11\t90\t.\t-\t.\tID=gene:ENSG1;Name=A1;biotype=lncRNA;gene_id=ENSG1;version=5
1\thavana\tlnc_RNA\t11\t90\t.\t-\t.\tID=transcript:ENST1;Parent=gene:ENSG1;biotype=retained_intron;tag=basic,Ensembl_canonical;transcript_id=ENST1
1\thavana\texon\t11\t30\t.\t-\t.\tParent=transcript:ENST1;Name=E1
1\thavana\texon\t71\t90\t.\t-\t.\tParent=transcript:ENST1;Name=E2
"""

GENCODE_GFF3 = """##gff-version 3
chr1\tHAVANA\tgene\t11\t90\t.\t+\t.\tID=ENSG1.5;gene_id=ENSG1.5;gene_type=protein_coding;gene_name=A%2C1
chr1\tHAVANA\ttranscript\t11\t90\t.\t+\t.\tID=ENST1.2;Parent=ENSG1.5;gene_id=ENSG1.5;transcript_id=ENST1.2;transcript_type=protein_coding;tag=appris_principal_1
chr1\tHAVANA\texon\t11\t90\t.\t+\t.\tID=exon:ENST1.2:1;Parent=ENST1.2;gene_id=ENSG1.5;transcript_id=ENST1.2
###
##FASTA
>chr1
chr1\tx\texon\t1\t2\t.\t+\t.\tParent=nothing
"""

REFSEQ_GFF3 = """##gff-version 3
NC_000001.11\tRefSeq\tregion\t1\t1000\t.\t+\t.\tID=NC_000001.11:1..1000;gbkey=Src
NC_000001.11\tBestRefSeq\tgene\t11\t90\t.\t+\t.\tID=gene-MIRX;Name=MIRX;gbkey=Gene;gene=MIRX;gene_biotype=miRNA
NC_000001.11\tBestRefSeq\tprimary_transcript\t11\t90\t.\t+\t.\tID=rna-NR_1.1;Parent=gene-MIRX;gbkey=precursor_RNA;gene=MIRX;transcript_id=NR_1.1
NC_000001.11\tBestRefSeq\texon\t11\t90\t.\t+\t.\tID=exon-NR_1.1-1;Parent=rna-NR_1.1;gbkey=precursor_RNA;gene=MIRX
NC_000001.11\tBestRefSeq\tmiRNA\t21\t40\t.\t+\t.\tID=rna-MIR1;Parent=rna-NR_1.1;gbkey=ncRNA;gene=MIRX;product=hsa
NC_000001.11\tBestRefSeq\texon\t21\t40\t.\t+\t.\tID=exon-MIR1-1;Parent=rna-MIR1;gbkey=ncRNA;gene=MIRX
NC_000001.11\tCurated\tpseudogene\t111\t190\t.\t-\t.\tID=gene-PSI;Name=PSI;gbkey=Gene;gene=PSI;gene_biotype=transcribed_pseudogene;pseudo=true
NC_000001.11\tCurated\texon\t111\t130\t.\t-\t.\tID=id-PSI;Parent=gene-PSI;gbkey=exon;gene=PSI
NC_000001.11\tCurated\texon\t161\t190\t.\t-\t.\tID=id-PSI-2;Parent=gene-PSI;gbkey=exon;gene=PSI
NC_000001.11\tCurated\tpseudogene\t211\t290\t.\t-\t.\tID=gene-BARE;Name=BARE;gbkey=Gene;gene=BARE;gene_biotype=pseudogene;pseudo=true
NC_000001.11\tCurated\tgene\t311\t390\t.\t-\t.\tID=gene-IGX;Name=IGX;gbkey=Gene;gene=IGX;gene_biotype=V_segment
NC_000001.11\tCurated\tV_gene_segment\t311\t390\t.\t-\t.\tID=id-IGX;Parent=gene-IGX;gbkey=V_segment;gene=IGX
NC_000001.11\tCurated\texon\t311\t390\t.\t-\t.\tID=id-IGX-2;Parent=id-IGX;gbkey=V_segment;gene=IGX
"""


def _read(tmp_path: Path, text: str, name: str = "a.gtf"):
    (tmp_path / name).write_text(text)
    return read_annotation(tmp_path / name)


def test_gencode_gtf(tmp_path):
    annotation = _read(tmp_path, GENCODE)
    assert annotation.genes.rows() == [("ENSG1.2", "A1", "lncRNA", "chr1", "-", 10, 90)]
    assert annotation.transcripts.rows() == [
        ("ENST1.1", "ENSG1.2", "retained_intron", True, "chr1", "-", 10, 90),
        ("ENST2.1", "ENSG1.2", None, False, "chr1", "-", 20, 80),
    ]
    assert annotation.exons.select("transcript_id", "start", "end").rows() == [
        ("ENST1.1", 70, 90),
        ("ENST1.1", 10, 30),
        ("ENST2.1", 20, 80),
    ]


def test_ensembl_75_gtf_gives_the_transcript_type_in_the_second_field(tmp_path):
    annotation = _read(tmp_path, ENSEMBL_75)
    assert annotation.genes.row(0) == ("ENSG1", "P", "pseudogene", "1", "+", 10, 90)
    assert annotation.transcripts.row(0) == ("ENST1", "ENSG1", "processed_transcript", None, "1", "+", 10, 90)


def test_refseq_gtf(tmp_path):
    annotation = _read(tmp_path, REFSEQ_GTF)
    assert annotation.genes.row(0) == ("DDX", "DDX", "protein_coding", "NC_000001.11", "+", 10, 90)
    assert annotation.transcripts.row(0) == ("NM_1.2", "DDX", "mRNA", True, "NC_000001.11", "+", 10, 90)


def test_ensembl_gff3(tmp_path):
    annotation = _read(tmp_path, ENSEMBL_GFF3, "a.gff3")
    assert annotation.genes.rows() == [("ENSG1", "A1", "lncRNA", "1", "-", 10, 90)]
    assert annotation.transcripts.rows() == [("ENST1", "ENSG1", "retained_intron", True, "1", "-", 10, 90)]
    assert annotation.exons["start"].to_list() == [10, 70]


def test_gencode_gff3_ends_where_its_sequences_begin(tmp_path):
    annotation = _read(tmp_path, GENCODE_GFF3, "a.gff3")
    assert annotation.genes.rows() == [("ENSG1.5", "A,1", "protein_coding", "chr1", "+", 10, 90)]
    assert annotation.transcripts.rows() == [("ENST1.2", "ENSG1.5", "protein_coding", True, "chr1", "+", 10, 90)]


def test_refseq_gff3_finds_genes_above_and_exons_right_below_them(tmp_path):
    annotation = _read(tmp_path, REFSEQ_GFF3, "a.gff")
    assert annotation.genes.select("gene_id", "gene_name", "gene_type", "start").rows() == [
        ("MIRX", "MIRX", "miRNA", 10),
        ("PSI", "PSI", "transcribed_pseudogene", 110),
        ("BARE", "BARE", "pseudogene", 210),
        ("IGX", "IGX", "V_segment", 310),
    ]
    assert annotation.transcripts.select("transcript_id", "gene_id", "transcript_type", "start", "end").rows() == [
        ("NR_1.1", "MIRX", "primary_transcript", 10, 90),
        ("MIR1", "MIRX", "miRNA", 20, 40),
        ("PSI", "PSI", "pseudogene", 110, 190),
        ("IGX", "IGX", "V_gene_segment", 310, 390),
    ]


def test_one_exon_row_of_two_transcripts_counts_for_both(tmp_path):
    text = GENCODE_GFF3.replace("Parent=ENST1.2;gene_id", "Parent=ENST1.2,ENST2;gene_id")
    text = text.replace("###", "chr1\tH\tmRNA\t11\t90\t.\t+\t.\tID=ENST2;Parent=ENSG1.5\n###")
    assert _read(tmp_path, text, "a.gff3").exons["transcript_id"].to_list() == ["ENST1.2", "ENST2"]


def test_exon_rows_alone_are_enough(tmp_path):
    whole = _read(tmp_path, tiny_gtf())
    rows = [row for row in tiny_gtf().splitlines() if "\texon\t" in row]
    alone = _read(tmp_path, "\n".join(rows), "b.gtf")
    assert alone.genes.equals(whole.genes)
    assert alone.transcripts.equals(whole.transcripts)


def test_the_tiny_annotation_is_read_as_it_was_made(tmp_path):
    annotation = read_annotation(write_tiny_genome(tmp_path).gtf)
    genes = annotation.genes.sort("gene_id")
    expected = sorted(GENES, key=lambda gene: gene.gene_id)
    assert genes["gene_id"].to_list() == [gene.gene_id for gene in expected]
    assert genes["gene_name"].to_list() == [gene.gene_name for gene in expected]
    assert genes["gene_type"].to_list() == [gene.gene_type for gene in expected]
    assert genes["start"].to_list() == [gene.start - 1 for gene in expected]
    assert genes["end"].to_list() == [gene.end for gene in expected]


@pytest.mark.parametrize("block", [64, 1_000, 1 << 24])
def test_blocks_and_compression_change_nothing(tmp_path, monkeypatch, block):
    expected = parse_gtf_slowly(tiny_gtf())
    (tmp_path / "a.gtf.gz").write_bytes(gzip.compress(tiny_gtf().replace("\n", "\r\n").encode()))
    monkeypatch.setattr(feature_rows, "BLOCK_BYTES", block)
    annotation = read_annotation(tmp_path / "a.gtf.gz")
    assert annotation.exons.sort(pl.all()).rows() == expected.exons
    assert annotation.genes.select("gene_id", "chrom", "strand", "start", "end").sort(pl.all()).rows() == expected.genes


def test_a_contig_name_may_hold_a_hash(tmp_path):
    annotation = _read(tmp_path, tiny_gtf().replace("chrT", "TOY#1#chrT"))
    assert set(annotation.genes["chrom"]) == {"TOY#1#chrT1", "TOY#1#chrT2"}


def test_letters_outside_ascii_are_kept(tmp_path):
    annotation = _read(tmp_path, GENCODE.replace('"A1"', '"Aβ1"').replace('"A1; B"', '"Aβ1"'))
    assert annotation.genes["gene_name"].to_list() == ["Aβ1"]


def test_the_same_ids_on_two_contigs_are_not_mixed(tmp_path):
    on_y = "\n".join(row for row in GENCODE.splitlines() if not row.startswith("#")).replace("chr1\t", "chrY\t")
    annotation = _read(tmp_path, GENCODE + on_y + "\n")
    assert annotation.genes.select("gene_id", "chrom", "end").rows() == [
        ("ENSG1.2", "chr1", 90),
        ("ENSG1.2", "chrY", 90),
    ]
    assert annotation.transcripts.height == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("exon\t71\t90", "exon\t71\t70", "line 4: end lies before start"),
        ("exon\t71\t90", "exon\tx\t90", "line 4: start or end is no number"),
        ("exon\t71\t90", "exon\t0\t90", "line 4: start is below 1"),
        ("exon\t71\t90\t.\t-", "exon\t71\t90\t.\t.", r"line 4: the strand is neither \+ nor -"),
        ('gene_id "ENSG1.2"; transcript_id "ENST1.1"; exon_number 1', "exon_number 1", "line 4: no gene_id"),
        ('transcript_id "ENST1.1"; exon_number 1', "exon_number 1", "line 4: no transcript_id"),
        ("chr1\tHAVANA\texon\t71\t90\t.\t-\t.\t", "chr1\tHAVANA\texon\t71\t", "line 4: fewer than nine fields"),
        ("chr1\tHAVANA\texon\t71", "chr1 HAVANA exon 71", "line 4: fewer than nine fields"),
    ],
)
def test_a_malformed_exon_row_is_named_by_its_line(tmp_path, old, new, message):
    assert old in GENCODE
    with pytest.raises(InputError, match=message):
        _read(tmp_path, GENCODE.replace(old, new, 1))


def test_many_malformed_rows_are_reported_once(tmp_path):
    text = GENCODE + "".join(f"chr1\tH\texon\t{n}\t1\t.\t+\t.\tx\n" for n in range(5, 25))
    with pytest.raises(InputError, match=r"line 9: end lies before start; .*line 13: .*; and 15 more bad rows"):
        _read(tmp_path, text)


def test_bad_rows_of_genes_are_left_out_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        annotation = _read(tmp_path, GENCODE.replace("gene\t11\t90", "gene\t11\t9"))
    assert "1 gene or transcript rows are left out: line 2: end lies before start" in caplog.text
    assert annotation.genes.select("start", "end").rows() == [(10, 90)]


def test_an_exon_without_its_parent_is_named(tmp_path):
    with pytest.raises(InputError, match="line 5: the parent transcript:ENST9 is not in the file"):
        _read(tmp_path, ENSEMBL_GFF3.replace("Parent=transcript:ENST1;Name=E1", "Parent=transcript:ENST9"), "a.gff3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file has no rows"),
        ("# only a comment\n", "the file has no rows"),
        ('chr1\tH\tgene\t1\t9\t.\t+\t.\tgene_id "G";\n', "none; the first row is 'chr1"),
        (">chr1\nACGT\n", "line 1: fewer than nine fields"),
    ],
)
def test_a_file_without_exons_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        _read(tmp_path, text)


def test_a_cut_gzip_file_and_a_missing_one_are_named(tmp_path):
    path = tmp_path / "a.gtf.gz"
    path.write_bytes(gzip.compress(tiny_gtf().encode())[:-20])
    with pytest.raises(InputError, match="the file was cut off or damaged"):
        read_annotation(path)
    with pytest.raises(InputError, match="No such file"):
        read_annotation(tmp_path / "none.gtf")
