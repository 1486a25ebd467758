"""Paths to the tables of a reference, for scripts that want files and not commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.errors import StoreError
from meta_spliceai.reference.data_root import DATA
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.reference.registry import resolve_reference
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import EXON_TABLE, GENE_TABLE, OVERLAP_TABLE, SITE_TABLE, TRANSCRIPT_TABLE


@dataclass(frozen=True, slots=True)
class InferenceDataManager:
    """The files of one reference; each path is checked when it is asked for.

    Parameters
    ----------
    reference
        The prepared reference.
    """

    reference: Reference

    def get_gene_features_path(self) -> Path:
        """`gene_features.tsv`."""
        return self._table(GENE_TABLE)

    def get_transcript_features_path(self) -> Path:
        """`transcript_features.tsv`."""
        return self._table(TRANSCRIPT_TABLE)

    def get_exon_features_path(self) -> Path:
        """`exon_features.tsv`."""
        return self._table(EXON_TABLE)

    def get_splice_sites_path(self) -> Path:
        """`splice_sites.tsv`."""
        return self._table(SITE_TABLE)

    def get_overlapping_genes_path(self) -> Path:
        """`overlapping_genes.tsv`."""
        return self._table(OVERLAP_TABLE)

    def get_fasta_path(self) -> Path:
        """The genome."""
        return self._existing(self.reference.genome_file.name)

    def _table(self, table: Table) -> Path:
        return self._existing(f"{table.name}.tsv")

    def _existing(self, name: str) -> Path:
        path = self.reference.path / name
        if not path.is_file():
            raise StoreError(
                f"a file {path}", "there is none", "put it back, or run `meta-spliceai reference prepare` again"
            )
        return path


def create_inference_data_manager(
    project_root: Path | str | None = None, *, build: str | None = None, auto_detect: bool = True
) -> InferenceDataManager:
    """Find the reference that is in use and give the paths of its files.

    Parameters
    ----------
    project_root
        Folder of the project; its `data` holds references. Only META_SPLICEAI_DATA comes before it.
    build
        Take a reference of this build.
    auto_detect
        Look in the usual places as well (see `reference audit`); without it only in `data` of `project_root`, or of the
        current folder.

    Raises
    ------
    InputError
        There is no finished reference, or several and none is in use.
    """
    project = None if project_root is None else Path(project_root)
    given = None if auto_detect else (project or Path.cwd()) / DATA
    return InferenceDataManager(load(resolve_reference(data_root=given, project_root=project, build=build)))
