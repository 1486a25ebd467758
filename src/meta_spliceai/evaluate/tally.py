"""A ranking, counted once.

A ranking of 20 million bases matters only at the scores of its few thousand true sites: between two of them nothing but
false calls is added. So the bases are counted by the first such score ("cut") that calls them, by gene group and by
traits; every measure, every stratum, every fold and every draw of the bootstrap is then a sum over these cells, and no
score is sorted twice. Nothing is lost: ties with a site are kept apart from bases between two sites.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.strata import TRAITS, Stratum, Traits, without_class

Scores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

CHUNK = 1 << 22
"""Bases counted at once, which bounds the memory beyond the columns themselves."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Bases of a ranking by cut, gene group and traits. Bases below the worst true site never matter and are left out.

    Parameters
    ----------
    cuts
        Distinct scores of the true sites, descending, shape (m,).
    site_cut, site_group, site_traits
        For each true site the index of its cut, its group and its traits, by ascending cut, shape (sites,).
    cell_cut, cell_tied, cell_group, cell_traits, cell_bases
        Other bases by the first cut that calls them, whether they tie with it, group and traits (without a class), by
        ascending cut: how many there are, shape (cells,).
    """

    cuts: Scores
    site_cut: Counts
    site_group: Counts
    site_traits: Traits
    cell_cut: Counts
    cell_tied: Flags
    cell_group: Counts
    cell_traits: Traits
    cell_bases: Counts

    @property
    def sites(self) -> int:
        """Number of true sites."""
        return int(self.site_cut.size)

    def within(self, stratum: Stratum) -> Tally:
        """The part of the tally that belongs to a stratum."""
        return self._part(stratum.sites[self.site_traits], stratum.others[self.cell_traits])

    def of_groups(self, groups: Counts) -> Tally:
        """The part of the tally that belongs to some gene groups, numbered anew in the order given."""
        place = np.full(int(max(self.site_group.max(initial=0), self.cell_group.max(initial=0), groups.max())) + 1, -1)
        place[groups] = np.arange(groups.size)
        part = self._part(place[self.site_group] >= 0, place[self.cell_group] >= 0)
        return replace(part, site_group=place[part.site_group], cell_group=place[part.cell_group])

    def _part(self, sites: Flags, cells: Flags) -> Tally:
        """Some sites and cells, without the cuts that find none of these sites: cells move to the next cut that calls them."""
        own, site_cut = np.unique(self.site_cut[sites], return_inverse=True)
        called_at = np.searchsorted(own, self.cell_cut)
        kept = np.flatnonzero(cells & (called_at < own.size))
        cell_cut = called_at[kept]
        return Tally(
            self.cuts[own], site_cut, self.site_group[sites], self.site_traits[sites],
            cell_cut, self.cell_tied[kept] & (own[cell_cut] == self.cell_cut[kept]),
            self.cell_group[kept], self.cell_traits[kept], self.cell_bases[kept],
        )  # fmt: skip

    def hits(self) -> Counts:
        """True sites by cut, shape (m,)."""
        return np.bincount(self.site_cut, minlength=self.cuts.size)

    def false_calls(self, *, tied: bool | None = None) -> Counts:
        """Other bases by the first cut that calls them, shape (m,); with `tied`, only those that (do not) tie with it."""
        chosen = slice(None) if tied is None else self.cell_tied == tied
        counts = np.bincount(self.cell_cut[chosen], self.cell_bases[chosen], minlength=self.cuts.size)
        return counts.astype(np.int64)


def tally_of(scores: Scores, truth: Flags, group: npt.NDArray[np.int32], traits: Traits) -> Tally:
    """Count a ranking.

    Parameters
    ----------
    scores, truth, group, traits
        Of the bases, each of shape (n,); groups are numbered from 0.
    """
    ascending = np.unique(scores[truth])
    last = ascending.size - 1
    site = np.flatnonzero(truth)
    site_cut = last - np.searchsorted(ascending, scores[site])
    # within a cut by group and traits, so that the tally does not depend on the order of the rows
    order = np.lexsort((traits[site], group[site], site_cut))
    groups = int(group.max(initial=0)) + 1
    keys, bases = _cells(scores, truth, group, traits, ascending, groups)
    rest, cell_traits = np.divmod(keys, TRAITS)
    rest, cell_group = np.divmod(rest, groups)
    cell_cut, tied = np.divmod(rest, 2)
    return Tally(
        ascending[::-1], site_cut[order], group[site][order].astype(np.int64), traits[site][order],
        cell_cut, tied.astype(bool), cell_group, cell_traits.astype(np.uint16), bases,
    )  # fmt: skip


def _cells(
    scores: Scores, truth: Flags, group: npt.NDArray[np.int32], traits: Traits, ascending: Scores, groups: int
) -> tuple[Counts, Counts]:
    """Keys ((cut, tied), group, traits) of the bases that are no site, ascending, and how many bases have each."""
    found = [
        _cells_of(scores[rows], truth[rows], group[rows], traits[rows], ascending, groups)
        for rows in _chunks(scores.size)
    ]
    keys, counts = (np.concatenate([pair[place] for pair in found]) for place in (0, 1))
    if len(found) == 1 or keys.size == 0:
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.add.reduceat(counts[order], first)


def _chunks(bases: int) -> list[slice]:
    return [slice(first, first + CHUNK) for first in range(0, max(bases, 1), CHUNK)]


def _cells_of(
    scores: Scores, truth: Flags, group: npt.NDArray[np.int32], traits: Traits, ascending: Scores, groups: int
) -> tuple[Counts, Counts]:
    above = np.searchsorted(ascending, scores, side="right")
    kept = np.flatnonzero((above > 0) & ~truth)
    place = above[kept] - 1
    tied = ascending[place] == scores[kept]
    cut = ascending.size - 1 - place
    keys = ((cut * 2 + tied) * groups + group[kept]) * TRAITS + without_class(traits[kept])
    unique, counts = np.unique(keys, return_counts=True)
    return unique, counts
