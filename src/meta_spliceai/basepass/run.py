"""The base pass: plan -> scores per chunk -> positions per chunk -> aggregates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.aggregates import AGGREGATES, write_aggregates
from meta_spliceai.basepass.artifacts import (
    FORMAT_VERSION,
    KIND,
    META_MODELS,
    POSITIONS,
    SCORES,
    open_artifacts,
    spans_from_facts,
)
from meta_spliceai.basepass.candidates import CandidateRule, TnSampling
from meta_spliceai.basepass.chunks import CHUNK_SIZE, Chunk, plan_chunks
from meta_spliceai.basepass.positions import PositionMaker, write_chunk_tables
from meta_spliceai.basepass.score_files import ScoreFile, Span, spans_of, write_scores
from meta_spliceai.basepass.scoring import base_model_of_process, score_spans
from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference, gene_body, load
from meta_spliceai.schema.features import REACH
from meta_spliceai.store.atomic import remove_leftovers
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Folder, Manifest, PartEntry, describe_file, file_is_whole, read_manifest
from meta_spliceai.workers.pool import run_parts
from meta_spliceai.workers.progress import current_tracker, track

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BasePassResult:
    """What a base pass left: the folder, the genes that now have artifacts, and the bases scored by this run."""

    eval_dir: Path
    genes: int
    candidates: int
    bases_scored: int


@dataclass(frozen=True, slots=True)
class _ScoreTask:
    """Everything a worker needs to score one chunk."""

    reference: Path
    folder: Path
    chunk: Chunk
    spans: tuple[Span, ...]
    held: tuple[Span, ...]
    base_model: str
    weights: Path | None
    threads: int | None

    @property
    def new_bases(self) -> int:
        """Bases that are not in the held spans."""
        return sum(span.end - span.start for span in self.spans) - sum(span.end - span.start for span in self.held)


@dataclass(frozen=True, slots=True)
class _PositionTask:
    """Everything a worker needs to make the tables of one chunk."""

    reference: Path
    eval_dir: Path
    chunk: Chunk
    rule: CandidateRule


def run(
    *,
    reference: Path,
    eval_dir: Path | None = None,
    base_model: str = "spliceai",
    weights: Path | None = None,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    flank: int = REACH,
    threshold: float = 0.5,
    consensus_window: int = 0,
    tn_sampling: TnSampling = "random",
    tn_rate: float = 0.05,
    seed: int = 42,
    chunk_size: int = CHUNK_SIZE,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
) -> BasePassResult:
    """Run a base model over genes and leave scores, positions, errors and performance.

    Genes that already have artifacts made with the same parameters are not scored again; asking for others adds them.
    An interrupted run resumes when it is called again.

    Parameters
    ----------
    reference
        Folder made by `reference prepare`.
    eval_dir
        Where the artifacts go; default `<reference>/<base_model>_eval`.
    base_model
        Name of the base model: `spliceai`, or one that an installed package provides.
    weights
        Folder of the base model's weight files; default: where the installed package keeps them.
    genes
        Names or ids of the genes to score; all genes of the reference by default.
    gene_ids_file
        A file of names or ids: one per line, or a TSV or CSV table.
    gene_col
        The column of that table that holds them.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    flank
        Bases scored on either side of a gene body, at least 5,000, so that no feature is cut off at a gene's end.
    threshold
        Score from which a base counts as called.
    consensus_window
        Tolerance of `pred_type` in nt; 0 is exact to the base.
    tn_sampling
        `random` keeps a share of the true negatives with scores below 0.01; `none` keeps them all.
    tn_rate
        That share.
    seed
        Seed of the draw.
    chunk_size
        Genes per artifact file, counted in the reference's order.
    workers
        Processes that work on chunks at the same time.
    threads
        Threads of the base model in each process; default: all cores.
    overwrite
        Start anew where the folder was made with other parameters; scores that they do not touch are kept.

    Raises
    ------
    InputError, GeneError, ModelError
        Before anything is scored.
    PlanMismatchError
        The folder was made with other parameters.
    """
    if flank < REACH:
        raise InputError(f"--flank of at least {REACH} nt", f"{flank}", "leave it out: features look that far")
    loaded = load(reference)
    rule = CandidateRule(threshold, consensus_window, tn_sampling, tn_rate, seed)
    _check_rule(rule)
    wanted = choose_genes(
        loaded,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
    )
    model = base_model_of_process(base_model, weights, threads)
    folder = (eval_dir or reference / f"{base_model}_eval") / META_MODELS
    with loaded.open_genome() as genome:
        contigs = dict(genome.contigs)
    parameters = {
        "base_model": plain(model.info),
        "flank": flank,
        "chunk_size": chunk_size,
        "rule": plain(rule),
        "build": loaded.build,
        "contigs": contigs,
    }
    with Folder.opened(
        folder,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=parameters,
        inputs={"reference": loaded.fingerprint},
        overwrite=overwrite,
        kept_on_overwrite=_reusable_scores(folder, parameters, loaded.fingerprint) if overwrite else (),
    ) as store:
        remove_leftovers(folder.parent)  # the performance table lies there
        chunks = plan_chunks(loaded.genes, [*wanted["gene_id"], *_held_genes(store.manifest)], chunk_size)
        tasks = [_score_task(store, chunk, loaded, flank, contigs, base_model, weights, threads) for chunk in chunks]
        scored = _make_scores(store, tasks, parameters, workers)
        _make_positions(store, tasks, rule, list(contigs), workers)
        candidates = _finish(store, loaded)
        store.log("base pass", genes=len(wanted), bases_scored=scored, workers=workers, threads=threads)
    return BasePassResult(folder.parent, sum(len(chunk.gene_ids) for chunk in chunks), candidates, scored)


def _check_rule(rule: CandidateRule) -> None:
    for name, value in (("--threshold", rule.threshold), ("--tn-rate", rule.tn_rate)):
        if not 0 < value <= 1:
            raise InputError(f"{name} above 0 and at most 1", f"{value}", "give a probability")
    if rule.consensus_window < 0:
        raise InputError("--consensus-window of 0 or more", f"{rule.consensus_window}", "give a number of bases")


def _held_genes(manifest: Manifest) -> list[str]:
    return [
        gene_id for name, entry in manifest.parts.items() if name.startswith(SCORES) for gene_id in entry.facts["genes"]
    ]


def _score_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name != "rule"}


def _reusable_scores(folder: Path, parameters: dict[str, Any], reference: str) -> list[str]:
    """Score parts that a new candidate rule does not touch."""
    try:
        held = read_manifest(folder, KIND, FORMAT_VERSION)
    except StoreError:
        return []
    same = _score_parameters(dict(held.parameters)) == _score_parameters(parameters)
    if not same or held.inputs.get("reference") != reference:
        return []
    return [name for name in held.parts if name.startswith(SCORES)]


def _score_task(
    store: Folder,
    chunk: Chunk,
    reference: Reference,
    flank: int,
    contigs: dict[str, int],
    base_model: str,
    weights: Path | None,
    threads: int | None,
) -> _ScoreTask:
    rows = reference.genes.filter(pl.col("gene_id").is_in(chunk.gene_ids)).iter_rows(named=True)
    spans = spans_of(gene_body(gene).widened(flank, contigs[gene["chrom"]]) for gene in rows)
    entry = store.manifest.parts.get(SCORES + chunk.label)
    usable = entry is not None and all(file_is_whole(store.path, file) for file in entry.files)
    held = tuple(spans_from_facts(entry.facts)) if entry is not None and usable else ()
    return _ScoreTask(reference.path, store.path, chunk, tuple(spans), held, base_model, weights, threads)


def _make_scores(store: Folder, tasks: list[_ScoreTask], parameters: dict[str, Any], workers: int) -> int:
    def identity(task: _ScoreTask) -> str:
        return fingerprint([_score_parameters(parameters), store.manifest.inputs, task.chunk])

    todo = [task for task in tasks if not store.is_done(SCORES + task.chunk.label, identity(task))]
    total = sum(task.new_bases for task in todo)
    log.info("%d of %d chunks to score, %s new bases", len(todo), len(tasks), f"{total:,}")
    with track("scoring", total, "bases") as progress:
        for task, rows in run_parts(_score_chunk, todo, workers=workers):
            label = task.chunk.label
            file = describe_file(store.path, f"scores_{label}.parquet", rows)
            facts = {
                "chrom": task.chunk.chrom,
                "genes": list(task.chunk.gene_ids),
                "spans": [[span.strand, span.start, span.end, span.first_row] for span in task.spans],
            }
            store.record(SCORES + label, PartEntry(identity(task), (file,), facts))
            if workers > 1:
                progress.advance(task.new_bases)
    return total


def _score_chunk(task: _ScoreTask) -> int:
    """Write the score file of one chunk; returns its rows."""
    path = task.folder / f"scores_{task.chunk.label}.parquet"
    held_file = ScoreFile(path) if task.held else None
    model = base_model_of_process(task.base_model, task.weights, task.threads)
    with load(task.reference).open_genome() as genome:
        pieces = score_spans(
            model, genome, task.chunk.chrom, list(task.spans), list(task.held), held_file, current_tracker()
        )
        return write_scores(path, task.chunk.chrom, pieces)


def _make_positions(
    store: Folder, scored: list[_ScoreTask], rule: CandidateRule, contigs: list[str], workers: int
) -> None:
    eval_dir = store.path.parent

    def identity(task: _PositionTask) -> str:
        return fingerprint([rule, store.manifest.parts[SCORES + task.chunk.label].fingerprint])

    tasks = [_PositionTask(task.reference, eval_dir, task.chunk, rule) for task in scored]
    todo = [task for task in tasks if not store.is_done(POSITIONS + task.chunk.label, identity(task))]
    with track("positions", sum(len(task.chunk.gene_ids) for task in todo), "genes") as progress:
        for task, rows_of_file in run_parts(_tabulate_chunk, todo, workers=workers):
            files = tuple(describe_file(store.path, name, rows) for name, rows in rows_of_file.items())
            facts = {
                "chrom": task.chunk.chrom,
                "genes": list(task.chunk.gene_ids),
                # JSON sorts its keys, so the place among all chunks is written down
                "place": [contigs.index(task.chunk.chrom), task.chunk.first],
            }
            store.record(POSITIONS + task.chunk.label, PartEntry(identity(task), files, facts))
            if workers > 1:
                progress.advance(len(task.chunk.gene_ids))


def _tabulate_chunk(task: _PositionTask) -> dict[str, int]:
    """Write the tables of one chunk; returns rows by file name."""
    reference = load(task.reference)
    genes = reference.genes.filter(pl.col("gene_id").is_in(task.chunk.gene_ids))
    sites = reference.splice_sites().filter(pl.col("chrom") == task.chunk.chrom)
    with reference.open_genome() as genome:
        maker = PositionMaker(genome, open_artifacts(task.eval_dir), sites, task.rule)
        return write_chunk_tables(task.eval_dir / META_MODELS, task.chunk.label, maker, genes)


def _finish(store: Folder, reference: Reference) -> int:
    """Make the aggregates of all chunks and mark the folder complete; returns the number of candidate rows."""
    parts = {name: entry.fingerprint for name, entry in store.manifest.parts.items() if name != AGGREGATES}
    identity = fingerprint(parts)
    if not store.is_done(AGGREGATES, identity):
        artifacts = open_artifacts(store.path.parent)
        files = write_aggregates(store.path, store.manifest, reference, artifacts.base_model["name"])
        entries = tuple(describe_file(store.path, name, rows) for name, rows in files.items())
        store.record(AGGREGATES, PartEntry(identity, entries))
    candidates = sum(file.rows or 0 for file in store.manifest.files() if file.name.startswith("analysis_sequences_"))
    genes = sum(len(e.facts["genes"]) for n, e in store.manifest.parts.items() if n.startswith(POSITIONS))
    store.finalise({**parts, AGGREGATES: identity}, {"genes": genes, "candidates": candidates})
    return candidates
