"""The engine for GPUs, run on the processor here: the same code, for want of a device. Skipped where torch is not installed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.basemodel.check import read_known_answer
from meta_spliceai.basemodel.network import Network
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.basemodel.spliceai import read_networks
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import UNKNOWN, encode
from tests.basemodel.test_openvino_engine import CONTEXT, NETWORKS, some_codes

torch = pytest.importorskip("torch", reason="torch, an extra, is not installed")
from meta_spliceai.basemodel.torch_engine import TorchEngine  # noqa: E402 - only where torch is


def _named(network: Network, *outputs: str) -> Network:
    """The network with outputs of its own, each through a sigmoid."""
    n = len(outputs)
    projections = tuple(projection[:, :n] for projection in network.projections)
    return dataclasses.replace(network, projections=projections, bias=network.bias[:n], outputs=outputs, slope=0.1)


SITES = [_named(NETWORKS[0], "site_heart"), _named(NETWORKS[1], "site_heart"), _named(NETWORKS[2], "usage_heart")]
TWO_OUTPUTS = [_named(network, "site_heart", "site_brain") for network in NETWORKS]
LEAKY = [dataclasses.replace(network, slope=0.1) for network in NETWORKS]


def _assert_alike(ours: Scores, theirs: Scores, tolerance: float = 2e-6) -> None:
    assert ours.channels == theirs.channels
    for channel in ours.channels:
        np.testing.assert_allclose(ours[channel], theirs[channel], rtol=0, atol=tolerance, err_msg=channel)


@pytest.mark.parametrize(
    "networks", [NETWORKS, LEAKY, SITES, TWO_OUTPUTS], ids=["typed", "leaky", "sites", "two outputs"]
)
def test_scores_are_those_of_the_engine_on_the_processor(networks: list[Network]) -> None:
    codes = some_codes(700)
    _assert_alike(TorchEngine(networks, EngineOptions()).score(codes), OpenVINOEngine(networks).score(codes))


def test_windows_change_no_score_and_the_same_codes_give_the_same_bits() -> None:
    codes = some_codes(3_500)
    whole, tiled = (TorchEngine(NETWORKS, EngineOptions(window=window)) for window in (None, 1_000))
    _assert_alike(tiled.score(codes), whole.score(codes), 1e-6)
    once, again = whole.score(codes), whole.score(codes)
    assert all((once[channel] == again[channel]).all() for channel in once.channels)


def test_windows_of_unknown_bases_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(NETWORKS, EngineOptions(window=1_000))
    calls: list[int] = []
    infer = TorchEngine._infer
    monkeypatch.setattr(TorchEngine, "_infer", lambda self, codes: calls.append(codes.size) or infer(self, codes))
    scores = engine.score(np.full(5_000 + CONTEXT, UNKNOWN, dtype=np.uint8))
    assert calls == [CONTEXT + 1]
    assert np.unique(scores.donor).size == 1
    _assert_alike(scores, OpenVINOEngine(NETWORKS).score(np.full(5_000 + CONTEXT, UNKNOWN, dtype=np.uint8)))


def test_spliceai_gives_the_known_answer(spliceai_files: list[Path]) -> None:
    networks, _ = read_networks(spliceai_files)
    answer = read_known_answer("spliceai")
    assert answer is not None
    scores = TorchEngine(networks, EngineOptions()).score(encode(answer.sequence))
    _assert_alike(scores, Scores(answer.channels), 1e-5)


def test_bfloat16_is_near(spliceai_files: list[Path]) -> None:
    codes = some_codes(500)
    exact, fast = (TorchEngine(NETWORKS, EngineOptions(precision=name)).score(codes) for name in ("exact", "fast"))
    difference = np.abs(exact.donor - fast.donor).max()
    assert 0 < difference < 0.1


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ModelError, match=rf"the device {absent}\nfound: only cpu"):
        TorchEngine(NETWORKS, EngineOptions(device=absent))


def test_the_users_own_settings_of_torch_are_left_as_they_were() -> None:
    torch.backends.cudnn.benchmark = True
    try:
        TorchEngine(NETWORKS, EngineOptions()).score(some_codes(100))
        assert torch.backends.cudnn.benchmark
    finally:
        torch.backends.cudnn.benchmark = False
