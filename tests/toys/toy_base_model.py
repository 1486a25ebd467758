"""A base model that costs nothing: local motifs and a little noise, wrong on purpose now and then.

It looks at 10 bases on either side. A donor is a base before GT (GC, AT: weaker) with the consensus around it, an
acceptor a base after AG (AC: weaker) with pyrimidines before it. The noise is a hash of the bases around, so the same
sequence always gives the same scores, wherever it lies.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores, check_codes
from meta_spliceai.genome.sequences import Codes

HALF_CONTEXT = 10
_A, _C, _G, _T = range(4)
_DONOR_CONSENSUS = ((0, _G, 2.4), (3, _A, 2.4), (4, _A, 2.4), (5, _G, 3.6), (6, _T, 2.0))
_NOISE_REACH = 4


class ToyBaseModel:
    """Satisfies the base-model protocol; see the module's text."""

    def __init__(self, training_chromosomes: tuple[str, ...] = ("T2",)) -> None:
        self._training_chromosomes = training_chromosomes

    @property
    def info(self) -> BaseModelInfo:
        return BaseModelInfo(
            name="toy",
            training_build="tiny1",
            training_chromosomes=self._training_chromosomes,
            context=2 * HALF_CONTEXT,
            weights_fingerprint="0" * 64,
            licence="made in code, no terms",
        )

    def score(self, codes: Codes) -> Scores:
        check_codes(codes, self.info)
        length = codes.size - 2 * HALF_CONTEXT
        donor_logit = _donor_logit(codes, length) + _noise(codes, length, salt=1)
        acceptor_logit = _acceptor_logit(codes, length) + _noise(codes, length, salt=2)
        donor, acceptor = _exp(donor_logit), _exp(acceptor_logit)
        total = 1 + donor + acceptor
        donor, acceptor = donor / total, acceptor / total
        called = donor + acceptor
        spread = called * (1 - called) * (0.5 + 0.1 * _noise(codes, length, salt=3))
        return Scores.typed(*(values.astype(np.float32) for values in (donor, acceptor, np.clip(spread, 0, 0.5))))


class ToySiteModel(ToyBaseModel):
    """Does not tell donors from acceptors: site probability and usage in two tissues, from the toy's own scores."""

    @property
    def info(self) -> BaseModelInfo:
        return dataclasses.replace(
            super().info,
            name="toysites",
            channels=("site_heart", "site_brain", "usage_heart", "usage_brain"),
            weights_fingerprint="1" * 64,
        )

    def score(self, codes: Codes) -> Scores:
        typed = super().score(codes)
        site = np.minimum(typed.donor + typed.acceptor, 1)
        return Scores(
            {
                "site_heart": site,
                "site_brain": site * np.float32(0.5),
                "usage_heart": site * site,
                "usage_brain": site * np.float32(0.25),
                "spread": typed.spread,
            }
        )


def _at(codes: Codes, length: int, offset: int) -> Codes:
    """The base `offset` after each inner base."""
    return codes[HALF_CONTEXT + offset : HALF_CONTEXT + offset + length]


def _exp(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.exp(np.clip(logit, -15, 15))


def _pair(codes: Codes, length: int, offset: int, first: int, second: int) -> npt.NDArray[np.bool_]:
    return (_at(codes, length, offset) == first) & (_at(codes, length, offset + 1) == second)


def _donor_logit(codes: Codes, length: int) -> npt.NDArray[np.float64]:
    logit = np.full(length, -20.8)
    for first, second, weight in ((_G, _T, 10.0), (_G, _C, 8.0), (_A, _T, 5.0)):
        logit[_pair(codes, length, 1, first, second)] += weight
    for offset, base, weight in _DONOR_CONSENSUS:
        logit += weight * (_at(codes, length, offset) == base)
    return logit


def _acceptor_logit(codes: Codes, length: int) -> npt.NDArray[np.float64]:
    logit = np.full(length, -30.0)
    for first, second, weight in ((_A, _G, 10.0), (_A, _C, 5.0)):
        logit[_pair(codes, length, -2, first, second)] += weight
    for offset in range(-10, -2):
        base = _at(codes, length, offset)
        logit += 2.5 * ((base == _C) | (base == _T))
    return logit + 2.0 * (_at(codes, length, 0) == _G)


def _noise(codes: Codes, length: int, salt: int) -> npt.NDArray[np.float64]:
    """A number in [-1, 1) per inner base, from the nine bases around it; mostly small."""
    word = np.full(length, salt, dtype=np.uint64)
    for offset in range(-_NOISE_REACH, _NOISE_REACH + 1):
        word = word * np.uint64(0x9E3779B97F4A7C15) + _at(codes, length, offset).astype(np.uint64)
        word ^= word >> np.uint64(29)
    uniform = (word >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
    return uniform**3
