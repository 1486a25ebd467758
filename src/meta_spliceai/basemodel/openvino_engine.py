"""Running an ensemble of networks on the CPU with OpenVINO.

Members that give the same outputs are branches of one graph, from the codes of the bases to the mean and the spread of
their probabilities. A graph is compiled once per window length, when that length is first needed. Where members give
different outputs, they form several teams, which run one after the other in the same graph: their weights are inputs of
it, as fast as constants are, so that memory and time to compile do not grow with the number of teams.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.network import (
    ACCEPTOR,
    DONOR,
    TYPED_OUTPUTS,
    Block,
    Convolution,
    Network,
    by_outputs,
)
from meta_spliceai.basemodel.options import Precision
from meta_spliceai.basemodel.protocol import SPREAD, TYPED_CHANNELS, ScoreArray, Scores
from meta_spliceai.basemodel.windows import plan_windows, windows_for
from meta_spliceai.genome.sequences import UNKNOWN, Codes
from meta_spliceai.schema.features import SITE

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


def cpu_capabilities() -> tuple[str, ...]:
    """What OpenVINO says that it can do on this processor, e.g. 'BF16'."""
    return tuple(_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


class OpenVINOEngine:
    """Scores sequences of any length with an ensemble of networks.

    Parameters
    ----------
    networks
        The members, all with the same context.
    threads
        Threads to compute with; by default as many as the engine finds best, usually one per core. The scores do not
        depend on it.
    precision
        `fast` computes in bfloat16; that the processor can do it is not checked here.
    windows
        Lengths to compile for; by default those of `windows_for`.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        threads: int | None = None,
        precision: Precision = "exact",
        windows: tuple[int, ...] | None = None,
    ) -> None:
        teams = by_outputs(networks)
        graphs = _Graphs(_options(threads, precision), shared=len(teams) > 1)
        chosen = windows or windows_for(networks[0].mean_halo)
        self._teams = [_Team(team, chosen, graphs) for team in teams.values()]

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; `codes` is uint8 of shape (n + context,), see `BaseModel.score`."""
        channels: dict[str, ScoreArray] = {}
        spreads: list[ScoreArray] = []
        for team in self._teams:
            values = team.score(codes)
            channels |= dict(zip(team.channels, values, strict=False))
            spreads.extend(values[len(team.channels) :])
        channels[SPREAD] = spreads[0] if len(spreads) == 1 else np.mean(np.stack(spreads), axis=0)
        return Scores(channels)


class _Graphs:
    """Compiled graphs, one per window length; where several teams share them, one per kind of team as well."""

    def __init__(self, options: dict[str, object], *, shared: bool) -> None:
        self._openvino = _openvino()
        self._core = self._openvino.Core()
        self._options = options
        self._shared = shared
        self._requests: dict[Hashable, Any] = {}

    def inputs(self, networks: Sequence[Network]) -> list[npt.NDArray[np.float32]]:
        """The weights of a team that `infer` takes; none where they are constants of the only team's graph."""
        if not self._shared:
            return []
        graph = _TeamGraph(self._openvino, networks[0].context + 1, weights_are_inputs=True)
        graph.model(networks)
        return graph.weights

    def infer(
        self, networks: Sequence[Network], inputs: list[npt.NDArray[np.float32]], codes: Codes
    ) -> npt.NDArray[np.float32]:
        """What `_TeamGraph` gives; valid until the next call."""
        key = (codes.size, _structure(networks), tuple(weights.shape for weights in inputs))
        request = self._requests.get(key)
        if request is None:
            graph = _TeamGraph(self._openvino, codes.size, weights_are_inputs=self._shared).model(networks)
            request = self._core.compile_model(graph, "CPU", self._options).create_infer_request()
            self._requests[key] = request
        result: npt.NDArray[np.float32] = request.infer([codes, *inputs], share_inputs=True, share_outputs=True)[0]
        return result


