"""The score parts of a folder: each chunk scored, recorded, and left alone from then on."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.basepass.bases import ChosenBase
from meta_spliceai.basepass.chunks import Chunk
from meta_spliceai.basepass.plan import (
    SCORES,
    ScoredChunk,
    held_spans,
    score_part_identity,
    scored_chunk,
)
from meta_spliceai.basepass.score_files import ScoreFile, Span, write_scores
from meta_spliceai.basepass.scoring import new_bases, score_spans
from meta_spliceai.errors import ModelError
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.workers.pool import run_parts
from meta_spliceai.workers.progress import current_tracker, track

log = logging.getLogger(__name__)

SCORED_EVENT = "scored"
"""Event of the run log that says how long a chunk took."""


@dataclass(frozen=True, slots=True)
class ScoredChunks:
    """What became of chunks: the bases scored anew, and the message of each chunk that failed, by label."""

    bases: int
    failed: dict[str, str]


@dataclass(frozen=True, slots=True)
class _ScoreTask:
    """Everything a worker needs to score one chunk."""

    reference: Path
    folder: Path
    base: ChosenBase
    scored: ScoredChunk
    held: tuple[tuple[Span, str], ...]

    @property
    def label(self) -> str:
        return self.scored.chunk.label

    @property
    def new_bases(self) -> int:
        return new_bases(self.scored.spans, self.held)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Rows written in so many seconds, or the error that stopped the chunk."""

    rows: int
    seconds: float
    error: ModelError | None = None


def make_scores(
    store: Folder,
    base: ChosenBase,
    chunks: Sequence[Chunk],
    reference: Reference,
    *,
    workers: int,
    redo: Collection[str],
) -> ScoredChunks:
    """Score the chunks that are not scored yet.

    Parameters
    ----------
    store
        The opened folder of artifacts.
    base
        The base model; every worker loads its own.
    chunks
        With all the genes they shall hold.
    redo
        Labels of chunks to score again from nothing.

    Raises
    ------
    ModelError
        The base model fails on the first chunk: then it would on the others. Later failures are returned, and the rest
        goes on.
    StoreError
        Something cannot be read or written; nothing goes on.
    """
    parameters, inputs = store.manifest.parameters, store.manifest.inputs
    store.drop(SCORES + label for label in redo)
    scored = [scored_chunk(chunk, reference.genes, parameters["flank"], parameters["contigs"]) for chunk in chunks]
    todo = [
        one
        for one in scored
        if not store.is_done(SCORES + one.chunk.label, score_part_identity(parameters, inputs, one))
    ]
    tasks = [_ScoreTask(reference.path, store.path, base, one, _held(store, one, todo, redo)) for one in todo]
    total = sum(task.new_bases for task in tasks)
    log.info("%s: %d of %d chunks to score, %s new bases", base.name, len(tasks), len(scored), f"{total:,}")
    failed: dict[str, str] = {}
    succeeded = 0
    with track(f"scoring with {base.name}", total, "bases") as progress:
        for task, outcome in run_parts(_score_chunk, tasks, workers=workers):
            if outcome.error is not None:
                if not succeeded:
                    raise outcome.error
                log.error("chunk %s failed, the others go on: %s", task.label, outcome.error)
                failed[task.label] = outcome.error.found
                continue
            succeeded += 1
            _record(store, task, outcome, score_part_identity(parameters, inputs, task.scored))
            if workers > 1:
                progress.advance(task.new_bases)
    return ScoredChunks(total - sum(task.new_bases for task in tasks if task.label in failed), failed)


def _held(
    store: Folder, scored: ScoredChunk, todo: Sequence[ScoredChunk], redo: Collection[str]
) -> tuple[tuple[Span, str], ...]:
    """What need not be scored: stretches in the chunk's own file, and in files that this run does not write."""
    label = scored.chunk.label
    if label in redo:
        return ()
    # a file that another task writes may have other rows by the time it is read
    written = {score_file(one.chunk.label) for one in todo if one.chunk.label != label}
    held = held_spans(store.path, store.manifest, scored.chunk.chrom)
    return tuple((span, file) for span, file in held if file not in written)


def _record(store: Folder, task: _ScoreTask, outcome: _Outcome, identity: str) -> None:
    chunk = task.scored.chunk
    file = describe_file(store.path, score_file(chunk.label), outcome.rows)
    facts = {
        "chrom": chunk.chrom,
        "genes": list(chunk.gene_ids),
        "spans": [[span.strand, span.start, span.end, span.first_row] for span in task.scored.spans],
    }
    # before the entry, so that a chunk never counts as done without its line
    store.log(SCORED_EVENT, chunk=chunk.label, bases=task.new_bases, seconds=round(outcome.seconds, 3))
    store.record(SCORES + chunk.label, PartEntry(identity, (file,), facts))


def score_file(label: str) -> str:
    """Name of the score file of a chunk."""
    return f"{SCORES}{label}.parquet"


def _score_chunk(task: _ScoreTask) -> _Outcome:
    """Write the score file of one chunk."""
    started = time.monotonic()
    try:
        model = task.base.load()
        files = {name: ScoreFile(task.folder / name) for name in {name for _, name in task.held}}
        chrom = task.scored.chunk.chrom
        with load(task.reference).open_genome() as genome:
            pieces = score_spans(model, genome, chrom, task.scored.spans, task.held, files, current_tracker())
            rows = write_scores(task.folder / score_file(task.label), chrom, model.info.channels, pieces)
    except ModelError as error:
        return _Outcome(0, time.monotonic() - started, error)
    return _Outcome(rows, time.monotonic() - started)
