"""Sequence features and k-mers against their slow twin."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.features import sequence as sequence_module
from meta_spliceai.features.sequence import kmer_codes, kmer_counts, sequence_features
from meta_spliceai.genome.sequences import encode, reverse_complement
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import SEQUENCE_FEATURES, SEQUENCE_REACH, kmer_features, kmer_names
from tests.oracles import feature_oracles as slow

PADDING = "N" * 250


@settings(max_examples=25, deadline=None)
@given(st.text("ACGTN", min_size=1, max_size=700), st.data())
def test_features_and_kmers_equal_their_slow_twin(text: str, data: st.DataObject):
    sequence = PADDING + text + PADDING
    i = data.draw(st.integers(250, 249 + len(text)))
    fast = sequence_features(encode(sequence), [i], (1, 2, 3))
    expected = slow.sequence_features(sequence, i, (1, 2, 3))
    assert list(fast) == list(expected)
    np.testing.assert_allclose([float(values[0]) for values in fast.values()], list(expected.values()), atol=1e-7)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_kmers_of_any_size_equal_their_slow_twin(k: int):
    text = "".join(np.random.default_rng(k).choice(list("ACGTN"), 620, p=[0.3, 0.2, 0.2, 0.29, 0.01]))
    index = [250, 251, 300, 370]
    fast = sequence_features(encode(text), index, (k,))
    for row, i in enumerate(index):
        expected = slow.kmer_counts(text[i - 250 : i + 250], k)
        assert {name.split("_")[1]: int(fast[name][row]) for name in kmer_names(k)} == expected


def test_a_window_of_one_base_has_no_entropy_and_a_motif_is_read_beside_the_row():
    text = list("A" * 501)
    text[248:253] = "AGCGT"  # the row is the C: AG before it, GT after it
    fast = sequence_features(encode("".join(text)), [250])
    assert fast["acceptor_motif_ag"].tolist() == fast["donor_motif_gt"].tolist() == [1.0]
    assert fast["acceptor_motif_ac"].tolist() == fast["donor_motif_gc"].tolist() == [0.0]
    assert sequence_features(encode("A" * 501), [250])["sequence_complexity"].tolist() == [0.0]


def test_a_window_without_known_bases_is_zero_everywhere():
    fast = sequence_features(encode("N" * 501), [250], (2,))
    assert all(values.tolist() == [0] for values in fast.values())


def test_beyond_the_contig_the_window_is_shorter():
    assert sequence_features(encode(PADDING + "ACGT" * 100), [250])["sequence_length"].tolist() == [250.0]


def test_columns_are_declared():
    table = Table("sequence", 1, "for tests", SEQUENCE_FEATURES + kmer_features((1, 3)))
    fast = sequence_features(encode("ACGGT" * 150), np.arange(250, 400), (1, 3))
    assert problems_of(pl.DataFrame(fast), table) == []


def test_kmers_are_numbered_in_lexicographic_order():
    assert kmer_codes(encode("AACNTT"), 2).tolist() == [0, 1, 16, 16, 15]
    assert kmer_codes(encode("AC"), 3).tolist() == []


def test_rows_in_pieces_or_any_order_are_the_same(monkeypatch: pytest.MonkeyPatch):
    codes = np.random.default_rng(0).integers(0, 5, 1_500).astype(np.uint8)
    index = np.arange(250, 1_250)
    whole = sequence_features(codes, index, (2,))
    monkeypatch.setattr(sequence_module, "COUNTS_AT_ONCE", 64)
    pieces = [sequence_features(codes, part, (2,)) for part in np.split(index, [1, 400])]
    backwards = sequence_features(codes, index[::-1], (2,))
    for name, values in whole.items():
        assert np.concatenate([piece[name] for piece in pieces]).tobytes() == values.tobytes(), name
        assert backwards[name][::-1].tobytes() == values.tobytes(), name


def test_the_other_strand_is_read_in_its_own_direction():
    codes = np.random.default_rng(3).integers(0, 5, 1_000).astype(np.uint8)
    other = "".join({0: "T", 1: "G", 2: "C", 3: "A", 4: "N"}[code] for code in reversed(codes.tolist()))
    fast = sequence_features(reverse_complement(codes), [400], (1,))
    expected = slow.sequence_features(other, 400, (1,))
    np.testing.assert_allclose([float(values[0]) for values in fast.values()], list(expected.values()), atol=1e-7)


def test_a_row_without_its_window_is_refused():
    with pytest.raises(ValueError, match="rows need 250 bases before and 249 after them"):
        sequence_features(encode("A" * 499), [250])


def test_a_kmer_has_at_least_one_base():
    with pytest.raises(ValueError, match="at least 1 base, not 0"):
        sequence_features(encode("A" * 500), [250], (0,))


@pytest.mark.parametrize("k", [1, 3, 4])
def test_following_the_window_counts_what_whole_windows_hold(k: int) -> None:
    rng = np.random.default_rng(k)
    codes = rng.choice(5, 3_000, p=[0.3, 0.2, 0.2, 0.28, 0.02]).astype(np.uint8)
    near = rng.integers(SEQUENCE_REACH, 3_000 - SEQUENCE_REACH, 600)  # in no order, some bases more than once
    together = kmer_counts(codes, near, k)
    alone = np.hstack([kmer_counts(codes, near[row : row + 1], k) for row in range(near.size)])
    assert np.array_equal(together, alone)
