"""What is done of a base pass, what is missing or outdated, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meta_spliceai.basepass.aggregates import AGGREGATES
from meta_spliceai.basepass.chunks import Chunk, chunk_argument, plan_chunks
from meta_spliceai.basepass.plan import (
    FORMAT_VERSION,
    KIND,
    META_MODELS,
    POSITIONS,
    SCORES,
    base_input,
    further_eval_dir,
    held_manifest,
    position_part_identity,
    score_identity,
    score_part_identity,
    scored_chunk,
)
from meta_spliceai.errors import first_few
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.store.folder import Manifest, file_is_whole, read_manifest

State = Literal["done", "partly", "missing", "stale", "damaged"]


@dataclass(frozen=True, slots=True)
class ChunkStatus:
    """One chunk: the genes asked for and held, the state of its scores and positions, and the reason.

    `done`: whole and up to date; `partly`: so, but without some of the genes; `missing`: not made; `stale`: made with
    another reference, other options or other scores; `damaged`: a file is gone, cut short or changed.
    """

    label: str
    genes: int
    genes_held: int
    scores: State
    positions: State
    reason: str


@dataclass(frozen=True, slots=True)
class BasePassStatus:
    """The state of a base pass for the genes asked for.

    Parameters
    ----------
    eval_dir, base_model
        Where, and whose scores.
    genes, genes_done
        Asked for, and of these with scores and positions up to date.
    missing_genes
        Ids of the others.
    chunks
        In reference order.
    problems
        What concerns the folder as a whole.
    """

    eval_dir: Path
    base_model: str
    genes: int
    genes_done: int
    missing_genes: tuple[str, ...]
    chunks: tuple[ChunkStatus, ...]
    problems: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Share of the genes that are done."""
        return self.genes_done / self.genes if self.genes else 1.0

    def summary(self) -> str:
        """The counts, every chunk that is not done with its reason, and what to do."""
        lines = [
            f"{self.eval_dir} ({self.base_model})",
            f"genes    {self.genes_done:,} of {self.genes:,} done ({100 * self.coverage:.1f} %)",
        ]
        for kind in ("scores", "positions"):
            states = Counter(getattr(chunk, kind) for chunk in self.chunks)
            counted = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
            lines.append(f"{kind:9}{counted or 'no chunks'}")
        undone = [chunk for chunk in self.chunks if (chunk.scores, chunk.positions) != ("done", "done")]
        lines += [
            f"  {chunk_argument(chunk.label)}  scores {chunk.scores}, positions {chunk.positions}: {chunk.reason}"
            for chunk in undone[:20]
        ]
        if len(undone) > 20:
            lines.append(f"  and {len(undone) - 20} more chunks")
        lines += [f"problem  {problem}" for problem in self.problems]
        if undone:
            lines.append(
                "`meta-spliceai basepass run` with the options of before makes what is missing, and nothing else"
            )
        return "\n".join(lines)


def status(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    base: str = "spliceai",
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    verify: bool = False,
) -> BasePassStatus:
    """Say what is done, missing or outdated of a base pass, and why. Nothing is changed.

    Parameters
    ----------
    reference
        Folder made by `reference prepare`; default: the one that `reference audit` finds.
    eval_dir
        Folder of the artifacts; default `<reference>/<base>_eval`.
    base
        Name of the base model.
    genes
        Names or ids of the genes asked about; all genes of the reference by default.
    gene_ids_file
        A file of names or ids.
    gene_col
        The column of that table that holds them.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    verify
        Compare the checksum of every file, not only its size and footer.

    Raises
    ------
    StoreError
        There is no base pass in the folder.
    """
    loaded = load_reference(reference)
    folder = eval_dir or loaded.path / f"{base}_eval"
    manifest = read_manifest(folder / META_MODELS, KIND, FORMAT_VERSION)
    wanted = choose_genes(
        loaded,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
    )
    inspector = _Inspector(folder, manifest, loaded, verify=verify)
    chunks = plan_chunks(loaded.genes, wanted["gene_id"].to_list(), manifest.parameters["chunk_size"])
    inspected = [inspector.chunk(chunk) for chunk in chunks]
    done = {gene_id for _, gene_ids in inspected for gene_id in gene_ids}
    return BasePassStatus(
        eval_dir=folder,
        base_model=manifest.parameters["base_model"]["name"],
        genes=wanted.height,
        genes_done=len(done),
        missing_genes=tuple(gene_id for gene_id in wanted["gene_id"] if gene_id not in done),
        chunks=tuple(chunk for chunk, _ in inspected),
        problems=tuple(inspector.problems()),
    )


