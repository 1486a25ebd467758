"""A SpliceAI-shaped network as plain numbers, whatever file it came from and whatever executes it.

The architecture (Jaganathan et al. 2019) is a stem, sixteen residual units of two dilated convolutions, and skip
connections summed before the output. Convolutions are *valid*: each layer gives only the bases it has full context for,
so no base is computed from padding, and the network turns `length + context` bases into `length`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution: kernel of shape (outputs, inputs, width), bias of shape (outputs,), and dilation."""

    kernel: Array
    bias: Array
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Bases it needs on each side."""
        return int(self.kernel.shape[2] - 1) * self.dilation // 2


@dataclass(frozen=True, slots=True)
class ResidualUnit:
    """scale and shift, rectify, convolve, rectify, convolve, add the input; the second normalisation is folded in.

    Parameters
    ----------
    scale, shift
        The first batch normalisation, each of shape (channels,).
    first, second
        The convolutions.
    negative_slope
        Of the rectifier: 0 for ReLU.
    """

    scale: Array
    shift: Array
    first: Convolution
    second: Convolution
    negative_slope: float = 0.0

    @property
    def reach(self) -> int:
        """Bases it needs on each side."""
        return self.first.reach + self.second.reach


@dataclass(frozen=True, slots=True)
class Network:
    """One member of an ensemble.

    Parameters
    ----------
    stem, first_skip
        Convolutions of width 1.
    groups
        Residual units and the skip convolution after each group.
    head
        Convolution of width 1 to the three channels neither, acceptor, donor, before the softmax.
    """

    stem: Convolution
    first_skip: Convolution
    groups: tuple[tuple[tuple[ResidualUnit, ...], Convolution], ...]
    head: Convolution

    @property
    def reach(self) -> int:
        """Bases the network needs on each side of an output."""
        return sum(unit.reach for units, _ in self.groups for unit in units)


def folded(
    kernel: npt.NDArray[np.float64],
    bias: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    dilation: int,
) -> Convolution:
    """A convolution followed by scale and shift, as one convolution; folded in float64.

    Parameters
    ----------
    kernel
        Shape (width, inputs, outputs), as Keras stores it.
    """
    both = np.transpose(kernel * scale, (2, 1, 0))
    return Convolution(
        np.ascontiguousarray(both, dtype=np.float32), (bias * scale + shift).astype(np.float32), dilation
    )