def _structure(networks: Sequence[Network]) -> Hashable:
    """What a graph depends on besides the weights and their shapes."""
    return tuple(
        (
            network.slope,
            network.outputs == TYPED_OUTPUTS,
            tuple((block.first.dilation, block.second.dilation) for group in network.groups for block in group),
        )
        for network in networks
    )


class _Team:
    """Networks that give the same outputs."""

    def __init__(self, networks: Sequence[Network], windows: tuple[int, ...], graphs: _Graphs) -> None:
        outputs = networks[0].outputs
        self.channels = TYPED_CHANNELS if outputs == TYPED_OUTPUTS else outputs
        n = len(self.channels)
        spreads = [0] if outputs == TYPED_OUTPUTS else [i for i, name in enumerate(outputs) if name.startswith(SITE)]
        self._rows = [*range(n), *(n + place for place in spreads)]
        self._networks = networks
        self._context = networks[0].context
        self._halo = networks[0].mean_halo
        self._windows = windows
        self._graphs = graphs
        self._inputs = graphs.inputs(networks)
        self._unknown: npt.NDArray[np.float32] | None = None

    def score(self, codes: Codes) -> npt.NDArray[np.float32]:
        """A row per channel, then one per spread, for the n inner bases."""
        length = codes.size - self._context
        scores = np.empty((len(self._rows), length), dtype=np.float32)
        for start, window in plan_windows(length, windows=self._windows, halo=self._halo):
            end = min(start + window, length)
            values = self._window_scores(codes[start : end + self._context], window)[:, : end - start]
            scores[:, start:end] = values[self._rows]
        return scores

    def _window_scores(self, codes: Codes, window: int) -> npt.NDArray[np.float32]:
        """Scores of a window, one column for each base or one for all; what lies beyond `codes` counts as unknown."""
        if codes.min() == UNKNOWN:
            return self._unknown_scores()
        padded = np.full(window + self._context, UNKNOWN, dtype=np.uint8)
        padded[: codes.size] = codes
        return self._graphs.infer(self._networks, self._inputs, padded)

    def _unknown_scores(self) -> npt.NDArray[np.float32]:
        """Scores of a base in nothing but unknown bases, one column; computed once."""
        if self._unknown is None:
            codes = np.full(min(self._windows) + self._context, UNKNOWN, dtype=np.uint8)
            self._unknown = self._graphs.infer(self._networks, self._inputs, codes)[:, :1].copy()
        return self._unknown


def _options(threads: int | None, precision: Precision) -> dict[str, object]:
    options: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "exact" else "bf16",
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned threads of two worker processes would sit on the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    return options


