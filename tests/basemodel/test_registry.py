from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from types import ModuleType

import pytest

from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.registry import ENTRY_POINT_GROUP, base_model_names, load_base_model
from meta_spliceai.errors import ModelError
from tests.toys.toy_base_model import ToyBaseModel

SHIPPED = [
    "imported",
    "openspliceai",
    "openspliceai_2000nt",
    "openspliceai_400nt",
    "openspliceai_80nt",
    "pangolin",
    "spliceai",
]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package with the entry points good, no_model, gone and spliceai."""
    package = ModuleType("some_plugin")
    package.load = lambda *, weights, threads: ToyBaseModel(training_chromosomes=(str(weights), str(threads)))
    package.no_model = lambda *, weights, threads: [weights, threads]
    points = [
        importlib.metadata.EntryPoint(name, f"some_plugin:{function}", ENTRY_POINT_GROUP)
        for name, function in (("good", "load"), ("no_model", "no_model"), ("gone", "gone"), ("spliceai", "no_model"))
    ]
    monkeypatch.setitem(sys.modules, "some_plugin", package)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda *, group: [point for point in points if point.group == group]
    )
    return package


def test_entry_points_plug_in_base_models(plugin: ModuleType) -> None:
    assert base_model_names() == sorted([*SHIPPED, "gone", "good", "no_model"])
    model = load_base_model("good", weights=Path("folder"), options=EngineOptions(threads=3))
    assert model.info.name == "toy"
    assert model.info.training_chromosomes == ("folder", "3")


def test_plugin_that_is_no_base_model_is_refused(plugin: ModuleType) -> None:
    with pytest.raises(ModelError, match=r"`info` and `score` from some_plugin:no_model\nfound: a list without"):
        load_base_model("no_model")


def test_plugin_that_cannot_be_imported_is_named(plugin: ModuleType) -> None:
    with pytest.raises(ModelError, match=r"base model gone \(some_plugin:gone\)\nfound: AttributeError"):
        load_base_model("gone")


def test_plugin_cannot_take_a_shipped_name(plugin: ModuleType) -> None:
    with pytest.raises(ModelError, match=r"the folder that holds spliceai1\.h5"):
        load_base_model("spliceai", weights=Path("no-such-folder"))


def test_unknown_name_lists_near_ones() -> None:
    with pytest.raises(
        ModelError, match=r"base models .*pangolin, spliceai\nfound: 'SpliceIA'\n.*did you mean spliceai or"
    ):
        load_base_model("SpliceIA")


def test_threads_must_be_positive() -> None:
    with pytest.raises(ModelError, match="threads=0"):
        load_base_model("spliceai", options=EngineOptions(threads=0))
