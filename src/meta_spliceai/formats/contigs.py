"""Contig names that mean the same sequence: `chr1` and `1`, `chrM` and `MT`, RefSeq accessions of human chromosomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_HUMAN_ACCESSIONS = {
    **{f"NC_{number:06d}": str(number) for number in range(1, 23)},
    "NC_000023": "X",
    "NC_000024": "Y",
    "NC_012920": "MT",
}


@dataclass(frozen=True, slots=True)
class ContigMatch:
    """How the contigs of an annotation are called in the genome.

    Parameters
    ----------
    names
        Genome's name by annotation's name, for those that match.
    unmatched
        Names only the annotation has, in its order.
    """

    names: dict[str, str]
    unmatched: tuple[str, ...]


def canonical_name(name: str) -> str:
    """The name without the habits of one source: no 'chr', MT for the mitochondrion, numbers for RefSeq accessions."""
    accession = name.split(".", 1)[0]
    if accession in _HUMAN_ACCESSIONS:
        return _HUMAN_ACCESSIONS[accession]
    bare = name[3:] if name.lower().startswith("chr") else name
    return "MT" if bare in ("M", "MT") else bare


def match_contigs(annotation: Iterable[str], genome: Iterable[str]) -> ContigMatch:
    """Match each contig of the annotation with one of the genome: by the same name first, else by the canonical one."""
    own = list(genome)
    by_canonical: dict[str, list[str]] = {}
    for name in own:
        by_canonical.setdefault(canonical_name(name), []).append(name)
    names: dict[str, str] = {}
    unmatched: list[str] = []
    for name in annotation:
        candidates = [name] if name in own else by_canonical.get(canonical_name(name), [])
        if len(candidates) == 1:
            names[name] = candidates[0]
        else:
            unmatched.append(name)
    return ContigMatch(names, tuple(unmatched))