class _TeamGraph:
    """Builds the graph for one input length.

    Tensors are (1, channels, 1, positions): convolutions in two dimensions, one of them empty, are a little faster here
    than in one.

    Parameters
    ----------
    weights_are_inputs
        Make the weights inputs of the graph, after the codes; `weights` are their values in the same order.
    """

    def __init__(self, openvino: ModuleType, length: int, *, weights_are_inputs: bool = False) -> None:
        self._openvino = openvino
        self._op = openvino.opset13
        self._length = length
        self._weights_are_inputs = weights_are_inputs
        self._inputs: list[Any] = []
        self.weights: list[npt.NDArray[np.float32]] = []

    def model(self, networks: Sequence[Network]) -> Any:
        """From codes (uint8, shape (length,)) to float32 of shape (rows, positions).

        The rows are the means over the networks and their standard deviations: of typed outputs donor and acceptor, then
        the deviation of their sum; of others one mean per output, then one deviation per output.
        """
        op = self._op
        codes = op.parameter([self._length], np.uint8)
        one_hot = op.gather(self._constant(_ONE_HOT), op.convert(codes, "i32"), op.constant(np.int64(0)))
        bases = op.transpose(
            op.reshape(one_hot, op.constant(np.array([1, 1, self._length, 4])), special_zero=False),
            op.constant(np.array([0, 3, 1, 2])),
        )
        members = op.concat([self._probabilities(bases, network) for network in networks], 0)
        summary = self._summary(members, typed=networks[0].outputs == TYPED_OUTPUTS)
        return self._openvino.Model([summary], [codes, *self._inputs])

    def _summary(self, members: Any, *, typed: bool) -> Any:
        """Means and standard deviations over the members, from (members, outputs, 1, positions)."""
        op = self._op
        over_members, over_channels = op.constant(np.array([0])), op.constant(np.array([_AXIS_CHANNEL]))
        sites = members
        if typed:
            members = op.gather(members, op.constant(np.array([DONOR, ACCEPTOR])), op.constant(np.int64(_AXIS_CHANNEL)))
            sites = op.reduce_sum(members, over_channels, True)
        mean = op.reduce_mean(members, over_members, True)
        deviation = op.subtract(sites, op.reduce_mean(sites, over_members, True))
        spread = op.sqrt(op.reduce_mean(op.multiply(deviation, deviation), over_members, True))
        return op.squeeze(op.concat([mean, spread], _AXIS_CHANNEL), op.constant(np.array([0, 2])))

    def _probabilities(self, bases: Any, network: Network) -> Any:
        op = self._op
        left = network.context
        x = self._convolved(bases, network.stem)
        logits = self._projected(self._cropped(x, left), network.projections[0])
        for group, projection in zip(network.groups, network.projections[1:], strict=True):
            for block in group:
                x = self._block(x, block, network.slope)
                left -= block.context
            logits = op.add(logits, self._projected(self._cropped(x, left), projection))
        logits = op.add(logits, self._per_channel(network.bias))
        return op.softmax(logits, _AXIS_CHANNEL) if network.outputs == TYPED_OUTPUTS else op.sigmoid(logits)

    def _block(self, x: Any, block: Block, slope: float) -> Any:
        op = self._op
        normalised = op.add(op.multiply(x, self._per_channel(block.scale)), self._per_channel(block.shift))
        inner = self._activated(self._convolved(self._activated(normalised, slope), block.first), slope)
        return op.add(self._convolved(inner, block.second), self._cropped(x, block.context))

    def _activated(self, x: Any, slope: float) -> Any:
        return self._op.prelu(x, self._constant(np.array([slope]))) if slope else self._op.relu(x)

    def _convolved(self, x: Any, convolution: Convolution) -> Any:
        filters = np.transpose(convolution.kernel, (2, 1, 0))[:, :, None, :]
        product = self._op.convolution(x, self._weight(filters), [1, 1], [0, 0], [0, 0], [1, convolution.dilation])
        return self._op.add(product, self._per_channel(convolution.bias))

    def _projected(self, x: Any, projection: npt.NDArray[np.float32]) -> Any:
        return self._op.convolution(x, self._weight(projection.T[:, :, None, None]), [1, 1], [0, 0], [0, 0], [1, 1])

    def _cropped(self, x: Any, positions: int) -> Any:
        """`x` without half of `positions` on each side."""
        if positions == 0:
            return x
        start, stop, step, axis = (
            self._op.constant(np.array([value])) for value in (positions // 2, -positions // 2, 1, _AXIS_POSITION)
        )
        return self._op.slice(x, start, stop, step, axis)

    def _per_channel(self, values: npt.NDArray[np.float32]) -> Any:
        return self._weight(values.reshape(1, -1, 1, 1))

    def _weight(self, values: npt.NDArray[np.float32]) -> Any:
        if not self._weights_are_inputs:
            return self._constant(values)
        self.weights.append(np.ascontiguousarray(values, dtype=np.float32))
        self._inputs.append(self._op.parameter(list(values.shape), np.float32))
        return self._inputs[-1]

    def _constant(self, values: npt.NDArray[np.float32]) -> Any:
        return self._op.constant(np.ascontiguousarray(values, dtype=np.float32))
