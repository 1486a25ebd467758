from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from meta_spliceai.basemodel.engine import make_engine
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.errors import ModelError
from tests.basemodel.test_openvino_engine import CONTEXT, NETWORKS, some_codes


def test_the_window_bounds_what_is_scored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from meta_spliceai.basemodel.openvino_engine import _Graphs

    computed: set[int] = set()
    infer = _Graphs.infer
    monkeypatch.setattr(_Graphs, "infer", lambda *given: computed.add(given[-1].size - CONTEXT) or infer(*given))
    make_engine(NETWORKS, EngineOptions(threads=1, window=2_500)).score(some_codes(6_100))
    assert computed == {1_000, 2_000}


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_other_devices_name_the_extra_where_torch_is_missing(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=rf"torch, which computes on {device}\n.*\n.*meta-spliceai\[torch\]"):
        make_engine(NETWORKS, EngineOptions(device=device))


def test_other_devices_are_given_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch_engine")
    module.TorchEngine = lambda networks, options: (len(networks), options.device)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "meta_spliceai.basemodel.torch_engine", module)
    assert make_engine(NETWORKS, EngineOptions(device="cuda")) == (len(NETWORKS), "cuda")
