"""Positions made again from stored scores, after a change of annotation, threshold, sampling or bases. No model is run."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.candidates import CandidateRule, TnSampling
from meta_spliceai.basepass.chunks import plan_chunks
from meta_spliceai.basepass.finish import finish
from meta_spliceai.basepass.plan import (
    FORMAT_VERSION,
    KIND,
    META_MODELS,
    SCORES,
    ArtifactFormat,
    PositionOptions,
    base_input,
    further_eval_dir,
    genes_with,
    score_identity,
)
from meta_spliceai.basepass.position_chunks import make_positions
from meta_spliceai.basepass.request import check_position_options
from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.reference.load import Reference, gene_body
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.features import FurtherBase
from meta_spliceai.schema.tables import PositionIdMode
from meta_spliceai.store.atomic import remove_leftovers
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import Folder, Manifest, read_manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PositionsResult:
    """What was made from stored scores.

    Parameters
    ----------
    eval_dir
        Folder of the first base model's artifacts.
    genes, candidates
        Genes that now have positions, and their candidate rows.
    not_scored
        Genes of the annotation that were left out because not every base of theirs is scored.
    """

    eval_dir: Path
    genes: int
    candidates: int
    not_scored: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for people."""
        lines = [f"positions   {self.candidates:,} rows of {self.genes:,} genes in {self.eval_dir}"]
        if self.not_scored:
            lines.append(
                f"left out    {len(self.not_scored):,} genes that are not scored: {first_few(self.not_scored)}; "
                "`meta-spliceai basepass run` scores them"
            )
        return "\n".join(lines)


