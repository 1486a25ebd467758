"""Splice sites from exons.

    1-based   1234567890123456789012345678901234567890
    exons     EEEEEEEEEE....................EEEEEEEEEE   [0, 10) and [30, 40): an intron of 20
    plus               D                    A            donor 10, acceptor 31
    minus              A                    D            acceptor 10, donor 31
"""  # fmt: skip

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.genome.sites import introns_of, splice_sites_of, split_by_length
from tests.oracles.genome_oracles import sites_of


def exon_table(exons: list[tuple[int, int]], strand: str, transcript: str = "T1", gene: str = "G1") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "gene_id": gene,
            "transcript_id": transcript,
            "chrom": "1",
            "strand": strand,
            "start": [start for start, _ in exons],
            "end": [end for _, end in exons],
        }
    )


@pytest.mark.parametrize(
    ("strand", "expected"),
    [("+", [(10, "donor"), (31, "acceptor")]), ("-", [(10, "acceptor"), (31, "donor")])],
)
def test_sites_lie_on_the_exons_edges(strand: str, expected: list[tuple[int, str]]):
    sites = splice_sites_of(introns_of(exon_table([(30, 40), (0, 10)], strand)))
    assert sites.select("position", "splice_type").rows() == expected


def test_intron_bounds_are_half_open():
    introns = introns_of(exon_table([(0, 10), (30, 40)], "+"))
    assert introns.select("start", "end").rows() == [(10, 30)]


def test_short_gaps_are_set_apart():
    introns = introns_of(exon_table([(0, 10), (29, 40), (60, 70)], "+"))
    long_enough, too_short = split_by_length(introns)
    assert long_enough.select("start", "end").rows() == [(40, 60)]
    assert too_short.select("start", "end").rows() == [(10, 29)]


@pytest.mark.parametrize("exons", [[(0, 10)], [(0, 10), (10, 20)], [(0, 30), (5, 10)]])
def test_touching_nested_and_single_exons_have_no_intron(exons: list[tuple[int, int]]):
    assert introns_of(exon_table(exons, "+")).is_empty()


def test_one_row_per_site_and_transcript_in_order():
    exons = pl.concat(
        [
            exon_table([(0, 10), (50, 60)], "+", "T2"),
            exon_table([(0, 10), (50, 60)], "+", "T1"),
            exon_table([(0, 10), (50, 60)], "-", "T3", "G2"),
        ]
    )
    rows = splice_sites_of(introns_of(exons)).select("position", "strand", "splice_type", "transcript_id").rows()
    assert rows == [
        (10, "+", "donor", "T1"),
        (10, "+", "donor", "T2"),
        (10, "-", "acceptor", "T3"),
        (51, "+", "acceptor", "T1"),
        (51, "+", "acceptor", "T2"),
        (51, "-", "donor", "T3"),
    ]


exon = st.builds(lambda start, length: (start, start + length), st.integers(0, 150), st.integers(1, 30))


@given(st.lists(exon, min_size=1, max_size=6), st.sampled_from("+-"))
def test_sites_equal_a_walk_along_the_transcript(exons: list[tuple[int, int]], strand: str):
    introns, _ = split_by_length(introns_of(exon_table(exons, strand)), 20)
    found = set(splice_sites_of(introns).select("position", "splice_type").rows())
    assert found == sites_of(exons, strand, 20)
