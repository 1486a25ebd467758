from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.basemodel.network import ACCEPTOR, DONOR, TYPED_OUTPUTS, Block, Convolution, Network
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine, _Graphs
from meta_spliceai.genome.sequences import UNKNOWN, Codes
from tests.oracles.basemodel_oracles import network_probabilities
from tests.protocols.base_model_protocol import channels

FILTERS = 8


def tiny_network(seed: int, *, slope: float = 0.0, outputs: tuple[str, ...] = TYPED_OUTPUTS) -> Network:
    """Three blocks with random weights: 36 nt of context."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    def block(taps: int, dilation: int) -> Block:
        first, second = (Convolution(normal(taps, FILTERS, FILTERS), normal(FILTERS), dilation) for _ in range(2))
        return Block(normal(FILTERS), normal(FILTERS), first, second)

    return Network(
        stem=Convolution(normal(1, 4, FILTERS), normal(FILTERS)),
        groups=((block(3, 1), block(3, 4)), (block(5, 2),)),
        projections=tuple(normal(FILTERS, len(outputs)) for _ in range(3)),
        bias=normal(len(outputs)),
        slope=slope,
        outputs=outputs,
    )


NETWORKS = [tiny_network(seed) for seed in range(3)]
CONTEXT = NETWORKS[0].context


def some_codes(length: int, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(0, 5, length + CONTEXT, dtype=np.uint8)


@pytest.fixture(scope="module")
def whole() -> OpenVINOEngine:
    return OpenVINOEngine(NETWORKS, threads=1, windows=(400,))


@pytest.fixture(scope="module")
def tiled() -> OpenVINOEngine:
    return OpenVINOEngine(NETWORKS, threads=2, windows=(20, 60))


def test_context_and_halo_of_a_network() -> None:
    assert CONTEXT == 2 * (2 * 1 + 2 * 4 + 4 * 2)
    # Left to lose after each convolution: 34, 32 (3 taps), 24, 16 (3 taps), 8, 0 (5 taps).
    assert NETWORKS[0].mean_halo == round((3 * (34 + 32 + 24 + 16) + 5 * (8 + 0)) / (4 * 3 + 2 * 5))


def test_scores_are_mean_and_spread_of_the_members(whole: OpenVINOEngine) -> None:
    codes = some_codes(150)
    members = np.stack([network_probabilities(network, codes) for network in NETWORKS])
    donor, acceptor = members[:, :, DONOR], members[:, :, ACCEPTOR]
    expected = np.stack([donor.mean(axis=0), acceptor.mean(axis=0), (donor + acceptor).std(axis=0)])
    np.testing.assert_allclose(channels(whole.score(codes)), expected, rtol=0, atol=2e-6)


def test_a_leaky_network_leaks() -> None:
    codes = some_codes(150)
    leaky = tiny_network(0, slope=0.1)
    expected = network_probabilities(leaky, codes)
    scores = OpenVINOEngine([leaky], threads=1, windows=(200,)).score(codes)
    np.testing.assert_allclose(scores.donor, expected[:, DONOR], rtol=0, atol=2e-6)
    np.testing.assert_allclose(scores.acceptor, expected[:, ACCEPTOR], rtol=0, atol=2e-6)
    assert np.abs(expected - network_probabilities(NETWORKS[0], codes)).max() > 0.01


@pytest.mark.parametrize("windows", [(200,), (20, 60)])
def test_members_of_different_outputs_give_the_channels_of_all(windows: tuple[int, ...]) -> None:
    codes = some_codes(150)
    outputs = [("site_a",), ("usage_a",), ("site_b",)]
    members = [tiny_network(seed, outputs=outputs[seed % 3], slope=0.2 * (seed % 3 == 2)) for seed in range(7)]
    scores = OpenVINOEngine(members, threads=1, windows=windows).score(codes)
    values = [network_probabilities(network, codes)[:, 0] for network in members]
    expected = {name: np.stack(values[first::3]) for first, (name,) in enumerate(outputs)}
    assert scores.channels == ("site_a", "usage_a", "site_b", "spread")
    for name, replicates in expected.items():
        np.testing.assert_allclose(scores[name], replicates.mean(axis=0), rtol=0, atol=2e-6)
    spread = (expected["site_a"].std(axis=0) + expected["site_b"].std(axis=0)) / 2
    np.testing.assert_allclose(scores.spread, spread, rtol=0, atol=2e-6)


def test_one_network_may_give_several_channels() -> None:
    codes = some_codes(150)
    members = [tiny_network(seed, outputs=("site_a", "usage_a", "site_b")) for seed in range(2)]
    scores = OpenVINOEngine(members, threads=1, windows=(200,)).score(codes)
    values = np.stack([network_probabilities(network, codes) for network in members])
    for place, name in enumerate(("site_a", "usage_a", "site_b")):
        np.testing.assert_allclose(scores[name], values[:, :, place].mean(axis=0), rtol=0, atol=2e-6)
    spread = values[:, :, [0, 2]].std(axis=0).mean(axis=1)
    np.testing.assert_allclose(scores.spread, spread, rtol=0, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 399), seed=st.integers(0, 99))
def test_windows_and_threads_change_no_score(
    whole: OpenVINOEngine, tiled: OpenVINOEngine, length: int, seed: int
) -> None:
    codes = some_codes(length, seed)
    np.testing.assert_allclose(channels(tiled.score(codes)), channels(whole.score(codes)), rtol=0, atol=1e-6)


def test_windows_of_unknown_bases_are_answered_with_a_constant(
    whole: OpenVINOEngine, tiled: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = some_codes(400)
    codes[100:] = UNKNOWN
    expected = whole.score(codes)
    tiled.score(codes)
    computed: list[int] = []
    infer = _Graphs.infer
    monkeypatch.setattr(_Graphs, "infer", lambda *given: computed.append(given[-1].size - CONTEXT) or infer(*given))
    np.testing.assert_allclose(channels(tiled.score(codes)), channels(expected), rtol=0, atol=1e-6)
    # Windows of 60 begin at 0, 60, …; those from 120 on hold nothing known.
    assert computed == [60, 60]


def test_nothing_is_reported_to_anyone_and_importing_loads_nothing(tmp_path: Path) -> None:
    script = """
import sys, urllib.request
from meta_spliceai.basemodel import registry, spliceai
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from tests.basemodel.test_openvino_engine import NETWORKS, some_codes
assert "openvino" not in sys.modules
OpenVINOEngine(NETWORKS, threads=1, windows=(20,)).score(some_codes(20))
assert "openvino" in sys.modules
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
"""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        env=environment | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
    )
    assert not list(tmp_path.iterdir())
