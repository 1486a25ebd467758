"""Base-score features against their slow twin, and what must not change them."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.features import stretch as stretch_module
from meta_spliceai.features.base_scores import base_score_features
from meta_spliceai.features.stretch import Stretch
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import BASE_SCORE_FEATURES, REACH
from tests.features.toys import stretch as toy_stretch
from tests.oracles import feature_oracles as slow

OTHER_SIDE = {"_up_": "_down_", "_down_": "_up_", "_m1": "_p1", "_m2": "_p2", "_p1": "_m1", "_p2": "_m2"}
MIRRORED = re.compile("_up_|_down_|_[mp][12]$")
TABLE = Table("base scores", 1, "for tests", BASE_SCORE_FEATURES)


def around(donor: list[float], acceptor: list[float] | None = None) -> Stretch:
    """A stretch of zeros with these scores in its middle."""
    fields = []
    for values in (donor, acceptor or [0.0] * len(donor)):
        field = np.zeros(2 * REACH + len(donor), dtype=np.float32)
        field[REACH : REACH + len(donor)] = values
        fields.append(field)
    return Stretch(np.zeros(fields[0].size, dtype=np.uint8), *fields, np.zeros_like(fields[0]))


def assert_same(fast: dict[str, np.ndarray], row: int, expected: dict[str, float]) -> None:
    assert list(fast) == list(expected)
    # a few ulp of float64 are magnified by differences of equal scores, never past float32's resolution of a score
    found = np.array([fast[name][row] for name in expected], dtype=np.float64)
    np.testing.assert_allclose(found, list(expected.values()), rtol=2e-7, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_every_feature_equals_its_slow_twin(seed: int):
    stretch = toy_stretch(seed, 2 * REACH + 400)
    index = np.random.default_rng(seed).integers(REACH, REACH + 400, 20)
    fast = base_score_features(stretch, index)
    lists = [values.tolist() for values in (stretch.donor, stretch.acceptor, stretch.spread)]
    for row, i in enumerate(index.tolist()):
        assert_same(fast, row, slow.base_score_features(*lists, i))


score = st.sampled_from([0.0, 1e-12, 1e-10, 1e-7, 0.001, 0.02, 0.1, 0.5, 0.9999999, 1.0]) | st.floats(0, 1, width=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(score, score), min_size=5, max_size=12))
def test_any_scores_give_finite_values_within_the_declared_bounds(pairs: list[tuple[float, float]]):
    stretch = around([d for d, _ in pairs], [a for _, a in pairs])
    index = np.arange(REACH, REACH + len(pairs))
    fast = base_score_features(stretch, index)
    assert problems_of(pl.DataFrame(fast), TABLE) == []


def test_all_zero_scores_have_defined_values():
    fast = {name: values.tolist() for name, values in base_score_features(around([0.0]), [REACH]).items()}
    assert fast["neither_score"] == [1.0]
    assert fast["donor_surge_ratio"] == fast["donor_acceptor_peak_ratio"] == fast["signal_strength_ratio"] == [0.0]
    assert fast["donor_distance_up_02"] == fast["distance_to_nearest_acceptor"] == [float(REACH)]


def test_a_lone_peak_has_a_huge_but_finite_ratio():
    fast = base_score_features(around([1.0]), [REACH])
    assert fast["donor_surge_ratio"].tolist() == [np.float32(1e10)]
    assert fast["donor_is_local_peak"].tolist() == [1.0]


def test_a_denominator_of_exactly_zero_is_replaced():
    # three float32 scores whose sum is exactly the float64 4e-10: the acceptor's signal strength is exactly -1e-10
    m2, m1, p1 = 3.9999997758499717e-10, 2.2415001450327273e-17, 1.3958672836832342e-24
    assert m2 + m1 + p1 == 4e-10
    assert [np.float32(part) for part in (m2, m1, p1)] == [m2, m1, p1]
    stretch = around([0, 0, 0.5, 0, 0], [m2, m1, 0, p1, 0])
    assert base_score_features(stretch, [REACH + 2])["signal_strength_ratio"].tolist() == [np.float32(0.5 / 1e-10)]


@pytest.mark.parametrize("distance", [1, 10, 11, 50, 51, 150, 151, 500, 501, REACH])
def test_a_peak_shows_in_the_one_window_that_holds_its_distance(distance: int):
    stretch = around([0.0])
    stretch.donor[REACH + distance] = 0.75
    fast = base_score_features(stretch, [REACH])
    shown = [name for name in fast if "_max_" in name and fast[name][0] > 0 and name != "context_max"]
    near, far = next(w for w in ((1, 10), (11, 50), (51, 150), (151, 500), (501, REACH)) if w[0] <= distance <= w[1])
    assert shown == [f"donor_max_down_{near}_{far}"]
    assert fast["donor_distance_down_50"].tolist() == [distance]
    assert fast["donor_distance_up_50"].tolist() == [REACH]


def test_a_base_is_not_its_own_neighbour():
    fast = base_score_features(around([0.9]), [REACH])
    assert fast["donor_distance_down_50"].tolist() == [REACH]
    assert fast["donor_max_up_1_10"].tolist() == [0.0]


def test_rows_in_pieces_or_any_order_are_bitwise_the_same(monkeypatch: pytest.MonkeyPatch):
    stretch = toy_stretch(5, 2 * REACH + 3_000)
    index = np.arange(REACH, REACH + 3_000)
    whole = base_score_features(stretch, index)
    shuffled = np.random.default_rng(1).permutation(index)
    monkeypatch.setattr(stretch_module, "TILE_BASES", 701)
    pieces = [base_score_features(stretch, part) for part in np.split(index, [1, 8, 1_001, 2_990])]
    disordered = base_score_features(stretch, shuffled)
    for name, values in whole.items():
        assert np.concatenate([piece[name] for piece in pieces]).tobytes() == values.tobytes(), name
        assert disordered[name].tobytes() == values[shuffled - REACH].tobytes(), name


def test_scores_beyond_the_reach_change_nothing():
    stretch = toy_stretch(6, 4 * REACH + 1)
    middle = 2 * REACH
    changed = Stretch(stretch.codes, *(values.copy() for values in (stretch.donor, stretch.acceptor, stretch.spread)))
    for values in (changed.donor, changed.acceptor, changed.spread):
        values[: middle - REACH] = 0.9
        values[middle + REACH + 1 :] = 0.9
    before, after = base_score_features(stretch, [middle]), base_score_features(changed, [middle])
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_minus_strand_reads_the_flipped_scores():
    plus = toy_stretch(7, 2 * REACH + 50)
    minus = Stretch.from_ascending("-", plus.codes, plus.donor, plus.acceptor, plus.spread)
    index = np.arange(REACH, REACH + 50)
    forward = base_score_features(plus, index)
    backward = base_score_features(minus, plus.length - 1 - index)
    for name, values in forward.items():
        mirrored = MIRRORED.sub(lambda match: OTHER_SIDE[match[0]], name)
        sign = -1 if name == "context_asymmetry" else 1
        np.testing.assert_allclose(sign * backward[mirrored], values, rtol=1e-6, atol=1e-12, err_msg=name)


def test_a_row_too_near_the_end_is_refused():
    with pytest.raises(ValueError, match="rows need 5000 bases before and 5000 after them"):
        base_score_features(around([0.0]), [REACH + 1])


def test_no_rows_give_empty_columns():
    fast = base_score_features(around([0.0]), [])
    assert list(fast) == TABLE.names
    assert {values.shape for values in fast.values()} == {(0,)}
