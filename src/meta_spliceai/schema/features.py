"""The feature columns.

Directions are those of transcription: `m1` is the base before, `p1` the base after, `up` is towards the 5' end. Each
typed feature is computed from its own channel: `donor_*` from donor scores, `acceptor_*` from acceptor scores, and
`context_*` from the sum of both.

Features with origin `sequence` or `base_score` are *boundary-blind*: they read fixed windows of the genome and of the
scored flank, so moving the annotated ends of a gene changes none of them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from meta_spliceai.schema.column import Column, Origin

REACH = 5_000
"""How far, in nt, the widest base-score feature looks; the scored flank must be at least this long."""

SEQUENCE_REACH = 250
"""The sequence window holds the row's base, 250 bases before it and 249 after it."""

SCORE_WINDOWS: tuple[tuple[int, int], ...] = ((1, 10), (11, 50), (51, 150), (151, 500), (501, REACH))
"""Distances, in nt and both ends included, of the asymmetric windows on either side of a base."""

DISTANCE_THRESHOLDS: tuple[tuple[str, float], ...] = (("50", 0.5), ("10", 0.1), ("02", 0.02))
"""Scores from which a neighbouring base counts as a predicted site, with their column suffix."""

CHANNELS = ("donor", "acceptor")
SITE, USAGE = "site_", "usage_"
"""Prefixes of the channels of a base model that does not tell donors from acceptors, each followed by a tissue."""
DIRECTIONS = ("up", "down")
DONOR_MOTIFS = ("GT", "GC", "AT")
ACCEPTOR_MOTIFS = ("AG", "AC")


def _feature(
    name: str,
    meaning: str,
    *,
    origin: Origin = "base_score",
    dtype: type[pl.DataType] = pl.Float32,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    nullable: bool = False,
) -> Column:
    return Column(name, dtype, "feature", origin, meaning, unit, nullable, low, high)


def _probability(name: str, meaning: str) -> Column:
    return _feature(name, meaning, unit="probability", low=0.0, high=1.0)


def _score_columns() -> list[Column]:
    return [
        _probability("donor_score", "probability that the base is a donor, mean of the base model's ensemble"),
        _probability("acceptor_score", "probability that the base is an acceptor, mean of the ensemble"),
        _probability("neither_score", "1 - donor_score - acceptor_score, kept within 0 and 1"),
        _probability("score", "the larger of donor_score and acceptor_score"),
        _feature("spread", "standard deviation over the ensemble of donor + acceptor probability", low=0.0, high=1.0),
        _feature("donor_logit", "ln(p / (1 - p)) of donor_score, p kept within 1e-7 of 0 and 1", low=-16.2, high=16.2),
        _feature("acceptor_logit", "the same of acceptor_score", low=-16.2, high=16.2),
    ]


def _context_columns() -> list[Column]:
    neighbours = [
        ("m2", "two bases before"),
        ("m1", "one base before"),
        ("p1", "one base after"),
        ("p2", "two bases after"),
    ]
    columns = [
        _probability(f"context_score_{suffix}", f"donor + acceptor probability {where}, at most 1")
        for suffix, where in neighbours
    ]
    columns += [
        _feature("context_neighbor_mean", "mean of the four context scores", low=0.0, high=1.0),
        _feature("context_asymmetry", "(m1 + m2) - (p1 + p2) of the context scores"),
        _feature("context_max", "largest of the four context scores", low=0.0, high=1.0),
    ]
    return columns


def _relation_columns() -> list[Column]:
    return [
        _feature(
            "relative_donor_probability",
            "d / (d + a + e), with d, a, n the three scores and e = 1e-10",
            low=0.0,
            high=1.0,
        ),
        _feature("splice_probability", "(d + a) / (d + a + n + e)", low=0.0, high=1.0),
        _feature("donor_acceptor_diff", "(d - a) / (max(d, a) + e)", low=-1.0, high=1.0),
        _feature("splice_neither_diff", "(max(d, a) - n) / (max(d, a, n) + e)", low=-1.0, high=1.0),
        _feature("donor_acceptor_logodds", "ln(d + e) - ln(a + e)"),
        _feature("splice_neither_logodds", "ln(d + a + e) - ln(n + e)"),
        _feature("probability_entropy", "-sum p ln(p + e) over d, a and n", unit="nat"),
        _feature("score_difference_ratio", "(d - a) / (d + a + e)", low=-1.0, high=1.0),
    ]


