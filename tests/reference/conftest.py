from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import BUILD, TinyGenome, write_tiny_genome


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyGenome:
    """The tiny genome's files; do not change them."""
    return write_tiny_genome(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def reference(tiny: TinyGenome, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The prepared tiny genome; do not change it."""
    return prepare(fasta=tiny.fasta, gtf=tiny.gtf, build=BUILD, out=tmp_path_factory.mktemp("out") / "reference")


@pytest.fixture
def own_tiny(tmp_path: Path) -> TinyGenome:
    """A tiny genome of the test's own."""
    return write_tiny_genome(tmp_path / "input")
