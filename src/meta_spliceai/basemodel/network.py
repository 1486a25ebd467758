"""The dilated residual network of the SpliceAI family (Jaganathan et al. 2019), as folded weights.

    one-hot ─ stem ─┬─ group of blocks ─┬─ group of blocks ─┬─ …
                    └─ projection       └─ projection       └─ projection ─►  sum + bias ─ probabilities

A block is x + second(act(first(act(scale * x + shift)))), with act a ReLU, leaky by the network's slope. No convolution is padded: what a block loses on both sides
is cut off x as well, so the result is that of the padded network where the padding has no influence, for less work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

NEITHER, ACCEPTOR, DONOR = 0, 1, 2
"""Places of the typed outputs; only the engines know these numbers."""
TYPED_OUTPUTS = ("neither", "acceptor", "donor")
"""Outputs of a network that tells donors from acceptors: together they pass through a softmax."""
N_CHANNELS = len(TYPED_OUTPUTS)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A cross-correlation along the sequence: `kernel` of shape (taps, inputs, outputs), `bias` of shape (outputs,)."""

    kernel: FloatArray
    bias: FloatArray
    dilation: int = 1

    @property
    def context(self) -> int:
        """Positions lost on both sides together."""
        taps: int = self.kernel.shape[0]
        return (taps - 1) * self.dilation


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block; the normalisation between its convolutions is folded into the first one."""

    scale: FloatArray
    shift: FloatArray
    first: Convolution
    second: Convolution

    @property
    def context(self) -> int:
        """Positions lost on both sides together."""
        return self.first.context + self.second.context


@dataclass(frozen=True, slots=True)
class Network:
    """One member of an ensemble.

    Parameters
    ----------
    stem
        One tap, 4 inputs (A, C, G, T; all zero for an unknown base).
    groups
        Blocks between two projections.
    projections
        One per group and one for the stem's output, each of shape (filters, outputs): the skip convolutions times
        the output layer, which is exact because nothing non-linear lies between them.
    bias
        Of the sum of the projections, shape (outputs,).
    slope
        Of the activation below 0.
    outputs
        What each output is: `TYPED_OUTPUTS`, or names of channels, each of which passes through a sigmoid of its own.
    """

    stem: Convolution
    groups: tuple[tuple[Block, ...], ...]
    projections: tuple[FloatArray, ...]
    bias: FloatArray
    slope: float = 0.0
    outputs: tuple[str, ...] = TYPED_OUTPUTS

    @property
    def context(self) -> int:
        """Bases around a scored base that its scores depend on, half of them on each side."""
        return sum(block.context for group in self.groups for block in group)

    @property
    def mean_halo(self) -> int:
        """Positions computed beyond the wanted ones, averaged over the multiplications: what a window costs extra."""
        left = self.context
        work = extra = 0
        for block in (block for group in self.groups for block in group):
            for convolution in (block.first, block.second):
                left -= convolution.context
                work += convolution.kernel.size
                extra += convolution.kernel.size * left
        return round(extra / work)


def by_outputs(networks: Sequence[Network]) -> dict[tuple[str, ...], tuple[Network, ...]]:
    """Networks that give the same outputs, which are averaged over them; outputs in the order of their first network."""
    teams: dict[tuple[str, ...], tuple[Network, ...]] = {}
    for network in networks:
        teams[network.outputs] = (*teams.get(network.outputs, ()), network)
    return teams
