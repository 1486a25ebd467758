"""Networks from weight files of torch: the tensors of named layers, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.layers import FILTERS, Float64Array, Layer, Normalisation, ResidualLayers
from meta_spliceai.basemodel.network import Network
from meta_spliceai.basemodel.torch_files import Tensors, TorchFileError, read_tensors
from meta_spliceai.errors import ModelError, first_few

_EPSILON = 1e-5
"""Added to the variance by `torch.nn.BatchNorm1d` unless it is told otherwise; weight files do not hold it."""


class TensorReader:
    """Takes layers out of the tensors of one file and checks their shapes and values.

    Parameters
    ----------
    tensors
        By name, as torch stores them: kernels have the shape (outputs, inputs, taps).
    unusable
        Makes the error to raise from what was found.
    """

    def __init__(self, tensors: Tensors, unusable: Callable[[str], ModelError]) -> None:
        self._tensors = tensors
        self._unusable = unusable
        self._read: set[str] = set()

    @property
    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._tensors)

    def refusal(self, found: str) -> ModelError:
        """The error to raise where the tensors are not those of the expected network."""
        return self._unusable(found)

    def layer(self, name: str, taps: int, inputs: int, outputs: int) -> Layer:
        """The convolution `name`."""
        kernel = self._array(f"{name}.weight", (outputs, inputs, taps))
        return Layer(np.ascontiguousarray(kernel.transpose(2, 1, 0)), self._array(f"{name}.bias", (outputs,)))

    def block(self, name: str, taps: int, *, normalisation: str, convolution: str) -> ResidualLayers:
        """The residual block `name`, whose layers are called by the given words and numbered from 1."""
        outer, inner = (self._normalisation(f"{name}.{normalisation}{number}") for number in (1, 2))
        first, second = (self.layer(f"{name}.{convolution}{number}", taps, FILTERS, FILTERS) for number in (1, 2))
        return ResidualLayers(outer, first, inner, second)

    def check_all_read(self) -> None:
        """Refuse a file with tensors that nobody asked for: it belongs to another network."""
        counters = {name for name in self._tensors if name.endswith(".num_batches_tracked")}
        others = sorted(set(self._tensors) - self._read - counters)
        if others:
            raise self._unusable(f"it also has {first_few(others)}")

    def _normalisation(self, name: str) -> Normalisation:
        gamma, beta, mean, variance = (
            self._array(f"{name}.{part}", (FILTERS,)) for part in ("weight", "bias", "running_mean", "running_var")
        )
        if variance.min() < 0:
            raise self._unusable(f"{name} has a negative variance")
        return Normalisation.trained(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=_EPSILON)

    def _array(self, name: str, shape: tuple[int, ...]) -> Float64Array:
        values = self._tensors.get(name)
        if values is None:
            raise self._unusable(f"it has no {name}")
        if values.shape != shape:
            raise self._unusable(f"{name} has shape {values.shape} instead of {shape}")
        if not np.isfinite(values).all():
            raise self._unusable(f"{name} has values that are not finite")
        self._read.add(name)
        return values.astype(np.float64)


def read_networks(
    files: Sequence[Path], built: Callable[[TensorReader, Path], Network], *, kind: str, action: str
) -> tuple[list[Network], str]:
    """The networks in weight files, and the SHA-256 over the files' bytes one after the other.

    Parameters
    ----------
    files
        One per network, in the order of the networks.
    built
        Makes the network of a file.
    kind, action
        For messages: whose weights these are, and how to get them.

    Raises
    ------
    ModelError
        A file cannot be read, is damaged, tries to run code, or holds another network.
    """
    digest = hashlib.sha256()
    networks = []
    for file in files:

        def unusable(found: str, file: Path = file) -> ModelError:
            return ModelError(f"{kind} weights as torch wrote them in {file}", found, action)

        try:
            content = file.read_bytes()
            tensors = read_tensors(content)
        except OSError as error:
            raise unusable(f"it cannot be read: {error.strerror}") from error
        except TorchFileError as error:
            raise unusable(str(error)) from error
        digest.update(content)
        networks.append(built(TensorReader(tensors, unusable), file))
    return networks, digest.hexdigest()


def existing_folder(folder: Path, *, kind: str, action: str) -> Path:
    """`folder`, if it is one that can be listed; a `ModelError` otherwise."""
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError as error:
        raise ModelError(f"a folder with {kind} weights", f"no such folder: {folder}", action) from error
    except OSError as error:
        raise ModelError(f"a folder with {kind} weights", f"{folder}: {error.strerror}", action) from error
    return folder
