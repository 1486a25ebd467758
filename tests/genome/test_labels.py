"""Labels and calls."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.genome.labels import near, pred_types, splice_types, tolerant_calls
from tests.oracles import genome_oracles as slow

flags = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20)


def test_a_base_that_is_both_is_labelled_donor():
    labels = splice_types(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert labels.tolist() == ["donor", "donor", "acceptor", "neither"]


def test_every_combination_of_calls_and_truths_equals_its_slow_twin():
    rows = list(itertools.product([False, True], repeat=4))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert pred_types(*columns).tolist() == [slow.pred_type(row[:2], row[2:]) for row in rows]


@pytest.mark.parametrize("distance", [0, 1, 3, 50])
def test_near_reaches_both_ways_and_stops_at_the_ends(distance: int):
    truth = np.zeros(12, dtype=bool)
    truth[[0, 7]] = True
    assert near(truth, distance).tolist() == [abs(i - 7) <= distance or i <= distance for i in range(12)]


@given(flags, st.integers(0, 3))
def test_the_consensus_window_equals_its_slow_twin(rows: list[tuple[bool, bool]], window: int):
    called, truth = (np.array(column) for column in zip(*rows, strict=True))
    calls, true = tolerant_calls(called, truth, window)
    none = np.zeros(called.size, dtype=bool)
    assert pred_types(calls, none, true, none).tolist() == slow.tolerant(called.tolist(), truth.tolist(), window)


def test_a_call_beside_a_true_site_recovers_it_only_within_the_window():
    called, truth = np.zeros(9, dtype=bool), np.zeros(9, dtype=bool)
    called[2], truth[4] = True, True
    none = np.zeros(9, dtype=bool)
    for window, expected in ((0, {2: "FP", 4: "FN"}), (1, {2: "FP", 4: "FN"}), (2, {4: "TP"})):
        kinds = pred_types(*tolerant_calls(called, truth, window)[:1], none, truth, none)
        assert {i: str(kind) for i, kind in enumerate(kinds) if kind != "TN"} == expected
