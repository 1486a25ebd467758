"""Scoring the spans of one chunk: what is already there is copied, the rest goes through the base model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.protocol import BaseModel, Scores
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.basepass.score_files import ScoreFile, Span
from meta_spliceai.errors import ModelError
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval, Strand, subtract_spans
from meta_spliceai.genome.sequences import reverse_complement
from meta_spliceai.workers.progress import Tracker

PIECE = 500_000
"""Bases scored at once: bounds memory for any gene, and is long against the base model's context."""


@lru_cache(maxsize=1)
def base_model_of_process(name: str, weights: Path | None, threads: int | None) -> BaseModel:
    """The base model, loaded and compiled once per process."""
    return load_base_model(name, weights=weights, options=EngineOptions(threads=threads))


def score_interval(model: BaseModel, genome: Genome, interval: Interval) -> Scores:
    """Scores of every base of an interval in its real genomic context, in ascending genomic order.

    Raises
    ------
    ModelError
        The model gave scores of another length, NaN, or outside [0, 1].
    """
    half = model.info.context // 2
    codes = genome.codes(interval.chrom, interval.start - half, interval.end + half)
    scores = model.score(codes if interval.strand == "+" else reverse_complement(codes))
    channels = []
    for name, values in (("donor", scores.donor), ("acceptor", scores.acceptor), ("spread", scores.spread)):
        if values.shape != (interval.length,) or not bool(((values >= 0) & (values <= 1)).all()):
            raise ModelError(
                expected=f"{interval.length} {name} values between 0 and 1 from base model {model.info.name}",
                found=f"shape {values.shape}, smallest {np.min(values, initial=np.inf)}, largest {np.max(values, initial=-np.inf)}",
                action=f"check the base model's weights and its adapter; the interval was {interval}",
            )
        channels.append(values if interval.strand == "+" else values[::-1])
    return Scores.typed(*channels)


def score_spans(
    model: BaseModel,
    genome: Genome,
    chrom: str,
    spans: list[Span],
    held: list[Span],
    held_file: ScoreFile | None,
    progress: Tracker,
) -> Iterator[tuple[Strand, int, Scores]]:
    """Pieces of all spans in file order: copied from `held_file` where `held` covers them, scored elsewhere."""
    for span in spans:
        on_strand = [other for other in held if other.strand == span.strand]
        new_starts, new_ends = subtract_spans(
            [span.start], [span.end], [other.start for other in on_strand], [other.end for other in on_strand]
        )
        new = list(zip(new_starts.tolist(), new_ends.tolist(), strict=True))
        old = [(max(span.start, o.start), min(span.end, o.end), o) for o in on_strand]
        pieces = [(start, end, None) for start, end in new] + [piece for piece in old if piece[0] < piece[1]]
        for start, end, source in sorted(pieces, key=lambda piece: piece[0]):
            for first in range(start, end, PIECE):
                last = min(first + PIECE, end)
                if source is None:
                    scores = score_interval(model, genome, Interval(chrom, first, last, span.strand))
                else:
                    assert held_file is not None
                    row = source.first_row - source.start
                    scores = Scores.typed(*held_file.rows(row + first, row + last))
                yield span.strand, first, scores
                progress.advance(last - first)
