"""Choosing what executes an ensemble of networks, and the ensemble as a base model."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Protocol

from meta_spliceai.basemodel.network import Network
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.processor import require_bfloat16
from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores, check_codes
from meta_spliceai.basemodel.windows import windows_for
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import Codes


class Engine(Protocol):
    """Executes an ensemble of networks."""

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; see `BaseModel.score`."""
        ...


def make_engine(networks: Sequence[Network], options: EngineOptions) -> Engine:
    """The engine for a device.

    Parameters
    ----------
    networks
        The members, all with the same context; see `network.by_outputs`.
    options
        Where and how.

    Raises
    ------
    ModelError
        The device needs torch, which is not installed, or `fast` is asked for on a processor without bfloat16.
    """
    if options.device == "cpu":
        if options.precision == "fast":
            require_bfloat16()
        windows = windows_for(networks[0].mean_halo, bound=options.window)
        return OpenVINOEngine(networks, threads=options.threads, precision=options.precision, windows=windows)
    if importlib.util.find_spec("torch") is None:
        raise ModelError(
            f"torch, which computes on {options.device}",
            "it is not installed",
            'install it with `pip install "meta-spliceai[torch]"`, or use the device cpu',
        )
    module = importlib.import_module("meta_spliceai.basemodel.torch_engine")
    engine: Engine = module.TorchEngine(networks, options)
    return engine


class Ensemble:
    """Networks behind the base-model protocol."""

    def __init__(self, engine: Engine, info: BaseModelInfo) -> None:
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
