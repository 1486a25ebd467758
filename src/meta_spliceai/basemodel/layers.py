"""The layers of the SpliceAI family as its authors write them, and the network that they fold into.

Normalisations and skip layers are linear, so they are folded into the convolutions next to them, in float64; see
`Network`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import TYPED_OUTPUTS, Block, Convolution, Network

Float64Array = npt.NDArray[np.float64]

FILTERS = 32
BLOCKS_PER_GROUP = 4
GROUPS = ((11, 1), (11, 4), (21, 10), (41, 25))
"""Taps and dilation of the convolutions of each group; with the first 1, 2, 3 or 4 groups a network has a context of
80, 400, 2,000 or 10,000 bases."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with `kernel` of shape (taps, inputs, outputs) and `bias` of shape (outputs,)."""

    kernel: Float64Array
    bias: Float64Array


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A trained batch normalisation: x * scale + shift, both of shape (filters,)."""

    scale: Float64Array
    shift: Float64Array

    @classmethod
    def trained(
        cls,
        *,
        gamma: Float64Array,
        beta: Float64Array,
        mean: Float64Array,
        variance: Float64Array,
        epsilon: float,
    ) -> Normalisation:
        """The normalisation from its trained parameters; `epsilon` is added to the variance."""
        scale = gamma / np.sqrt(variance + epsilon)
        return cls(scale, beta - mean * scale)


@dataclass(frozen=True, slots=True)
class ResidualLayers:
    """A residual block: x + second(act(inner(first(act(outer(x))))))."""

    outer: Normalisation
    first: Layer
    inner: Normalisation
    second: Layer


@dataclass(frozen=True, slots=True)
class NetworkLayers:
    """All layers of a network: `skips` has one layer for the stem and one per group, each of one tap, as has `head`."""

    stem: Layer
    skips: tuple[Layer, ...]
    groups: tuple[tuple[ResidualLayers, ...], ...]
    head: Layer


def folded(layers: NetworkLayers, *, slope: float = 0.0, outputs: tuple[str, ...] = TYPED_OUTPUTS) -> Network:
    """The network that computes what the layers compute, with an activation of `slope` below 0."""
    head = layers.head.kernel[0]
    skip_bias = np.sum([skip.bias for skip in layers.skips], axis=0)
    return Network(
        stem=_convolution(layers.stem.kernel, layers.stem.bias),
        groups=tuple(
            tuple(_block(block, dilation) for block in group)
            for group, (_, dilation) in zip(layers.groups, GROUPS, strict=False)
        ),
        projections=tuple((skip.kernel[0] @ head).astype(np.float32) for skip in layers.skips),
        bias=(skip_bias @ head + layers.head.bias).astype(np.float32),
        slope=slope,
        outputs=outputs,
    )


def _block(layers: ResidualLayers, dilation: int) -> Block:
    inner = layers.inner
    return Block(
        scale=layers.outer.scale.astype(np.float32),
        shift=layers.outer.shift.astype(np.float32),
        first=_convolution(
            layers.first.kernel * inner.scale, layers.first.bias * inner.scale + inner.shift, dilation=dilation
        ),
        second=_convolution(layers.second.kernel, layers.second.bias, dilation=dilation),
    )


def _convolution(kernel: Float64Array, bias: Float64Array, *, dilation: int = 1) -> Convolution:
    return Convolution(kernel.astype(np.float32), bias.astype(np.float32), dilation)
