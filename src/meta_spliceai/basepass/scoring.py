"""Scoring stretches of a contig: what some score file holds is copied, the rest goes through the base model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from meta_spliceai.basemodel.protocol import AnyBaseModel, PositionedScores, ScoreArray, Scores
from meta_spliceai.basepass.score_files import ScoreFile, Span
from meta_spliceai.errors import ModelError
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval, Strand, subtract_spans
from meta_spliceai.genome.sequences import reverse_complement
from meta_spliceai.workers.progress import Tracker

PIECE = 500_000
"""Bases scored at once: bounds memory for any gene, and is long against the base model's context."""

HeldSpans = Sequence[tuple[Span, str]]
"""Stretches that score files hold, with the names of the files."""


def score_interval(model: AnyBaseModel, genome: Genome, interval: Interval) -> Scores:
    """Scores of every base of an interval in its real genomic context, in ascending genomic order.

    Raises
    ------
    ModelError
        The model gave other channels than it declares, scores of another length, NaN, or outside [0, 1].
    """
    if isinstance(model, PositionedScores):
        stored = model.scores_of(interval)
        _check(model, interval, stored)
        return stored
    half = model.info.context // 2
    codes = genome.codes(interval.chrom, interval.start - half, interval.end + half)
    scores = model.score(codes if interval.strand == "+" else reverse_complement(codes))
    _check(model, interval, scores)
    if interval.strand == "+":
        return scores
    return Scores({name: values[::-1] for name, values in scores.by_channel.items()})


def _check(model: AnyBaseModel, interval: Interval, scores: Scores) -> None:
    action = f"check the base model's weights and its adapter; the interval was {interval}"
    declared = (*model.info.channels, "spread")
    if scores.channels != declared:
        raise ModelError(
            f"the channels {', '.join(declared)} from base model {model.info.name}", ", ".join(scores.channels), action
        )
    for name, values in scores.by_channel.items():
        if values.shape != (interval.length,) or not bool(((values >= 0) & (values <= 1)).all()):
            raise ModelError(
                expected=f"{interval.length} {name} values between 0 and 1 from base model {model.info.name}",
                found=f"shape {values.shape}, smallest {np.min(values, initial=np.inf)}, largest {np.max(values, initial=-np.inf)}",
                action=action,
            )


def new_bases(spans: Sequence[Span], held: HeldSpans) -> int:
    """Bases of `spans` that no held stretch covers."""
    return sum(end - start for span in spans for start, end, source in _pieces(span, held) if source is None)


def score_spans(
    model: AnyBaseModel,
    genome: Genome,
    chrom: str,
    spans: Sequence[Span],
    held: HeldSpans,
    files: Mapping[str, ScoreFile],
    progress: Tracker,
) -> Iterator[tuple[Strand, int, Scores]]:
    """Pieces of all spans in file order: copied from `files` where `held` covers them, scored elsewhere."""
    for span in spans:
        for start, end, source in _pieces(span, held):
            for first in range(start, end, PIECE):
                last = min(first + PIECE, end)
                if source is None:
                    scores = score_interval(model, genome, Interval(chrom, first, last, span.strand))
                    progress.advance(last - first)
                else:
                    scores = _copied(files[source[1]], source[0], first, last)
                yield span.strand, first, scores


def _copied(file: ScoreFile, span: Span, first: int, last: int) -> Scores:
    row = span.first_row - span.start
    values: Sequence[ScoreArray] = list(file.rows(row + first, row + last))
    return Scores(dict(zip(file.channels, values, strict=True)))


def _pieces(span: Span, held: HeldSpans) -> list[tuple[int, int, tuple[Span, str] | None]]:
    """The stretches of a span in ascending order, each with the held span that covers it, or None; each base once."""
    pieces: list[tuple[int, int, tuple[Span, str] | None]] = []
    starts, ends = [span.start], [span.end]
    for source in held:
        other = source[0]
        if other.strand != span.strand or other.end <= span.start or other.start >= span.end:
            continue
        left_starts, left_ends = (part.tolist() for part in subtract_spans(starts, ends, [other.start], [other.end]))
        taken = subtract_spans(starts, ends, left_starts, left_ends)
        pieces += [(start, end, source) for start, end in zip(*(part.tolist() for part in taken), strict=True)]
        starts, ends = left_starts, left_ends
    return sorted([*pieces, *((start, end, None) for start, end in zip(starts, ends, strict=True))], key=lambda p: p[0])