def positions(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    base: Sequence[str] | None = None,
    threshold: float | None = None,
    consensus_window: int | None = None,
    tn_sampling: TnSampling | None = None,
    tn_rate: float | None = None,
    position_id_mode: PositionIdMode | None = None,
    artifact_format: ArtifactFormat | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> PositionsResult:
    """Make positions, errors and performance again from stored scores; no model is run.

    What is not said stays as it was. After a change of annotation, prepare the new reference on the same genome and name
    it here: genes whose every base and scored flank is stored get positions, the others are listed.

    Parameters
    ----------
    reference
        Folder made by `reference prepare`; default: the one that `reference audit` finds.
    eval_dir
        Folder of the first base model's artifacts; default `<reference>/<base>_eval`.
    base
        Base models whose scores shall stand in the rows, by name, the one whose errors are called first.
    threshold
        Score from which a base counts as called.
    consensus_window
        Tolerance of `pred_type` in nt; 0 is exact to the base.
    tn_sampling
        How true negatives with scores below 0.01 are chosen: `random`, `proximity`, `window` or `none`.
    tn_rate
        The share of them that is kept, where they are sampled.
    position_id_mode
        What a row is: `genomic`, `transcript`, `splice_aware` or `hybrid`.
    artifact_format
        Format of the tables, `parquet` or `tsv`.
    seed
        Seed of the draw.
    workers
        Processes that work on chunks at the same time.

    Raises
    ------
    StoreError
        There are no scores, or those of a further base model are missing.
    InputError
        The scores are of another genome, or options out of range.
    GeneError
        No gene is scored.
    """
    loaded = load_reference(reference)
    folder = eval_dir or loaded.path / f"{(base or ('spliceai',))[0]}_eval"
    held = read_manifest(folder / META_MODELS, KIND, FORMAT_VERSION)
    first = open_artifacts(folder)
    others = _further(folder, first, held, base)
    for artifacts in (first, *others):
        _check_genome(artifacts, loaded)
    given = {
        "threshold": threshold,
        "consensus_window": consensus_window,
        "tn_sampling": tn_sampling,
        "tn_rate": tn_rate,
        "seed": seed,
    }
    options = _options(held, given, position_id_mode, artifact_format, others)
    check_position_options(options.rule, options.position_id_mode, options.artifact_format)
    scored, missing = _scored_genes(loaded, first, others, genes_with(held, SCORES))
    return _remake(loaded, folder, held, options, others, scored, missing, workers=workers)


def _further(folder: Path, first: Artifacts, held: Manifest, base: Sequence[str] | None) -> list[Artifacts]:
    if base is None:
        made = held.parameters["positions"] or {"further_bases": []}
        names = [one["name"] for one in made["further_bases"]]
    else:
        own, *names = base
        if own != first.base_model["name"]:
            raise InputError(
                expected=f"{first.base_model['name']} as the first base model: {folder} holds its scores",
                found=own,
                action="name it first, or give the folder of the other one as --eval-dir",
            )
    return [open_artifacts(further_eval_dir(folder, name)) for name in names]


def _check_genome(artifacts: Artifacts, reference: Reference) -> None:
    if artifacts.genome != reference.genome_file.sha256:
        raise InputError(
            expected=f"scores of the genome of {reference.path}",
            found=f"scores of another one in {artifacts.path}",
            action="prepare the reference on the genome that was scored, or run the base pass on this one",
        )


def _options(
    held: Manifest,
    given: Mapping[str, Any],
    mode: PositionIdMode | None,
    artifact_format: ArtifactFormat | None,
    others: Sequence[Artifacts],
) -> PositionOptions:
    made = held.parameters["positions"]
    before = PositionOptions(CandidateRule()) if made is None else PositionOptions.from_parameters(made)
    said = {name: value for name, value in given.items() if value is not None}
    return PositionOptions(
        dataclasses.replace(before.rule, **said),
        mode or before.position_id_mode,
        artifact_format or before.artifact_format,
        tuple(FurtherBase(other.base_model["name"], other.channels) for other in others),
    )


def _scored_genes(
    reference: Reference, first: Artifacts, others: Sequence[Artifacts], held: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The genes with every base scored, and the others that were scored before or lie where something was scored."""
    contigs = first.parameters["contigs"]
    changed = reference.fingerprint != first.reference_fingerprint
    whole, missing = [], []
    for gene in reference.genes.iter_rows(named=True):
        if not changed and gene["gene_id"] not in held:
            continue
        stretch = gene_body(gene).widened(first.flank, contigs[gene["chrom"]])
        if all(artifacts.scored(stretch).all() for artifacts in (first, *others)):
            whole.append(gene["gene_id"])
        else:
            missing.append(gene["gene_id"])
    if not whole:
        raise GeneError(
            expected=f"genes of {reference.path} whose every base is scored in {first.path}",
            found="none",
            action="run `meta-spliceai basepass run` on this reference",
        )
    return whole, missing


def _remake(
    reference: Reference,
    eval_dir: Path,
    held: Manifest,
    options: PositionOptions,
    others: Sequence[Artifacts],
    genes: Sequence[str],
    missing: Sequence[str],
    *,
    workers: int,
) -> PositionsResult:
    parameters = {**held.parameters, "positions": plain(options)}
    inputs = {"genome": reference.genome_file.sha256, "reference": reference.fingerprint}
    inputs |= {base_input(one.base_model["name"]): score_identity(one.parameters, one.genome) for one in others}
    changed = plain(held.parameters) != plain(parameters) or dict(held.inputs) != inputs
    with Folder.opened(
        eval_dir / META_MODELS,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=parameters,
        inputs=inputs,
        overwrite=changed,
        kept_on_overwrite=[name for name in held.parts if name.startswith(SCORES)],
    ) as store:
        remove_leftovers(eval_dir)
        chunks = plan_chunks(reference.genes, genes, parameters["chunk_size"])
        make_positions(store, chunks, reference, options, workers=workers)
        candidates = finish(store, reference, options, chunks, {})
        store.log("positions", genes=len(genes), not_scored=len(missing), workers=workers)
    if missing:
        log.warning("%d genes are not scored and have no positions: %s", len(missing), first_few(missing))
    return PositionsResult(eval_dir, len(genes), candidates, tuple(missing))
