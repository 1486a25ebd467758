"""How a base model is executed: none of it may change an exact score by more than rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from meta_spliceai.errors import ModelError

Device = Literal["cpu", "cuda", "mps"]
Precision = Literal["exact", "fast"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where and how networks are executed.

    Parameters
    ----------
    threads
        Threads to compute with; by default as many as the engine finds best, usually one per core.
    device
        `cpu`, `cuda` (an NVIDIA GPU) or `mps` (the GPU of an Apple processor); the last two need the extra `torch`.
    precision
        `exact` computes in float32, `fast` in bfloat16 where the device really has it.
    window
        Bases scored at once at most; by default what is fastest within 1 GB of memory.

    Raises
    ------
    ModelError
        Fewer than one thread, or a window below 1,000 bases.
    """

    threads: int | None = None
    device: Device = "cpu"
    precision: Precision = "exact"
    window: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ModelError("at least one thread", f"threads={self.threads}", "give 1 or more, or leave it out")
        if self.window is not None and self.window < 1_000:
            raise ModelError("a window of at least 1,000 bases", f"{self.window}", "give more, or leave it out")


DEFAULT_OPTIONS = EngineOptions()
