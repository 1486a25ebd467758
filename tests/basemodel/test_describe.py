from __future__ import annotations

import json
from pathlib import Path

import pytest

from meta_spliceai.basemodel import describe, registry
from meta_spliceai.basemodel.catalogue import FACTS, weight_files
from meta_spliceai.basemodel.describe import describe_model, list_models
from meta_spliceai.basemodel.protocol import BaseModel
from meta_spliceai.cli.rendering import as_json
from meta_spliceai.errors import ModelError
from tests.toys.toy_base_model import ToyBaseModel


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("META_SPLICEAI_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def pangolin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pangolin's name, with a loader that gives a toy."""
    monkeypatch.setitem(registry._SHIPPED, "pangolin", lambda **_: ToyBaseModel())


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in of the name `other`."""
    names = registry.base_model_names()
    monkeypatch.setattr(registry, "base_model_names", lambda: [*names, "other"])
    monkeypatch.setattr(describe, "base_model_names", lambda: [*names, "other"])
    monkeypatch.setattr(describe, "load_base_model", lambda *_, **__: ToyBaseModel())


def test_the_list_names_every_model_and_loads_none(
    pangolin: None, plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "load_base_model", None)
    listed = {model.name: model for model in list_models().models}
    assert set(listed) == {*registry.base_model_names()}
    assert (listed["pangolin"].kind, listed["other"].kind) == ("shipped", "plug-in")
    assert listed["pangolin"].weights is None
    text = list_models().summary()
    assert "site_heart, usage_heart … (8)" in text
    assert "pangolin: `meta-spliceai basemodel fetch pangolin`" in text
    assert "other" in text
    assert json.loads(as_json(list_models()))["models"][0]["name"] == list_models().models[0].name


def test_weights_count_as_found_when_all_files_have_their_size(home: Path, pangolin: None) -> None:
    folder = home / "weights" / "pangolin"
    folder.mkdir(parents=True)
    files = weight_files("pangolin")
    for file in files:
        with (folder / file.name).open("wb") as stream:
            stream.truncate(file.bytes)
    assert {model.name: model.weights for model in list_models().models}["pangolin"] == folder
    (folder / files[-1].name).write_bytes(b"cut off")
    assert {model.name: model.weights for model in list_models().models}["pangolin"] is None


def test_a_folder_of_unlisted_files_counts_as_weights_when_it_holds_any(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._SHIPPED, "openspliceai_2000nt", lambda **_: ToyBaseModel())
    folder = home / "weights" / "openspliceai_2000nt"
    folder.mkdir(parents=True)
    assert describe_model("openspliceai_2000nt").weights is None
    (folder / "model.pt").touch()
    assert describe_model("openspliceai_2000nt").weights == folder


def test_without_weights_a_model_is_described_from_what_is_known(pangolin: None) -> None:
    description = describe_model("pangolin")
    assert (description.info, description.facts) == (None, FACTS["pangolin"])
    text = description.summary()
    for part in (
        "GRCh38",
        "10,000 bases",
        "usage_testis, spread",
        "GPL-3",
        "Zeng and Li",
        "fetch pangolin",
        "not found",
    ):
        assert part in text


def test_with_weights_the_model_speaks_for_itself(pangolin: None, tmp_path: Path) -> None:
    description = describe_model("pangolin", weights=tmp_path)
    assert description.info == ToyBaseModel().info
    assert "0" * 64 in description.summary()
    assert str(tmp_path) in description.summary()


def test_a_plug_in_is_described_by_itself(plugin: None) -> None:
    description = describe_model("other")
    assert (description.kind, description.facts, description.weights) == ("plug-in", None, None)
    assert "tiny1" in description.summary()
    assert "known to its package" in description.summary()


def test_a_model_that_is_what_it_is_given_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
    assert "given as --weights" in describe_model("toy").summary()
    assert "given as --weights" in list_models().summary()
    assert describe_model("toy", weights=tmp_path).info == ToyBaseModel().info


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ModelError, match="did you mean spliceai"):
        describe_model("SpliceIA")


def test_spliceai_is_found_and_described(spliceai: BaseModel, spliceai_files: list[Path]) -> None:
    description = describe_model("spliceai")
    assert description.info == spliceai.info
    assert description.weights == spliceai_files[0].parent
    assert "2, 4, 6, 8, 10" in description.summary()