class _Inspector:
    """Looks at the parts of one folder."""

    def __init__(self, eval_dir: Path, manifest: Manifest, reference: Reference, *, verify: bool) -> None:
        self._eval_dir, self._folder, self._manifest = eval_dir, eval_dir / META_MODELS, manifest
        self._reference, self._verify = reference, verify
        self._outdated = self._why_outdated()

    def _why_outdated(self) -> str:
        held = self._manifest.inputs
        if held["genome"] != self._reference.genome_file.sha256:
            return "made with another genome"
        if held["reference"] != self._reference.fingerprint:
            return "the annotation has changed since"
        return ""

    def chunk(self, chunk: Chunk) -> tuple[ChunkStatus, list[str]]:
        """The state of a chunk, and the genes of it that are done."""
        scores, why_scores, scored = self._part(SCORES, chunk)
        positions, why_positions, placed = self._part(POSITIONS, chunk)
        done = [gene_id for gene_id in chunk.gene_ids if gene_id in scored and gene_id in placed]
        reason = why_scores or why_positions
        return ChunkStatus(chunk.label, len(chunk.gene_ids), len(done), scores, positions, reason), done

    def _part(self, kind: str, chunk: Chunk) -> tuple[State, str, set[str]]:
        entry = self._manifest.parts.get(kind + chunk.label)
        if entry is None:
            return "missing", f"{kind.rstrip('_')} not made", set()
        broken = [file.name for file in entry.files if not file_is_whole(self._folder, file, verify=self._verify)]
        if broken:
            return "damaged", f"{first_few(broken)} is missing or not as it was written", set()
        held = Chunk(chunk.chrom, chunk.first, chunk.last, tuple(entry.facts["genes"]))
        if self._outdated or entry.fingerprint != self._identity(kind, held):
            return "stale", self._outdated or "made with other options, or other genes are in the chunk now", set()
        absent = [gene_id for gene_id in chunk.gene_ids if gene_id not in held.gene_ids]
        if absent:
            return "partly", f"{len(absent):,} genes not made: {first_few(absent)}", set(held.gene_ids)
        return "done", "", set(held.gene_ids)

    def _identity(self, kind: str, chunk: Chunk) -> str:
        parameters, inputs = self._manifest.parameters, self._manifest.inputs
        if kind == POSITIONS:
            return position_part_identity(parameters, inputs, chunk)
        scored = scored_chunk(chunk, self._reference.genes, parameters["flank"], parameters["contigs"])
        return score_part_identity(parameters, inputs, scored)

    def problems(self) -> list[str]:
        """What concerns the folder as a whole."""
        found = [self._outdated] if self._outdated else []
        entry = self._manifest.parts.get(AGGREGATES)
        if entry is not None and not all(
            file_is_whole(self._folder, file, verify=self._verify) for file in entry.files
        ):
            found.append("an aggregated table is missing or not as it was written; the next run makes it again")
        positions = self._manifest.parameters["positions"]
        if positions is None:
            return [*found, "only scores were made; `meta-spliceai basepass positions` makes positions"]
        for base in positions["further_bases"]:
            other = held_manifest(further_eval_dir(self._eval_dir, base["name"]) / META_MODELS)
            if other is None:
                found.append(f"the scores of {base['name']} are gone")
            elif (
                score_identity(other.parameters, other.inputs["genome"])
                != self._manifest.inputs[base_input(base["name"])]
            ):
                found.append(f"the scores of {base['name']} are others than the positions were made with")
        return found
