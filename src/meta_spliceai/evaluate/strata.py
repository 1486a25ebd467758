"""Subsets of bases that carry a claim of their own.

What a stratum can ask of a base fits in two bytes, its traits; a stratum is then two tables of answers, one for sites and
one for other bases, and cutting a tally to a stratum is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Traits = npt.NDArray[np.uint16]
Answers = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

UNKNOWN = 0
OTHER_GENE, CODING, LNCRNA, PSEUDOGENE = range(4)
CANONICAL, ALTERNATIVE = 1, 2
GT_AG, GC_AG, AT_AC, OTHER_MOTIF = range(1, 5)
INNER_EXON, TERMINAL_EXON = 1, 2
SCORE_EDGES = (0.01, 0.1, 0.5)
"""Edges of the bins of the reference arm's score; a bin holds its lower edge."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Some bits of the traits."""

    shift: int
    bits: int

    def of(self, traits: Traits) -> Traits:
        found: Traits = (traits >> np.uint16(self.shift)) & np.uint16((1 << self.bits) - 1)
        return found

    def holding(self, values: npt.NDArray[np.generic]) -> Traits:
        return values.astype(np.uint16) << np.uint16(self.shift)


_GENE, _UNSEEN, _BIN = _Field(0, 2), _Field(2, 1), _Field(3, 2)
_CLASS, _MOTIF, _PLACE = _Field(5, 2), _Field(7, 3), _Field(10, 2)
TRAITS = 1 << 12
"""Values that traits can take."""

_OF_BASES = np.uint16((1 << _CLASS.shift) - 1)
FEW_SITES = 20
"""Strata with fewer true sites are counted, not measured."""


def traits_of(
    is_coding: Answers,
    base_unseen: Answers,
    site_class: Codes,
    *,
    gene_class: Codes | None = None,
    motif: Codes | None = None,
    exon_place: Codes | None = None,
) -> Traits:
    """The traits of bases, shape (n,); what is not given counts as unknown.

    Parameters
    ----------
    is_coding, base_unseen, site_class, gene_class, motif, exon_place
        The columns of a predictions table.
    """
    gene = is_coding.astype(np.uint16) if gene_class is None else np.where(is_coding, CODING, gene_class)
    known = _GENE.holding(gene) | _UNSEEN.holding(base_unseen) | _CLASS.holding(site_class)
    for field, values in ((_MOTIF, motif), (_PLACE, exon_place)):
        if values is not None:
            known |= field.holding(values)
    return known


def with_score_bins(traits: Traits, scores: npt.NDArray[np.float32]) -> Traits:
    """Traits that also say which bin the reference arm's score of each base lies in."""
    bins = np.zeros(traits.size, dtype=np.uint16)
    for edge in SCORE_EDGES:
        bins += scores >= np.float32(edge)
    return traits | _BIN.holding(bins)


def unseen_share(traits: Traits) -> float:
    """Share of the bases on contigs that the base model never trained on."""
    return float(_UNSEEN.of(traits).mean())


def without_class(traits: Traits) -> Traits:
    """Traits of bases that are no site of the type in question: what is known of a site there is another type's."""
    blind: Traits = traits & _OF_BASES
    return blind


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """A subset of bases.

    Parameters
    ----------
    name, meaning
        For tables and for people.
    sites, others
        By traits, shape (TRAITS,): whether a true site, or another base, belongs to it.
    """

    name: str
    meaning: str
    sites: Answers
    others: Answers


_ALL = np.arange(TRAITS, dtype=np.uint16)
_EVERY = np.ones(TRAITS, dtype=bool)


def _bases(name: str, meaning: str, inside: Answers) -> Stratum:
    """Sites and other bases alike."""
    return Stratum(name, meaning, inside, inside)


def _sites(name: str, meaning: str, field: _Field, value: int) -> Stratum:
    """Some of the sites, among all bases that are no sites."""
    return Stratum(name, meaning, field.of(_ALL) == value, _EVERY)


def _bin_strata() -> tuple[Stratum, ...]:
    edges = [None, *SCORE_EDGES, None]
    found = []
    for number, (low, high) in enumerate(pairwise(edges)):
        name = f"score_below_{high}" if low is None else f"score_from_{low}" + ("" if high is None else f"_to_{high}")
        meaning = "bases that the reference arm gives a score " + " and ".join(
            ([] if low is None else [f"of at least {low}"]) + ([] if high is None else [f"below {high}"])
        )
        found.append(
            _bases(
                name, f"{meaning}; chosen by that score, so a difference to it is flattered", _BIN.of(_ALL) == number
            )
        )
    return tuple(found)


ALL = "all"
BASE_UNSEEN = "base_unseen"
JUNCTIONS = "junctions"
"""Not a subset but another truth, whose rows stand among those of the strata: sites that RNA-seq junctions support."""

STRATA: tuple[Stratum, ...] = (
    _bases(ALL, "every base of every held-out gene", _EVERY),
    _bases("protein_coding", "bases covered by a protein_coding gene of the run", _GENE.of(_ALL) == CODING),
    _bases("other_genes", "bases covered by other genes only", _GENE.of(_ALL) != CODING),
    _bases("lncrna", "of these, bases covered by a lncRNA gene", _GENE.of(_ALL) == LNCRNA),
    _bases("pseudogene", "of these, bases covered by a pseudogene and no lncRNA gene", _GENE.of(_ALL) == PSEUDOGENE),
    _bases(BASE_UNSEEN, "chromosomes the base model was not trained on", _UNSEEN.of(_ALL) == 1),
    _bases("base_seen", "chromosomes the base model was trained on", _UNSEEN.of(_ALL) == 0),
    _sites("canonical", "sites of canonical transcripts; other sites are ignored", _CLASS, CANONICAL),
    _sites("alternative", "sites of other transcripts only; canonical sites are ignored", _CLASS, ALTERNATIVE),
    _sites("gt_ag", "sites of introns that read GT-AG; other sites are ignored", _MOTIF, GT_AG),
    _sites("gc_ag", "sites of introns that read GC-AG, and of none that reads GT-AG", _MOTIF, GC_AG),
    _sites("at_ac", "sites of introns that read AT-AC, and of none that reads GT-AG or GC-AG", _MOTIF, AT_AC),
    _sites("other_motif", "sites of introns that read otherwise only", _MOTIF, OTHER_MOTIF),
    _sites("terminal_exon", "sites of first or last exons in all their transcripts; other sites are ignored", _PLACE, TERMINAL_EXON),
    _sites("inner_exon", "sites of an inner exon in some transcript; other sites are ignored", _PLACE, INNER_EXON),
    *_bin_strata(),
)  # fmt: skip
"""Always the same ones, whatever the data hold; those with few sites say so."""
