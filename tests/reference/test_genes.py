import logging

import pytest

from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.reference.genes import choose_genes, read_gene_list, resolve_genes, without_version


@pytest.mark.rows("G13")
@pytest.mark.parametrize(
    ("gene_id", "bare"),
    [
        ("ENSG00000012048.23", "ENSG00000012048"),
        ("ENSG00000012048.23_4", "ENSG00000012048"),
        ("ENSG00000012048", "ENSG00000012048"),
        ("AC245407.1", "AC245407.1"),
        ("RP11-34P13.7", "RP11-34P13.7"),
    ],
)
def test_only_ensembl_ids_have_versions(gene_id, bare):
    assert without_version(gene_id) == bare


@pytest.mark.rows("G13")
def test_names_and_ids_are_found_in_reference_order(reference):
    resolved = resolve_genes(reference, ["LAST", "TG02.3", " START "])
    assert resolved.gene_ids == ["TG01.1", "TG02.3", "TG17.1"]
    assert (resolved.unknown, resolved.doubled, resolved.near) == ([], [], {})


@pytest.mark.rows("G13")
def test_case_is_a_fallback(reference):
    assert resolve_genes(reference, ["plusalt", "tg03.1"]).gene_ids == ["TG02.3", "TG03.1"]


@pytest.mark.rows("G13")
def test_a_gene_named_twice_is_told_and_counted_once(reference):
    resolved = resolve_genes(reference, ["LAST", "TG17.1", "LAST"])
    assert (resolved.gene_ids, resolved.doubled) == (["TG17.1"], ["TG17.1", "LAST"])


@pytest.mark.rows("G14")
def test_unknown_names_come_with_near_ones(reference):
    resolved = resolve_genes(reference, ["MINUSALTS", "QQQQ"])
    assert resolved.unknown == ["MINUSALTS", "QQQQ"]
    assert resolved.near["MINUSALTS"][0] == "MINUSALT"
    assert "QQQQ" not in resolved.near


def test_unknown_genes_are_refused_with_a_suggestion(reference):
    with pytest.raises(GeneError, match=r"2 unknown: PLUSALTT, QQQQ\nwhat to do: PLUSALTT: did you mean PLUSALT"):
        choose_genes(reference, genes=["PLUSALTT", "QQQQ", "LAST"])


def test_doubled_names_give_a_warning(reference, caplog):
    with caplog.at_level(logging.WARNING):
        assert choose_genes(reference, genes=["LAST", "LAST"]).height == 1
    assert "genes named more than once: LAST" in caplog.text


def test_an_empty_list_is_refused(reference, tmp_path):
    with pytest.raises(GeneError, match="an empty list"):
        choose_genes(reference, genes=[])
    (tmp_path / "genes.txt").write_text("# nobody\n\n")
    with pytest.raises(GeneError, match="give one gene id or name per line"):
        choose_genes(reference, gene_ids_file=tmp_path / "genes.txt")


def test_options_narrow_the_choice(reference):
    assert choose_genes(reference).height == 17
    assert choose_genes(reference, chromosomes=["T2"])["chrom"].unique().to_list() == ["chrT2"]
    assert choose_genes(reference, gene_types=["lncRNA"])["gene_name"].to_list() == ["LINC1"]
    with pytest.raises(GeneError, match="none that fits all of the options"):
        choose_genes(reference, chromosomes=["chrT1"], gene_types=["lncRNA"])


def test_unknown_contigs_and_types_are_refused(reference):
    with pytest.raises(InputError, match="chrom values of the reference: chrT1, chrT2\nfound: chr9"):
        choose_genes(reference, chromosomes=["chr9", "chrT1"])
    with pytest.raises(InputError, match=r"gene_type values of the reference: protein_coding.*\nfound: snoRNA"):
        choose_genes(reference, gene_types=["snoRNA"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("genes.txt", "A1\n# note\n\nB2\r\n"),
        ("genes.txt", "\ufeffgene_id\nA1\nB2\n"),
        ("genes.tsv", "score\tgene_id\n1\tA1\n2\tB2\n3\n"),
        ("genes.txt", "score\tgene_id\n1\tA1\n2\tB2\n"),
        ("genes.csv", 'note,gene_id\n"a, b",A1\n,"B2"\n'),
        ("genes.csv", "gene_id\nA1\nB2\n"),
    ],
)
def test_gene_files_of_all_kinds_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_gene_list(tmp_path / name) == ["A1", "B2"]


def test_another_column_can_be_named(tmp_path):
    (tmp_path / "g.tsv").write_text("gene_id\tsymbol\nx\tA1\n")
    assert read_gene_list(tmp_path / "g.tsv", "symbol") == ["A1"]
    with pytest.raises(InputError, match=r"a column name in .*\nfound: gene_id, symbol"):
        read_gene_list(tmp_path / "g.tsv", "name")


def test_a_missing_or_binary_gene_file_is_named(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        read_gene_list(tmp_path / "none.txt")
    (tmp_path / "g.bin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="a text file"):
        read_gene_list(tmp_path / "g.bin")
