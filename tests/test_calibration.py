"""Calibration maps: what they do to scores, and how they are written down."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.calibration import IDENTITY, BetaMap, IsotonicMap, map_from_json
from meta_spliceai.store.fingerprint import plain

SLOPES = st.floats(0.05, 5.0)
ISOTONIC = IsotonicMap((0.1, 0.4, 0.5, 0.9), (0.0, 0.2, 0.2, 0.7))


@given(SLOPES, SLOPES, st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_larger_scores_keep_larger_probabilities(a: float, b: float, c: float) -> None:
    scores = np.unique(np.concatenate([np.logspace(-8, -1, 200), np.linspace(0.1, 0.999, 200)])).astype(np.float32)
    calibrated = BetaMap(a, b, c).of_probability(scores)
    middle = (calibrated > 1e-30) & (calibrated < 0.99)
    assert (np.diff(calibrated) >= 0).all()
    assert (np.diff(calibrated[middle]) > 0).all()


def test_the_ends_stay_and_nothing_warns() -> None:
    ends = BetaMap(0.7, 1.3, -2.0).of_probability(np.array([0, 1], dtype=np.float32))
    assert ends.tolist() == [0.0, 1.0]
    assert ends.dtype == np.float32
    assert IDENTITY.of_margin(np.array([-800, 800], dtype=np.float32)).tolist() == [0.0, 1.0]


def test_the_identity_changes_nothing() -> None:
    scores = np.array([1e-6, 0.2, 0.5, 0.9], dtype=np.float32)
    np.testing.assert_allclose(IDENTITY.of_probability(scores), scores, rtol=1e-6)


def test_an_isotonic_map_is_straight_between_its_points_and_level_beyond_them() -> None:
    scores = np.array([0.0, 0.1, 0.25, 0.45, 0.7, 0.9, 1.0], dtype=np.float32)
    found = ISOTONIC.of_probability(scores)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 0, 0.1, 0.2, 0.45, 0.7, 0.7], atol=1e-6)


@pytest.mark.parametrize("fitted", [BetaMap(0.8, 1.4, -0.5), ISOTONIC], ids=["beta", "isotonic"])
def test_a_margin_and_its_probability_are_mapped_alike(fitted: BetaMap | IsotonicMap) -> None:
    margin = np.array([-6, -1, 0, 2], dtype=np.float32)
    expected = fitted.of_probability((1 / (1 + np.exp(-margin))).astype(np.float32))
    np.testing.assert_allclose(fitted.of_margin(margin), expected, rtol=1e-5)


@pytest.mark.parametrize("fitted", [IDENTITY, BetaMap(2.0, 2.0, 0.5, "platt"), ISOTONIC], ids=lambda one: one.kind)
def test_maps_survive_being_written_down_and_pickled(fitted: BetaMap | IsotonicMap) -> None:
    fitted.of_probability(np.array([0.5], dtype=np.float32))  # what is kept for speed is no part of it
    assert map_from_json({**plain(fitted), "fold": 0, "arm": "meta"}) == fitted
    assert pickle.loads(pickle.dumps(fitted)) == fitted


def test_maps_that_were_written_before_there_were_kinds_are_beta() -> None:
    assert map_from_json({"a": 0.5, "b": 2, "c": 0}) == BetaMap(0.5, 2.0, 0.0, "beta")


@pytest.mark.parametrize(
    "content",
    [{"kind": "spline"}, {"a": -1, "b": 1, "c": 0}, {"a": 1, "b": 1, "c": float("nan")}, {"kind": "isotonic", "p": [1, 0], "q": [0, 1]}],
)  # fmt: skip
def test_what_is_no_map_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        map_from_json(content)
