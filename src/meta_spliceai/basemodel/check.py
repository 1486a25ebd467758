"""Does a base model give, on this machine, what an independent implementation gave? And how fast?"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.options import Device, EngineOptions, Precision
from meta_spliceai.basemodel.protocol import BaseModel, ScoreArray, Scores
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import Codes, encode

TOLERANCE: Mapping[Precision, float] = {"exact": 1e-5, "fast": 0.03}
"""Largest difference of a score. What exact arithmetic leaves is below 2e-6; bfloat16 gives up to 0.025."""
MEASURED_SECONDS = 3.0
"""How long the speed is measured; a last piece that has begun is finished."""
_PIECES = (12_000, 100_000)
"""Bases that are scored at once for the measurement: where the first take no time, as on a GPU, the second."""
_NO_TIME = 0.05


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """Scores of a sequence by an independent implementation.

    Parameters
    ----------
    made_by
        Which implementation, in words.
    weights_fingerprint
        Of the weights it used, as in `BaseModelInfo`.
    sequence
        Letters, with half the context on both sides.
    channels
        float32 of shape (n,) for each channel of the base model and the spread.
    """

    made_by: str
    weights_fingerprint: str
    sequence: str
    channels: Mapping[str, ScoreArray]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a base model does on this machine.

    Parameters
    ----------
    name, device, precision, weights_fingerprint
        What was checked.
    made_by
        Whose answer it was compared with; None where none is known for these weights.
    values
        Scores compared.
    difference
        The largest absolute one; None where there was nothing to compare with.
    tolerance
        The largest one allowed.
    positions_per_second
        Bases scored in a second, once everything is loaded.
    """

    name: str
    device: Device
    precision: Precision
    weights_fingerprint: str
    made_by: str | None
    values: int
    difference: float | None
    tolerance: float
    positions_per_second: float

    def summary(self) -> str:
        """The verdict, and the speed."""
        verdict = (
            f"not known: no answer is stored for these weights ({self.weights_fingerprint[:12]}…)"
            if self.difference is None
            else f"right: {self.values:,} scores differ by at most {self.difference:.1e} (allowed: {self.tolerance:.0e})"
        )
        return "\n".join(
            [
                f"base model  {self.name}, {self.device}, {self.precision}",
                f"scores      {verdict}",
                *([f"against     {self.made_by}"] if self.made_by else []),
                f"speed       {self.positions_per_second:,.0f} positions per second",
            ]
        )


def check_model(
    name: str,
    *,
    weights: Path | None = None,
    device: Device = "cpu",
    precision: Precision = "exact",
    threads: int | None = None,
) -> CheckResult:
    """Check that a base model gives the right scores on this machine, and measure how fast it is.

    A stored sequence is scored and compared with stored scores that the authors' own code, or the framework it was
    written in, gave with the same weights. For other weights there is no such answer; then only the speed is measured.

    Parameters
    ----------
    name
        One of `basemodel list`.
    weights
        Folder or file of its weights, where they are not found by themselves.
    device
        cpu, cuda or mps.
    precision
        exact or fast.
    threads
        Threads to compute with; by default as many as the engine finds best.

    Raises
    ------
    ModelError
        A score differs by more than the precision explains, or the base model cannot be loaded.
    """
    model = load_base_model(
        name, weights=weights, options=EngineOptions(threads=threads, device=device, precision=precision)
    )
    if not isinstance(model, BaseModel):
        raise ModelError(
            expected="a base model that computes scores",
            found=f"{name}, scores that exist already",
            action="nothing is to be checked: they are read as they are",
        )
    answer = read_known_answer(name)
    if answer is not None and answer.weights_fingerprint != model.info.weights_fingerprint:
        answer = None
    difference = None if answer is None else _compared(model, answer, f"{device}, {precision}", TOLERANCE[precision])
    return CheckResult(
        name=name,
        device=device,
        precision=precision,
        weights_fingerprint=model.info.weights_fingerprint,
        made_by=answer.made_by if answer else None,
        values=sum(values.size for values in answer.channels.values()) if answer else 0,
        difference=difference,
        tolerance=TOLERANCE[precision],
        positions_per_second=_positions_per_second(model),
    )


def read_known_answer(name: str) -> KnownAnswer | None:
    """The known answer of a base model; None where none is stored."""
    file = importlib.resources.files(__package__).joinpath("known_answers", f"{name}.json.gz")
    if not file.is_file():
        return None
    stored = json.loads(gzip.decompress(file.read_bytes()))
    channels = {name: np.array(values, dtype=np.float32) for name, values in stored["channels"].items()}
    return KnownAnswer(stored["made_by"], stored["weights_fingerprint"], stored["sequence"], channels)


def _compared(model: BaseModel, answer: KnownAnswer, how: str, tolerance: float) -> float:
    """The largest difference from the known answer; `ModelError` where it is larger than `tolerance`, or no number."""
    scores = model.score(encode(answer.sequence))
    differences = {name: _difference(scores, name, values) for name, values in answer.channels.items()}
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= tolerance:
        raise ModelError(
            expected=f"scores of {model.info.name} within {tolerance:.0e} of those of {answer.made_by}",
            found=f"{worst} differs by {differences[worst]:.1e} ({how})",
            action="do not use these scores: try another --device or --precision exact, update the libraries that "
            "compute, and report this with the versions of both",
        )
    return differences[worst]


def _difference(scores: Scores, channel: str, expected: ScoreArray) -> float:
    """The largest absolute difference in a channel; infinite where it is missing, of another length, or no number."""
    found = scores.by_channel.get(channel)
    if found is None or found.shape != expected.shape:
        return float("inf")
    largest = float(np.abs(found - expected).max())
    return largest if np.isfinite(largest) else float("inf")


def _positions_per_second(model: BaseModel) -> float:
    bases, longer = _PIECES
    if _seconds(model, bases) < _NO_TIME:
        bases = longer
        _seconds(model, bases)
    codes = _random_codes(model, bases)
    pieces, start = 0, time.perf_counter()
    while pieces == 0 or time.perf_counter() - start < MEASURED_SECONDS:
        model.score(codes)
        pieces += 1
    return pieces * bases / (time.perf_counter() - start)


def _seconds(model: BaseModel, bases: int) -> float:
    """Seconds to score a piece, once the engine has met its length, for which it may have to compile."""
    codes = _random_codes(model, bases)
    model.score(codes)
    start = time.perf_counter()
    model.score(codes)
    return time.perf_counter() - start


def _random_codes(model: BaseModel, bases: int) -> Codes:
    return np.random.default_rng(0).integers(0, 4, bases + model.info.context, dtype=np.uint8)
