"""An ensemble of networks on the CPU through OpenVINO, in exact float32.

Shapes are static, because OpenVINO is a hundred times slower with dynamic ones: a few window sizes are compiled when they
are first needed, and a sequence of any length is covered by them. Every output base sees its whole context, so the cover
never shows in the scores; they come out bit for bit the same for any window size, offset and number of threads.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import Convolution, Network, ResidualUnit
from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import UNKNOWN, Codes

Values = npt.NDArray[np.float32]

WINDOWS = (2_500, 5_000, 10_000, 20_000, 35_000, 50_000)
"""Output bases per window. Longer ones gain nothing and take memory; shorter ones repeat too much context."""

_CONTEXT_COST = 5_000
"""What the context of a window costs, in output bases, measured from 5,000 to 50,000; only the choice of windows depends on it."""

_ONE_HOT = np.concatenate([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
_ACCEPTOR, _DONOR = 1, 2
"""Output channels of the network, in SpliceAI's order; they leave this module by name only."""


@lru_cache(maxsize=4096)
def _cheapest(units: int) -> tuple[int, tuple[int, ...]]:
    """Cost and windows, largest first, of the cheapest cover of `units` times the smallest window."""
    if units <= 0:
        return 0, ()
    options = []
    for window in WINDOWS:
        cost, rest = _cheapest(units - window // WINDOWS[0])
        options.append((cost + window + _CONTEXT_COST, (window, *rest)))
    return min(options, key=lambda option: (option[0], len(option[1])))


def plan_windows(length: int) -> list[tuple[int, int]]:
    """Windows that cover `length` bases: (first base, window size), back to back; the last may reach beyond the end."""
    largest = WINDOWS[-1]
    whole = max(0, length // largest - 1)
    rest = -(-(length - whole * largest) // WINDOWS[0])
    sizes = [largest] * whole + sorted(_cheapest(rest)[1], reverse=True)
    return [(sum(sizes[:place]), size) for place, size in enumerate(sizes)]


class OpenVinoEngine:
    """Scores sequences with the mean of several networks.

    Parameters
    ----------
    networks
        The members of the ensemble.
    context
        Bases each needs besides the one it scores.
    threads
        CPU threads; default: all cores.
    """

    def __init__(self, networks: Sequence[Network], context: int, *, threads: int | None = None) -> None:
        self._networks, self._context, self._threads = tuple(networks), context, threads
        self._requests: dict[int, Any] = {}
        self._unknown: Values | None = None

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases of `codes`, uint8 of shape (length + context,); see `BaseModel.score`."""
        length = codes.size - self._context
        if codes.dtype != np.uint8 or codes.ndim != 1 or length < 1 or int(codes.max()) > UNKNOWN:
            raise ModelError(
                expected=f"base codes 0 to {UNKNOWN} as uint8, more than {self._context} of them",
                found=f"{codes.dtype} of shape {codes.shape}",
                action="encode the sequence with meta_spliceai.genome.sequences.encode",
            )
        out = np.empty((3, length), dtype=np.float32)
        for start, window in plan_windows(length):
            piece = codes[start : start + window + self._context]
            kept = min(window, length - start)
            out[:, start : start + kept] = self._window(piece, window)[:, :kept]
        return Scores(out[0], out[1], out[2])

    def _window(self, codes: Codes, window: int) -> Values:
        """Donor, acceptor and spread of one window, shape (3, window); a piece that is too short is filled up with N."""
        if not (codes != UNKNOWN).any():
            return self._constant()
        full = np.full(window + self._context, UNKNOWN, dtype=np.uint8)
        full[: codes.size] = codes
        return self._infer(full, window)

    def _constant(self) -> Values:
        """What a base scores that knows nothing, shape (3, 1): stretches of N cost nothing."""
        if self._unknown is None:
            smallest = WINDOWS[0]
            codes = np.full(smallest + self._context, UNKNOWN, dtype=np.uint8)
            self._unknown = self._infer(codes, smallest)[:, :1]
        return self._unknown

    def _infer(self, codes: Codes, window: int) -> Values:
        request = self._request(window)
        one_hot = np.ascontiguousarray(_ONE_HOT[codes].T)[None, :, None, :]
        request.infer([one_hot])
        members = np.stack(
            [request.get_output_tensor(place).data[0, :, 0, :] for place in range(len(self._networks))]
        ).astype(np.float64)
        splice = members[:, _DONOR] + members[:, _ACCEPTOR]
        scores = np.stack([members[:, _DONOR].mean(axis=0), members[:, _ACCEPTOR].mean(axis=0), splice.std(axis=0)])
        clipped: Values = np.clip(scores, 0.0, 1.0).astype(np.float32)
        return clipped

    def _request(self, window: int) -> Any:
        if window not in self._requests:
            openvino = import_openvino()
            options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
            if self._threads is not None:
                options["INFERENCE_NUM_THREADS"] = self._threads
            graph = _graph(self._networks, window + self._context)
            self._requests[window] = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()
        return self._requests[window]


def import_openvino() -> Any:
    """Import OpenVINO with its telemetry replaced by the empty stand-in that OpenVINO itself falls back to.

    OpenVINO's Python package imports a telemetry package that may report the use of its conversion tools. Those are not
    used here; hiding the package during the import makes sure that nothing can be sent.
    """
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules["openvino_telemetry"]
    import openvino
    import openvino.opset13

    return openvino


def _graph(networks: Sequence[Network], bases: int) -> Any:
    """The OpenVINO model: one-hot input of shape (1, 4, 1, bases), one softmax output (1, 3, 1, length) per network."""
    openvino = import_openvino()
    ops = openvino.opset13
    one_hot = ops.parameter([1, 4, 1, bases], np.float32)
    outputs = [ops.result(ops.softmax(_logits(ops, network, one_hot), 1)) for network in networks]
    return openvino.Model(outputs, [one_hot], "ensemble")


def _logits(ops: Any, network: Network, one_hot: Any) -> Any:
    x = _convolved(ops, one_hot, network.stem)
    left = network.reach
    total = _cropped(ops, _convolved(ops, x, network.first_skip), left)
    for units, skip in network.groups:
        for unit in units:
            x = _residual(ops, x, unit)
            left -= unit.reach
        total = ops.add(total, _cropped(ops, _convolved(ops, x, skip), left))
    return _convolved(ops, total, network.head)


def _residual(ops: Any, x: Any, unit: ResidualUnit) -> Any:
    h = ops.add(ops.multiply(x, _per_channel(ops, unit.scale)), _per_channel(ops, unit.shift))
    h = _convolved(ops, _rectified(ops, h, unit.negative_slope), unit.first)
    h = _convolved(ops, _rectified(ops, h, unit.negative_slope), unit.second)
    return ops.add(h, _cropped(ops, x, unit.reach))


def _rectified(ops: Any, x: Any, negative_slope: float) -> Any:
    return ops.prelu(x, ops.constant(np.float32(negative_slope))) if negative_slope else ops.relu(x)


def _convolved(ops: Any, x: Any, layer: Convolution) -> Any:
    # A convolution over (1, bases) is twice as fast in OpenVINO's CPU plug-in as one over (bases,).
    kernel = ops.constant(np.ascontiguousarray(layer.kernel[:, :, None, :]))
    return ops.add(
        ops.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, layer.dilation]), _per_channel(ops, layer.bias)
    )


def _per_channel(ops: Any, values: Values) -> Any:
    return ops.constant(values[None, :, None, None])


def _cropped(ops: Any, x: Any, bases: int) -> Any:
    if bases == 0:
        return x
    return ops.slice(x, np.array([bases]), np.array([-bases]), np.array([1]), np.array([3]))
