"""What a base pass consists of: its folder, its parameters, the identity of each part.

A folder of artifacts holds two kinds of parts, one of each per chunk. *Scores* depend on the base model, the genome and
the stretches that are scored; *positions* on the annotation, on how candidates are chosen and on the scores of every
base model that stands in them. A part's identity is the fingerprint of just that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from meta_spliceai.basemodel.options import Precision
from meta_spliceai.basepass.candidates import CandidateRule
from meta_spliceai.basepass.chunks import Chunk
from meta_spliceai.basepass.score_files import Span, spans_of
from meta_spliceai.errors import StoreError
from meta_spliceai.reference.load import Reference, gene_body
from meta_spliceai.schema.features import FurtherBase
from meta_spliceai.schema.tables import PositionIdMode
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Manifest, file_is_whole, read_manifest

KIND = "base pass"
FORMAT_VERSION = 2
META_MODELS = "meta_models"
SCORES, POSITIONS = "scores_", "positions_"
"""Prefixes of part names: one part of each kind per chunk."""

_OF_SCORES = ("name", "weights_fingerprint", "context", "channels")
"""What a base model says about itself that decides its scores; the rest is told to people."""

ArtifactFormat = Literal["parquet", "tsv"]
ARTIFACT_FORMATS: tuple[ArtifactFormat, ...] = get_args(ArtifactFormat)


@dataclass(frozen=True, slots=True)
class PositionOptions:
    """How positions are made.

    Parameters
    ----------
    rule
        How candidates are chosen and called.
    position_id_mode
        What a row is; see `schema.tables.mode_columns`.
    artifact_format
        Format of the tables; dense scores are Parquet always.
    further_bases
        Base models whose scores stand beside those of the first one.
    """

    rule: CandidateRule
    position_id_mode: PositionIdMode = "genomic"
    artifact_format: ArtifactFormat = "parquet"
    further_bases: tuple[FurtherBase, ...] = ()

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> PositionOptions:
        """The options that a manifest holds."""
        return cls(
            CandidateRule(**parameters["rule"]),
            parameters["position_id_mode"],
            parameters["artifact_format"],
            tuple(FurtherBase(base["name"], tuple(base["channels"])) for base in parameters["further_bases"]),
        )


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A chunk and the stretches to score for its genes: bodies and scored flanks."""

    chunk: Chunk
    spans: tuple[Span, ...]

    @property
    def length(self) -> int:
        """Bases of the stretches, each strand's counted once."""
        return sum(span.end - span.start for span in self.spans)


def scored_chunk(chunk: Chunk, genes: pl.DataFrame, flank: int, contigs: Mapping[str, int]) -> ScoredChunk:
    """The stretches of a chunk; `genes` is the reference's gene table."""
    rows = genes.filter(pl.col("gene_id").is_in(chunk.gene_ids)).iter_rows(named=True)
    return ScoredChunk(chunk, tuple(spans_of(gene_body(gene).widened(flank, contigs[gene["chrom"]]) for gene in rows)))


def score_parameters(
    base_model: Any,
    precision: Precision,
    flank: int,
    chunk_size: int,
    reference: Reference,
    contigs: Mapping[str, int],
) -> dict[str, Any]:
    """The parameters of a folder that decide its scores."""
    return {
        "base_model": plain(base_model),
        "precision": precision,
        "flank": flank,
        "chunk_size": chunk_size,
        "build": reference.build,
        "contigs": dict(contigs),
    }


def score_identity(parameters: Mapping[str, Any], genome: str) -> str:
    """Identity of the scores in a folder, whichever genes it holds."""
    model = {name: parameters["base_model"][name] for name in _OF_SCORES}
    others = {name: value for name, value in parameters.items() if name not in ("positions", "base_model")}
    return fingerprint([model, others, genome])


def score_part_identity(parameters: Mapping[str, Any], inputs: Mapping[str, str], scored: ScoredChunk) -> str:
    """Identity of the scores of one chunk."""
    return fingerprint([score_identity(parameters, inputs["genome"]), scored.chunk, scored.spans])


def position_part_identity(parameters: Mapping[str, Any], inputs: Mapping[str, str], chunk: Chunk) -> str:
    """Identity of the positions of one chunk."""
    return fingerprint([parameters, inputs, chunk])


def base_input(name: str) -> str:
    """Name of a further base model among the inputs of a folder."""
    return f"base {name}"


def further_eval_dir(eval_dir: Path, name: str) -> Path:
    """Where the scores of a further base model lie: beside the first one's folder."""
    return eval_dir.parent / f"{name}_eval"


def held_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder of artifacts, None where there is none yet or it cannot be read."""
    try:
        return read_manifest(folder, KIND, FORMAT_VERSION)
    except StoreError:
        return None


def spans_from_facts(facts: Mapping[str, Any]) -> list[Span]:
    """The spans of a score file, from its part's entry."""
    return [Span(*row) for row in facts["spans"]]


def held_spans(folder: Path, manifest: Manifest, chrom: str) -> tuple[tuple[Span, str], ...]:
    """The stretches of a contig that whole score files of a folder hold, with the names of these files."""
    return tuple(
        (span, entry.files[0].name)
        for name, entry in sorted(manifest.parts.items())
        if name.startswith(SCORES) and entry.facts["chrom"] == chrom
        if all(file_is_whole(folder, file) for file in entry.files)
        for span in spans_from_facts(entry.facts)
    )


def genes_with(manifest: Manifest | None, kind: str) -> list[str]:
    """Ids of the genes that parts of a kind (`SCORES` or `POSITIONS`) hold."""
    parts: Iterable[tuple[str, Any]] = manifest.parts.items() if manifest else ()
    return [gene_id for name, entry in parts if name.startswith(kind) for gene_id in entry.facts["genes"]]


def chunks_in_order(manifest: Manifest) -> list[str]:
    """Names of the position parts in reference order."""
    places = {name: entry.facts["place"] for name, entry in manifest.parts.items() if name.startswith(POSITIONS)}
    return sorted(places, key=lambda name: tuple(places[name]))


def place_of(chunk: Chunk, contigs: Sequence[str]) -> list[int]:
    """Place of a chunk among all chunks; written down because JSON sorts its keys."""
    return [list(contigs).index(chunk.chrom), chunk.first]
