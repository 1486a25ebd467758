"""From options to a plan: which genes, in which chunks, into which folder. Everything wrong is found here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.bases import ChosenBase
from meta_spliceai.basepass.candidates import TN_SAMPLINGS, CandidateRule
from meta_spliceai.basepass.chunks import Chunk, chunk_argument, label_of_argument, plan_chunks
from meta_spliceai.basepass.plan import (
    ARTIFACT_FORMATS,
    FORMAT_VERSION,
    KIND,
    META_MODELS,
    SCORES,
    ArtifactFormat,
    PositionOptions,
    base_input,
    genes_with,
    held_manifest,
    score_identity,
    score_parameters,
)
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.features import REACH
from meta_spliceai.schema.tables import POSITION_ID_MODES, PositionIdMode
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import Folder, Manifest


@dataclass(frozen=True, slots=True)
class PassRequest:
    """A checked request.

    Parameters
    ----------
    reference, contigs
        The prepared reference, and the length of each contig in the genome's order.
    eval_dir
        Folder of the first base model's artifacts.
    genes
        The genes asked for, rows of `GENE_TABLE` in reference order.
    chunks
        All chunks to work on, with the genes asked for and those that are held already.
    redo
        Labels of the chunks to make again from nothing.
    flank, chunk_size
        Scored flank in nt, and genes per file.
    only_redone
        Whether no other chunk is worked on.
    """

    reference: Reference
    contigs: Mapping[str, int]
    eval_dir: Path
    genes: pl.DataFrame
    chunks: tuple[Chunk, ...]
    redo: tuple[str, ...]
    flank: int
    chunk_size: int
    only_redone: bool

    def with_held(self, manifest: Manifest) -> list[Chunk]:
        """The chunks, with the genes that a folder holds besides; only those to redo where nothing else is asked for."""
        wanted = [gene_id for chunk in self.chunks for gene_id in chunk.gene_ids]
        chunks = plan_chunks(self.reference.genes, [*wanted, *genes_with(manifest, SCORES)], self.chunk_size)
        return [chunk for chunk in chunks if not self.only_redone or chunk.label in self.redo]


@dataclass(frozen=True, slots=True)
class ScoreFolder:
    """A folder of artifacts about to be opened: where, and what it is made from."""

    path: Path
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]

    def with_positions(self, options: PositionOptions, further: Mapping[str, str]) -> ScoreFolder:
        """The same with positions of its own; `further` is the identity of each further base model's scores by name."""
        return dataclasses.replace(
            self,
            parameters={**self.parameters, "positions": plain(options)},
            inputs={
                **{name: self.inputs[name] for name in ("genome", "reference")},
                **{base_input(name): identity for name, identity in further.items()},
            },
        )

    @contextmanager
    def opened(self, *, overwrite: bool) -> Iterator[Folder]:
        """Open it for writing; with `overwrite`, scores that changed options do not touch are kept."""
        with Folder.opened(
            self.path,
            kind=KIND,
            format_version=FORMAT_VERSION,
            parameters=self.parameters,
            inputs=self.inputs,
            overwrite=overwrite,
            kept_on_overwrite=self._reusable_parts() if overwrite else (),
        ) as store:
            yield store

    def _reusable_parts(self) -> list[str]:
        """All parts where nothing has changed, the scores where only positions have."""
        held = held_manifest(self.path)
        if held is None:
            return []
        if (plain(dict(self.parameters)), dict(self.inputs)) == (dict(held.parameters), dict(held.inputs)):
            return list(held.parts)
        mine, theirs = (
            score_identity(parameters, inputs["genome"])
            for parameters, inputs in ((self.parameters, self.inputs), (held.parameters, held.inputs))
        )
        return [name for name in held.parts if name.startswith(SCORES)] if mine == theirs else []


def score_folder(request: PassRequest, base: ChosenBase, eval_dir: Path) -> ScoreFolder:
    """The folder of a base model's artifacts; positions that it holds are part of it and stay as they are."""
    path = eval_dir / META_MODELS
    held = held_manifest(path)
    parameters = score_parameters(
        base.load().info,
        base.options.precision,
        request.flank,
        request.chunk_size,
        request.reference,
        request.contigs,
    )
    inputs = {"genome": request.reference.genome_file.sha256, "reference": request.reference.fingerprint}
    if held is None:
        return ScoreFolder(path, {**parameters, "positions": None}, inputs)
    others = {name: identity for name, identity in held.inputs.items() if name not in inputs}
    return ScoreFolder(path, {**parameters, "positions": held.parameters["positions"]}, {**others, **inputs})


