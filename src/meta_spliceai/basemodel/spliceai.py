"""SpliceAI-10k: five networks from the weight files inside the package `spliceai` 1.3.1.

Only the files are read; the package's code is never imported, nor Keras, nor TensorFlow. Layers are numbered by Keras in
the order in which they were made, which fixes the names used below.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import Convolution, Network, ResidualUnit, folded
from meta_spliceai.basemodel.openvino_engine import OpenVinoEngine
from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import Codes
from meta_spliceai.store.fingerprint import file_sha256

NAME = "spliceai"
CONTEXT = 10_000

_UNITS = tuple(zip((11,) * 8 + (21,) * 4 + (41,) * 4, (1,) * 4 + (4,) * 4 + (10,) * 4 + (25,) * 4, strict=True))
_UNITS_PER_GROUP = 4
_CHANNELS = 32
_BATCH_NORM_EPSILON = 1e-3
_FILES = tuple(f"spliceai{number}.h5" for number in range(1, 6))

TRAINING_CHROMOSOMES = (*(str(number) for number in (2, 4, 6, 8, *range(10, 23))), "X", "Y")
"""All but 1, 3, 5, 7 and 9, which Jaganathan et al. held out."""

LICENCE = (
    "SpliceAI weights by Illumina, for non-commercial use (CC BY-NC 4.0; the code is under PolyForm Strict 1.0.0); "
    "see docs/licences.md"
)

Wide = npt.NDArray[np.float64]


class SpliceAI:
    """The SpliceAI-10k ensemble.

    Parameters
    ----------
    weights
        Folder of `spliceai1.h5` … `spliceai5.h5`; default: inside the installed package `spliceai`.
    threads
        Threads of the engine; default: all cores.
    """

    def __init__(self, weights: Path | None = None, threads: int | None = None) -> None:
        files = _weight_files(weights)
        self._engine = OpenVinoEngine([read_network(path) for path in files], CONTEXT, threads=threads)
        self._info = BaseModelInfo(
            name=NAME,
            training_build="GRCh37",
            training_chromosomes=TRAINING_CHROMOSOMES,
            context=CONTEXT,
            weights_fingerprint=hashlib.sha256("".join(file_sha256(path) for path in files).encode()).hexdigest(),
            licence=LICENCE,
        )

    @property
    def info(self) -> BaseModelInfo:
        """What the model says about itself."""
        return self._info

    def score(self, codes: Codes) -> Scores:
        """Scores of the bases that have 5,000 bases on either side in `codes`."""
        return self._engine.score(codes)


def _weight_files(weights: Path | None) -> list[Path]:
    folder = weights if weights is not None else _installed_folder()
    files = [folder / name for name in _FILES]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ModelError(
            expected=f"the five SpliceAI weight files in {folder}",
            found=f"no {', '.join(missing)}",
            action='give their folder with --weights, or install them: pip install --no-deps "spliceai==1.3.1"',
        )
    return files


def _installed_folder() -> Path:
    try:
        package = importlib.metadata.distribution("spliceai")
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(
            expected="the SpliceAI weights, which come inside the Python package spliceai 1.3.1",
            found="it is not installed",
            action='pip install --no-deps "spliceai==1.3.1" (weights for non-commercial use), or give --weights',
        ) from error
    return Path(str(package.locate_file("spliceai/models")))


def read_network(path: Path) -> Network:
    """One network from a Keras weight file.

    Raises
    ------
    ModelError
        The file cannot be read, or its layers are not those of SpliceAI-10k.
    """
    try:
        with h5py.File(path, "r") as file:
            layers = {name: _arrays(group) for name, group in file["model_weights"].items() if group.keys()}
        return _network(layers)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise ModelError(
            expected=f"a SpliceAI-10k weight file {path}",
            found=f"{type(error).__name__}: {error}",
            action="install the package spliceai 1.3.1 again, or give another folder with --weights",
        ) from error


def _arrays(group: h5py.Group) -> dict[str, Wide]:
    found: dict[str, Wide] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name.split("/")[-1].split(":")[0]] = np.asarray(item, dtype=np.float64)

    group.visititems(keep)
    return found


def _network(layers: Mapping[str, Mapping[str, Wide]]) -> Network:
    convolutions = iter(_Numbered(layers, "conv1d"))
    normalisations = iter(_Numbered(layers, "batch_normalization"))
    stem, first_skip = _plain(next(convolutions), 4, _CHANNELS), _plain(next(convolutions), _CHANNELS, _CHANNELS)
    groups = []
    for first in range(0, len(_UNITS), _UNITS_PER_GROUP):
        units = tuple(
            _unit(next(normalisations), next(normalisations), next(convolutions), next(convolutions), width, dilation)
            for width, dilation in _UNITS[first : first + _UNITS_PER_GROUP]
        )
        groups.append((units, _plain(next(convolutions), _CHANNELS, _CHANNELS)))
    network = Network(stem, first_skip, tuple(groups), _plain(next(convolutions), _CHANNELS, 3))
    if 2 * network.reach != CONTEXT:
        raise ValueError(f"the layers look {network.reach} bases far, not {CONTEXT // 2}")
    return network


class _Numbered:
    """Layers of one kind in the order of their numbers, from 1."""

    def __init__(self, layers: Mapping[str, Mapping[str, Wide]], kind: str) -> None:
        self._layers, self._kind, self._number = layers, kind, 0

    def __iter__(self) -> _Numbered:
        return self

    def __next__(self) -> Mapping[str, Wide]:
        self._number += 1
        return self._layers[f"{self._kind}_{self._number}"]


def _plain(layer: Mapping[str, Wide], inputs: int, outputs: int) -> Convolution:
    return _convolution(layer, 1, inputs, outputs, 1, np.ones(outputs), np.zeros(outputs))


def _convolution(
    layer: Mapping[str, Wide], width: int, inputs: int, outputs: int, dilation: int, scale: Wide, shift: Wide
) -> Convolution:
    kernel, bias = layer["kernel"], layer["bias"]
    if kernel.shape != (width, inputs, outputs) or bias.shape != (outputs,):
        raise ValueError(f"a kernel of shape {kernel.shape}, where {(width, inputs, outputs)} belongs")
    return folded(kernel, bias, scale, shift, dilation)


def _unit(
    before: Mapping[str, Wide],
    between: Mapping[str, Wide],
    first: Mapping[str, Wide],
    second: Mapping[str, Wide],
    width: int,
    dilation: int,
) -> ResidualUnit:
    scale, shift = _normalisation(before)
    inner_scale, inner_shift = _normalisation(between)
    identity, zero = np.ones(_CHANNELS), np.zeros(_CHANNELS)
    return ResidualUnit(
        scale.astype(np.float32),
        shift.astype(np.float32),
        _convolution(first, width, _CHANNELS, _CHANNELS, dilation, inner_scale, inner_shift),
        _convolution(second, width, _CHANNELS, _CHANNELS, dilation, identity, zero),
    )


def _normalisation(layer: Mapping[str, Wide]) -> tuple[Wide, Wide]:
    scale = layer["gamma"] / np.sqrt(layer["moving_variance"] + _BATCH_NORM_EPSILON)
    return scale, layer["beta"] - layer["moving_mean"] * scale


def load_spliceai(*, weights: Path | None, threads: int | None) -> SpliceAI:
    """The ensemble."""
    return SpliceAI(weights, threads)
