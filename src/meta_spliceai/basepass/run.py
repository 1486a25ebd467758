"""The base pass: plan -> scores per chunk -> positions per chunk -> aggregates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.basemodel.options import Device, EngineOptions, Precision
from meta_spliceai.basepass.bases import ChosenBase, check_models, choose_bases, forget_loaded_models, further_base
from meta_spliceai.basepass.candidates import CandidateRule, TnSampling
from meta_spliceai.basepass.chunks import CHUNK_SIZE, chunk_argument
from meta_spliceai.basepass.estimate import BasePassEstimate, estimate
from meta_spliceai.basepass.finish import finish
from meta_spliceai.basepass.plan import (
    ArtifactFormat,
    PositionOptions,
    further_eval_dir,
    score_identity,
)
from meta_spliceai.basepass.position_chunks import make_positions
from meta_spliceai.basepass.request import (
    PassRequest,
    check_position_options,
    check_scoring,
    plan_request,
    score_folder,
)
from meta_spliceai.basepass.score_chunks import ScoredChunks, make_scores
from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.schema.features import REACH, FurtherBase
from meta_spliceai.schema.tables import PositionIdMode
from meta_spliceai.store.atomic import remove_leftovers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BasePassResult:
    """What a base pass left.

    Parameters
    ----------
    eval_dir
        Folder of the first base model's artifacts.
    genes
        Genes that now have artifacts there.
    candidates
        Their candidate rows.
    bases_scored
        Bases scored by this run, over all base models.
    """

    eval_dir: Path
    genes: int
    candidates: int
    bases_scored: int


def run(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    base: Sequence[str] = ("spliceai",),
    weights: Path | None = None,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    all: bool = False,  # noqa: A002 - the word that users of such tools expect
    chunk: Sequence[str] | None = None,
    flank: int = REACH,
    threshold: float = 0.5,
    consensus_window: int = 0,
    tn_sampling: TnSampling = "random",
    tn_rate: float = 0.05,
    position_id_mode: PositionIdMode = "genomic",
    artifact_format: ArtifactFormat = "parquet",
    seed: int = 42,
    chunk_size: int = CHUNK_SIZE,
    workers: int = 1,
    threads: int | None = None,
    device: Device = "cpu",
    precision: Precision = "exact",
    window: int | None = None,
    dry_run: bool = False,
    overwrite: bool = False,
) -> BasePassResult | BasePassEstimate:
    """Run base models over genes and leave scores, positions, errors and performance.

    Genes that already have artifacts made with the same parameters are not scored again; asking for others adds them.
    An interrupted run resumes when it is called again. With several base models the first one's errors are called, and
    the scores of the others stand beside its own in every row; each keeps its dense scores in a folder of its own,
    `<NAME>_eval`, beside the first one's.

    Parameters
    ----------
    reference
        Folder made by `reference prepare`; default: the one that `reference audit` finds.
    eval_dir
        Where the artifacts go; default `<reference>/<base>_eval`.
    base
        Base models, as NAME or NAME=FOLDER of the weights; `basemodel list` names them.
    weights
        Folder of the first base model's weights; default: where the installed package keeps them.
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
    all
        All genes of the reference, said outright; the same as naming none.
    chunk
        Make these chunks again from nothing, as CONTIG:FIRST-LAST like 22:1001-1454; with no other choice of genes, all
        genes that they hold.
    flank
        Bases scored on either side of a gene body, at least 5,000, so that no feature is cut off at a gene's end.
    threshold
        Score from which a base counts as called.
    consensus_window
        Tolerance of `pred_type` in nt; 0 is exact to the base.
    tn_sampling
        How true negatives with scores below 0.01 are chosen: `random`, `proximity` (the nearer to a site, the likelier),
        `window` (all near sites, and random blocks of bases) or `none` (all are kept).
    tn_rate
        The share of them that is kept, where they are sampled.
    position_id_mode
        What a row is: `genomic` one per base and gene, `transcript` one per transcript with a site there,
        `splice_aware` the same with the transcript's own label, `hybrid` genomic rows that list all transcripts.
    artifact_format
        Format of the tables, `parquet` or `tsv`; dense scores are Parquet always.
    seed
        Seed of the draw.
    chunk_size
        Genes per artifact file, counted in the reference's order.
    workers
        Processes that work on chunks at the same time.
    threads
        Threads of the base model in each process; default: all cores.
    device
        Where the base models run: `cpu`, `cuda` or `mps`.
    precision
        `exact`, or `fast` where the device really has bfloat16.
    window
        Bases that a base model scores at once at most; default: what is fastest within 1 GB of memory.
    dry_run
        Only say what would be done: genes, bases, time, memory and disk, from a calibration of a few seconds.
    overwrite
        Start anew where the folder was made with other parameters; scores that they do not touch are kept.

    Raises
    ------
    InputError, GeneError
        Before anything is scored.
    ModelError
        A base model cannot be loaded, or fails on the first chunk; or, after all others are done, on some chunks.
    PlanMismatchError
        The folder was made with other parameters.
    """
    check_scoring(flank=flank, chunk_size=chunk_size, workers=workers)
    rule = CandidateRule(threshold, consensus_window, tn_sampling, tn_rate, seed)
    check_position_options(rule, position_id_mode, artifact_format)
    bases = choose_bases(base, weights, EngineOptions(threads, device, precision, window))
    request = plan_request(
        reference,
        eval_dir,
        bases[0].name,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
        every_gene=all,
        redo=chunk,
        flank=flank,
        chunk_size=chunk_size,
    )
    check_models([one.load() for one in bases])
    if dry_run:
        return estimate(request, bases)
    further = [_score_further(request, one, workers=workers, overwrite=overwrite) for one in bases[1:]]
    options = PositionOptions(rule, position_id_mode, artifact_format, tuple(one.base for one in further))
    return _run_first(request, bases[0], options, further, workers=workers, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Further:
    """A further base model whose scores are made: what tables need to know, their identity, what became of chunks."""

    base: FurtherBase
    identity: str
    outcome: ScoredChunks


def _score_further(request: PassRequest, base: ChosenBase, *, workers: int, overwrite: bool) -> _Further:
    """Score the chunks with a base model whose errors are not called; positions that it has of its own are kept."""
    model = base.load()
    made = score_folder(request, base, further_eval_dir(request.eval_dir, model.info.name))
    with made.opened(overwrite=overwrite) as store:
        outcome = make_scores(
            store, base, request.with_held(store.manifest), request.reference, workers=workers, redo=request.redo
        )
        if store.manifest.parameters["positions"] is None:
            store.finalise({name: entry.fingerprint for name, entry in store.manifest.parts.items()}, {})
        store.log("scores", base=base.name, bases_scored=outcome.bases, workers=workers)
        identity = score_identity(store.manifest.parameters, store.manifest.inputs["genome"])
    return _Further(further_base(model), identity, outcome)


def _run_first(
    request: PassRequest,
    base: ChosenBase,
    options: PositionOptions,
    further: Sequence[_Further],
    *,
    workers: int,
    overwrite: bool,
) -> BasePassResult:
    """Score the chunks with the first base model and make positions with the scores of all of them."""
    failed: dict[str, str] = {}
    for one in further:
        failed |= one.outcome.failed
    made = score_folder(request, base, request.eval_dir).with_positions(
        options, {one.base.name: one.identity for one in further}
    )
    with made.opened(overwrite=overwrite) as store:
        remove_leftovers(request.eval_dir)  # the performance table lies there
        chunks = request.with_held(store.manifest)
        outcome = make_scores(store, base, chunks, request.reference, workers=workers, redo=request.redo)
        failed |= outcome.failed
        forget_loaded_models()  # its memory is wanted for the tables of long genes
        whole = [chunk for chunk in chunks if chunk.label not in failed]
        make_positions(store, whole, request.reference, options, workers=workers, redo=request.redo)
        candidates = finish(store, request.reference, options, chunks, failed)
        scored = outcome.bases + sum(one.outcome.bases for one in further)
        store.log("base pass", genes=request.genes.height, bases_scored=scored, workers=workers)
    if failed:
        raise _some_failed(failed, request)
    return BasePassResult(request.eval_dir, sum(len(chunk.gene_ids) for chunk in whole), candidates, scored)


def _some_failed(failed: dict[str, str], request: PassRequest) -> ModelError:
    again = " ".join(chunk_argument(label) for label in sorted(failed))
    return ModelError(
        expected=f"scores of all {len(request.chunks)} chunks",
        found=f"{len(failed)} failed: {first_few([f'{label}: {reason}' for label, reason in sorted(failed.items())])}",
        action=f"the others are done and kept; see to the reason, then add --chunk {again} to the same command",
    )
