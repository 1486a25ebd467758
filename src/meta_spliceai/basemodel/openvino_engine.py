"""Running an ensemble of networks on the CPU with OpenVINO, in exact fp32.

All members are branches of one graph, from the codes of the bases to the mean and the spread of their probabilities.
The graph is compiled once per window length, when that length is first needed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import ACCEPTOR, DONOR, Block, Convolution, Network
from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.basemodel.windows import WINDOWS, plan_windows
from meta_spliceai.genome.sequences import UNKNOWN, Codes

_TELEMETRY = "openvino_telemetry"
_ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
_AXIS_CHANNEL, _AXIS_POSITION = 1, 3


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Make `openvino_telemetry` look absent.

    Importing OpenVINO imports its model converter, which writes an identifier into the user's home and reports the
    import to a statistics service, unless the user has opted out before, the environment says that this is a CI job, or
    that package is absent. The last is the only one that leaves the user's home and environment as they are.
    """
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]


def _openvino() -> ModuleType:
    with _without_telemetry():
        return importlib.import_module("openvino")


class OpenVINOEngine:
    """Scores sequences of any length with an ensemble of networks.

    Parameters
    ----------
    networks
        The members, all with the same context.
    threads
        Threads to compute with; by default as many as the engine finds best, usually one per core. The scores do not
        depend on it.
    windows
        Lengths to compile for; see `windows.plan_windows`.
    """

    def __init__(
        self, networks: Sequence[Network], *, threads: int | None = None, windows: tuple[int, ...] = WINDOWS
    ) -> None:
        self._networks = tuple(networks)
        self._context = self._networks[0].context
        self._halo = self._networks[0].mean_halo
        self._windows = windows
        self._openvino = _openvino()
        self._core = self._openvino.Core()
        self._options = _options(threads)
        self._requests: dict[int, Any] = {}
        self._unknown: npt.NDArray[np.float32] | None = None

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; `codes` is uint8 of shape (n + context,), see `BaseModel.score`."""
        length = codes.size - self._context
        scores = np.empty((3, length), dtype=np.float32)
        for start, window in plan_windows(length, windows=self._windows, halo=self._halo):
            end = min(start + window, length)
            scores[:, start:end] = self._window_scores(codes[start : end + self._context], window)[:, : end - start]
        donor, acceptor, spread = scores
        return Scores.typed(donor, acceptor, spread)

    def _window_scores(self, codes: Codes, window: int) -> npt.NDArray[np.float32]:
        """Donor, acceptor and spread, shape (3, window) or (3, 1); what lies beyond `codes` counts as unknown."""
        if codes.min() == UNKNOWN:
            return self._unknown_scores()
        padded = np.full(window + self._context, UNKNOWN, dtype=np.uint8)
        padded[: codes.size] = codes
        return self._infer(padded, window)

    def _unknown_scores(self) -> npt.NDArray[np.float32]:
        """Scores of a base in nothing but unknown bases, shape (3, 1); computed once."""
        if self._unknown is None:
            window = min(self._windows)
            self._unknown = self._infer(np.full(window + self._context, UNKNOWN, dtype=np.uint8), window)[:, :1].copy()
        return self._unknown

    def _infer(self, codes: Codes, window: int) -> npt.NDArray[np.float32]:
        request = self._requests.get(window)
        if request is None:
            graph = _EnsembleGraph(self._openvino, window + self._context).model(self._networks)
            request = self._core.compile_model(graph, "CPU", self._options).create_infer_request()
            self._requests[window] = request
        result: npt.NDArray[np.float32] = request.infer([codes], share_inputs=True, share_outputs=True)[0]
        return result


def _options(threads: int | None) -> dict[str, object]:
    options: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned threads of two worker processes would sit on the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    return options


class _EnsembleGraph:
    """Builds the graph for one input length.

    Tensors are (1, channels, 1, positions): convolutions in two dimensions, one of them empty, are a little faster here
    than in one.
    """

    def __init__(self, openvino: ModuleType, length: int) -> None:
        self._openvino = openvino
        self._op = openvino.opset13
        self._length = length

    def model(self, networks: Sequence[Network]) -> Any:
        """From codes (uint8, shape (length,)) to donor, acceptor and spread (float32, shape (3, positions))."""
        op = self._op
        codes = op.parameter([self._length], np.uint8)
        one_hot = op.gather(self._constant(_ONE_HOT), op.convert(codes, "i32"), op.constant(np.int64(0)))
        bases = op.transpose(
            op.reshape(one_hot, op.constant(np.array([1, 1, self._length, 4])), special_zero=False),
            op.constant(np.array([0, 3, 1, 2])),
        )
        members = op.concat([self._probabilities(bases, network) for network in networks], 0)
        return self._openvino.Model([self._summary(members)], [codes])

    def _summary(self, members: Any) -> Any:
        """Mean donor and acceptor and the standard deviation of their sum, from (members, channels, 1, positions)."""
        op = self._op
        over_members, over_channels = op.constant(np.array([0])), op.constant(np.array([_AXIS_CHANNEL]))
        sites = op.gather(members, op.constant(np.array([DONOR, ACCEPTOR])), op.constant(np.int64(_AXIS_CHANNEL)))
        mean = op.reduce_mean(sites, over_members, True)
        either = op.reduce_sum(sites, over_channels, True)
        deviation = op.subtract(either, op.reduce_mean(either, over_members, True))
        spread = op.sqrt(op.reduce_mean(op.multiply(deviation, deviation), over_members, True))
        return op.squeeze(op.concat([mean, spread], _AXIS_CHANNEL), op.constant(np.array([0, 2])))

    def _probabilities(self, bases: Any, network: Network) -> Any:
        op = self._op
        left = network.context
        x = self._convolved(bases, network.stem)
        logits = self._projected(self._cropped(x, left), network.projections[0])
        for group, projection in zip(network.groups, network.projections[1:], strict=True):
            for block in group:
                x = self._block(x, block)
                left -= block.context
            logits = op.add(logits, self._projected(self._cropped(x, left), projection))
        return op.softmax(op.add(logits, self._per_channel(network.bias)), _AXIS_CHANNEL)

    def _block(self, x: Any, block: Block) -> Any:
        op = self._op
        normalised = op.add(op.multiply(x, self._per_channel(block.scale)), self._per_channel(block.shift))
        inner = op.relu(self._convolved(op.relu(normalised), block.first))
        return op.add(self._convolved(inner, block.second), self._cropped(x, block.context))

    def _convolved(self, x: Any, convolution: Convolution) -> Any:
        filters = np.transpose(convolution.kernel, (2, 1, 0))[:, :, None, :]
        product = self._op.convolution(x, self._constant(filters), [1, 1], [0, 0], [0, 0], [1, convolution.dilation])
        return self._op.add(product, self._per_channel(convolution.bias))

    def _projected(self, x: Any, projection: npt.NDArray[np.float32]) -> Any:
        return self._op.convolution(x, self._constant(projection.T[:, :, None, None]), [1, 1], [0, 0], [0, 0], [1, 1])

    def _cropped(self, x: Any, positions: int) -> Any:
        """`x` without half of `positions` on each side."""
        if positions == 0:
            return x
        start, stop, step, axis = (
            self._op.constant(np.array([value])) for value in (positions // 2, -positions // 2, 1, _AXIS_POSITION)
        )
        return self._op.slice(x, start, stop, step, axis)

    def _per_channel(self, values: npt.NDArray[np.float32]) -> Any:
        return self._constant(values.reshape(1, -1, 1, 1))

    def _constant(self, values: npt.NDArray[np.float32]) -> Any:
        return self._op.constant(np.ascontiguousarray(values, dtype=np.float32))
