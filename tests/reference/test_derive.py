"""The tables of the tiny genome against slow twins, and some rows by hand."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.reference.derive import covered_lengths, overlaps_of
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE
from tests.oracles import reference_oracles as slow
from tests.toys.tiny_genome import CANONICAL, GENES, tiny_gtf, tiny_sequences


@pytest.fixture(scope="module")
def twin() -> slow.SlowAnnotation:
    return slow.parse_gtf_slowly(tiny_gtf())


def _gene(reference, name):
    return reference.genes.row(by_predicate=pl.col("gene_name") == name, named=True)


def test_every_table_conforms_to_its_schema(reference):
    for frame, table in (
        (reference.genes, GENE_TABLE),
        (reference.transcripts(), TRANSCRIPT_TABLE),
        (reference.exons(), EXON_TABLE),
        (reference.splice_sites(), SITE_TABLE),
        (reference.overlaps(), OVERLAP_TABLE),
    ):
        assert problems_of(frame, table) == []


def test_sites_and_motifs_agree_with_the_slow_twin(reference, twin):
    expected = slow.sites(twin.exons, tiny_sequences(), min_intron=20)
    columns = ["chrom", "strand", "position", "splice_type", "gene_id", "transcript_id", "motif"]
    assert sorted(reference.splice_sites().select(columns).rows()) == expected


def test_overlaps_agree_with_the_slow_twin(reference, twin):
    columns = ["gene_id", "other_gene_id", "same_strand", "overlap_length"]
    assert sorted(reference.overlaps().select(columns).rows()) == slow.overlaps(twin.genes)
    assert dict(reference.genes.filter(pl.col("num_overlaps") > 0).select("gene_id", "num_overlaps").iter_rows()) == {
        "TG05.1": 1,
        "TG06.1": 1,
        "TG07.1": 1,
        "TG08.1": 1,
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("+-"), st.integers(0, 40), st.integers(1, 25)), max_size=25
    )
)
def test_overlaps_of_any_genes_agree_with_the_slow_twin(rows):
    genes = [(f"g{n}", chrom, strand, start, start + size) for n, (chrom, strand, start, size) in enumerate(rows)]
    frame = pl.DataFrame(
        genes,
        schema={"gene_id": pl.String, "chrom": pl.String, "strand": pl.String, "start": pl.Int64, "end": pl.Int64},
        orient="row",
    ).sort("chrom", "start", "end", "gene_id")
    found = overlaps_of(frame).select("gene_id", "other_gene_id", "same_strand", "overlap_length").rows()
    assert sorted(found) == slow.overlaps(genes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=20))
def test_covered_lengths_agree_with_the_slow_twin(rows):
    exons = pl.DataFrame([(g, s, s + n) for g, s, n in rows], schema=["gene_id", "start", "end"], orient="row")
    expected = {g: slow.covered([(s, s + n) for h, s, n in rows if h == g]) for g, _, _ in rows}
    assert dict(covered_lengths(exons).iter_rows()) == expected


def test_genes_come_in_reference_order_with_their_ordinals(reference):
    assert reference.genes["gene_id"].to_list() == [gene.gene_id for gene in GENES]
    assert reference.genes["ordinal"].to_list() == [*range(1, 14), *range(1, 5)]


def test_a_gene_row_by_hand(reference):
    gene = _gene(reference, "PLUSALT")
    assert gene == {
        "ordinal": 2,
        "gene_id": "TG02.3",
        "gene_name": "PLUSALT",
        "gene_type": "protein_coding",
        "chrom": "chrT1",
        "strand": "+",
        "start": 4_001,
        "end": 9_000,
        "gene_length": 5_000,
        "num_transcripts": 4,
        "num_exons": 9,
        "transcript_length": 870,
        "total_exon_length": 870,
        "total_intron_length": 4_130,
        "n_splice_sites": 10,
        "donor_sites": 5,
        "acceptor_sites": 5,
        "transcript_site_rows": 8 + 6 + 8 + 8,
        "splice_density_per_kb": 2.0,
        "num_overlaps": 0,
    }


def test_a_gene_without_a_name_is_called_by_its_id(reference):
    assert reference.genes.filter(pl.col("gene_id") == "TG15.1")["gene_name"].to_list() == ["TG15.1"]


def test_a_single_exon_gene_has_no_sites(reference):
    gene = _gene(reference, "ONEEXON")
    assert (gene["n_splice_sites"], gene["total_intron_length"], gene["num_exons"]) == (0, 0, 1)


def test_a_gap_below_twenty_bases_is_listed_and_gives_no_label(reference):
    gaps = pl.read_csv(reference.path / "short_gaps.tsv", separator="\t")
    assert gaps.select("gene_id", "start", "end", "length").rows() == [("TG11.1", 50_301, 50_310, 10)]
    sites = reference.splice_sites().filter(pl.col("gene_id") == "TG11.1")
    assert sites.select("position", "splice_type").rows() == [(50_500, "acceptor"), (52_501, "donor")]
    transcript = reference.transcripts().row(by_predicate=pl.col("gene_id") == "TG11.1", named=True)
    assert (transcript["num_exons"], transcript["num_introns"], transcript["transcript_length"]) == (3, 1, 990)


def test_an_exon_of_one_base_is_acceptor_and_donor(reference):
    at = reference.splice_sites().filter(pl.col("position") == 56_500)
    assert at.select("splice_type", "motif").rows() == [("acceptor", "AG"), ("donor", "GT")]
    gene = _gene(reference, "ONEBASE")
    assert (gene["n_splice_sites"], gene["donor_sites"], gene["acceptor_sites"]) == (3, 2, 2)


def test_motifs_are_read_on_the_transcripts_strand(reference):
    sites = reference.splice_sites()
    of = {name: sites.filter(pl.col("gene_id") == name)["motif"].to_list() for name in ("TG10.1", "TG13.1", "TG09.1")}
    assert of == {
        "TG10.1": ["GC", "AG", "AT", "AC", "GT", "AG"],
        "TG13.1": ["AG", "GT"],
        "TG09.1": ["NN", "NN"],
    }


def test_exons_are_numbered_in_the_direction_of_transcription(reference):
    exons = reference.exons().filter(pl.col("transcript_id").is_in(["TT14.1", "TT15.1"]))
    assert exons.select("transcript_id", "start", "exon_number").rows() == [
        ("TT14.1", 2_001, 3),
        ("TT14.1", 3_501, 2),
        ("TT14.1", 4_801, 1),
        ("TT15.1", 7_001, 1),
        ("TT15.1", 8_201, 2),
        ("TT15.1", 10_301, 3),
    ]


def test_canonical_transcripts_are_the_tagged_ones(reference):
    transcripts = reference.transcripts()
    assert set(transcripts.filter("is_canonical")["transcript_id"]) == CANONICAL
    assert transcripts["is_canonical"].null_count() == 0
