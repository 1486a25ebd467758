from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.errors import GuardError, InputError, StoreError
from meta_spliceai.reference.from_reference import derive
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import BUILD, tiny_gtf, write_tiny_genome


@pytest.fixture
def newer_gtf(tmp_path: Path) -> Path:
    """The tiny annotation without its first gene."""
    lines = [line for line in tiny_gtf().splitlines(keepends=True) if '"TG01.1"' not in line]
    (tmp_path / "newer.gtf").write_text("".join(lines))
    return tmp_path / "newer.gtf"


def test_another_annotation_gives_what_preparing_anew_gives(
    reference: Reference, newer_gtf: Path, tmp_path: Path
) -> None:
    tiny = write_tiny_genome(tmp_path / "tiny")
    derived = derive(reference=reference.path, gtf=newer_gtf, out=tmp_path / "derived")
    prepared = prepare(fasta=tiny.fasta, gtf=newer_gtf, build=BUILD, out=tmp_path / "prepared")
    assert derived.fingerprint == prepared.fingerprint
    assert derived.build == BUILD
    assert derived.genes.height == reference.genes.height - 1
    assert load(reference.path).fingerprint == reference.fingerprint


def test_a_reference_is_not_replaced_by_what_is_derived_from_it(
    reference: Reference, newer_gtf: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the given reference itself"):
        derive(reference=reference.path, gtf=newer_gtf, out=reference.path / ".", overwrite=True)
    assert load(reference.path).fingerprint == reference.fingerprint


def test_an_annotation_of_another_genome_is_refused(reference: Reference, tmp_path: Path) -> None:
    shifted = []
    for line in tiny_gtf().splitlines():
        fields = line.split("\t")
        if len(fields) > 4:
            fields[3], fields[4] = (str(int(place) + 30) for place in fields[3:5])
        shifted.append("\t".join(fields))
    (tmp_path / "shifted.gtf").write_text("\n".join(shifted) + "\n")
    with pytest.raises(GuardError):
        derive(reference=reference.path, gtf=tmp_path / "shifted.gtf", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_reference_there_is_nothing_to_derive_from(newer_gtf: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a reference folder"):
        derive(reference=tmp_path / "none", gtf=newer_gtf, out=tmp_path / "out")
