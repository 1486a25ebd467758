"""DNA as integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.genome.sequences import base_pair_names, base_pairs, decode, encode, reverse_complement
from tests.oracles.genome_oracles import complement

dna = st.text("ACGTN", max_size=30)


def test_letters_have_fixed_codes_and_everything_else_is_unknown():
    assert encode("ACGTacgtNRy-").tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 4, 4, 4]
    assert encode(b"GT").tolist() == [2, 3]
    assert encode("Aé").tolist() == [0, 4]


@given(dna)
def test_decoding_undoes_encoding(text: str):
    assert decode(encode(text)) == text


@given(dna)
def test_reverse_complement_equals_its_slow_twin_and_undoes_itself(text: str):
    assert decode(reverse_complement(encode(text))) == complement(text)
    assert decode(reverse_complement(reverse_complement(encode(text)))) == text


@given(dna)
def test_pairs_equal_the_two_letters_and_are_unknown_outside(text: str):
    first = np.arange(-2, len(text) + 2)
    names = [base_pair_names()[code] for code in base_pairs(encode(text), first)]
    padded = "NN" + text + "NNN"
    expected = [padded[i : i + 2] for i in range(len(first))]
    assert names == [pair if "N" not in pair else "NN" for pair in expected]
