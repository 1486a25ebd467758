"""What the annotated gene says about its bases: the features of the `gene_conditioned` and `annotated` profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from meta_spliceai.features.stretch import Floats
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.reference.load import gene_body
from meta_spliceai.schema.features import ANNOTATION_FEATURES, GENE_FEATURES


@dataclass(frozen=True, slots=True)
class GeneFacts:
    """What is known of an annotated gene.

    Parameters
    ----------
    body
        From its first to its last annotated base, on its strand.
    gene_type
        Biotype.
    num_overlaps
        Other genes whose body overlaps this one.
    annotation
        Values of `ANNOTATION_FEATURES` by name.
    gene_id
        Its identifier.
    """

    body: Interval
    gene_type: str
    num_overlaps: int
    annotation: Mapping[str, float]
    gene_id: str

    @classmethod
    def of_row(cls, gene: Mapping[str, Any]) -> Self:
        """From a row of `GENE_TABLE`, whose start and end are 1-based and included."""
        body = gene_body(gene)
        annotation = {column.name: gene[column.name] for column in ANNOTATION_FEATURES}
        return cls(body, gene["gene_type"], gene["num_overlaps"], annotation, gene["gene_id"])


def score_ranks(values: Floats) -> Floats:
    """1 + the number of strictly larger values among those given, shape kept; ties share a rank.

    Given the scores of a whole gene body, these are the ranks in the gene. O(L log L).
    """
    ascending = np.sort(values)
    not_larger = np.searchsorted(ascending, values, side="right")
    return (values.size - not_larger + 1).astype(np.float32)


def gene_features(
    gene: GeneFacts, positions: npt.ArrayLike, donor_rank: Floats, acceptor_rank: Floats
) -> dict[str, Floats]:
    """All `GENE_FEATURES` of bases of one gene, in declared order.

    Parameters
    ----------
    gene
        The annotated gene.
    positions
        1-based genomic coordinates within the body, shape (n,).
    donor_rank, acceptor_rank
        `score_ranks` over the body, at these positions, shape (n,).

    Returns
    -------
    dict
        Feature name to float32 of shape (n,).

    Raises
    ------
    ValueError
        A position lies outside the body.
    """
    body, base = gene.body, np.asarray(positions, dtype=np.int64) - 1
    if base.size and not body.start <= int(base.min()) <= int(base.max()) < body.end:
        raise ValueError(f"positions {base.min() + 1} to {base.max() + 1} leave the gene {body}")
    left, right = base - body.start, body.end - 1 - base
    to_start, to_end = (left, right) if body.strand == "+" else (right, left)
    values: tuple[npt.ArrayLike, ...] = (
        body.length,
        to_start / max(body.length - 1, 1),
        to_start,
        to_end,
        donor_rank,
        acceptor_rank,
        gene.gene_type == "protein_coding",
        gene.num_overlaps,
    )
    return {column.name: _column(value, base.size) for column, value in zip(GENE_FEATURES, values, strict=True)}


def annotation_features(gene: GeneFacts, rows: int) -> dict[str, Floats]:
    """All `ANNOTATION_FEATURES` of a gene in declared order, the same for each of `rows` rows: float32 of shape (rows,)."""
    return {column.name: _column(gene.annotation[column.name], rows) for column in ANNOTATION_FEATURES}


def _column(value: npt.ArrayLike, rows: int) -> Floats:
    column = np.empty(rows, dtype=np.float32)
    column[:] = value
    return column
