"""The boundary probe: do features stay the same when a gene's annotated ends move?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from meta_spliceai.features.assemble import compute_features
from meta_spliceai.features.stretch import Indices, Stretch, stretch_index
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.schema.features import REACH

LARGEST_SHIFT = 5_000
"""How far, in nt, an end of the gene is moved at most."""

BASES_PROBED = 400

StretchOf = Callable[[Interval], Stretch]
"""Gives the stretch of an interval and `REACH` bases on either side."""

Compute = Callable[[Sequence[str], Stretch, Indices], npt.NDArray[np.float32]]


def changed_by_moving_the_ends(
    names: Sequence[str],
    body: Interval,
    contig_length: int,
    stretch_of: StretchOf,
    *,
    seed: int,
    compute: Compute = compute_features,
) -> list[str]:
    """Names of the features that differ at an unchanged base after both ends of a gene moved by 0 to 5,000 bases.

    A feature that differs where some of the other bases are not asked for is named too: what it depends on is no property
    of its base. Both ends are moved outwards once and inwards once; an inward move takes at most a third of the gene from each end.

    Parameters
    ----------
    names
        Features that should not change.
    body
        The annotated gene body, 0-based half-open.
    contig_length
        The moved body stays on the contig.
    stretch_of
        Reads scores and sequence of the moved body. Where an outward move leaves the scored flank it may give zeros: no
        feature of a base of the original body may look there.
    seed
        Of the moves and of the bases compared.
    compute
        The function under test.

    Returns
    -------
    list of str
        In the order of `names`; empty when the features are boundary-blind.
    """
    rng = np.random.default_rng(seeded_word(seed, "probe", body))
    original = stretch_of(body)
    changed: set[str] = set()
    left_out, right_out, left_in, right_in = rng.integers(0, LARGEST_SHIFT + 1, 4).tolist()
    for moved in (_outwards(body, left_out, right_out, contig_length), _inwards(body, left_in, right_in)):
        positions = _unchanged_positions(body, moved, rng)
        before = compute(names, original, stretch_index(body, positions, REACH))
        after = compute(names, stretch_of(moved), stretch_index(moved, positions, REACH))
        some = compute(names, original, stretch_index(body, positions[1::2], REACH))
        same = _alike(before, after) & _alike(before[1::2], some)
        changed |= {name for name, unchanged in zip(names, same.tolist(), strict=True) if not unchanged}
    return [name for name in names if name in changed]


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Whether the columns of two matrices are the same, NaN where NaN is."""
    same: npt.NDArray[np.bool_] = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=0)
    return same


def _outwards(body: Interval, left: int, right: int, contig_length: int) -> Interval:
    return Interval(body.chrom, max(0, body.start - left), min(contig_length, body.end + right), body.strand)


def _inwards(body: Interval, left: int, right: int) -> Interval:
    room = body.length // 3
    return Interval(body.chrom, body.start + min(left, room), body.end - min(right, room), body.strand)


def _unchanged_positions(body: Interval, moved: Interval, rng: np.random.Generator) -> Indices:
    """1-based positions of bases of both bodies: the ends, some near each end, where a leak shows, and some anywhere."""
    low, high = max(body.start, moved.start), min(body.end, moved.end)
    edge = min(REACH, high - low)
    some = BASES_PROBED // 3
    bases = [
        np.array([low, high - 1]),
        rng.integers(low, low + edge, some),
        rng.integers(high - edge, high, some),
        rng.integers(low, high, some),
    ]
    return np.unique(np.concatenate(bases)).astype(np.int64) + 1
