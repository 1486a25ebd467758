"""Reading a prepared reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import StoreError
from meta_spliceai.formats.fasta import Genome, open_genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import MANIFEST, FileEntry, Manifest, read_manifest
from meta_spliceai.store.tables import read_parquet


def gene_body(gene: Mapping[str, Any]) -> Interval:
    """The body of a gene, 0-based half-open, from a row of `GENE_TABLE`, whose start and end are 1-based and included."""
    return Interval(gene["chrom"], gene["start"] - 1, gene["end"], gene["strand"])


KIND = "reference"
FORMAT_VERSION = 1
GENOME_PART = "genome"
TABLES_PART = "tables"


@dataclass(frozen=True, slots=True)
class Reference:
    """A prepared reference.

    Parameters
    ----------
    path
        Its folder.
    build
        Name of the genome build.
    fingerprint
        Identity of its content: the genome, the tables and the options.
    genes
        `GENE_TABLE` in reference order; start and end are 1-based and both included.
    genome_file
        The genome, linked into the folder.
    """

    path: Path
    build: str
    fingerprint: str
    genes: pl.DataFrame
    genome_file: FileEntry

    def open_genome(self) -> Genome:
        """Open the genome; close it, or use it as a context manager.

        Raises
        ------
        StoreError
            The file is gone, or no longer has the size it had.
        """
        path = self.path / self.genome_file.name
        size = path.stat().st_size if path.is_file() else None
        if size != self.genome_file.bytes:
            raise StoreError(
                expected=f"the genome that the reference was made from, {self.genome_file.bytes:,} bytes, as {path}",
                found="no file" if size is None else f"a file of {size:,} bytes",
                action="put the genome back, or run `meta-spliceai reference prepare` again",
            )
        return open_genome(path)

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
        """What a person wants to know after preparing it."""
        facts = read_manifest(self.path, KIND, FORMAT_VERSION).facts
        introns = facts["introns"]
        rate = "not checked" if introns["rate"] is None else f"{100 * introns['rate']:.1f} %"
        return "\n".join(
            [
                f"reference     {self.path} ({self.build})",
                f"genes         {self.genes.height:,} on {self.genes['chrom'].n_unique()} contigs",
                f"transcripts   {facts['transcripts']:,}",
                f"splice sites  {facts['splice_sites']:,}",
                f"introns       {introns['introns']:,}; {rate} read GT-AG, GC-AG or AT-AC",
                f"left out      {facts['genes_left_out']:,} genes, {facts['short_gaps']:,} gaps too short for introns",
            ]
        )


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
    try:
        build, genome_file = str(manifest.parameters["build"]), manifest.parts[GENOME_PART].files[0]
        return Reference(path, build, _content_identity(manifest), genes, genome_file)
    except (KeyError, IndexError) as error:
        raise StoreError(
            expected=f"a complete {path / MANIFEST}",
            found=f"it lacks {error}",
            action="the file was changed by something else: restore it, or prepare the reference again",
        ) from error


def _content_identity(manifest: Manifest) -> str:
    """Identity of what a reader sees.

    The tables count by their text form: the bytes of Parquet files differ between library versions.
    """
    tables = {file.name: file.sha256 for file in manifest.parts[TABLES_PART].files if file.name.endswith(".tsv")}
    return fingerprint([manifest.parameters, manifest.parts[GENOME_PART].files[0].sha256, tables])
