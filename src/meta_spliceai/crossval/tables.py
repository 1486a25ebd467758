"""The tables of a cross-validation, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.tables import STRANDS

SCOPES = ("gene", "transcript")


def _key(name: str, meaning: str, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, pl.String, "key", "label", meaning, choices=choices)


def _count(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, pl.Int64, "call", "label", meaning, low=0, nullable=nullable)


def _number(name: str, meaning: str) -> Column:
    return Column(name, pl.Float64, "call", "label", meaning, nullable=True)


def _measured(name: str, meaning: str) -> tuple[Column, ...]:
    """A number and the ends of its 95 % interval."""
    return (
        _number(name, meaning),
        _number(f"{name}_low", "lower end of its 95 % interval"),
        _number(f"{name}_high", "upper end"),
    )


_KIND = _key("splice_type", "donor or acceptor", SITE_TYPES)
_ARM = _key("arm", "name of the arm")
_FOLD = Column("fold", pl.Int8, "key", "gene", "the fold that held the genes out, from 0", low=0)
_GROUP = Column("group", pl.Int32, "key", "gene", "gene group", low=0)
ROW_CAP = _count(
    "row_cap", "rows that models were limited to by --row-cap; null where all were learnt from", nullable=True
)
_ERRORS = (
    _count("false_positives", "other bases called at the threshold"), _count("false_negatives", "true sites not called"),
    *_measured("precision", "at the threshold; null where nothing is called"), *_measured("recall", "at the threshold"),
    *_measured("f1", "at the threshold; its interval takes the threshold as given"),
)  # fmt: skip
_PROBABILITIES = (
    _number("expected_calibration_error", "of calibrated probabilities of at least .01: mean |predicted - observed| over ten bins of equal counts"),
    _number("brier", "mean squared error of the calibrated probability over all bases"),
)  # fmt: skip

FOLD_TABLE = Table(
    "per_fold",
    2,
    "each fold by itself, one row per fold, site type and arm; intervals over the gene groups of the fold",
    (
        _FOLD, _KIND, _ARM,
        _count("groups", "gene groups"), _count("bases", "bases, sites included"), _count("sites", "true sites"),
        *_measured("average_precision", "of the ranking of the fold's bases"),
        *_measured("difference", "average precision minus that of the reference arm on the same bases, paired"),
        *_measured("top_k_accuracy", "share of true sites among the k best bases of the fold, k the number of true sites"),
        _number("threshold", "chosen on the other folds; null where it calls nothing"),
        *_ERRORS, *_PROBABILITIES,
        _key("caution", "why intervals say little", ("", "few groups")), ROW_CAP,
    ),
)  # fmt: skip

POOLED_TABLE = Table(
    "pooled",
    2,
    "all folds together, one row per site type and arm; intervals over gene groups",
    (
        _KIND, _ARM,
        _count("groups", "gene groups with a true site"), _count("bases", "bases, sites included"), _count("sites", "true sites"),
        *_measured("average_precision", "of the ranking of all bases; null below 20 sites"),
        *_measured("difference", "average precision minus that of the reference arm on the same bases, paired"),
        _number("average_precision_within_folds", "mean of the folds' own average precisions, weighted by sites"),
        _number("sampled_average_precision", "what the dataset's rows, each weighted by the bases it stands for, estimate for the column average_precision; whole genes are what counts"),
        _number("sampled_average_precision_standard_error", "of the sampling of rows alone"),
        _number("fold_mean", "mean of the folds' own average precisions"), _number("fold_sd", "their standard deviation"),
        *_measured("top_k_accuracy", "share of true sites among the k best bases, k the number of true sites"),
        *_measured("top_k_per_gene", "the same inside each gene, averaged over genes"),
        *_measured("top_k_per_transcript", "the same inside each transcript, averaged over transcripts"),
        *_ERRORS, *_PROBABILITIES,
        _key("caution", "why the row is no number or a weak one", ("", "too few sites", "few groups")), ROW_CAP,
    ),
)  # fmt: skip

TOP_K_TABLE = Table(
    "top_k",
    1,
    "top-k accuracy inside genes and transcripts, averaged over them; intervals over gene groups",
    (
        _key("scope", "gene or transcript", SCOPES), _KIND, _ARM, _count("scopes", "genes or transcripts with a true site"),
        *_measured("accuracy", "mean share of the k true sites of a scope among its k best bases"),
        *_measured("difference", "mean accuracy minus that of the reference arm, paired"), ROW_CAP,
    ),
)  # fmt: skip


def scope_table(arms: Sequence[str]) -> Table:
    """Top-k accuracy of each gene and transcript by each arm."""
    return Table(
        "top_k_by_scope",
        1,
        "one row per gene or transcript with a true site, and site type",
        (
            _key("scope", "gene or transcript", SCOPES), _key("id", "identifier of the gene or transcript"),
            _key("gene_id", "the gene"), _GROUP, _FOLD, _KIND, _count("k", "true sites of the scope"),
            *(_number(arm, f"share of them among the k best bases by arm {arm}") for arm in arms),
        ),
    )  # fmt: skip


def row_table(arms: Sequence[str]) -> Table:
    """The rows of a dataset with scores of models that had not seen them."""
    return Table(
        "rows_out_of_fold",
        1,
        "one row per row of the dataset whose gene is in a fold, in its order; scores are on the scale of the predictions, before calibration",
        (
            Column("gene_id", pl.String, "key", "gene", "the gene the row belongs to"),
            Column("chrom", pl.String, "key", "gene", "contig"),
            Column("position", pl.Int64, "key", "gene", "position", "nt, 1-based", low=1),
            Column("strand", pl.String, "key", "gene", "strand", choices=STRANDS),
            Column("splice_type", pl.String, "label", "label", "donor, acceptor or neither", choices=(*SITE_TYPES, "neither")),
            _FOLD,
            Column("inclusion_probability", pl.Float64, "key", "gene", "probability with which the row came into the dataset", low=0, high=1),
            *(
                Column(f"{arm}_{kind}", pl.Float32, "call", "base_score", f"{kind} probability of arm {arm}", "probability", low=0, high=1)
                for arm in arms
                for kind in SITE_TYPES
            ),
        ),
    )  # fmt: skip
