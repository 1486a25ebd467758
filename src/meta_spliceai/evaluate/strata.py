"""Subsets of bases that carry a claim of their own.

What a stratum can ask of a base fits in one byte, its traits; a stratum is then two tables of 16 answers, one for sites
and one for other bases, and cutting a tally to a stratum is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Traits = npt.NDArray[np.uint8]
Answers = npt.NDArray[np.bool_]

CODING, UNSEEN, CLASS_SHIFT = 1, 2, 2
TRAITS = 16
"""Values that traits can take: coding or not, unseen or not, and the class of the site."""

UNKNOWN, CANONICAL, ALTERNATIVE = 0, 1, 2
FEW_SITES = 20
"""Strata with fewer true sites are counted, not measured."""

_ALL = np.arange(TRAITS, dtype=np.uint8)


def traits_of(is_coding: Answers, base_unseen: Answers, site_class: Traits) -> Traits:
    """The traits of bases, shape (n,)."""
    known: Traits = (is_coding * CODING + base_unseen * UNSEEN + (site_class << CLASS_SHIFT)).astype(np.uint8)
    return known


def without_class(traits: Traits) -> Traits:
    """Traits of bases that are no site of the type in question: the class they may have is another type's."""
    blind: Traits = traits & np.uint8(CODING | UNSEEN)
    return blind


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """A subset of bases.

    Parameters
    ----------
    name, meaning
        For tables and for people.
    sites, others
        By traits, shape (16,): whether a true site, or another base, belongs to it.
    """

    name: str
    meaning: str
    sites: Answers
    others: Answers


def _stratum(name: str, meaning: str, *, bases: Answers | None = None, site_class: int | None = None) -> Stratum:
    everything = np.ones(TRAITS, dtype=bool)
    inside = everything if bases is None else bases
    of_class = everything if site_class is None else site_class == (_ALL >> CLASS_SHIFT)
    return Stratum(name, meaning, inside & of_class, inside)


_coding, _unseen = (_ALL & CODING) > 0, (_ALL & UNSEEN) > 0

ALL = "all"
BASE_UNSEEN = "base_unseen"

STRATA: tuple[Stratum, ...] = (
    _stratum(ALL, "every base of every held-out gene"),
    _stratum("protein_coding", "bases covered by a protein_coding gene of the run", bases=_coding),
    _stratum("other_genes", "bases covered by other genes only", bases=~_coding),
    _stratum(BASE_UNSEEN, "chromosomes the base model was not trained on", bases=_unseen),
    _stratum("base_seen", "chromosomes the base model was trained on", bases=~_unseen),
    _stratum("canonical", "sites of canonical transcripts; other sites are ignored", site_class=CANONICAL),
    _stratum("alternative", "sites of other transcripts only; canonical sites are ignored", site_class=ALTERNATIVE),
)
"""Always the same ones, whatever the data hold; those with few sites say so."""
