from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.basemodel.windows import HALO, WINDOWS, plan_windows, windows_for
from tests.oracles.basemodel_oracles import cheapest_cover_cost


@pytest.mark.parametrize(
    ("length", "plan"),
    [
        (1, ((0, 1_000),)),
        (1_000, ((0, 1_000),)),
        (10_500, ((0, 12_000),)),
        (33_000, ((0, 32_000), (32_000, 1_000))),
        (300_000, ((0, 100_000), (100_000, 100_000), (200_000, 100_000))),
        (310_000, ((0, 100_000), (100_000, 100_000), (200_000, 100_000), (300_000, 12_000))),
    ],
)
def test_plan(length: int, plan: tuple[tuple[int, int], ...]) -> None:
    assert plan_windows(length) == plan


@given(st.integers(1, 3_000_000))
def test_windows_follow_one_another_and_cover_everything(length: int) -> None:
    plan = plan_windows(length)
    ends = [start + window for start, window in plan]
    assert [start for start, _ in plan] == [0, *ends[:-1]]
    assert ends[-1] >= length > plan[-1][0]
    assert {window for _, window in plan} <= set(WINDOWS)


@given(st.integers(1, 45), st.integers(0, 12))
def test_no_cover_is_cheaper(length: int, halo: int) -> None:
    windows = (3, 9, 15)
    plan = plan_windows(length, windows=windows, halo=halo)
    assert sum(window + halo for _, window in plan) == cheapest_cover_cost(length, windows, halo)


def test_long_sequences_cost_little_more_than_their_length() -> None:
    cost = sum(window + HALO for _, window in plan_windows(2_315_000))
    assert cost / 2_315_000 < 1.08


def test_lengths_suit_the_halo_and_the_bound() -> None:
    assert windows_for(HALO) == WINDOWS
    assert set(windows_for(40)) < set(WINDOWS)
    assert windows_for(HALO, bound=20_000) == (1_000, 12_000, 20_000)
    assert windows_for(HALO, bound=25_900) == (1_000, 12_000, 20_000, 25_000)
    assert windows_for(HALO, bound=1_500) == (1_000,)
    assert windows_for(40, bound=200_000) == (1_000, 12_000, 100_000, 200_000)
