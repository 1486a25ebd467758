"""A package of somebody else, installed for real: its enricher is found by name, listed and built with."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.features.describe import list_enrichers
from meta_spliceai.features.enricher import Bases, ReferenceFacts, enriched
from meta_spliceai.features.registry import choose_enrichers, load_enrichers
from meta_spliceai.genome.sequences import decode

EXAMPLE = Path(__file__).resolve().parents[1] / "enricher_example"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder into which pip installed the example, without a network; it is importable."""
    if not all(importlib.util.find_spec(name) for name in ("pip", "setuptools")):
        pytest.skip("pip and setuptools, which install the example, are not installed here")
    source, target = tmp_path_factory.mktemp("source") / "example", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(target)
        yield target


def test_it_is_listed_with_its_columns() -> None:
    (listed,) = (one for one in list_enrichers().enrichers if one.name == "branchpoint_example")
    assert listed.kind == "plug-in"
    assert [(c.role, c.origin) for c in listed.columns] == [("feature", "sequence")] * 2


def test_its_values_are_those_of_a_slow_twin() -> None:
    (enricher,) = load_enrichers(choose_enrichers(["branchpoint_example"]), ReferenceFacts({"1": 1_000}, ()))
    codes = np.random.default_rng(3).integers(0, 5, 900).astype(np.uint8)
    index = np.arange(250, 640)
    found = enriched(enricher, Bases("1", "-", 2_000 - index, codes, index))
    text = decode(codes)
    for row, i in enumerate(index.tolist()):
        tna = sum(text[i - d] == "A" and text[i - d - 2] == "T" for d in range(18, 45))
        assert found["branchpoint_example_tna"][row] == tna
        share = sum(letter in "CT" for letter in text[i - 18 : i]) / 18
        assert found["branchpoint_example_pyrimidines"][row] == np.float32(share)
