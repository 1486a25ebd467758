"""Reading what base passes left: dense scores of any interval, candidate rows of any genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.basemodel.protocol import SPREAD, Scores
from meta_spliceai.basepass.fewer_bases import columns_behind, with_own_means
from meta_spliceai.basepass.plan import (
    FORMAT_VERSION,
    KIND,
    META_MODELS,
    POSITIONS,
    SCORES,
    base_input,
    chunks_in_order,
    further_eval_dir,
    score_identity,
    spans_from_facts,
)
from meta_spliceai.basepass.score_files import ScoreFile, Span
from meta_spliceai.errors import GeneError, InputError, StoreError, first_few
from meta_spliceai.features.further import track_of
from meta_spliceai.features.stretch import Place, Stretch, Track
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval, Strand
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import FurtherBase
from meta_spliceai.schema.tables import ANALYSIS_TABLE, PositionIdMode, analysis_table
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import MANIFEST, Manifest, read_manifest
from meta_spliceai.store.tables import RowIndex, read_rows, row_index


class Artifacts:
    """The artifacts of one base model over the genes of one reference; opened with `open_artifacts`.

    Where positions were made with the scores of further base models, these are read from the folders beside it.
    """

    def __init__(self, eval_dir: Path, manifest: Manifest, bases: Sequence[str] | None = None) -> None:
        self.path = eval_dir
        self._folder = eval_dir / META_MODELS
        self._manifest = manifest
        self._bases = bases
        self._files: dict[str, ScoreFile] = {}
        self._indices: dict[str, RowIndex] = {}

    def with_bases(self, names: Sequence[str] | None) -> Artifacts:
        """The same artifacts as if positions had been made with these base models only; all of them for None.

        Means over base models are then over these.

        Parameters
        ----------
        names
            The first base model, which every row has, and any of the others, in any order.

        Raises
        ------
        InputError
            The first one is missing, or there is no such base model.
        """
        if names is None:
            return self
        held = [self.base_model["name"], *(base.name for base in self._all_further)]
        if not set(names) <= set(held) or held[0] not in names:
            raise InputError(
                expected=f"base models among {', '.join(held)} of {self.path}, {held[0]} always included",
                found=", ".join(names) or "none",
                action="leave the option out for all of them, or run the base pass with others first",
            )
        return Artifacts(self.path, self._manifest, tuple(names))

    @property
    def manifest(self) -> Manifest:
        """What the folder says about itself."""
        return self._manifest

    @property
    def base_model(self) -> Mapping[str, Any]:
        """What the base model says about itself: name, training_build, training_chromosomes, context, …"""
        described: Mapping[str, Any] = self._manifest.parameters["base_model"]
        return described

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels of the scores, without the spread."""
        return tuple(self.base_model["channels"])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the pass."""
        return self._manifest.parameters

    @property
    def position_parameters(self) -> Mapping[str, Any]:
        """How positions were made: rule, position_id_mode, further_bases, artifact_format.

        Raises
        ------
        StoreError
            Only scores were made.
        """
        made: Mapping[str, Any] | None = self._manifest.parameters["positions"]
        if made is None:
            raise StoreError(
                expected=f"positions in {self.path}",
                found="scores only",
                action=f"run `meta-spliceai basepass positions --eval-dir {self.path}` first; no model is run",
            )
        return made

    @property
    def rule(self) -> Mapping[str, Any]:
        """How candidates were chosen and called: the fields of `CandidateRule`."""
        rule: Mapping[str, Any] = self.position_parameters["rule"]
        return rule

    @property
    def position_id_mode(self) -> PositionIdMode:
        """What a row of positions is; see `schema.tables.mode_columns`."""
        mode: PositionIdMode = self.position_parameters["position_id_mode"]
        return mode

    @property
    def further_bases(self) -> tuple[FurtherBase, ...]:
        """The further base models whose scores stand in the positions, or those of them that are wanted."""
        return tuple(base for base in self._all_further if self._bases is None or base.name in self._bases)

    @property
    def _all_further(self) -> tuple[FurtherBase, ...]:
        made = self._manifest.parameters["positions"] or {"further_bases": []}
        return tuple(FurtherBase(base["name"], tuple(base["channels"])) for base in made["further_bases"])

    @property
    def further_base_models(self) -> list[Mapping[str, Any]]:
        """What each further base model says about itself."""
        return [artifacts.base_model for artifacts in self._further.values()]

    @property
    def all_base_models(self) -> list[Mapping[str, Any]]:
        """What each base model says about itself, the first one first."""
        return [self.base_model, *self.further_base_models]

    @property
    def base_names(self) -> list[str]:
        """The names of all base models, the first one first."""
        return [self.base_model["name"], *(base.name for base in self.further_bases)]

    @property
    def training_chromosomes(self) -> list[str]:
        """Chromosomes that any of the base models was trained on, sorted."""
        return sorted({chrom for one in self.all_base_models for chrom in one["training_chromosomes"]})

    @property
    def table(self) -> Table:
        """The table of the candidate rows."""
        return analysis_table(self.further_bases, self.position_id_mode)

    @property
    def reference_fingerprint(self) -> str:
        """Identity of the reference the positions were made on."""
        return self._manifest.inputs["reference"]

    @property
    def flank(self) -> int:
        """Length of the scored flank on each side of a gene body, in nt."""
        return int(self._manifest.parameters["flank"])

    @cached_property
    def fingerprint(self) -> str:
        """Identity of what the artifacts say of a gene: how they were made and from what, not which genes there are.

        What is kept of a gene depends on no other gene, so asking for more genes changes nothing for those held.
        """
        return fingerprint([self._manifest.parameters, self._manifest.inputs])

    @cached_property
    def _chunk_of_gene(self) -> dict[str, str]:
        return {
            gene_id: name
            for name, entry in self._manifest.parts.items()
            if name.startswith(POSITIONS)
            for gene_id in entry.facts["genes"]
        }

    @property
    def genes(self) -> set[str]:
        """Ids of the genes that have positions."""
        return set(self._chunk_of_gene)

    def require(self, gene_ids: Sequence[str]) -> None:
        """Raise a `GeneError` that names the genes without positions."""
        missing = [gene_id for gene_id in gene_ids if gene_id not in self._chunk_of_gene]
        if missing:
            raise GeneError(
                expected=f"artifacts of {len(gene_ids)} genes in {self.path}",
                found=f"none for {first_few(missing)}",
                action="run `meta-spliceai basepass run` for these genes first; what is there is kept",
            )

    def by_chunk(self, gene_ids: Sequence[str]) -> list[list[str]]:
        """Genes that have positions, those of a chunk together, in reference order of the chunks."""
        held: dict[str, list[str]] = {}
        for gene_id in gene_ids:
            held.setdefault(self._chunk_of_gene[gene_id], []).append(gene_id)
        return [held[name] for name in chunks_in_order(self._manifest) if name in held]

    def candidates(self, gene_ids: Sequence[str], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The candidate rows of genes, as `table`, in reference order; only their chunks are opened.

        With `columns`, only these columns are read.

        Raises
        ------
        GeneError
            Genes without artifacts.
        """
        self.require(gene_ids)
        wanted = {self._chunk_of_gene[gene_id] for gene_id in gene_ids}
        asked = columns or self.table.names
        read = columns if self._bases is None else columns_behind(asked, self.further_bases)
        stored = analysis_table(self._all_further, self.position_id_mode)
        frames = [
            read_rows(self._analysis_file(name), stored, "gene_id", gene_ids, read, index=self._index(name))
            for name in chunks_in_order(self._manifest)
            if name in wanted
        ]
        rows = pl.concat(frames) if frames else stored.empty().select(read or pl.all())
        return rows if self._bases is None else with_own_means(rows, asked, self.further_bases)

    def _index(self, part: str) -> RowIndex | None:
        """Where the genes lie in a chunk's file, found out once; None for a format that is read as a whole."""
        path = self._analysis_file(part)
        if part not in self._indices and path.suffix == ".parquet":
            self._indices[part] = row_index(path, "gene_id")
        return self._indices.get(part)

    def _analysis_file(self, part: str) -> Path:
        files = self._manifest.parts[part].files
        return self._folder / next(file.name for file in files if file.name.startswith(ANALYSIS_TABLE.name))

    @cached_property
    def _spans(self) -> dict[tuple[str, str], list[tuple[Span, str]]]:
        spans: dict[tuple[str, str], list[tuple[Span, str]]] = {}
        for name, entry in self._manifest.parts.items():
            if name.startswith(SCORES):
                for span in spans_from_facts(entry.facts):
                    spans.setdefault((entry.facts["chrom"], span.strand), []).append((span, entry.files[0].name))
        return spans

    def scored(self, interval: Interval) -> npt.NDArray[np.bool_]:
        """Which bases of an interval were scored, in ascending genomic order, shape (interval.length,)."""
        scored = np.zeros(interval.length, dtype=bool)
        for span, _ in self._spans.get((interval.chrom, interval.strand), ()):
            scored[max(span.start - interval.start, 0) : max(span.end - interval.start, 0)] = True
        return scored

    def scores(self, chrom: str, strand: Strand, start: int, end: int, *, allow_unscored: bool = False) -> Scores:
        """Scores of `[start, end)` (0-based half-open) in ascending genomic order; 0 beyond the contig.

        With `allow_unscored`, bases that the pass did not score are 0 too.

        Raises
        ------
        StoreError
            A base of the contig that the pass did not score.
        """
        length = int(self._manifest.parameters["contigs"].get(chrom, 0))
        channels = (*self.channels, SPREAD)
        values = np.zeros((len(channels), end - start), dtype=np.float32)
        low, high = max(start, 0), min(end, length)
        unscored = np.ones(max(high - low, 0), dtype=bool)
        for span, file in self._spans.get((chrom, strand), ()):
            first, last = max(low, span.start), min(high, span.end)
            if first < last and unscored[first - low : last - low].any():
                row = span.first_row - span.start
                values[:, first - start : last - start] = self._file(file).rows(row + first, row + last)
                unscored[first - low : last - low] = False
        if unscored.any() and not allow_unscored:
            raise StoreError(
                expected=f"scores of {chrom}:{start + 1}-{end}({strand}) in {self.path}",
                found=f"{int(unscored.sum())} bases of it were not scored",
                action="run `meta-spliceai basepass run` for the genes there, with a flank of at least 5000",
            )
        return Scores(dict(zip(channels, values, strict=True)))

    def _file(self, name: str) -> ScoreFile:
        if name not in self._files:
            self._files[name] = ScoreFile(self._folder / name)
        return self._files[name]

    @cached_property
    def _further(self) -> dict[str, Artifacts]:
        opened = {}
        for base in self.further_bases:
            other = open_artifacts(further_eval_dir(self.path, base.name))
            identity = score_identity(other.parameters, other.genome)
            if identity != self._manifest.inputs[base_input(base.name)]:
                raise StoreError(
                    expected=f"the scores of {base.name} that the positions in {self.path} were made with",
                    found=f"other ones in {other.path}",
                    action="run `meta-spliceai basepass positions` again, or put those scores back",
                )
            opened[base.name] = other
        return opened

    @property
    def genome(self) -> str:
        """Identity of the genome that was scored."""
        return self._manifest.inputs["genome"]

    def stretch(self, genome: Genome, interval: Interval, reach: int, *, allow_unscored: bool = False) -> Stretch:
        """Codes and scores of an interval and `reach` bases on either side, in the direction of transcription."""
        start, end = interval.start - reach, interval.end + reach
        where = (interval.chrom, interval.strand, start, end)
        scores = self.scores(*where, allow_unscored=allow_unscored)
        tracks: dict[str, Track] = {
            name: track_of(
                other.scores(*where, allow_unscored=allow_unscored).by_channel, scores.donor, scores.acceptor
            )
            for name, other in self._further.items()
        }
        codes = genome.codes(interval.chrom, start, end)
        place = Place(interval.chrom, interval.strand, start if interval.strand == "+" else end - 1)
        return Stretch.from_ascending(
            interval.strand, codes, scores.donor, scores.acceptor, scores.spread, tracks, place
        )


