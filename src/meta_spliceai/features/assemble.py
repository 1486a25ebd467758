"""Features by name: the one function that training rows and predictions share."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.features.base_scores import base_score_features
from meta_spliceai.features.enricher import Bases, Enricher, enriched, sees_genes
from meta_spliceai.features.further import further_bases_features, mean_logits
from meta_spliceai.features.gene import GeneFacts, annotation_features, gene_features
from meta_spliceai.features.sequence import sequence_features
from meta_spliceai.features.stretch import Floats, Indices, Stretch
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.features import (
    ANNOTATION_FEATURES,
    BASE_SCORE_FEATURES,
    CHANNELS,
    GENE_FEATURES,
    SEQUENCE_FEATURES,
    FurtherBase,
    further_features,
    kmer_size,
    mean_logit_features,
)

ROWS_AT_ONCE = 1 << 16
"""Rows whose columns are held beside the result, which bounds memory when a gene has millions of them."""


def _names(columns: Sequence[Column]) -> frozenset[str]:
    return frozenset(column.name for column in columns)


_BASE_SCORE, _SEQUENCE = _names(BASE_SCORE_FEATURES), _names(SEQUENCE_FEATURES)
_GENE, _ANNOTATION = _names(GENE_FEATURES), _names(ANNOTATION_FEATURES)
_FIXED = _BASE_SCORE | _SEQUENCE | _GENE | _ANNOTATION


@dataclass(frozen=True, slots=True)
class GeneView:
    """The bases of a request as seen from one gene.

    Parameters
    ----------
    gene
        The gene.
    position
        1-based positions of the requested bases, shape (n,).
    donor_rank, acceptor_rank
        `score_ranks` over the whole gene body, at these bases, float32 of shape (n,).
    """

    gene: GeneFacts
    position: Indices
    donor_rank: Floats
    acceptor_rank: Floats


def needs_gene(names: Sequence[str], enrichers: Sequence[Enricher] = ()) -> bool:
    """Whether any of the features says something about the annotated gene, so that a `GeneView` is needed."""
    return not _about_genes(enrichers).isdisjoint(names)


def _about_genes(enrichers: Sequence[Enricher]) -> frozenset[str]:
    return (_GENE | _ANNOTATION).union(*(_names(one.columns) for one in enrichers if sees_genes(one)))


@dataclass(frozen=True, slots=True)
class FeatureRequest:
    """Which groups of features a list of names needs; made by `request_of`."""

    names: tuple[str, ...]
    base_score: bool
    further: tuple[FurtherBase, ...]
    mean_logit: bool
    sequence: bool
    kmer_sizes: tuple[int, ...]
    gene: bool
    annotation: bool
    enrichers: tuple[Enricher, ...]


def request_of(
    names: Sequence[str], further: Sequence[FurtherBase] = (), enrichers: Sequence[Enricher] = ()
) -> FeatureRequest:
    """What has to be computed for the named features, where these further base models and enrichers are at hand.

    Raises
    ------
    ModelError
        No feature has one of the names; near matches are given.
    """
    of_base = {base: _names(further_features(base)) for base in further}
    joint = _names(mean_logit_features(further))
    known = _FIXED.union(joint, *of_base.values(), *(_names(one.columns) for one in enrichers))
    kmers = {name: size for name in names if (size := kmer_size(name)) is not None}
    unknown = [name for name in names if name not in known and name not in kmers]
    if unknown:
        near = [match for name in unknown[:3] for match in difflib.get_close_matches(name, sorted(known), 2)]
        raise ModelError(
            expected="names of features that this version computes",
            found=f"{len(unknown)} unknown: {first_few(unknown)}",
            action=f"did you mean {first_few(near)}?" if near else "docs/reference/schema.md lists the features",
        )
    sizes = tuple(sorted(set(kmers.values())))
    return FeatureRequest(
        names=tuple(names),
        base_score=not _BASE_SCORE.isdisjoint(names),
        further=tuple(base for base, own in of_base.items() if not own.isdisjoint(names)),
        mean_logit=not joint.isdisjoint(names),
        sequence=bool(sizes) or not _SEQUENCE.isdisjoint(names),
        kmer_sizes=sizes,
        gene=not _GENE.isdisjoint(names),
        annotation=not _ANNOTATION.isdisjoint(names),
        enrichers=tuple(one for one in enrichers if not _names(one.columns).isdisjoint(names)),
    )


def bases_of(stretch: Stretch) -> tuple[FurtherBase, ...]:
    """The further base models whose scores a stretch holds, in their order."""
    return tuple(FurtherBase(name, tuple(track.channels) or CHANNELS) for name, track in stretch.further.items())


def compute_features(
    names: Sequence[str],
    stretch: Stretch,
    index: npt.ArrayLike,
    view: GeneView | None = None,
    enrichers: Sequence[Enricher] = (),
) -> Floats:
    """The named features of bases of a stretch; only the groups that the names belong to are computed.

    Parameters
    ----------
    names
        Feature columns, in any order; k-mer sizes follow from them.
    stretch
        Reaches `REACH` bases beyond every base on both sides (`SEQUENCE_REACH` where only sequence features are named).
    index
        0-based indices into the stretch, shape (n,), in any order.
    view
        The same bases, in the same order, as seen from one gene; needed for features of origin gene and annotation.
    enrichers
        Those that add the named columns that are not built in; the stretch must then say where it lies.

    Returns
    -------
    ndarray
        float32 of shape (n, len(names)), in the order of `names`, column by column in memory; NaN where a nullable
        column says nothing.

    Raises
    ------
    ModelError
        Unknown names, or features about the gene without a view.
    """
    request = request_of(names, bases_of(stretch), enrichers)
    if view is None and needs_gene(request.names, enrichers):
        about = _about_genes(enrichers)
        raise ModelError(
            expected=f"the gene of the bases, for {first_few([name for name in names if name in about])}",
            found="bases without a gene",
            action="name the gene, or use a model trained with the profile de_novo or base_only",
        )
    rows = np.asarray(index, dtype=np.int64)
    matrix = np.empty((rows.size, len(request.names)), dtype=np.float32, order="F")
    for first in range(0, rows.size, ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        columns = _columns(request, stretch, rows[some], view, some)
        for place, name in enumerate(request.names):
            matrix[some, place] = columns[name]
    return matrix


def _columns(
    request: FeatureRequest, stretch: Stretch, index: Indices, view: GeneView | None, some: slice
) -> dict[str, npt.NDArray[Any]]:
    columns: dict[str, npt.NDArray[Any]] = {}
    if request.base_score:
        columns |= base_score_features(stretch, index)
    if request.further:
        columns |= further_bases_features(stretch, index, request.further)
    if request.mean_logit:
        columns |= mean_logits(stretch, index)
    if request.sequence:
        columns |= sequence_features(stretch.codes, index, request.kmer_sizes)
    if view is not None and request.gene:
        columns |= gene_features(view.gene, view.position[some], view.donor_rank[some], view.acceptor_rank[some])
    if view is not None and request.annotation:
        columns |= annotation_features(view.gene, index.size)
    for enricher in request.enrichers:
        columns |= enriched(enricher, _bases(stretch, index, view if sees_genes(enricher) else None))
    return columns


def _bases(stretch: Stretch, index: Indices, view: GeneView | None) -> Bases:
    if stretch.place is None:
        raise ValueError("enrichers look things up by position, and the stretch does not say where it lies")
    gene = None if view is None else view.gene
    place = stretch.place
    return Bases(place.chrom, place.strand, place.positions(index), stretch.codes, index, gene)
