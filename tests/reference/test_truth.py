import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.reference.truth import Truth


def test_truth_is_that_of_any_gene_on_the_strand(reference):
    truth = Truth(reference.splice_sites())
    left = reference.genes.row(by_predicate=pl.col("gene_name") == "LEFT", named=True)
    donor, acceptor = truth.on("chrT1", "+", left["start"] - 1, left["end"])
    own = [22_150, 23_120]
    assert (np.flatnonzero(donor) + left["start"]).tolist() == [*own, 25_200]  # the last one is RIGHT's
    assert (np.flatnonzero(acceptor) + left["start"]).tolist() == [23_001, 25_501]


def test_the_other_strand_and_an_unknown_contig_have_no_sites_there(reference):
    truth = Truth(reference.splice_sites())
    assert not np.any(truth.on("chrT1", "-", 22_000, 29_000))
    assert not np.any(truth.on("chrZ", "+", 0, 10))
    assert [flags.size for flags in truth.on("chrT1", "+", 5, 5)] == [0, 0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 59_000), st.integers(1, 2_000), st.sampled_from("+-"))
def test_any_interval_agrees_with_looking_each_base_up(reference, start, length, strand):
    sites = reference.splice_sites()
    known = {(c, s, p - 1, t) for c, s, p, t in sites.select("chrom", "strand", "position", "splice_type").iter_rows()}
    for kind, flags in zip(("donor", "acceptor"), Truth(sites).on("chrT1", strand, start, start + length), strict=True):
        assert flags.tolist() == [("chrT1", strand, base, kind) in known for base in range(start, start + length)]
