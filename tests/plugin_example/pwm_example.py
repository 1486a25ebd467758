"""A base model of two position weight matrices: how well a base fits the consensus of donors and of acceptors.

It is an example of a plug-in, not a good model: the weights are round numbers after the textbook consensus, MAG|GTRAGT
and a run of pyrimidines before NCAG|G.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores, check_codes

HALF_CONTEXT = 20
PRIOR = -7.0
"""Log odds of a site before anything is known of the bases around it."""

# Rows: positions from the first one named, relative to the scored base. Columns: A, C, G, T, unknown. Log odds.
DONOR_FROM = -2
DONOR = np.array([
    [0.3, 0.4, -0.5, -0.6, 0],  # M
    [0.9, -0.7, -0.8, -0.7, 0],  # A
    [-1.0, -2.0, 1.2, -1.2, 0],  # G, the scored base: the last one of the exon
    [-9, -9, 1.4, -9, 0],  # G
    [-9, -4, -9, 1.4, 0],  # T, rarely C
    [0.9, -2.0, 0.4, -2.0, 0],  # R
    [1.1, -1.2, -0.8, -0.9, 0],  # A
    [-1.3, -1.4, 1.2, -1.2, 0],  # G
    [-0.4, -0.5, -0.3, 0.7, 0],  # T
])  # fmt: skip
ACCEPTOR_FROM = -15
ACCEPTOR = np.array(
    [[-1.0, 0.3, -0.8, 0.5, 0]] * 11  # pyrimidines
    + [[0.0, 0.1, -0.1, 0.0, 0]]  # N
    + [[-1.5, 1.0, -3.0, 0.2, 0]]  # C
    + [[1.4, -9, -9, -9, 0], [-9, -9, 1.4, -9, 0]]  # AG
    + [[-0.1, -0.6, 0.7, -0.9, 0]]  # G, the scored base: the first one of the exon
)


class PwmModel:
    """The base model; see `meta_spliceai.basemodel.protocol.BaseModel` for what each part must do."""

    @property
    def info(self) -> BaseModelInfo:
        return BaseModelInfo(
            name="pwm_example",
            training_build="none",
            training_chromosomes=(),
            context=2 * HALF_CONTEXT,
            weights_fingerprint=hashlib.sha256(DONOR.tobytes() + ACCEPTOR.tobytes()).hexdigest(),
            licence="made for this example, no terms",
        )

    def score(self, codes: np.ndarray) -> Scores:
        check_codes(codes, self.info)
        donor, acceptor = _odds(codes, DONOR, DONOR_FROM), _odds(codes, ACCEPTOR, ACCEPTOR_FROM)
        total = 1 + donor + acceptor
        spread = np.zeros(donor.size, dtype=np.float32)  # one member, so there is nothing to disagree with
        return Scores.typed((donor / total).astype(np.float32), (acceptor / total).astype(np.float32), spread)


def _odds(codes: np.ndarray, weights: np.ndarray, first: int) -> np.ndarray:
    length = codes.size - 2 * HALF_CONTEXT
    logit = np.full(length, PRIOR)
    for offset, row in enumerate(weights, start=HALF_CONTEXT + first):
        logit += row[codes[offset : offset + length]]
    return np.exp(logit)


def load(*, weights: Path | None, threads: int | None) -> PwmModel:
    """What the entry point names; this model needs neither weights nor threads."""
    del weights, threads
    return PwmModel()