def _typed_columns(channel: str) -> list[Column]:
    s = f"{channel} score s"
    return [
        _feature(f"{channel}_diff_m1", f"{s} minus the same score one base before"),
        _feature(f"{channel}_diff_m2", f"{s} minus the same score two bases before"),
        _feature(f"{channel}_diff_p1", f"{s} minus the same score one base after"),
        _feature(f"{channel}_diff_p2", f"{s} minus the same score two bases after"),
        _feature(f"{channel}_surge_ratio", "s / (m1 + p1 + 1e-10)"),
        _feature(f"{channel}_is_local_peak", "1 if s > m1, s > p1 and s > 0.001, else 0", low=0.0, high=1.0),
        _feature(f"{channel}_weighted_context", "0.1 m2 + 0.2 m1 + 0.4 s + 0.2 p1 + 0.1 p2"),
        _feature(f"{channel}_peak_height_ratio", "s / (mean of m1, m2, p1, p2 + 1e-10)"),
        _feature(f"{channel}_second_derivative", "2 s - m1 - p1"),
        _feature(f"{channel}_signal_strength", "s minus the mean of m1, m2, p1, p2"),
        _feature(f"{channel}_context_diff_ratio", "s / (max of m1, m2, p1, p2 + 1e-10)"),
    ]


def _cross_columns() -> list[Column]:
    return [
        _feature("donor_acceptor_peak_ratio", "donor_peak_height_ratio / (acceptor_peak_height_ratio + 1e-10)"),
        _feature("type_signal_difference", "donor_signal_strength - acceptor_signal_strength"),
        _feature(
            "signal_strength_ratio",
            "donor_signal_strength / (acceptor_signal_strength + 1e-10), the denominator 1e-10 where that is 0",
        ),
    ]


def _window_columns() -> list[Column]:
    return [
        _feature(
            f"{channel}_max_{direction}_{near}_{far}",
            f"largest {channel} score {near} to {far} nt {direction}stream",
            unit="probability",
            low=0.0,
            high=1.0,
        )
        for channel in CHANNELS
        for direction in DIRECTIONS
        for near, far in SCORE_WINDOWS
    ]


def _distance_columns() -> list[Column]:
    columns = [
        _feature(
            f"{channel}_distance_{direction}_{suffix}",
            f"distance to the next base {direction}stream with {channel} score >= {threshold}, {REACH} where there is none nearer",
            unit="nt",
            low=1.0,
            high=float(REACH),
        )
        for channel in CHANNELS
        for direction in DIRECTIONS
        for suffix, threshold in DISTANCE_THRESHOLDS
    ]
    columns += [
        _feature(
            f"distance_to_nearest_{channel}",
            f"distance to the nearest other base with {channel} score >= 0.5 on either side, at most {REACH}: predicted, not annotated",
            unit="nt",
            low=1.0,
            high=float(REACH),
        )
        for channel in CHANNELS
    ]
    return columns


BASE_SCORE_FEATURES: tuple[Column, ...] = tuple(
    _score_columns()
    + _context_columns()
    + _relation_columns()
    + _typed_columns("donor")
    + _typed_columns("acceptor")
    + _cross_columns()
    + _window_columns()
    + _distance_columns()
)
"""What the base model's scores within `REACH` nt say about a base."""


@dataclass(frozen=True, slots=True)
class FurtherBase:
    """A base model whose scores stand beside those of the first one, on the same bases.

    Parameters
    ----------
    name
        Prefix of its columns.
    channels
        What the model gives: donor and acceptor, or `site_<tissue>` and `usage_<tissue>`.
    """

    name: str
    channels: tuple[str, ...]

    @property
    def is_typed(self) -> bool:
        """Whether the model tells donors from acceptors."""
        return self.channels == CHANNELS

    @property
    def has_usage(self) -> bool:
        """Whether the model says how much a site is used."""
        return any(channel.startswith(USAGE) for channel in self.channels)


def further_features(base: FurtherBase) -> tuple[Column, ...]:
    """The columns of one further base model: the same formulas under its name, and its channels where it has its own."""
    columns = [
        dataclasses.replace(column, name=f"{base.name}_{column.name}", meaning=f"{base.name}: {column.meaning}")
        for column in BASE_SCORE_FEATURES
    ]
    if not base.is_typed:
        columns += [
            _probability(f"{base.name}_{channel}", f"{base.name}: {channel.replace('_', ' in ', 1)}")
            for channel in base.channels
        ]
    if base.has_usage:
        columns += [
            _feature(
                f"{base.name}_usage_{channel}_logit",
                f"ln(p / (1 - p)) of the mean usage, shared out to {channel} as the site probability is",
                low=-16.2,
                high=16.2,
            )
            for channel in CHANNELS
        ]
    return tuple(columns)


def logits_of_bases(further: Sequence[FurtherBase]) -> dict[str, tuple[str, ...]]:
    """The columns of each base model's logits, those of usage included, by its name; that of the first one is empty."""
    own = tuple(f"{channel}_logit" for channel in CHANNELS)
    usage = tuple(f"usage_{name}" for name in own)
    return {"": own} | {
        base.name: tuple(f"{base.name}_{name}" for name in (own + usage if base.has_usage else own)) for base in further
    }


def mean_logit_features(further: Sequence[FurtherBase]) -> tuple[Column, ...]:
    """The mean logits of the first and all further base models; none without further ones."""
    if not further:
        return ()
    return tuple(
        _feature(
            f"mean_{channel}_logit",
            f"mean over the base models of their {channel} logit, which is that of site and usage where a model has both",
            low=-16.2,
            high=16.2,
        )
        for channel in CHANNELS
    )