def open_artifacts(eval_dir: Path) -> Artifacts:
    """Open the artifacts in `eval_dir` (the folder that holds `meta_models/`, or `meta_models/` itself).

    Raises
    ------
    StoreError
        No artifacts there, damaged ones, or tables of another implementation.
    """
    path = eval_dir.parent if eval_dir.name == META_MODELS else eval_dir
    _refuse_foreign_tables(path / META_MODELS)
    return Artifacts(path, read_manifest(path / META_MODELS, KIND, FORMAT_VERSION))


def _refuse_foreign_tables(folder: Path) -> None:
    """Tables with the documented names but no manifest: their positions may count from the gene's start, or be shifted."""
    tables = [] if (folder / MANIFEST).exists() else sorted(folder.glob("*_chunk_*.tsv*"))
    if tables:
        with tables[0].open(encoding="utf-8", errors="replace") as first:
            relative = "predicted_position" in first.readline().split("\t")
        raise StoreError(
            expected=f"artifacts with {MANIFEST} in {folder}",
            found=f"{len(tables)} tables without one, such as {tables[0].name}"
            + (", whose positions count from the gene's start" if relative else ""),
            action="they are of another implementation and hold no dense scores, so nothing can be computed from them: "
            "run `meta-spliceai basepass run` into another folder",
        )
