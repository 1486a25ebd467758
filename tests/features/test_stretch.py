"""Stretches: orientation, indices, tiles."""

from __future__ import annotations

import numpy as np
import pytest

from meta_spliceai.features.stretch import TILE_BASES, Stretch, require_reach, stretch_index, tiles
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sequences import decode, encode


def ramp(length: int) -> np.ndarray:
    return np.arange(length, dtype=np.float32) / 10


def test_channels_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape: codes \(4,\), .*'spread': \(3,\)"):
        Stretch(encode("ACGT"), ramp(4), ramp(4), ramp(3))


def test_minus_strand_is_flipped_into_the_direction_of_transcription():
    stretch = Stretch.from_ascending("-", encode("AACGN"), ramp(5), ramp(5) + 1, ramp(5) + 2)
    assert decode(stretch.codes) == "NCGTT"
    assert stretch.donor.tolist() == ramp(5)[::-1].tolist()
    assert stretch.length == 5


def test_plus_strand_stays_as_it_is():
    assert decode(Stretch.from_ascending("+", encode("AACGN"), ramp(5), ramp(5), ramp(5)).codes) == "AACGN"


def test_a_part_holds_the_same_bases():
    part = Stretch(encode("ACGTA"), ramp(5), ramp(5) + 1, ramp(5) + 2).part(1, 3)
    assert decode(part.codes) == "CG"
    assert part.spread.tolist() == (ramp(5) + 2)[1:3].tolist()


def test_index_counts_from_the_five_prime_end_of_the_flank():
    # bases 11..20 with 3 more on either side
    assert stretch_index(Interval("1", 10, 20, "+"), [11, 20], 3).tolist() == [3, 12]
    assert stretch_index(Interval("1", 10, 20, "-"), [11, 20], 3).tolist() == [12, 3]


@pytest.mark.parametrize("index", [[1], [8]])
def test_rows_without_enough_bases_beside_them_are_refused(index: list[int]):
    with pytest.raises(ValueError, match="rows need 2 bases before and 2 after them"):
        require_reach(np.array(index), 2, 2, 10)
    require_reach(np.array([2, 7]), 2, 2, 10)


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_tiles_hold_every_row_once_and_are_narrow(order: str):
    index = np.arange(0, 5 * TILE_BASES, 100)
    if order == "descending":
        index = index[::-1]
    if order == "shuffled":
        index = np.random.default_rng(0).permutation(index)
    chosen = [np.arange(index.size)[rows] for rows in tiles(index)]
    assert sorted(np.concatenate(chosen).tolist()) == list(range(index.size))
    assert all(np.ptp(index[rows]) < TILE_BASES for rows in chosen)
    if order != "shuffled":
        assert all(isinstance(rows, slice) for rows in tiles(index))


def test_no_rows_make_no_tiles():
    assert list(tiles(np.empty(0, dtype=np.int64))) == []
