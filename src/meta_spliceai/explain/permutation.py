"""What ranking loses when the values of features are exchanged between gene groups.

Each gene group is given the values of one other group: each of its rows takes those of a row of the other group, drawn in
proportion to the bases that row stands for. Whole groups are exchanged because rows of a gene resemble one another; drawn
from all rows at once, a feature of the gene would take more values within one gene than it ever has. The features of a set
keep the values that they had together. What is measured is average precision on held-out rows, weighted by inverse
inclusion probability, by models that had not seen the genes; the drop is that before minus that after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import GeneError
from meta_spliceai.explain.held_out import ChannelRows, Floats, Indices
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.train.residual import Ensemble
from meta_spliceai.workers.progress import current_tracker


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features that are exchanged together: what they are called, and their columns."""

    kind: str
    name: str
    columns: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drop:
    """What average precision loses without the information of some features.

    Parameters
    ----------
    average_precision
        Before; None where no row is a true site.
    drops
        After each exchange, the loss, shape (repeats,).
    """

    average_precision: float | None
    drops: npt.NDArray[np.float64]


def permutation_drops(
    rows: ChannelRows,
    ensembles: Mapping[int, Ensemble],
    sets: Sequence[FeatureSet],
    *,
    repeats: int,
    seed: int,
    threads: int,
) -> list[Drop]:
    """The drop of each set of features; the number of threads changes nothing.

    Raises
    ------
    GeneError
        There are no two gene groups to exchange values between.
    """
    before = rows.average_precision(rows.margin(ensembles, rows.features))
    sources = [exchanged(rows, seeded_word(seed, "permute", rows.channel, repeat)) for repeat in range(repeats)]
    used = _used(rows, ensembles)

    def drop(one: FeatureSet) -> Drop:
        read = one.columns[used[one.columns]]
        losses = np.zeros(repeats)
        # a feature that no model reads changes nothing
        if read.size and before is not None:
            losses[:] = [before - _after(rows, ensembles, read, source) for source in sources]
        current_tracker().advance(1)
        return Drop(before, losses)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(drop, sets))


def _used(rows: ChannelRows, ensembles: Mapping[int, Ensemble]) -> npt.NDArray[np.bool_]:
    used = np.zeros(rows.features.shape[1], dtype=bool)
    for ensemble in ensembles.values():
        for correction in ensemble.corrections[rows.channel]:
            used |= correction.model.gains(used.size) != 0
            used[list(correction.start)] = True
    return used


def _after(rows: ChannelRows, ensembles: Mapping[int, Ensemble], columns: Indices, source: Indices) -> float:
    features: Floats = rows.features.copy()
    features[:, columns] = rows.features[np.ix_(source, columns)]
    found = rows.average_precision(rows.margin(ensembles, features))
    assert found is not None
    return found


def exchanged(rows: ChannelRows, seed: int) -> Indices:
    """For each row that reaches the gate, the row whose values it takes: one of the next group in a random cycle."""
    groups, place = np.unique(rows.group, return_inverse=True)
    if groups.size < 2:
        raise GeneError(
            expected=f"{rows.channel} rows of at least two gene groups, between which values are exchanged",
            found=f"{groups.size}",
            action="give a run on more genes, or a larger --rows",
        )
    draw = np.random.default_rng(seed)
    cycle = draw.permutation(groups.size)
    members = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    source = np.empty(place.size, dtype=np.int64)
    for own, other in zip(cycle.tolist(), np.roll(cycle, -1).tolist(), strict=True):
        weight = rows.weight[members[other]]
        source[members[own]] = draw.choice(members[other], members[own].size, p=weight / weight.sum())
    return source
