"""Reading a prepared reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.errors import StoreError
from meta_spliceai.formats.fasta import Genome, open_genome
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.store.tables import read_parquet

KIND = "reference"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Reference:
    """A prepared reference.

    Parameters
    ----------
    path
        Its folder.
    build
        Name of the genome build.
    fingerprint
        Identity of its content: genome, annotation and options.
    genes
        `GENE_TABLE` in reference order; start and end are 1-based and both included.
    genome_file
        The genome, linked into the folder.
    """

    path: Path
    build: str
    fingerprint: str
    genes: pl.DataFrame
    genome_file: Path

    def open_genome(self) -> Genome:
        """Open the genome; close it, or use it as a context manager."""
        return open_genome(self.genome_file)

    def transcripts(self) -> pl.DataFrame:
        """`TRANSCRIPT_TABLE`."""
        return self._table(TRANSCRIPT_TABLE)

    def exons(self) -> pl.DataFrame:
        """`EXON_TABLE`."""
        return self._table(EXON_TABLE)

    def splice_sites(self) -> pl.DataFrame:
        """`SITE_TABLE`."""
        return self._table(SITE_TABLE)

    def overlaps(self) -> pl.DataFrame:
        """`OVERLAP_TABLE`."""
        return self._table(OVERLAP_TABLE)

    def _table(self, table: Table) -> pl.DataFrame:
        return read_parquet(self.path / f"{table.name}.parquet", table)

    def summary(self) -> str:
        """Two lines for people."""
        return f"reference  {self.path} ({self.build})\ngenes      {self.genes.height:,}"


def load(path: Path) -> Reference:
    """Load the reference in a folder.

    Raises
    ------
    StoreError
        There is none, it is not finished, or it is damaged.
    """
    manifest = read_manifest(path, KIND, FORMAT_VERSION)
    if not manifest.complete:
        raise StoreError(
            expected=f"a finished reference in {path}",
            found="its preparation was interrupted",
            action="run `meta-spliceai reference prepare` again with the same options; it resumes",
        )
    genes = read_parquet(path / f"{GENE_TABLE.name}.parquet", GENE_TABLE)
    identity = fingerprint([manifest.parameters, manifest.inputs])
    return Reference(
        path, str(manifest.parameters["build"]), identity, genes, path / str(manifest.facts["genome_file"])
    )
