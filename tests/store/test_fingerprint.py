"""Identity comes from content alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.store.fingerprint import file_sha256, fingerprint, plain


@dataclass(frozen=True)
class Rule:
    ratio: float
    sizes: tuple[int, ...]


def test_fingerprints_never_change_between_versions() -> None:
    # A change here would make every folder on every user's disk look outdated.
    value = {"rule": Rule(0.5, (3, 5)), "genes": ["B", "A"], "none": None, "types": {"y", "x"}}
    assert fingerprint(value) == "39bd57f8d6d1a44f7f8e1215822dcd638fc4e88ff9933fd5da2c30e73d15352e"


def test_the_order_of_keys_and_of_sets_does_not_count() -> None:
    assert fingerprint({"a": 1, "b": {"x", "y"}}) == fingerprint({"b": {"y", "x"}, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "b"], ["b", "a"]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1.5}),
        ({"a": "1"}, {"a": 1}),
        ({"a": None}, {}),
        (["ab", "c"], ["a", "bc"]),
    ],
)
def test_different_values_have_different_fingerprints(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_values_without_a_stable_identity_are_refused() -> None:
    with pytest.raises(TypeError, match="no stable identity for a object"):
        fingerprint({"a": object()})


def test_plain_values_are_what_json_gives_back() -> None:
    assert plain({"rule": Rule(0.5, (3,)), 1: {"b", "a"}}) == {"rule": {"ratio": 0.5, "sizes": [3]}, "1": ["a", "b"]}


def test_file_checksums_are_those_of_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    with pytest.raises(InputError, match=r"a readable file .*missing"):
        file_sha256(tmp_path / "missing")
