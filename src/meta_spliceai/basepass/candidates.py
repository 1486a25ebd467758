"""Which bases of a gene become rows, and how the base model did there. Pure: arrays in, arrays out.

Kept are every true site, every called base, every other base whose donor or acceptor score reaches `SCORED_FROM`, and
a random share of the rest. Each kept row knows the probability with which a row of its kind is kept, so that sums
weighted by its inverse estimate the sums over all bases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.draws import draws
from meta_spliceai.genome.labels import BoolArray, pred_types, tolerant_calls

SCORED_FROM = 0.01
"""True negatives from this score on are all kept: with them a weighted average precision is within .002 of the whole."""

TnSampling = Literal["random", "none"]


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
        `random` keeps a share `tn_rate` of the true negatives below `SCORED_FROM`; `none` keeps them all.
    tn_rate, seed
        That share, and the seed of the draw.
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
    positions = gene.first_position + np.arange(gene.donor.size)
    rate = rule.tn_rate if rule.tn_sampling == "random" else 1.0
    is_drawn = draws(rule.seed, "candidate", gene.gene_id, positions) < rate

    index = np.flatnonzero(is_site | is_called | is_scored | is_drawn)
    site, called, scored = is_site[index], is_called[index], is_scored[index]
    always = site | called | scored
    return Candidates(
        index=index,
        sampling_tier=np.where(site, "site", np.where(called, "called", np.where(scored, "scored", "background"))),
        inclusion_probability=np.where(always, 1.0, rate),
        pred_type=_pred_types(gene, called_donor, called_acceptor, rule.consensus_window)[index],
    )


def _pred_types(
    gene: GeneTruthAndScores, called_donor: BoolArray, called_acceptor: BoolArray, consensus_window: int
) -> npt.NDArray[np.str_]:
    donor_calls, is_donor = tolerant_calls(called_donor, gene.is_donor, consensus_window)
    acceptor_calls, is_acceptor = tolerant_calls(called_acceptor, gene.is_acceptor, consensus_window)
    return pred_types(donor_calls, acceptor_calls, is_donor, is_acceptor)
