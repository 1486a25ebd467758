"""An enricher that looks for the branch point's consensus, TNA, 18 to 44 bases before an acceptor, followed by pyrimidines.

It is an example of a plug-in, not a good predictor: every base is asked as if it were an acceptor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.features.enricher import Bases, ReferenceFacts
from meta_spliceai.schema.column import Column

NEAREST, FARTHEST = 18, 44
A, C, T = 0, 1, 3


class BranchPoints:
    """The enricher; see `meta_spliceai.features.enricher.Enricher` for what each part must do."""

    name = "branchpoint_example"
    identity = "1"  # no files; another number where the formulas change
    columns = (
        Column(
            "branchpoint_example_tna",
            pl.Float32,
            "feature",
            "sequence",
            f"occurrences of TNA whose A lies {NEAREST} to {FARTHEST} bases upstream",
            low=0.0,
        ),
        Column(
            "branchpoint_example_pyrimidines",
            pl.Float32,
            "feature",
            "sequence",
            f"share of C and T among the {NEAREST} bases upstream",
            low=0.0,
            high=1.0,
        ),
    )

    def compute(self, bases: Bases) -> Mapping[str, np.ndarray]:
        codes, index = bases.codes, bases.index  # in the direction of transcription, so upstream is to the left
        distances = np.arange(NEAREST, FARTHEST + 1)
        at = index[:, None] - distances
        tna = (codes[at] == A) & (codes[at - 2] == T)
        upstream = codes[index[:, None] - np.arange(1, NEAREST + 1)]
        return {
            "branchpoint_example_tna": tna.sum(axis=1),
            "branchpoint_example_pyrimidines": np.isin(upstream, (C, T)).mean(axis=1),
        }


def load(*, files: tuple[Path, ...], reference: ReferenceFacts) -> BranchPoints:
    """What the entry point names; this enricher needs neither files nor the reference."""
    del files, reference
    return BranchPoints()
