"""Names of contigs: the same chromosome is `chr1`, `1` or `NC_000001.11`, depending on who wrote the file.

Names are matched through this table and these rules alone, never by likeness or length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

NameStyle = Literal["as-is", "ucsc", "ensembl"]
"""Who is followed in naming contigs."""

_HUMAN = [*(str(n) for n in range(1, 23)), "X", "Y"]
_MOUSE = [*(str(n) for n in range(1, 20)), "X", "Y"]

REFSEQ_CHROMOSOMES: dict[str, str] = {
    **{f"NC_{1 + place:06d}": name for place, name in enumerate(_HUMAN)},  # human, GRCh37 and GRCh38
    **{f"NC_{60_925 + place:06d}": name for place, name in enumerate(_HUMAN)},  # human, T2T-CHM13
    **{f"NC_{67 + place:06d}": name for place, name in enumerate(_MOUSE)},  # mouse
    "NC_012920": "MT",
    "NC_005089": "MT",
}
"""RefSeq accession without its version -> chromosome without `chr`."""

_UCSC_SCAFFOLD = re.compile(r"^chr(?:Un|\w+?)_([A-Za-z]{2,4}\d+)(?:v(\d+))?(?:_(?:random|alt|fix|hap\d+))?$")
_CHROMOSOME = re.compile(r"[0-9A-Za-z]{1,5}")
_VERSION = re.compile(r"\.\d+$")


@dataclass(frozen=True, slots=True)
class ContigMatch:
    """How the contigs of an annotation and a genome go together.

    Parameters
    ----------
    to_genome
        The genome's name by the annotation's name.
    unmatched
        Names in the annotation that the genome does not have, in the given order.
    """

    to_genome: dict[str, str]
    unmatched: tuple[str, ...]


def common_name(name: str) -> str:
    """A name that all aliases of a contig share.

    `chr1`, `1` and `NC_000001.10` give `1`; `chrM` and `MT` give `MT`; UCSC's `chr1_KI270706v1_random` and the
    GenBank accession `KI270706.1` give `KI270706.1`; another name stays as it is.
    """
    scaffold = _UCSC_SCAFFOLD.match(name)
    if scaffold:
        accession, version = scaffold[1].upper(), scaffold[2]
        return f"{accession}.{version or 1}"
    refseq = REFSEQ_CHROMOSOMES.get(_VERSION.sub("", name))
    if refseq:
        return refseq
    bare = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    return "MT" if bare.upper() in ("M", "MT") else bare


def common_names(names: pl.Series) -> pl.Series:
    """`common_name` of each name."""
    return names.replace_strict({name: common_name(name) for name in names.unique().to_list()}, return_dtype=pl.String)


def styled_name(name: str, style: NameStyle) -> str:
    """The name of a contig as UCSC (chr1, chrM) or Ensembl (1, MT) write it.

    UCSC's names of scaffolds tell their chromosome, which other names do not, so these stay as they are.
    """
    common = common_name(name)
    if style == "as-is" or (style == "ucsc" and not _CHROMOSOME.fullmatch(common)):
        return name
    if style == "ensembl":
        return common
    return "chrM" if common == "MT" else f"chr{common}"


def match_contigs(annotation: Iterable[str], genome: Iterable[str]) -> ContigMatch:
    """Match names: the very same name first, then by alias; an alias that two contigs of the genome share matches none."""
    names = list(dict.fromkeys(genome))
    by_alias: dict[str, list[str]] = {}
    for name in names:
        by_alias.setdefault(common_name(name), []).append(name)
    exact = set(names)
    to_genome: dict[str, str] = {}
    unmatched: list[str] = []
    for name in dict.fromkeys(annotation):
        candidates = [name] if name in exact else by_alias.get(common_name(name), [])
        if len(candidates) == 1:
            to_genome[name] = candidates[0]
        else:
            unmatched.append(name)
    return ContigMatch(to_genome, tuple(unmatched))
