"""Subsets of bases that carry a claim of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.ranking import Flags

FEW_SITES = 20
"""Strata with fewer true sites are counted, not measured."""

CANONICAL, ALTERNATIVE = 1, 2


@dataclass(frozen=True, slots=True)
class Stratum:
    """A subset: name, what it holds, and the mask of its bases for one site type."""

    name: str
    meaning: str
    mask: Flags


def strata_of(predictions: Predictions, truth: Flags) -> Iterator[Stratum]:
    """All strata for one site type, one at a time; those that would equal the whole are left out."""
    everything = np.ones(truth.size, dtype=bool)
    yield Stratum("all", "every base of every held-out gene", everything)
    for column, yes, no in (
        ("is_coding", ("protein_coding", "covered by a protein_coding gene"), ("other_genes", "covered by no protein_coding gene")),
        ("base_unseen", ("base_unseen", "on chromosomes the base model was not trained on"), ("base_seen", "on chromosomes it was trained on")),
    ):  # fmt: skip
        flags: npt.NDArray[np.bool_] = predictions.column(column).astype(bool)
        if flags.any() and not flags.all():
            yield Stratum(*yes, flags)
            yield Stratum(*no, ~flags)
    site_class = predictions.column("site_class")
    if (site_class[truth] == CANONICAL).any():
        yield Stratum(
            "canonical", "sites of canonical transcripts; other sites ignored", ~truth | (site_class == CANONICAL)
        )
        yield Stratum(
            "alternative", "sites of other transcripts only; canonical ignored", ~truth | (site_class == ALTERNATIVE)
        )
