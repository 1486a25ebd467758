"""What a base pass would cost, from a calibration of a few seconds on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.protocol import AnyBaseModel, PositionedScores
from meta_spliceai.basepass.bases import ChosenBase
from meta_spliceai.basepass.plan import (
    further_eval_dir,
    held_manifest,
    held_spans,
    scored_chunk,
)
from meta_spliceai.basepass.request import PassRequest, score_folder
from meta_spliceai.basepass.scoring import new_bases

CALIBRATION_SECONDS = 2.0
CALIBRATION_BASES = 20_000
"""A usual length of a gene with its flanks."""

READ_BASES_PER_SECOND = 1e6
BYTES_PER_CHANNEL = 1.6
"""Of a stored base: 4.7 bytes for donor, acceptor and spread of SpliceAI on real genes."""
BYTES_PER_BODY_BASE = 6.0
"""Of the candidate tables, for a base of a gene body at the default rate of 5 %."""
_PEAK_BYTES = 800 << 20
"""What a process with SpliceAI takes at default settings, measured; smaller models take less."""


@dataclass(frozen=True, slots=True)
class BaseCost:
    """What one base model would do.

    Parameters
    ----------
    name
        Of the base model.
    new_bases
        Bases that are not scored yet.
    bases_per_second
        As calibrated, with all threads of one process.
    """

    name: str
    new_bases: int
    bases_per_second: float

    @property
    def seconds(self) -> float:
        """Time to score the new bases."""
        return self.new_bases / self.bases_per_second


@dataclass(frozen=True, slots=True)
class BasePassEstimate:
    """What a base pass would do; nothing was written.

    Parameters
    ----------
    genes, chunks
        That would be worked on, those held already among them.
    bases
        By base model.
    body_bases
        Bases of the gene bodies.
    disk_bytes
        Of all artifacts of these genes.
    memory_bytes
        Peak of one process.
    """

    genes: int
    chunks: int
    bases: tuple[BaseCost, ...]
    body_bases: int
    disk_bytes: int
    memory_bytes: int

    @property
    def seconds(self) -> float:
        """Time of all base models with one worker."""
        return sum(cost.seconds for cost in self.bases)

    def summary(self) -> str:
        """A few lines for people."""
        lines = [f"genes   {self.genes:,} in {self.chunks:,} chunks, {self.body_bases:,} bases of gene bodies"]
        lines += [
            f"{cost.name:7} {cost.new_bases:,} bases to score at {cost.bases_per_second:,.0f} bases/s: {_time(cost.seconds)}"
            for cost in self.bases
        ]
        lines += [
            f"time    about {_time(self.seconds)} with one worker",
            f"disk    about {self.disk_bytes / 1e6:,.0f} MB",
            f"memory  about {self.memory_bytes / 1e9:.1f} GB for each worker",
        ]
        return "\n".join(lines)


def estimate(request: PassRequest, bases: Sequence[ChosenBase]) -> BasePassEstimate:
    """Calibrate each base model and add up what is left to do."""
    costs = []
    bytes_per_base = 0.0
    for number, base in enumerate(bases):
        model = base.load()
        name = model.info.name
        eval_dir = further_eval_dir(request.eval_dir, name) if number else request.eval_dir
        costs.append(BaseCost(name, _bases_left(request, base, eval_dir), _rate(model)))
        bytes_per_base += BYTES_PER_CHANNEL * (len(model.info.channels) + 1)
    wanted = [gene_id for chunk in request.chunks for gene_id in chunk.gene_ids]
    body = int(request.reference.genes.filter(request.reference.genes["gene_id"].is_in(wanted))["gene_length"].sum())
    spans = sum(
        scored_chunk(chunk, request.reference.genes, request.flank, request.contigs).length for chunk in request.chunks
    )
    return BasePassEstimate(
        genes=len(wanted),
        chunks=len(request.chunks),
        bases=tuple(costs),
        body_bases=body,
        disk_bytes=int(spans * bytes_per_base + body * BYTES_PER_BODY_BASE),
        memory_bytes=_PEAK_BYTES,
    )


def _bases_left(request: PassRequest, base: ChosenBase, eval_dir: Path) -> int:
    folder = score_folder(request, base, eval_dir)
    held = held_manifest(folder.path)
    left = 0
    for chunk in request.chunks:
        spans = scored_chunk(chunk, request.reference.genes, request.flank, request.contigs).spans
        redone = chunk.label in request.redo
        left += new_bases(spans, () if held is None or redone else held_spans(folder.path, held, chunk.chrom))
    return left


def _rate(model: AnyBaseModel) -> float:
    """Bases per second over made-up sequence; the first call, which compiles, is not timed.

    Scores that exist already are only read, at about a million bases per second.
    """
    if isinstance(model, PositionedScores):
        return READ_BASES_PER_SECOND
    codes = np.random.default_rng(1).integers(0, 4, CALIBRATION_BASES + model.info.context, dtype=np.uint8)
    model.score(codes)
    started = time.monotonic()
    done = 0
    while time.monotonic() - started < CALIBRATION_SECONDS:
        model.score(codes)
        done += CALIBRATION_BASES
    return done / (time.monotonic() - started)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
