"""Slow obvious twins of the base-model code: plain numpy in float64, one layer after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import TYPED_OUTPUTS, Convolution, Network
from meta_spliceai.genome.sequences import Codes

Array = npt.NDArray[np.float64]


def one_hot(codes: Codes) -> Array:
    return np.array([[code == letter for letter in range(4)] for code in codes], dtype=np.float64)


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def convolved(x: Array, kernel: Array, bias: Array, dilation: int = 1) -> Array:
    """Unpadded cross-correlation of (positions, inputs) with (taps, inputs, outputs)."""
    positions = x.shape[0] - (kernel.shape[0] - 1) * dilation
    return sum((x[t * dilation :][:positions] @ kernel[t] for t in range(kernel.shape[0])), start=bias[None])


def network_probabilities(network: Network, codes: Codes) -> Array:
    """Probabilities of the inner bases, shape (n, outputs)."""

    def apply(x: Array, convolution: Convolution) -> Array:
        return convolved(x, convolution.kernel.astype(float), convolution.bias.astype(float), convolution.dilation)

    def activated(x: Array) -> Array:
        return np.where(x > 0, x, network.slope * x)

    def inner(x: Array, length: int) -> Array:
        lost = (x.shape[0] - length) // 2
        return x[lost : lost + length]

    scored = codes.size - network.context
    x = apply(one_hot(codes), network.stem)
    logits = network.bias + inner(x, scored) @ network.projections[0]
    for group, projection in zip(network.groups, network.projections[1:], strict=True):
        for block in group:
            branch = apply(activated(x * block.scale + block.shift), block.first)
            branch = apply(activated(branch), block.second)
            x = inner(x, branch.shape[0]) + branch
        logits = logits + inner(x, scored) @ projection
    return softmax(logits) if network.outputs == TYPED_OUTPUTS else 1 / (1 + np.exp(-logits))


def keras_spliceai_probabilities(file: Path, codes: Codes) -> Array:
    """What the network stored in `file` gives, layer by layer as its authors wrote it: padded, nothing folded."""
    with h5py.File(file, "r") as archive:
        weights = {
            f"{layer}/{name}": np.asarray(values[()], dtype=np.float64)
            for layer, group in archive["model_weights"].items()
            for name, values in group.get(layer, {}).items()
        }

    def convolution_layers() -> Iterator[tuple[Array, Array]]:
        for number in range(1, 40):
            yield weights[f"conv1d_{number}/kernel:0"], weights[f"conv1d_{number}/bias:0"]

    def normalised_layers() -> Iterator[tuple[Array, ...]]:
        for number in range(1, 33):
            layer = f"batch_normalization_{number}"
            yield tuple(weights[f"{layer}/{name}:0"] for name in ("gamma", "beta", "moving_mean", "moving_variance"))

    convolutions, normalisations = convolution_layers(), normalised_layers()

    def padded(x: Array, dilation: int) -> Array:
        kernel, bias = next(convolutions)
        reach = (kernel.shape[0] - 1) * dilation // 2
        return convolved(np.pad(x, ((reach, reach), (0, 0))), kernel, bias, dilation)

    def normalised(x: Array) -> Array:
        gamma, beta, mean, variance = next(normalisations)
        return gamma * (x - mean) / np.sqrt(variance + 0.001) + beta

    x = padded(one_hot(codes), 1)
    skipped = padded(x, 1)
    for dilation, block in product((1, 4, 10, 25), range(4)):
        branch = padded(np.maximum(normalised(x), 0), dilation)
        x = x + padded(np.maximum(normalised(branch), 0), dilation)
        if block == 3:
            skipped = skipped + padded(x, 1)
    return softmax(padded(skipped[5000:-5000], 1))


def cheapest_cover_cost(length: int, windows: tuple[int, ...], halo: int) -> int:
    """Least cost of covering `length` bases, by trying every sequence of windows."""
    if length <= 0:
        return 0
    return min(window + halo + cheapest_cover_cost(length - window, windows, halo) for window in windows)
