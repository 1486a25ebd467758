"""What every base model is and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import ModelError
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sequences import UNKNOWN, Codes
from meta_spliceai.schema.features import CHANNELS

ScoreArray = npt.NDArray[np.float32]

TYPED_CHANNELS = CHANNELS
"""Channels of a base model that tells donors from acceptors."""
SPREAD = "spread"
"""The channel that every base model gives besides its own."""


@dataclass(frozen=True, slots=True)
class BaseModelInfo:
    """Identity of a base model.

    Parameters
    ----------
    name
        Short name; it becomes part of folder names.
    training_build
        Genome build of the training data, e.g. 'GRCh37'.
    training_chromosomes
        Chromosomes the model was trained on, without 'chr', so that splits can keep away from them.
    context
        Bases of sequence around a scored base that its scores depend on, half of them on each side.
    weights_fingerprint
        SHA-256 over the weights' content.
    licence
        The terms of the weights, in one line.
    channels
        What it gives besides the spread: `TYPED_CHANNELS`, or `site_<tissue>` and `usage_<tissue>` where the model does
        not tell donors from acceptors.
    """

    name: str
    training_build: str
    training_chromosomes: tuple[str, ...]
    context: int
    weights_fingerprint: str
    licence: str
    channels: tuple[str, ...] = TYPED_CHANNELS

    @property
    def is_typed(self) -> bool:
        """Whether the model tells donors from acceptors."""
        return self.channels == TYPED_CHANNELS


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of consecutive bases: one float32 array of shape (n,) per channel.

    Parameters
    ----------
    by_channel
        The channels of `BaseModelInfo` in their order, then `spread`. `donor` is the probability that the base is the
        last one of an exon, before an intron; `acceptor` that it is the first one of an exon, after an intron;
        `site_<tissue>` that it is either in that tissue; `usage_<tissue>` the share of transcripts that use it there.
        `spread` is the standard deviation over the ensemble's members (divided by their number, not one less) of the
        probability that the base is a site of any type, averaged over tissues; 0 for a model of one member.
    """

    by_channel: Mapping[str, ScoreArray]

    @classmethod
    def typed(cls, donor: ScoreArray, acceptor: ScoreArray, spread: ScoreArray) -> Self:
        """Scores of a model that tells donors from acceptors."""
        return cls({"donor": donor, "acceptor": acceptor, SPREAD: spread})

    def __getitem__(self, channel: str) -> ScoreArray:
        return self.by_channel[channel]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels in their order."""
        return tuple(self.by_channel)

    @property
    def donor(self) -> ScoreArray:
        """Donor probabilities; KeyError where the model does not tell donors from acceptors."""
        return self.by_channel["donor"]

    @property
    def acceptor(self) -> ScoreArray:
        """Acceptor probabilities; KeyError where the model does not tell donors from acceptors."""
        return self.by_channel["acceptor"]

    @property
    def spread(self) -> ScoreArray:
        """Disagreement within the ensemble."""
        return self.by_channel[SPREAD]


@runtime_checkable
class BaseModel(Protocol):
    """A model that gives every base of a sequence its splice-site scores."""

    @property
    def info(self) -> BaseModelInfo:
        """Identity of the model."""
        ...

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases of a sequence.

        Parameters
        ----------
        codes
            uint8 of shape (n + context,), in the direction of transcription: A, C, G, T are 0 to 3, anything unknown
            or outside the contig is 4.

        Returns
        -------
        Scores
            Of the n bases that have half the context on each side, values in [0, 1], the same for the same codes.

        Raises
        ------
        ModelError
            `codes` has another dtype, another number of dimensions, no inner base, or values above 4.
        """
        ...


@runtime_checkable
class PositionedScores(Protocol):
    """Scores that exist already, for positions of a genome rather than for sequences."""

    @property
    def info(self) -> BaseModelInfo:
        """Identity of the scores; their `context` is 0."""
        ...

    def scores_of(self, interval: Interval) -> Scores:
        """Scores of every base of an interval.

        Parameters
        ----------
        interval
            0-based half-open; the contig may go by any of its names, such as chr1 or 1.

        Returns
        -------
        Scores
            In ascending genomic order on either strand, values in [0, 1].

        Raises
        ------
        ModelError
            Nothing is known of a base, which is named, or its score is none.
        """
        ...


AnyBaseModel = BaseModel | PositionedScores
"""What a base pass can run: a model that scores sequences, or scores that exist already."""


def check_codes(codes: Codes, info: BaseModelInfo) -> None:
    """Refuse what `BaseModel.score` may not be given; the errors are those listed there."""
    action = "give the codes of genome.sequences.encode, with half the context on each side of the bases to score"
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8 or codes.ndim != 1:
        found = f"{codes.dtype} of shape {codes.shape}" if isinstance(codes, np.ndarray) else type(codes).__name__
        raise ModelError(f"codes for {info.name} as a uint8 array of one dimension", found, action)
    if codes.size <= info.context:
        raise ModelError(
            f"more than {info.context} codes for {info.name}, half of that on each side", f"{codes.size} codes", action
        )
    if codes.max() > UNKNOWN:
        raise ModelError(f"codes 0 to {UNKNOWN} for {info.name}", f"code {codes.max()}", action)
