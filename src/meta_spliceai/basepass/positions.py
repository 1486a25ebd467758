"""The tables of one chunk, gene by gene, from its dense scores and the annotation. No model is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.basepass.candidates import Candidates, GeneTruthAndScores, choose_candidates
from meta_spliceai.basepass.performance import gene_performance
from meta_spliceai.basepass.plan import ArtifactFormat, PositionOptions
from meta_spliceai.basepass.transcripts import SiteTranscripts
from meta_spliceai.features.base_scores import base_score_features
from meta_spliceai.features.further import further_bases_features, mean_logits
from meta_spliceai.features.gene import score_ranks
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.labels import splice_types
from meta_spliceai.reference.load import gene_body
from meta_spliceai.reference.truth import Truth
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.features import REACH, SEQUENCE_REACH
from meta_spliceai.schema.tables import ERROR_TABLE, PERFORMANCE_TABLE, analysis_table, position_table
from meta_spliceai.store.tables import table_writer
from meta_spliceai.workers.progress import current_tracker

ERROR_WINDOW = 500
"""Bases shown on either side of an error."""

_FILE_PREFIX = {PERFORMANCE_TABLE.name: "splice_performance"}


def chunk_tables(options: PositionOptions) -> tuple[Table, ...]:
    """The tables of a chunk, in the order of `GeneTables`."""
    how = (options.further_bases, options.position_id_mode)
    return (analysis_table(*how), position_table(*how), ERROR_TABLE, PERFORMANCE_TABLE)


def chunk_file(table: Table, label: str, artifact_format: ArtifactFormat) -> str:
    """File name of one table of one chunk."""
    return f"{_FILE_PREFIX.get(table.name, table.name)}_{label}.{artifact_format}"


@dataclass(frozen=True, slots=True)
class GeneTables:
    """The rows of one gene in each of the four tables."""

    analysis: pl.DataFrame
    positions: pl.DataFrame
    errors: pl.DataFrame
    performance: pl.DataFrame

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return iter((self.analysis, self.positions, self.errors, self.performance))


class PositionMaker:
    """Makes the tables of genes of one reference from one set of artifacts.

    Parameters
    ----------
    genome, artifacts
        Opened by the caller.
    sites
        The reference's splice-site table.
    options
        How candidates are chosen and called, and what a row is.
    """

    def __init__(self, genome: Genome, artifacts: Artifacts, sites: pl.DataFrame, options: PositionOptions) -> None:
        self._genome, self._artifacts, self._rule = genome, artifacts, options.rule
        self._further = options.further_bases
        self._analysis_table, self._position_table, *_ = chunk_tables(options)
        self._truth = Truth(sites)
        self._transcripts = SiteTranscripts(sites, options.position_id_mode)

    def tables_of(self, gene: dict[str, Any]) -> GeneTables:
        """The rows of one gene, given as a row of `GENE_TABLE` (1-based start and end)."""
        body = gene_body(gene)
        known = self._known(gene["gene_id"], body)
        candidates = choose_candidates(known, self._rule)
        analysis = self._analysis(gene, body, known, candidates)
        return GeneTables(
            analysis,
            self._position_table.conform(analysis),
            self._errors(gene, body, known),
            PERFORMANCE_TABLE.conform(
                pl.DataFrame(
                    [{**gene, **row} for row in gene_performance(known, self._rule)],
                    schema_overrides=PERFORMANCE_TABLE.polars_schema(),
                    infer_schema_length=None,
                )
            ),
        )

    def _known(self, gene_id: str, body: Interval) -> GeneTruthAndScores:
        scores = self._artifacts.scores(body.chrom, body.strand, body.start, body.end)
        is_donor, is_acceptor = self._truth.on(body.chrom, body.strand, body.start, body.end)
        return GeneTruthAndScores(gene_id, body.start + 1, scores.donor, scores.acceptor, is_donor, is_acceptor)

    def _analysis(
        self, gene: dict[str, Any], body: Interval, known: GeneTruthAndScores, chosen: Candidates
    ) -> pl.DataFrame:
        index = chosen.index
        position = index + known.first_position
        stretch = self._artifacts.stretch(self._genome, body, REACH)
        oriented = index if body.strand == "+" else body.length - 1 - index
        features = base_score_features(stretch, oriented + REACH)
        if self._further:
            features |= further_bases_features(stretch, oriented + REACH, self._further)
            features |= mean_logits(stretch, oriented + REACH)
        is_donor, is_acceptor = known.is_donor[index], known.is_acceptor[index]
        contig_length = self._genome.contigs[body.chrom]
        before, after = (SEQUENCE_REACH, SEQUENCE_REACH - 1)[:: 1 if body.strand == "+" else -1]
        frame = pl.DataFrame(
            {
                "position": position,
                "window_start": np.maximum(position - before, 1),
                "window_end": np.minimum(position + after, contig_length),
                "splice_type": splice_types(is_donor, is_acceptor),
                "is_donor": is_donor,
                "is_acceptor": is_acceptor,
                "pred_type": chosen.pred_type,
                "sampling_tier": chosen.sampling_tier,
                "inclusion_probability": chosen.inclusion_probability,
                **features,
                "donor_rank_in_gene": score_ranks(known.donor)[index],
                "acceptor_rank_in_gene": score_ranks(known.acceptor)[index],
            }
        ).with_columns(pl.lit(gene[name]).alias(name) for name in ("gene_id", "gene_name", "chrom", "strand"))
        return self._analysis_table.conform(self._transcripts.rows(frame, gene["gene_id"]))

    def _errors(self, gene: dict[str, Any], body: Interval, known: GeneTruthAndScores) -> pl.DataFrame:
        contig_length = self._genome.contigs[body.chrom]
        frames = []
        for splice_type, scores, truth in (
            ("donor", known.donor, known.is_donor),
            ("acceptor", known.acceptor, known.is_acceptor),
        ):
            called = scores >= self._rule.threshold
            index = np.flatnonzero(called != truth)
            position = index + known.first_position
            frames.append(
                pl.DataFrame(
                    {
                        "position": position,
                        "error_type": np.where(called[index], "FP", "FN"),
                        "splice_type": np.full(index.size, splice_type),
                        "score": scores[index],
                        "window_start": np.maximum(position - ERROR_WINDOW, 1),
                        "window_end": np.minimum(position + ERROR_WINDOW, contig_length),
                    }
                )
            )
        frame = (
            pl.concat(frames)
            .sort("position", "splice_type", "error_type")
            .with_columns(pl.lit(gene[name]).alias(name) for name in ("gene_id", "gene_name", "chrom", "strand"))
        )
        return ERROR_TABLE.conform(self._transcripts.first(frame, gene["gene_id"]))


def write_chunk_tables(
    folder: Path, label: str, maker: PositionMaker, genes: pl.DataFrame, options: PositionOptions
) -> dict[str, int]:
    """Write the four tables of a chunk's genes; returns rows by file name."""
    tables = chunk_tables(options)
    names = [chunk_file(table, label, options.artifact_format) for table in tables]
    writers = [table_writer(folder / name, table) for name, table in zip(names, tables, strict=True)]
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        for gene in genes.iter_rows(named=True):
            for writer, frame in zip(writers, maker.tables_of(gene), strict=True):
                writer.append(frame)
            current_tracker().advance(1)
    return {name: writer.rows for name, writer in zip(names, writers, strict=True)}
