"""What an enricher is: something that knows more about a base than its scores and the annotation do.

An enricher declares its columns and computes them for bases of one strand, in training and prediction alike. Where its
columns claim to be boundary-blind it is never told the gene, so it cannot break the claim by accident; the boundary probe
finds what it does on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.gene import GeneFacts
from meta_spliceai.features.stretch import Floats, Indices
from meta_spliceai.genome.coordinates import Strand
from meta_spliceai.genome.sequences import Codes
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.column import Column, Origin

_ORIGINS: tuple[Origin, ...] = ("sequence", "external", "gene", "annotation")
_ABOUT_GENES: tuple[Origin, ...] = ("gene", "annotation")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Bases:
    """Bases of one strand of one contig, as an enricher sees them.

    Parameters
    ----------
    chrom, strand
        The contig, as the genome file names it, and the strand.
    position
        1-based genomic coordinates, int64, shape (n,), in any order.
    codes
        Sequence in the direction of transcription, uint8, shape (L,); 4 where unknown or beyond the contig.
    index
        Where the bases lie in `codes`, int64, shape (n,), with at least 250 bases on either side.
    gene
        The gene that the bases are seen from; None for enrichers whose columns are boundary-blind.
    """

    chrom: str
    strand: Strand
    position: Indices
    codes: Codes
    index: Indices
    gene: GeneFacts | None = None


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """What an enricher is told of the reference when it is loaded, to refuse files of another genome.

    Parameters
    ----------
    contigs
        Lengths of the genome's contigs, in nt, by the names that the genome file has for them.
    gene_ids
        Ids of all genes, as the annotation has them.
    genome
        The genome file; None where only declarations are asked for.
    """

    contigs: Mapping[str, int]
    gene_ids: Sequence[str]
    genome: Path | None = None

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """Those of a prepared reference."""
        with reference.open_genome() as genome:
            path = reference.path / reference.genome_file.name
            return cls(dict(genome.contigs), reference.genes["gene_id"].to_list(), path)


@runtime_checkable
class Enricher(Protocol):
    """Adds columns to rows. A class needs no inheritance to be one."""

    @property
    def name(self) -> str:
        """Small letters, digits and underscores; what users write after `--enrichers`."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it adds: Float32 features of origin sequence or external (boundary-blind), or gene or annotation (not)."""

    @property
    def identity(self) -> str:
        """Changes whenever its values may change, such as a checksum of the files it reads."""

    def compute(self, bases: Bases) -> Mapping[str, npt.ArrayLike]:
        """Values of each column, shape (n,); NaN where nothing is known, which only nullable columns may hold.

        A value may depend on its own base (and on the gene, for columns of origin gene or annotation) and on nothing
        else: not on which other bases are asked for.
        """


def sees_genes(enricher: Enricher) -> bool:
    """Whether its columns say something about the annotated gene, so that it is told the gene."""
    return any(column.origin in _ABOUT_GENES for column in enricher.columns)


def check_enricher(enricher: Enricher, taken: Sequence[str]) -> None:
    """Refuse an enricher whose declaration cannot be.

    Parameters
    ----------
    taken
        Names of columns that exist already.

    Raises
    ------
    InputError
        Says what is wrong with it.
    """
    columns, names = enricher.columns, [column.name for column in enricher.columns]
    problems = [f"the name {enricher.name!r}"] if not _NAME.fullmatch(enricher.name) else []
    problems += [f"column {name} exists already" for name in names if name in taken or names.count(name) > 1]
    for column in columns:
        if column.role != "feature" or column.origin not in _ORIGINS or column.dtype != pl.Float32:
            problems.append(f"column {column.name} is a {column.dtype} {column.role} of origin {column.origin}")
    if not columns:
        problems.append("no columns")
    if len({column.origin in _ABOUT_GENES for column in columns}) > 1:
        problems.append("columns about the gene beside boundary-blind ones; make two enrichers of them")
    if problems:
        raise InputError(
            expected=f"enricher {enricher.name} to add new Float32 features of origin {', '.join(_ORIGINS)}",
            found=first_few(problems),
            action="correct the enricher's declaration; docs/howto/write-an-enricher.md has an example",
        )


def enriched(enricher: Enricher, bases: Bases) -> dict[str, Floats]:
    """The declared columns of an enricher for bases, float32 of shape (n,), checked.

    Raises
    ------
    InputError
        A column is missing, has another length, or holds values that it may not.
    """
    values = enricher.compute(bases)
    found: dict[str, Floats] = {}
    for column in enricher.columns:
        given = np.asarray(values[column.name], dtype=np.float32) if column.name in values else None
        problem = _problem(column, given, bases.position.size)
        if problem or given is None:
            raise InputError(
                expected=f"{bases.position.size} values of column {column.name} from enricher {enricher.name}",
                found=problem,
                action="correct the enricher; NaN is for nullable columns, where nothing is known of a base",
            )
        found[column.name] = given
    return found


def _problem(column: Column, values: Floats | None, bases: int) -> str:
    if values is None:
        return "no such column"
    if values.shape != (bases,):
        return f"an array of shape {values.shape}"
    if np.isinf(values).any() or (not column.nullable and np.isnan(values).any()):
        return "infinite values" if np.isinf(values).any() else "NaN, though the column is not nullable"
    return ""
