from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.basepass.score_files import ScoreFile, rounded, spans_of, write_scores
from meta_spliceai.errors import StoreError
from meta_spliceai.genome.coordinates import Interval, merge_spans, subtract_spans
from meta_spliceai.schema.features import CHANNELS
from tests.oracles.basepass_oracles import covered

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 15)), max_size=6)


def _scores(length: int, seed: int) -> Scores:
    values = np.random.default_rng(seed).beta(0.05, 5, (3, length)).astype(np.float32)
    return Scores.typed(values[0], values[1], values[2])


@given(SPANS, SPANS)
def test_merging_and_subtracting_spans_are_set_operations(wanted, held):
    bounds = [([s for s, _ in spans], [s + n for s, n in spans]) for spans in (wanted, held)]
    starts, ends = merge_spans(*bounds[0])
    assert covered(starts.tolist(), ends.tolist()) == covered(*bounds[0])
    assert all(start > end for start, end in zip(starts[1:], ends[:-1], strict=True))
    starts, ends = subtract_spans(*bounds[0], *bounds[1])
    assert covered(starts.tolist(), ends.tolist()) == covered(*bounds[0]) - covered(*bounds[1])


def test_rounding_is_exact_for_scores_that_matter_and_close_for_the_rest():
    scores = np.float32(10.0) ** np.linspace(-9, 0, 20_001, dtype=np.float32)
    kept = rounded(scores)
    assert (kept[scores >= 1e-3] == scores[scores >= 1e-3]).all()
    assert np.abs(kept - scores).max() <= 5e-7
    assert (np.abs(kept - scores) / scores).max() <= 1 / 256


def test_rounding_twice_changes_nothing():
    once = rounded(_scores(50_000, 1).donor)
    assert (rounded(once) == once).all()


def test_spans_are_the_union_per_strand_with_rows_in_file_order():
    spans = spans_of([Interval("c", 50, 60, "-"), Interval("c", 5, 20, "+"), Interval("c", 15, 30, "+")])
    assert [(s.strand, s.start, s.end, s.first_row) for s in spans] == [("+", 5, 30, 0), ("-", 50, 60, 25)]


@pytest.mark.parametrize("cuts", [[300_000], [1, 131_072, 168_927], [100_000, 100_000, 100_000]])
def test_bytes_depend_on_the_scores_not_on_the_pieces(tmp_path: Path, cuts: list[int]):
    scores = _scores(300_000, 2)

    def pieces(lengths):
        at = 0
        for length in lengths:
            yield "+", at, Scores.typed(*(x[at : at + length] for x in (scores.donor, scores.acceptor, scores.spread)))
            at += length

    assert write_scores(tmp_path / "whole.parquet", "c", CHANNELS, pieces([300_000])) == 300_000
    write_scores(tmp_path / "cut.parquet", "c", CHANNELS, pieces(cuts))
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "cut.parquet").read_bytes()


def test_rows_are_read_back_across_row_groups(tmp_path: Path):
    scores = _scores(400_000, 3)
    write_scores(tmp_path / "s.parquet", "c", CHANNELS, [("+", 7, scores)])
    rows = ScoreFile(tmp_path / "s.parquet").rows(130_000, 270_001)
    assert (rows[0] == rounded(scores.donor)[130_000:270_001]).all()
    assert (rows[2] == rounded(scores.spread)[130_000:270_001]).all()


def test_a_base_costs_at_most_five_bytes(tmp_path: Path):
    # most bases of a real gene score between 1e-7 and 1e-4, evenly spread over the powers of ten
    powers = np.random.default_rng(4).normal(-5.5, 0.8, (3, 400_000)).astype(np.float32)
    donor, acceptor, spread = np.minimum(np.float32(10) ** powers, 1)
    write_scores(tmp_path / "s.parquet", "c", CHANNELS, [("+", 0, Scores.typed(donor, acceptor, spread))])
    assert (tmp_path / "s.parquet").stat().st_size <= 5 * 400_000


def test_a_truncated_score_file_is_named(tmp_path: Path):
    path = tmp_path / "s.parquet"
    write_scores(path, "c", CHANNELS, [("+", 0, _scores(1000, 5))])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"readable score file .*s\.parquet"):
        ScoreFile(path)