def plan_request(
    reference: Path | None,
    eval_dir: Path | None,
    first_base: str,
    *,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    every_gene: bool = False,
    redo: Sequence[str] | None = None,
    flank: int,
    chunk_size: int,
) -> PassRequest:
    """Choose the genes and cut them into chunks.

    Raises
    ------
    InputError, GeneError
        Unknown genes, contigs, types or chunks; or genes named beside `every_gene`.
    """
    loaded = load_reference(reference)
    loaded.splice_sites()  # needed only after scoring, so that its absence would cost a user hours
    chosen = any(option is not None for option in (genes, gene_ids_file, chromosomes, gene_types))
    if every_gene and (genes is not None or gene_ids_file is not None):
        raise InputError("--all, or a list of genes", "both", "leave one of them out")
    wanted = choose_genes(
        loaded,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
    )
    folder = eval_dir or loaded.path / f"{first_base}_eval"
    held = genes_with(held_manifest(folder / META_MODELS), SCORES)
    only_redone = bool(redo) and not chosen and not every_gene
    if only_redone and held:
        wanted = wanted.filter(pl.col("gene_id").is_in(held))
    chunks = plan_chunks(loaded.genes, [*wanted["gene_id"], *held], chunk_size)
    labels = tuple(label_of_argument(text) for text in redo or ())
    every = plan_chunks(loaded.genes, loaded.genes["gene_id"].to_list(), chunk_size)
    _check_chunks(labels, every)
    if only_redone:
        # a chunk that holds nothing yet is made with all its genes
        in_part = {chunk.label: chunk for chunk in chunks}
        chunks = [in_part.get(chunk.label, chunk) for chunk in every if chunk.label in labels]
    with loaded.open_genome() as genome:
        contigs = dict(genome.contigs)
    return PassRequest(loaded, contigs, folder, wanted, tuple(chunks), labels, flank, chunk_size, only_redone)


def _check_chunks(labels: Sequence[str], chunks: Sequence[Chunk]) -> None:
    known = [chunk.label for chunk in chunks]
    strange = [label for label in labels if label not in known]
    if strange:
        contig = strange[0].rpartition("_chunk_")[0]
        near = [chunk_argument(label) for label in known if label.startswith(f"{contig}_chunk_")] or [
            chunk_argument(label) for label in known
        ]
        raise InputError(
            expected="chunks of this reference and chunk size",
            found=first_few([chunk_argument(label) for label in strange]),
            action=f"choose among {first_few(near)}",
        )


def check_scoring(*, flank: int, chunk_size: int, workers: int) -> None:
    """Refuse numbers that make no sense, before anything is done."""
    if flank < REACH:
        raise InputError(f"--flank of at least {REACH} nt", f"{flank}", "leave it out: features look that far")
    for option, value in (("--chunk-size", chunk_size), ("--workers", workers)):
        if value < 1:
            raise InputError(f"{option} of at least 1", f"{value}", "give a positive number or leave the option out")


def check_position_options(rule: CandidateRule, mode: PositionIdMode, artifact_format: ArtifactFormat) -> None:
    """Refuse options of positions that make no sense, before anything is done."""
    for name, value in (("--threshold", rule.threshold), ("--tn-rate", rule.tn_rate)):
        if not 0 < value <= 1:
            raise InputError(f"{name} above 0 and at most 1", f"{value}", "give a probability")
    if rule.consensus_window < 0:
        raise InputError("--consensus-window of 0 or more", f"{rule.consensus_window}", "give a number of bases")
    for name, word, known in (
        ("--tn-sampling", rule.tn_sampling, TN_SAMPLINGS),
        ("--position-id-mode", mode, POSITION_ID_MODES),
        ("--artifact-format", artifact_format, ARTIFACT_FORMATS),
    ):
        if word not in known:
            raise InputError(f"{name} {' | '.join(known)}", f"{word!r}", "choose one of them")
