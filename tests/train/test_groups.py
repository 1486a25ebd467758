"""Gene groups: overlap on either strand, and what is joined by chains."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.train.groups import components, overlap_edges, overlap_groups
from tests.oracles.training_oracles import components_slowly, overlap


def genes_of(spans: list[tuple[str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"gene_id": f"G{n}", "chrom": c, "start": start, "end": end} for n, (c, start, end) in enumerate(spans)]
    )


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 40), st.integers(0, 12)), min_size=1, max_size=14))
@settings(max_examples=60, deadline=None)
def test_overlapping_genes_are_those_of_the_slow_twin(bodies: list[tuple[str, int, int]]) -> None:
    genes = genes_of([(chrom, start, start + length) for chrom, start, length in bodies])
    rows = genes.to_dicts()
    expected = components_slowly(len(rows), lambda one, other: overlap(rows[one], rows[other]))
    assert components(len(rows), overlap_edges(genes)).tolist() == expected


def test_touching_genes_do_not_overlap() -> None:
    assert overlap_edges(genes_of([("A", 1, 10), ("A", 11, 20)])).shape == (0, 2)


def test_genes_are_numbered_in_the_order_of_their_first_members() -> None:
    assert components(5, np.array([[3, 1], [4, 0]])).tolist() == [0, 1, 2, 1, 0]


def test_groups_by_overlap_alone_know_no_likeness() -> None:
    genes = genes_of([("A", 1, 10), ("A", 5, 20), ("A", 30, 40), ("B", 1, 10)])
    assert overlap_groups(genes).to_list() == [0, 0, 1, 2]
