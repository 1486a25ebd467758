"""Which enricher adds which of the columns that every dataset may have.

A dataset is made of its keys, labels, calls and sampling, of the scores of the row's own base, and of what the chosen
enrichers add. The order of the columns is that of the schema, whatever the order of the names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from meta_spliceai.schema.column import Column
from meta_spliceai.schema.features import (
    ANNOTATION_FEATURES,
    BASE_SCORE_FEATURES,
    GENE_FEATURES,
    SEQUENCE_FEATURES,
    FurtherBase,
    kmer_features,
    mean_logit_features,
    score_features,
)


@dataclass(frozen=True, slots=True)
class Family:
    """A built-in enricher: its name, what it says, and what it needs besides the rows."""

    name: str
    meaning: str
    needs: str


FAMILIES: tuple[Family, ...] = (
    Family("performance", "what the base models say of a base and of the bases beside it", "scores"),
    Family("gene", "the annotated gene as a whole, and how its bases rank", "reference, scores"),
    Family("length", "how much of the gene is exon and intron", "reference"),
    Family("overlap", "other genes at the same place", "reference"),
    Family("distance", "how far predicted sites and the gene's ends are", "reference, scores"),
    Family("kmer", "counts of k-mers around a base, for each of --kmer-sizes", "genome"),
    Family("sequence", "composition of the sequence around a base, and the bases at the site", "genome"),
    Family("structure", "transcripts, exons and sites of the gene", "reference"),
)
BUILT_IN: tuple[str, ...] = tuple(family.name for family in FAMILIES)
"""Names of the built-in enrichers, all of which a dataset has by default."""

OWN_SCORES = (
    "donor_score",
    "acceptor_score",
    "neither_score",
    "score",
    "spread",
    "donor_logit",
    "acceptor_logit",
)
"""What the first base model says of the row's own base: in every dataset, for calls and corrections start from it."""

_GENE_DISTANCES = ("gene_relative_position", "gene_distance_to_start", "gene_distance_to_end")
_LENGTHS = ("transcript_length", "total_exon_length", "total_intron_length")
_OVERLAPS = ("num_overlaps",)
_SCORE_DISTANCES = tuple(column.name for column in BASE_SCORE_FEATURES if "distance_" in column.name)


def family_columns(
    name: str, kmer_sizes: tuple[int, ...] = (), further: Sequence[FurtherBase] = ()
) -> tuple[Column, ...]:
    """The columns of a built-in enricher, in the order of the schema.

    Parameters
    ----------
    name
        One of `BUILT_IN`.
    kmer_sizes, further
        Sizes of the k-mers, and the further base models of the artifacts.
    """
    if name == "kmer":
        return kmer_features(kmer_sizes)
    if name == "sequence":
        return SEQUENCE_FEATURES
    if name in ("length", "structure"):
        return tuple(c for c in ANNOTATION_FEATURES if (c.name in _LENGTHS) == (name == "length"))
    scores = score_features(further) if name in ("performance", "distance") else ()
    always = constant_features(further)
    distances = {*_SCORE_DISTANCES, *(f"{base.name}_{own}" for base in further for own in _SCORE_DISTANCES)}
    of_scores = (c for c in scores if c.name not in always and (c.name in distances) == (name == "distance"))
    return (*of_scores, *(c for c in GENE_FEATURES if _family_of_gene_feature(c.name) == name))


def _family_of_gene_feature(name: str) -> str:
    if name in _GENE_DISTANCES:
        return "distance"
    return "overlap" if name in _OVERLAPS else "gene"


def constant_features(further: Sequence[FurtherBase] = ()) -> set[str]:
    """Names of the features that are in every dataset with these further base models, whatever its enrichers."""
    return {*OWN_SCORES, *(column.name for column in mean_logit_features(further))}


def chosen_features(
    enrichers: Collection[str], kmer_sizes: tuple[int, ...], further: Sequence[FurtherBase]
) -> tuple[Column, ...]:
    """The features that a dataset with these built-in enrichers has, in the order of the schema."""
    wanted = constant_features(further)
    for name in BUILT_IN:
        if name in enrichers:
            wanted |= {column.name for column in family_columns(name, kmer_sizes, further)}
    every = (
        *score_features(further),
        *SEQUENCE_FEATURES,
        *kmer_features(kmer_sizes),
        *GENE_FEATURES,
        *ANNOTATION_FEATURES,
    )
    return tuple(column for column in every if column.name in wanted)
