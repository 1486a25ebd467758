"""Which genes share a file.

A chunk is a run of ordinals in the *reference's* gene order on a contig, never in a request's list, so a file's name
means the same genes for everyone who uses the reference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from meta_spliceai.errors import InputError

CHUNK_SIZE = 500
_WRITTEN = re.compile(r"(.+?)(?::|_chunk_)(\d+)[-_](\d+)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Genes `first` to `last` (1-based ordinals, both included) of a contig, of which `gene_ids` are held."""

    chrom: str
    first: int
    last: int
    gene_ids: tuple[str, ...]

    @property
    def label(self) -> str:
        """`{chrom}_chunk_{first}_{last}`, the part of the file names that all its artifacts share."""
        return f"{self.chrom}_chunk_{self.first}_{self.last}"


def chunk_argument(label: str) -> str:
    """How a user writes a chunk: 22:1001-1454 for the label 22_chunk_1001_1454."""
    chrom, _, ordinals = label.rpartition("_chunk_")
    return f"{chrom}:{ordinals.replace('_', '-')}"


def label_of_argument(text: str) -> str:
    """The label of a chunk that a user wrote, as CONTIG:FIRST-LAST or as a label.

    Raises
    ------
    InputError
        It is neither.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InputError("a chunk as CONTIG:FIRST-LAST", text, "give for example --chunk 22:1001-1454")
    return f"{match[1]}_chunk_{match[2]}_{match[3]}"


def plan_chunks(genes: pl.DataFrame, wanted: Sequence[str], chunk_size: int = CHUNK_SIZE) -> list[Chunk]:
    """The chunks that hold the wanted genes, in reference order.

    Parameters
    ----------
    genes
        The whole gene table of the reference, in reference order: gene_id, chrom, ordinal.
    wanted
        Gene ids, any order.
    chunk_size
        Ordinals per chunk; the last chunk of a contig ends with its last gene.
    """
    sizes = dict(genes.group_by("chrom").len().iter_rows())
    rows = (
        genes.filter(pl.col("gene_id").is_in(list(wanted)))
        .with_columns(number=(pl.col("ordinal") - 1) // chunk_size)
        .group_by("chrom", "number", maintain_order=True)
        .agg("gene_id")
    )
    return [
        Chunk(chrom, number * chunk_size + 1, min((number + 1) * chunk_size, sizes[chrom]), tuple(gene_ids))
        for chrom, number, gene_ids in rows.iter_rows()
    ]
