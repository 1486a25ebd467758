"""Reading what a base pass left: dense scores of any interval, candidate rows of any genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.basepass.score_files import ScoreFile, Span
from meta_spliceai.errors import GeneError, StoreError, first_few
from meta_spliceai.features.stretch import Stretch
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval, Strand
from meta_spliceai.schema.tables import ANALYSIS_TABLE
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Manifest, read_manifest
from meta_spliceai.store.tables import read_rows

KIND = "base pass"
FORMAT_VERSION = 1
META_MODELS = "meta_models"
SCORES, POSITIONS = "scores_", "positions_"
"""Prefixes of part names: one part of each kind per chunk."""


class Artifacts:
    """The artifacts of one base model over the genes of one reference; opened with `open_artifacts`."""

    def __init__(self, eval_dir: Path, manifest: Manifest) -> None:
        self.path = eval_dir
        self._folder = eval_dir / META_MODELS
        self._manifest = manifest
        self._files: dict[str, ScoreFile] = {}

    @property
    def base_model(self) -> Mapping[str, Any]:
        """What the base model says about itself: name, training_build, training_chromosomes, context, …"""
        described: Mapping[str, Any] = self._manifest.parameters["base_model"]
        return described

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the pass."""
        return self._manifest.parameters

    @property
    def reference_fingerprint(self) -> str:
        """Identity of the reference the pass was run on."""
        return self._manifest.inputs["reference"]

    @property
    def flank(self) -> int:
        """Length of the scored flank on each side of a gene body, in nt."""
        return int(self._manifest.parameters["flank"])

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the artifacts: changes when genes are added or anything is made again differently."""
        parts = {name: entry.fingerprint for name, entry in self._manifest.parts.items()}
        return fingerprint([self._manifest.parameters, self._manifest.inputs, parts])

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
        """Ids of the genes that have artifacts."""
        return set(self._chunk_of_gene)

    def candidates(self, gene_ids: Sequence[str]) -> pl.DataFrame:
        """The candidate rows of genes, as `ANALYSIS_TABLE`, in reference order; only their chunks are opened.

        Raises
        ------
        GeneError
            Genes without artifacts.
        """
        missing = [gene_id for gene_id in gene_ids if gene_id not in self._chunk_of_gene]
        if missing:
            raise GeneError(
                expected=f"artifacts of {len(gene_ids)} genes in {self.path}",
                found=f"none for {first_few(missing)}",
                action="run `meta-spliceai basepass run` for these genes first; what is there is kept",
            )
        wanted = {self._chunk_of_gene[gene_id] for gene_id in gene_ids}
        frames = [
            read_rows(self._analysis_file(name), ANALYSIS_TABLE, "gene_id", gene_ids)
            for name in chunks_in_order(self._manifest)
            if name in wanted
        ]
        return pl.concat(frames) if frames else ANALYSIS_TABLE.empty()

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

    def scores(self, chrom: str, strand: Strand, start: int, end: int, *, allow_unscored: bool = False) -> Scores:
        """Scores of `[start, end)` (0-based half-open) in ascending genomic order; 0 beyond the contig.

        With `allow_unscored`, bases that the pass did not score are 0 too.

        Raises
        ------
        StoreError
            A base of the contig that the pass did not score.
        """
        length = int(self._manifest.parameters["contigs"].get(chrom, 0))
        values = np.zeros((3, end - start), dtype=np.float32)
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
        return Scores.typed(values[0], values[1], values[2])

    def _file(self, name: str) -> ScoreFile:
        if name not in self._files:
            self._files[name] = ScoreFile(self._folder / name)
        return self._files[name]

    def stretch(self, genome: Genome, interval: Interval, reach: int, *, allow_unscored: bool = False) -> Stretch:
        """Codes and scores of an interval and `reach` bases on either side, in the direction of transcription."""
        start, end = interval.start - reach, interval.end + reach
        scores = self.scores(interval.chrom, interval.strand, start, end, allow_unscored=allow_unscored)
        codes = genome.codes(interval.chrom, start, end)
        return Stretch.from_ascending(interval.strand, codes, scores.donor, scores.acceptor, scores.spread)


def chunks_in_order(manifest: Manifest) -> list[str]:
    """Names of the position parts in reference order."""
    places = {name: entry.facts["place"] for name, entry in manifest.parts.items() if name.startswith(POSITIONS)}
    return sorted(places, key=lambda name: tuple(places[name]))


def spans_from_facts(facts: Mapping[str, Any]) -> list[Span]:
    """The spans of a score file, from its part's entry."""
    return [Span(*row) for row in facts["spans"]]


def open_artifacts(eval_dir: Path) -> Artifacts:
    """Open the artifacts in `eval_dir` (the folder that holds `meta_models/`, or `meta_models/` itself).

    Raises
    ------
    StoreError
        No artifacts there, or damaged ones.
    """
    path = eval_dir.parent if eval_dir.name == META_MODELS else eval_dir
    return Artifacts(path, read_manifest(path / META_MODELS, KIND, FORMAT_VERSION))
