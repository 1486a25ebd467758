"""The boundary probe passes for what is boundary-blind and fails for what is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from meta_spliceai.features.assemble import compute_features
from meta_spliceai.features.probe import changed_by_moving_the_ends
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.features.stretch import Stretch
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.schema.features import REACH
from meta_spliceai.schema.tables import dataset_table
from tests.features.toys import scores

CONTIG = 60_000
DE_NOVO = admitted_features(dataset_table((2,)).columns, "de_novo")
BODIES = [
    Interval("1", 20_000, 40_000, "+"),
    Interval("1", 20_000, 40_000, "-"),
    Interval("1", 0, CONTIG, "-"),
    Interval("1", 30_000, 30_001, "+"),
]


class Contig:
    """One contig with scores of every base, zeros beyond it, and optionally beyond what was scored for a gene."""

    def __init__(self, scored: tuple[int, int] = (0, CONTIG), cut_at_the_body: bool = False) -> None:
        rng = np.random.default_rng(0)
        pad = 2 * REACH
        self.codes = np.pad(rng.integers(0, 4, CONTIG).astype(np.uint8), pad, constant_values=4)
        self.channels = np.pad(np.stack([scores(rng, CONTIG) for _ in range(3)]), ((0, 0), (pad, pad)))
        self.channels[:, : pad + scored[0]] = 0
        self.channels[:, pad + scored[1] :] = 0
        self.cut, self.pad = cut_at_the_body, pad

    def __call__(self, body: Interval) -> Stretch:
        first, last = body.start - REACH + self.pad, body.end + REACH + self.pad
        channels = self.channels[:, first:last].copy()
        if self.cut:
            channels[:, :REACH] = 0
            channels[:, -REACH:] = 0
        return Stretch.from_ascending(body.strand, self.codes[first:last], *channels)


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_de_novo_features_are_boundary_blind(body: Interval):
    assert changed_by_moving_the_ends(DE_NOVO, body, CONTIG, Contig(), seed=1) == []


def test_scores_beyond_the_flank_of_the_gene_are_not_needed():
    body = BODIES[0]
    contig = Contig(scored=(body.start - REACH, body.end + REACH))
    assert changed_by_moving_the_ends(DE_NOVO, body, CONTIG, contig, seed=1) == []


@pytest.mark.parametrize("body", BODIES[:2], ids=str)
def test_windows_cut_at_the_body_are_found(body: Interval):
    changed = changed_by_moving_the_ends(DE_NOVO, body, CONTIG, Contig(cut_at_the_body=True), seed=1)
    assert "donor_max_up_501_5000" in changed
    assert "acceptor_max_down_501_5000" in changed
    assert not {"donor_score", "gc_content", "2mer_GT"} & set(changed)


@pytest.mark.parametrize("body", BODIES[:2], ids=str)
def test_a_planted_distance_to_the_end_is_found_by_name(body: Interval):
    def with_a_leak(names: Sequence[str], stretch: Stretch, index: np.ndarray) -> np.ndarray:
        matrix = compute_features(names, stretch, index)
        matrix[:, list(names).index("donor_score")] = np.minimum(stretch.length - REACH - index, REACH)
        return matrix

    names = ["acceptor_score", "donor_score"]
    assert changed_by_moving_the_ends(names, body, CONTIG, Contig(), seed=1, compute=with_a_leak) == ["donor_score"]
