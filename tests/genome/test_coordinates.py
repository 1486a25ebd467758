"""Intervals, and sets of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.genome.coordinates import Interval, merge_spans, subtract_spans
from tests.oracles.genome_oracles import bases_of, spans_of

span = st.builds(lambda start, length: (start, start + length), st.integers(0, 40), st.integers(1, 12))
spans = st.lists(span, max_size=8)


def split(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [start for start, _ in pairs], [end for _, end in pairs]


def joined(result) -> list[tuple[int, int]]:
    return list(zip(*(side.tolist() for side in result), strict=True))


def test_users_see_one_based_closed_bounds():
    assert str(Interval("chr1", 999, 2_000, "-")) == "chr1:1,000-2,000(-)"
    assert Interval("chr1", 999, 2_000, "-").length == 1_001


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5)])
def test_impossible_bounds_are_refused(start: int, end: int):
    with pytest.raises(ValueError, match=f"0 <= start < end, not start={start}, end={end}"):
        Interval("1", start, end, "+")


def test_an_unknown_strand_is_refused():
    with pytest.raises(ValueError, match=r"strand is '\+' or '-', not '\.'"):
        Interval("1", 0, 1, ".")


def test_widening_stops_at_the_contig():
    assert Interval("1", 3, 8, "+").widened(5, 10) == Interval("1", 0, 10, "+")
    assert Interval("1", 30, 40, "+").widened(5, 100) == Interval("1", 25, 45, "+")


@given(spans)
def test_merging_equals_the_union_of_the_bases(pairs: list[tuple[int, int]]):
    assert joined(merge_spans(*split(pairs))) == spans_of(bases_of(pairs))


@given(spans, spans)
def test_subtracting_equals_the_difference_of_the_bases(pairs: list[tuple[int, int]], held: list[tuple[int, int]]):
    assert joined(subtract_spans(*split(pairs), *split(held))) == spans_of(bases_of(pairs) - bases_of(held))
