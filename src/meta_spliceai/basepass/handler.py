"""Artifacts as data frames, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from meta_spliceai.basepass.aggregates import performance_of
from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import META_MODELS, PositionOptions, chunks_in_order
from meta_spliceai.basepass.positions import chunk_file, chunk_tables
from meta_spliceai.schema.column import Table
from meta_spliceai.store.tables import read_rows, read_table


class MetaModelDataHandler:
    """Reads the tables of a base pass; it finds which chunk holds which gene, and opens no other.

    Parameters
    ----------
    eval_dir
        Folder of the artifacts, the one that holds `meta_models/`, or `meta_models/` itself.

    Raises
    ------
    StoreError
        There are no positions.

    Examples
    --------
    >>> handler = MetaModelDataHandler("data/ensembl/spliceai_eval")  # doctest: +SKIP
    >>> handler.load_splice_positions(gene_ids=["ENSG00000012048"])  # doctest: +SKIP
    """

    def __init__(self, eval_dir: Path | str) -> None:
        self._artifacts: Artifacts = open_artifacts(Path(eval_dir))
        self._options = PositionOptions.from_parameters(self._artifacts.position_parameters)
        self._analysis, self._positions, self._errors, _ = chunk_tables(self._options)

    @property
    def eval_dir(self) -> Path:
        """Folder of the artifacts."""
        return self._artifacts.path

    @property
    def meta_dir(self) -> Path:
        """`meta_models/` inside it."""
        return self.eval_dir / META_MODELS

    @property
    def gene_ids(self) -> set[str]:
        """Genes that have artifacts."""
        return self._artifacts.genes

    def load_splice_positions(self, gene_ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`splice_positions_enhanced` of some genes, or of all."""
        return self._load(self._positions, gene_ids)

    def load_error_analysis(self, gene_ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`splice_errors` of some genes, or of all."""
        return self._load(self._errors, gene_ids)

    def load_analysis_sequences(self, gene_ids: Sequence[str] | None = None) -> pl.DataFrame:
        """`analysis_sequences` of some genes, or of all."""
        return self._load(self._analysis, gene_ids)

    def iterative_load_analysis_sequences(self) -> Iterator[pl.DataFrame]:
        """`analysis_sequences` chunk by chunk, in reference order."""
        for label in self._labels(None):
            yield read_table(self._file(self._analysis, label), self._analysis)

    def load_performance(self) -> pl.DataFrame:
        """`full_splice_performance`: the calls per gene and site type."""
        return performance_of(self.meta_dir, self._artifacts.manifest, self._options)

    def _labels(self, gene_ids: Sequence[str] | None) -> list[str]:
        parts = self._artifacts.manifest.parts
        return [
            name.partition("_")[2]
            for name in chunks_in_order(self._artifacts.manifest)
            if gene_ids is None or not set(parts[name].facts["genes"]).isdisjoint(gene_ids)
        ]

    def _file(self, table: Table, label: str) -> Path:
        return self.meta_dir / chunk_file(table, label, self._options.artifact_format)

    def _load(self, table: Table, gene_ids: Sequence[str] | None) -> pl.DataFrame:
        if gene_ids is not None:
            self._artifacts.require(gene_ids)
        files = [self._file(table, label) for label in self._labels(gene_ids)]
        if gene_ids is None:
            frames = [read_table(file, table) for file in files]
        else:
            frames = [read_rows(file, table, "gene_id", gene_ids) for file in files]
        return pl.concat([table.empty(), *frames])
