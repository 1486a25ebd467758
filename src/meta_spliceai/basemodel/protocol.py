"""What every base model is and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import UNKNOWN, Codes

ScoreArray = npt.NDArray[np.float32]


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
    """

    name: str
    training_build: str
    training_chromosomes: tuple[str, ...]
    context: int
    weights_fingerprint: str
    licence: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of consecutive bases, each array float32 of shape (n,).

    Parameters
    ----------
    donor
        Probability that the base is the last one of an exon, before an intron.
    acceptor
        Probability that the base is the first one of an exon, after an intron.
    spread
        Standard deviation of donor + acceptor over the ensemble's members (divided by their number, not one less);
        0 for a model of one member.
    """

    donor: ScoreArray
    acceptor: ScoreArray
    spread: ScoreArray


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
