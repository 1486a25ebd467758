"""SpliceAI-10k: five networks whose weights are read from the HDF5 files of the PyPI package `spliceai`.

Neither that package nor Keras nor TensorFlow is imported. The files were written by Keras 2.0.5; its layers are numbered
in the order of their creation: the stem, the stem's skip, then per group eight convolutions and the group's skip, and
the output layer last.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from meta_spliceai.basemodel.catalogue import FACTS
from meta_spliceai.basemodel.engine import Ensemble, make_engine
from meta_spliceai.basemodel.layers import (
    BLOCKS_PER_GROUP,
    FILTERS,
    GROUPS,
    Float64Array,
    Layer,
    NetworkLayers,
    Normalisation,
    ResidualLayers,
    folded,
)
from meta_spliceai.basemodel.network import N_CHANNELS, Network
from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import BaseModelInfo
from meta_spliceai.errors import ModelError, first_few

NAME = "spliceai"
LICENCE = FACTS[NAME].licence
WEIGHT_FILES = tuple(f"spliceai{member}.h5" for member in range(1, 6))

_NORMALISATION_EPSILON = 1e-3
_HOW_TO_INSTALL = (
    f'install the weights with `pip install "meta-spliceai[spliceai]"` ({LICENCE}), '
    f"or give the folder that holds {WEIGHT_FILES[0]} to {WEIGHT_FILES[-1]} as weights"
)


def load_spliceai(*, weights: Path | None = None, options: EngineOptions = DEFAULT_OPTIONS) -> Ensemble:
    """Load SpliceAI.

    Parameters
    ----------
    weights
        Folder with the five files; by default those of the installed package `spliceai`.
    options
        How the networks are executed.

    Raises
    ------
    ModelError
        The package is not installed, or a file is missing, unreadable or not one of SpliceAI's.
    """
    networks, weights_fingerprint = read_networks(weight_files(weights))
    info = BaseModelInfo(
        name=NAME,
        training_build=FACTS[NAME].training_build,
        training_chromosomes=FACTS[NAME].training_chromosomes,
        context=networks[0].context,
        weights_fingerprint=weights_fingerprint,
        licence=LICENCE,
    )
    return Ensemble(make_engine(networks, options), info)


def weight_files(folder: Path | None = None) -> list[Path]:
    """The five weight files in `folder`, or in the installed package `spliceai`; `ModelError` where one is missing."""
    if folder is None:
        try:
            folder = Path(str(importlib.metadata.distribution(NAME).locate_file(f"{NAME}/models")))
        except importlib.metadata.PackageNotFoundError as error:
            raise ModelError("the PyPI package spliceai, which holds the weights", "none", _HOW_TO_INSTALL) from error
    files = [folder / name for name in WEIGHT_FILES]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(
            expected=f"{len(WEIGHT_FILES)} weight files in {folder}",
            found=f"no {first_few(missing)}" if folder.is_dir() else "no such folder",
            action=_HOW_TO_INSTALL,
        )
    return files


def read_networks(files: Sequence[Path]) -> tuple[list[Network], str]:
    """The networks in the weight files, and the SHA-256 over the files' bytes one after the other."""
    digest = hashlib.sha256()
    networks = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise _unusable(file, f"it cannot be read: {error.strerror}") from error
        digest.update(content)
        networks.append(_read_network(file, content))
    return networks, digest.hexdigest()


def _read_network(file: Path, content: bytes) -> Network:
    try:
        with h5py.File(io.BytesIO(content), "r") as archive:
            return folded(_LayerReader(file, archive).network())
    except OSError as error:
        raise _unusable(file, f"it is damaged or of another format ({error})") from error


def _unusable(file: Path, found: str) -> ModelError:
    return ModelError(f"SpliceAI's weights as Keras wrote them in {file}", found, _HOW_TO_INSTALL)


class _LayerReader:
    """Reads one layer after the other, in the order of their creation, and checks their shapes."""

    def __init__(self, file: Path, archive: h5py.File) -> None:
        self._file = file
        self._archive = archive
        self._convolutions = 0
        self._normalisations = 0

    def network(self) -> NetworkLayers:
        """All layers."""
        stem = self._convolution(1, 4, FILTERS)
        skips = [self._convolution(1, FILTERS, FILTERS)]
        groups = []
        for taps, _ in GROUPS:
            groups.append(tuple(self._block(taps) for _ in range(BLOCKS_PER_GROUP)))
            skips.append(self._convolution(1, FILTERS, FILTERS))
        return NetworkLayers(stem, tuple(skips), tuple(groups), head=self._convolution(1, FILTERS, N_CHANNELS))

    def _block(self, taps: int) -> ResidualLayers:
        return ResidualLayers(
            outer=self._normalisation(),
            first=self._convolution(taps, FILTERS, FILTERS),
            inner=self._normalisation(),
            second=self._convolution(taps, FILTERS, FILTERS),
        )

    def _convolution(self, taps: int, inputs: int, outputs: int) -> Layer:
        self._convolutions += 1
        layer = f"conv1d_{self._convolutions}"
        return Layer(self._array(layer, "kernel", (taps, inputs, outputs)), self._array(layer, "bias", (outputs,)))

    def _normalisation(self) -> Normalisation:
        self._normalisations += 1
        layer = f"batch_normalization_{self._normalisations}"
        gamma, beta, mean, variance = (
            self._array(layer, name, (FILTERS,)) for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        if variance.min() < 0:
            raise _unusable(self._file, f"{layer} has a negative variance")
        return Normalisation.trained(
            gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=_NORMALISATION_EPSILON
        )

    def _array(self, layer: str, name: str, shape: tuple[int, ...]) -> Float64Array:
        values = self._archive.get(f"model_weights/{layer}/{layer}/{name}:0")
        if not isinstance(values, h5py.Dataset):
            raise _unusable(self._file, f"it has no {name} of layer {layer}")
        if values.shape != shape:
            raise _unusable(self._file, f"{name} of layer {layer} has shape {values.shape} instead of {shape}")
        array = np.asarray(values[()], dtype=np.float64)
        if not np.isfinite(array).all():
            raise _unusable(self._file, f"{name} of layer {layer} has values that are not finite")
        return array
