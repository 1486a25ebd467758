from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from meta_spliceai.basemodel.catalogue import FACTS, weight_files
from meta_spliceai.basemodel.registry import load_base_model, shipped_names
from meta_spliceai.basemodel.whereabouts import found_weights

FETCHABLE = {"openspliceai": 5, "openspliceai_400nt": 5, "openspliceai_80nt": 5, "pangolin": 24}
SHARED_FOLDERS = {
    "openspliceai": "openspliceai-mane/10000nt",
    "openspliceai_400nt": "openspliceai-mane/400nt",
    "openspliceai_80nt": "openspliceai-mane/80nt",
    "pangolin": "pangolin",
}


@pytest.mark.parametrize("name", FACTS)
def test_weight_files_are_listed_for_what_has_a_home_and_nothing_else(name: str) -> None:
    files = weight_files(name)
    assert len(files) == FETCHABLE.get(name, 0)
    assert (len(files) > 0) == (len(FACTS[name].homes) > 0)
    assert len({file.name for file in files}) == len({file.checksum for file in files}) == len(files)
    for file in files:
        assert all(url.startswith("https://") and url.endswith(f"/{file.name}") for url in file.urls)


@pytest.mark.parametrize("name", FACTS)
def test_facts_say_what_a_user_must_know(name: str) -> None:
    facts = FACTS[name]
    assert facts.terms.endswith(".")
    assert "https://doi.org/" in facts.citation
    assert ("non-commercial" in facts.terms) == (name == "spliceai")
    assert ("GPL-3" in facts.licence) == (name != "spliceai")
    assert not {"1", "3", "5", "7", "9"} & set(facts.training_chromosomes)


def test_another_address_replaces_the_known_ones() -> None:
    for address in ("http://mirror/pangolin", "http://mirror/pangolin/"):
        file = weight_files("pangolin", address)[0]
        assert file.urls == ("http://mirror/pangolin/final.1.0.3.v2",)


@pytest.mark.real_data
@pytest.mark.parametrize("name", SHARED_FOLDERS)
def test_pinned_sums_are_those_of_the_real_weights(shared: Path, name: str) -> None:
    folder = shared / "weights" / SHARED_FOLDERS[name]
    listed = {file.name: (file.bytes, file.checksum.value) for file in weight_files(name)}
    real = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert listed == {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in real.items()}


@pytest.mark.real_data
@pytest.mark.parametrize("name", FACTS)
def test_facts_agree_with_the_loaded_model(shared: Path, name: str) -> None:
    weights = shared / "weights" / SHARED_FOLDERS[name] if name in SHARED_FOLDERS else found_weights(name)
    if name not in shipped_names() or weights is None:
        pytest.skip(f"{name} is not registered, or its weights are not on this machine")
    facts, info = FACTS[name], load_base_model(name, weights=weights).info
    for field in ("name", "training_build", "training_chromosomes", "context", "licence", "channels"):
        assert getattr(facts, field) == getattr(info, field), field
