"""Which bases of a gene become rows, and how the base model did there. Pure: arrays in, arrays out.

Kept are every true site, every called base, every other base whose donor or acceptor score reaches `SCORED_FROM`, and
a share of the rest, chosen in one of these ways:

    random      each base with probability tn_rate
    proximity   the nearer to a true site or a called base, the likelier: alike up to `NEAR` nt, from there falling off
                as 1 / distance, scaled so that about a share tn_rate of the gene is kept, never below a tenth of tn_rate
    window      every base within `NEAR` nt of a true site or a called base, and of the rest whole blocks of 2 NEAR + 1
                consecutive bases, each with probability tn_rate: coherent runs, for models of sequences
    none        all of them

Each kept row knows the probability with which a row of its kind is kept, so that sums weighted by its inverse estimate
the sums over all bases. It is never 0 for any base.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.draws import draws
from meta_spliceai.genome.labels import BoolArray, near, pred_types, tolerant_calls

SCORED_FROM = 0.01
"""True negatives from this score on are all kept: with them a weighted average precision is within .002 of the whole."""

NEAR = 50
"""Distance, in nt, within which a true negative counts as near a true site or a called base."""

TnSampling = Literal["random", "proximity", "window", "none"]
TN_SAMPLINGS: tuple[TnSampling, ...] = get_args(TnSampling)

_LEAST_SHARE_OF_RATE = 0.1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CandidateRule:
    """How candidates are chosen and called.

    Parameters
    ----------
    threshold
        Score from which a base is called.
    consensus_window
        Tolerance, in nt, of `pred_type`; 0 means exact to the base.
    tn_sampling
        How the true negatives below `SCORED_FROM` are chosen; see the module.
    tn_rate, seed
        The share of them that is kept, and the seed of the draw.
    """

    threshold: float = 0.5
    consensus_window: int = 0
    tn_sampling: TnSampling = "random"
    tn_rate: float = 0.05
    seed: int = 42


@dataclass(frozen=True, slots=True)
class GeneTruthAndScores:
    """The body of one gene, `length` bases in ascending genomic order, the first at 1-based `first_position`."""

    gene_id: str
    first_position: int
    donor: npt.NDArray[np.float32]
    acceptor: npt.NDArray[np.float32]
    is_donor: BoolArray
    is_acceptor: BoolArray


@dataclass(frozen=True, slots=True)
class Candidates:
    """The kept bases of one gene: 0-based `index` into the body, ascending, and what is known of each, shape (n,)."""

    index: npt.NDArray[np.int64]
    sampling_tier: npt.NDArray[np.str_]
    inclusion_probability: npt.NDArray[np.float64]
    pred_type: npt.NDArray[np.str_]


def choose_candidates(gene: GeneTruthAndScores, rule: CandidateRule) -> Candidates:
    """Choose the rows of one gene by `rule`."""
    called_donor = gene.donor >= rule.threshold
    called_acceptor = gene.acceptor >= rule.threshold
    is_site = gene.is_donor | gene.is_acceptor
    is_called = called_donor | called_acceptor
    is_scored = np.maximum(gene.donor, gene.acceptor) >= SCORED_FROM
    always = is_site | is_called | is_scored
    rest = _inclusion_of_the_rest(is_site | is_called, rule)
    index = np.flatnonzero(always | (_draws(gene, rule) < rest))
    tiers = np.select(
        [is_site[index], is_called[index], is_scored[index], rest[index] == 1],
        ["site", "called", "scored", "neighbourhood" if rule.tn_sampling == "window" else "background"],
        default="background",
    )
    return Candidates(
        index=index,
        sampling_tier=tiers,
        inclusion_probability=np.where(always[index], 1.0, rest[index]),
        pred_type=_pred_types(gene, called_donor, called_acceptor, rule.consensus_window)[index],
    )


def _inclusion_of_the_rest(marked: BoolArray, rule: CandidateRule) -> Floats:
    """Probability with which each base would be kept if it had no claim of its own, shape (n,).

    `marked` are the true sites and called bases.
    """
    if rule.tn_sampling == "none":
        return np.ones(marked.size)
    if rule.tn_sampling == "proximity":
        return _falling_off(marked, rule.tn_rate)
    inclusion = np.full(marked.size, rule.tn_rate)
    if rule.tn_sampling == "window":
        inclusion[near(marked, NEAR)] = 1.0
    return inclusion


def _falling_off(marked: BoolArray, rate: float) -> Floats:
    """Alike within `NEAR` of a marked base, then as 1 / distance; the mean is about `rate`."""
    sites = np.flatnonzero(marked)
    if not sites.size:
        return np.full(marked.size, rate)
    index = np.arange(marked.size)
    after = np.searchsorted(sites, index)
    fenced = np.concatenate(([-2 * marked.size], sites, [3 * marked.size]))
    distance = np.maximum(np.minimum(index - fenced[after], fenced[after + 1] - index), 1)
    floor = rate * _LEAST_SHARE_OF_RATE
    shape = np.where(distance <= NEAR, 1.0, NEAR / distance)
    scale = rate / shape.mean()
    inclusion: Floats = np.clip(shape * scale, floor, 1.0)
    return inclusion


def _draws(gene: GeneTruthAndScores, rule: CandidateRule) -> Floats:
    """One number in [0, 1) per base: of its own, or of its block of bases where runs are kept together."""
    positions = gene.first_position + np.arange(gene.donor.size)
    if rule.tn_sampling == "window":
        return draws(rule.seed, "block", gene.gene_id, positions // (2 * NEAR + 1))
    return draws(rule.seed, "candidate", gene.gene_id, positions)


def _pred_types(
    gene: GeneTruthAndScores, called_donor: BoolArray, called_acceptor: BoolArray, consensus_window: int
) -> npt.NDArray[np.str_]:
    donor_calls, is_donor = tolerant_calls(called_donor, gene.is_donor, consensus_window)
    acceptor_calls, is_acceptor = tolerant_calls(called_acceptor, gene.is_acceptor, consensus_window)
    return pred_types(donor_calls, acceptor_calls, is_donor, is_acceptor)
