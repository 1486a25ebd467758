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
import numpy.typing as npt

from meta_spliceai.basemodel.catalogue import FACTS
from meta_spliceai.basemodel.network import N_CHANNELS, Block, Convolution, Network
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores, check_codes
from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.genome.sequences import Codes

NAME = "spliceai"
LICENCE = FACTS[NAME].licence
WEIGHT_FILES = tuple(f"spliceai{member}.h5" for member in range(1, 6))
TRAINING_CHROMOSOMES = FACTS[NAME].training_chromosomes

_FILTERS = 32
_BLOCKS_PER_GROUP = 4
_GROUPS = ((11, 1), (11, 4), (21, 10), (41, 25))
"""Taps and dilation of the convolutions of each group."""
_NORMALISATION_EPSILON = 1e-3
_HOW_TO_INSTALL = (
    f'install the weights with `pip install "meta-spliceai[spliceai]"` ({LICENCE}), '
    f"or give the folder that holds {WEIGHT_FILES[0]} to {WEIGHT_FILES[-1]} as weights"
)

_Float64Array = npt.NDArray[np.float64]


class SpliceAI:
    """The ensemble of the five networks behind the base-model protocol."""

    def __init__(self, engine: OpenVINOEngine, info: BaseModelInfo) -> None:
        self._engine = engine
        self._info = info

    @property
    def info(self) -> BaseModelInfo:
        """Identity of the model."""
        return self._info

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; see `BaseModel.score`."""
        check_codes(codes, self._info)
        return self._engine.score(codes)


def load_spliceai(*, weights: Path | None = None, options: EngineOptions = DEFAULT_OPTIONS) -> SpliceAI:
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
        training_chromosomes=TRAINING_CHROMOSOMES,
        context=networks[0].context,
        weights_fingerprint=weights_fingerprint,
        licence=LICENCE,
    )
    return SpliceAI(OpenVINOEngine(networks, threads=options.threads), info)


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
            return _folded(_LayerReader(file, archive))
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

    def convolution(self, taps: int, inputs: int, outputs: int) -> tuple[_Float64Array, _Float64Array]:
        """Kernel (taps, inputs, outputs) and bias of the next convolution."""
        self._convolutions += 1
        layer = f"conv1d_{self._convolutions}"
        return self._array(layer, "kernel", (taps, inputs, outputs)), self._array(layer, "bias", (outputs,))

    def normalisation(self) -> tuple[_Float64Array, _Float64Array]:
        """The next batch normalisation as scale and shift."""
        self._normalisations += 1
        layer = f"batch_normalization_{self._normalisations}"
        gamma, beta, mean, variance = (
            self._array(layer, name, (_FILTERS,)) for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        if variance.min() < 0:
            raise _unusable(self._file, f"{layer} has a negative variance")
        scale = gamma / np.sqrt(variance + _NORMALISATION_EPSILON)
        return scale, beta - mean * scale

    def _array(self, layer: str, name: str, shape: tuple[int, ...]) -> _Float64Array:
        values = self._archive.get(f"model_weights/{layer}/{layer}/{name}:0")
        if not isinstance(values, h5py.Dataset):
            raise _unusable(self._file, f"it has no {name} of layer {layer}")
        if values.shape != shape:
            raise _unusable(self._file, f"{name} of layer {layer} has shape {values.shape} instead of {shape}")
        array = np.asarray(values[()], dtype=np.float64)
        if not np.isfinite(array).all():
            raise _unusable(self._file, f"{name} of layer {layer} has values that are not finite")
        return array


def _folded(layers: _LayerReader) -> Network:
    """The network with its normalisations and skip layers folded in float64; see `Network`."""
    stem = layers.convolution(1, 4, _FILTERS)
    skips = [layers.convolution(1, _FILTERS, _FILTERS)]
    groups = []
    for taps, dilation in _GROUPS:
        groups.append(tuple(_folded_block(layers, taps, dilation) for _ in range(_BLOCKS_PER_GROUP)))
        skips.append(layers.convolution(1, _FILTERS, _FILTERS))
    head, head_bias = layers.convolution(1, _FILTERS, N_CHANNELS)
    skip_bias = np.sum([bias for _, bias in skips], axis=0)
    return Network(
        stem=_convolution(*stem, dilation=1),
        groups=tuple(groups),
        projections=tuple((kernel[0] @ head[0]).astype(np.float32) for kernel, _ in skips),
        bias=(skip_bias @ head[0] + head_bias).astype(np.float32),
    )


def _folded_block(layers: _LayerReader, taps: int, dilation: int) -> Block:
    scale, shift = layers.normalisation()
    kernel, bias = layers.convolution(taps, _FILTERS, _FILTERS)
    inner_scale, inner_shift = layers.normalisation()
    return Block(
        scale=scale.astype(np.float32),
        shift=shift.astype(np.float32),
        first=_convolution(kernel * inner_scale, bias * inner_scale + inner_shift, dilation=dilation),
        second=_convolution(*layers.convolution(taps, _FILTERS, _FILTERS), dilation=dilation),
    )


def _convolution(kernel: _Float64Array, bias: _Float64Array, *, dilation: int) -> Convolution:
    return Convolution(kernel.astype(np.float32), bias.astype(np.float32), dilation)
