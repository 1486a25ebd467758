"""Running an ensemble of networks on a GPU with torch: CUDA (NVIDIA) or MPS (Apple).

Only `engine.make_engine` imports this module, and only when such a device is asked for; torch is the extra `torch`.

Tensors are (1, channels, 1, positions) in the memory order that GPUs multiply fastest (channels last). `exact` computes in
float32 proper: TF32, which NVIDIA's libraries would use of themselves, is switched off for the duration of a call. `fast`
computes the convolutions in bfloat16 and everything from the projections on in float32. Members run one after the other,
so memory holds the activations of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from meta_spliceai.basemodel.network import ACCEPTOR, DONOR, TYPED_OUTPUTS, Block, Convolution, Network, by_outputs
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.protocol import SPREAD, TYPED_CHANNELS, ScoreArray, Scores
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import UNKNOWN, Codes
from meta_spliceai.schema.features import SITE

WINDOW = 200_000
"""Bases scored at once: about 1.5 GB of device memory in float32, and long against a context of 10,000."""

Tensor = Any


class TorchEngine:
    """Scores sequences of any length with an ensemble of networks on a GPU.

    Parameters
    ----------
    networks
        The members, all with the same context.
    options
        The device, the precision, and the window where another than `WINDOW` is wanted.

    Raises
    ------
    ModelError
        The device is not there, or does not compute in bfloat16 where `fast` is asked for.
    """

    def __init__(self, networks: Sequence[Network], options: EngineOptions) -> None:
        self._device = _device(options.device)
        if options.precision == "fast":
            _require_bfloat16(self._device)
        self._dtype = torch.bfloat16 if options.precision == "fast" else torch.float32
        self._window = options.window or WINDOW
        self._context = networks[0].context
        self._teams = {
            outputs: [self._prepared(network) for network in team] for outputs, team in by_outputs(networks).items()
        }
        self._one_hot = torch.vstack([torch.eye(4), torch.zeros(1, 4)]).to(self._device, self._dtype)
        self._unknown: np.ndarray[Any, np.dtype[np.float32]] | None = None

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; `codes` is uint8 of shape (n + context,), see `BaseModel.score`."""
        length = codes.size - self._context
        names = self._channels()
        values = np.empty((len(names), length), dtype=np.float32)
        for start in range(0, length, self._window):
            end = min(start + self._window, length)
            values[:, start:end] = self._window_scores(codes[start : end + self._context])
        return Scores(dict(zip(names, values, strict=True)))

    def _channels(self) -> tuple[str, ...]:
        own = [TYPED_CHANNELS if outputs == TYPED_OUTPUTS else outputs for outputs in self._teams]
        return (*(channel for channels in own for channel in channels), SPREAD)

    def _window_scores(self, codes: Codes) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Every channel and the spread, shape (channels, bases), or (channels, 1) where all bases are unknown."""
        if codes.min() < UNKNOWN:
            return self._infer(codes)
        if self._unknown is None:
            self._unknown = self._infer(np.full(self._context + 1, UNKNOWN, dtype=np.uint8))
        return self._unknown

    def _infer(self, codes: Codes) -> np.ndarray[Any, np.dtype[np.float32]]:
        rows: list[Tensor] = []
        spreads: list[Tensor] = []
        with torch.inference_mode(), _float32_proper():
            uploaded = torch.from_numpy(codes.copy()).to(self._device)
            bases = self._one_hot[uploaded.int()].T[None, :, None, :].contiguous(memory_format=torch.channels_last)
            for outputs, team in self._teams.items():
                members = torch.stack([network.probabilities(bases) for network in team])
                rows.append(members.mean(dim=0))
                if outputs == TYPED_OUTPUTS:
                    spreads.append(members.sum(dim=1).std(dim=0, correction=0))
                else:
                    sites = (place for place, name in enumerate(outputs) if name.startswith(SITE))
                    spreads.extend(members[:, place].std(dim=0, correction=0) for place in sites)
            spread = torch.stack(spreads).mean(dim=0) if spreads else torch.zeros_like(rows[0][0])
            found: np.ndarray[Any, np.dtype[np.float32]] = torch.cat([*rows, spread[None]]).cpu().numpy()
        return found

    def _prepared(self, network: Network) -> _DeviceNetwork:
        def uploaded(values: ScoreArray, dtype: Any = self._dtype) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self._device, dtype)

        def convolution(given: Convolution) -> _DeviceConvolution:
            weight = uploaded(given.kernel.transpose(2, 1, 0)[:, :, None, :])
            return _DeviceConvolution(
                weight.contiguous(memory_format=torch.channels_last), uploaded(given.bias), given.dilation
            )

        def block(given: Block) -> _DeviceBlock:
            scale, shift = (uploaded(values.reshape(1, -1, 1, 1)) for values in (given.scale, given.shift))
            return _DeviceBlock(scale, shift, convolution(given.first), convolution(given.second), given.context)

        return _DeviceNetwork(
            stem=convolution(network.stem),
            groups=tuple(tuple(block(given) for given in group) for group in network.groups),
            projections=tuple(uploaded(values.T[:, :, None, None], torch.float32) for values in network.projections),
            bias=uploaded(network.bias.reshape(1, -1, 1, 1), torch.float32),
            slope=network.slope,
            context=network.context,
            is_typed=network.outputs == TYPED_OUTPUTS,
        )


@dataclass(frozen=True, slots=True)
class _DeviceConvolution:
    weight: Tensor
    bias: Tensor
    dilation: int

    def __call__(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, dilation=(1, self.dilation))


@dataclass(frozen=True, slots=True)
class _DeviceBlock:
    scale: Tensor
    shift: Tensor
    first: _DeviceConvolution
    second: _DeviceConvolution
    context: int

    def __call__(self, x: Tensor, slope: float) -> Tensor:
        inner = functional.leaky_relu(x * self.scale + self.shift, slope)
        inner = functional.leaky_relu(self.first(inner), slope)
        return self.second(inner) + _cropped(x, self.context)


@dataclass(frozen=True, slots=True)
class _DeviceNetwork:
    """A `Network` whose weights are on the device."""

    stem: _DeviceConvolution
    groups: tuple[tuple[_DeviceBlock, ...], ...]
    projections: tuple[Tensor, ...]
    bias: Tensor
    slope: float
    context: int
    is_typed: bool

    def probabilities(self, bases: Tensor) -> Tensor:
        """Donor and acceptor, or the network's own outputs, float32 of shape (outputs, positions)."""
        left = self.context
        x = self.stem(bases)
        logits = self.bias + _projected(_cropped(x, left), self.projections[0])
        for group, projection in zip(self.groups, self.projections[1:], strict=True):
            for block in group:
                x = block(x, self.slope)
                left -= block.context
            logits = logits + _projected(_cropped(x, left), projection)
        if self.is_typed:
            return torch.softmax(logits, dim=1)[0, [DONOR, ACCEPTOR], 0]
        return torch.sigmoid(logits)[0, :, 0]


def _projected(x: Tensor, projection: Tensor) -> Tensor:
    return functional.conv2d(x.float(), projection)


def _cropped(x: Tensor, positions: int) -> Tensor:
    """`x` without half of `positions` on each side."""
    return x if positions == 0 else x[..., positions // 2 : -(positions // 2)]


@contextmanager
def _float32_proper() -> Iterator[None]:
    """No TF32 and no search for algorithms, so that the same bases always give the same scores."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    held = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = False, False, False, True
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = held


def _present() -> list[str]:
    """The devices that torch finds here."""
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, there in found.items() if there]


def _device(name: str) -> Any:
    if name not in _present():
        raise ModelError(
            f"the device {name}",
            f"only {' and '.join(_present())}",
            "use one of these, or install torch for that device",
        )
    return torch.device(name)


def _require_bfloat16(device: Any) -> None:
    try:
        (torch.ones(1, device=device, dtype=torch.bfloat16) + 1).cpu()
        able = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    except (RuntimeError, TypeError):
        able = False
    if not able:
        raise ModelError(
            f"bfloat16 on the device {device}, for the precision fast", "it is not there", "use the precision exact"
        )