def score_features(further: Sequence[FurtherBase] = ()) -> tuple[Column, ...]:
    """All features of origin `base_score` of a table with these further base models, in order."""
    return (
        *BASE_SCORE_FEATURES,
        *(column for base in further for column in further_features(base)),
        *mean_logit_features(further),
    )


SEQUENCE_FEATURES: tuple[Column, ...] = (
    _feature(
        "gc_content",
        "share of G and C among the known bases of the sequence window, 0 if none is known",
        origin="sequence",
        low=0.0,
        high=1.0,
    ),
    _feature(
        "sequence_length",
        "known bases (A, C, G or T) of the sequence window; fewer than 500 at N and beyond the contig",
        origin="sequence",
        unit="nt",
        low=0.0,
        high=2.0 * SEQUENCE_REACH,
    ),
    _feature(
        "sequence_complexity",
        "Shannon entropy of A, C, G, T in the sequence window",
        origin="sequence",
        unit="bit",
        low=0.0,
        high=2.0,
    ),
    *(
        _feature(
            f"donor_motif_{motif.lower()}",
            f"1 if the two bases after the row's base read {motif}",
            origin="sequence",
            low=0.0,
            high=1.0,
        )
        for motif in DONOR_MOTIFS
    ),
    *(
        _feature(
            f"acceptor_motif_{motif.lower()}",
            f"1 if the two bases before the row's base read {motif}",
            origin="sequence",
            low=0.0,
            high=1.0,
        )
        for motif in ACCEPTOR_MOTIFS
    ),
)
"""What the genome within the sequence window says about a base, besides the k-mers."""

GENE_FEATURES: tuple[Column, ...] = (
    _feature("gene_length", "length of the annotated gene body", origin="gene", unit="nt", low=1.0),
    _feature("gene_relative_position", "0 at the gene's 5' end, 1 at its 3' end", origin="gene", low=0.0, high=1.0),
    _feature(
        "gene_distance_to_start",
        "distance to the gene's first base in the direction of transcription",
        origin="gene",
        unit="nt",
        low=0.0,
    ),
    _feature(
        "gene_distance_to_end",
        "distance to the gene's last base in the direction of transcription",
        origin="gene",
        unit="nt",
        low=0.0,
    ),
    _feature(
        "donor_rank_in_gene", "1 + number of bases of the gene body with a larger donor score", origin="gene", low=1.0
    ),
    _feature(
        "acceptor_rank_in_gene",
        "1 + number of bases of the gene body with a larger acceptor score",
        origin="gene",
        low=1.0,
    ),
    _feature("gene_is_protein_coding", "1 if gene_type is protein_coding", origin="gene", low=0.0, high=1.0),
    _feature("num_overlaps", "other genes whose body overlaps this one on either strand", origin="gene", low=0.0),
)
"""What the annotated gene body says; admitted only in the `gene_conditioned` profile and beyond."""

ANNOTATION_FEATURES: tuple[Column, ...] = (
    _feature("n_splice_sites", "distinct annotated splice-site positions of the gene", origin="annotation", low=0.0),
    _feature("splice_density_per_kb", "n_splice_sites per 1,000 nt of gene body", origin="annotation", low=0.0),
    _feature("num_transcripts", "annotated transcripts of the gene", origin="annotation", low=1.0),
    _feature("num_exons", "distinct exons over all transcripts of the gene", origin="annotation", low=1.0),
    _feature(
        "transcript_length", "spliced length of the gene's longest transcript", origin="annotation", unit="nt", low=1.0
    ),
    _feature(
        "total_exon_length",
        "bases of the gene that are exonic in any transcript",
        origin="annotation",
        unit="nt",
        low=1.0,
    ),
    _feature(
        "total_intron_length",
        "bases of the gene that are exonic in no transcript",
        origin="annotation",
        unit="nt",
        low=0.0,
    ),
)
"""What the transcripts say; admitted only in the `annotated` profile."""


def kmer_names(k: int) -> list[str]:
    """Names of all 4^k k-mer columns, in lexicographic order; they exist whether or not a k-mer occurs."""
    names = [""]
    for _ in range(k):
        names = [prefix + base for prefix in names for base in "ACGT"]
    return [f"{k}mer_{name}" for name in names]


_KMER = re.compile(r"([1-9]\d*)mer_([ACGT]+)")


def kmer_size(name: str) -> int | None:
    """The size of the k-mer that a column of this name counts; None for any other name."""
    match = _KMER.fullmatch(name)
    return int(match[1]) if match and int(match[1]) == len(match[2]) else None


def kmer_features(kmer_sizes: tuple[int, ...]) -> tuple[Column, ...]:
    """One count column per k-mer, for each size in order."""
    return tuple(
        Column(
            name,
            pl.UInt16,
            "feature",
            "sequence",
            f"occurrences of {name.split('_')[1]} in the sequence window, overlapping ones counted",
            low=0.0,
            high=2.0 * SEQUENCE_REACH,
        )
        for k in kmer_sizes
        for name in kmer_names(k)
    )
