"""Seeded draws."""

from __future__ import annotations

import numpy as np
import pytest

from meta_spliceai.genome.draws import draws, seeded_word
from tests.oracles.genome_oracles import split_mix

POSITIONS = np.arange(1, 100_001)


def test_draws_are_the_same_on_every_machine():
    assert seeded_word(42, "easy", "ENSG1") == 4242393974031793166
    assert draws(42, "easy", "ENSG1", [1, 2, 3]).tolist() == [split_mix(4242393974031793166, p) for p in (1, 2, 3)]


def test_parts_of_the_seed_do_not_run_together():
    assert len({seeded_word("ab", "c"), seeded_word("a", "bc"), seeded_word("abc")}) == 3


def test_draws_are_uniform():
    values = draws(0, "easy", "G", POSITIONS)
    assert 0 <= values.min() <= values.max() < 1
    counts, _ = np.histogram(values, bins=100, range=(0, 1))
    chi_squared = float(((counts - 1_000) ** 2 / 1_000).sum())
    assert 60 < chi_squared < 150  # 99 degrees of freedom: 1 in 1,000 on either side


@pytest.mark.parametrize("other", [(1, "easy", "G"), (0, "candidate", "G"), (0, "easy", "H")])
def test_seed_purpose_and_gene_give_independent_draws(other: tuple[int, str, str]):
    correlation = np.corrcoef(draws(0, "easy", "G", POSITIONS), draws(*other, POSITIONS))[0, 1]
    assert abs(correlation) < 0.015


def test_neighbouring_positions_are_independent():
    values = draws(0, "easy", "G", POSITIONS)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.015


def test_a_draw_depends_on_its_own_position_alone():
    order = np.random.default_rng(0).permutation(1_000)
    values = draws(7, "easy", "G", POSITIONS[:1_000])
    assert draws(7, "easy", "G", POSITIONS[order]).tolist() == values[order].tolist()
    assert draws(7, "easy", "G", [500]).tolist() == [values[499]]
