"""The tables of an evaluation folder, column by column."""

from __future__ import annotations

import polars as pl

from meta_spliceai.evaluate.calibration import EQUAL_COUNT, FIXED
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Column, Table


def _key(name: str, meaning: str, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, pl.String, "key", "label", meaning, choices=choices)


def _count(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, pl.Int64, "call", "label", meaning, low=0, nullable=nullable)


def _share(name: str, meaning: str, *, nullable: bool = True) -> Column:
    return Column(name, pl.Float64, "call", "label", meaning, low=0, high=1, nullable=nullable)


def _number(name: str, meaning: str) -> Column:
    return Column(name, pl.Float64, "call", "label", meaning, nullable=True)


_KIND = _key("splice_type", "donor or acceptor", SITE_TYPES)
_ARM = _key("arm", "name of the arm")

RANKING_TABLE = Table(
    "ranking",
    1,
    "how well each arm ranks, one row per stratum, site type and arm",
    (
        _key("stratum", "the subset of bases"), _KIND, _ARM,
        _count("sites", "true sites"), _count("bases", "bases, sites included"), _count("groups", "gene groups with a true site"),
        _share("average_precision", "of the ranking of all bases; null below 20 sites"),
        _share("average_precision_low", "lower end of its 95 % interval"), _share("average_precision_high", "upper end"),
        _number("difference", "average precision minus that of the reference arm on the same bases"),
        _number("difference_low", "lower end of its 95 % interval, paired"), _number("difference_high", "upper end"),
        _share("average_precision_within_folds", "mean of the folds' own average precisions, weighted by sites: no scores of two models are mixed"),
        _number("within_folds_difference", "that, minus the reference arm's"),
        _number("within_folds_difference_low", "lower end of its 95 % interval, paired"), _number("within_folds_difference_high", "upper end"),
        _share("top_k_accuracy", "share of true sites among the k best bases, k the number of true sites"),
        _number("top_k_difference", "top-k accuracy minus that of the reference arm"),
        _number("top_k_difference_low", "lower end of its 95 % interval, paired"), _number("top_k_difference_high", "upper end"),
        _count("draws", "draws of the bootstrap that held a true site", nullable=True),
        _key("caution", "why the row is no number or a weak one", ("", "too few sites", "few groups")),
    ),
)  # fmt: skip

CONTRAST_TABLE = Table(
    "contrasts",
    1,
    "each arm against each arm named before it, over all bases: average precision of `arm` minus that of `other`",
    (
        _KIND, _ARM, _key("other", "the arm it is compared with"),
        _number("difference", "difference in average precision"),
        _number("difference_low", "lower end of its 95 % interval, paired"), _number("difference_high", "upper end"),
    ),
)  # fmt: skip

THRESHOLD_TABLE = Table(
    "thresholds",
    1,
    "false positives (FP) and false negatives (FN) over all bases; the cut of each fold is chosen on the other folds",
    (
        _KIND, _ARM, _count("sites", "true sites"),
        Column("out_of_fold", pl.Boolean, "text", "label", "false where a single fold had to choose its own cut"),
        _number("lowest_cut", "lowest cut of a fold, on the scale of the ranking; null where nothing is called"), _number("highest_cut", "highest cut of a fold"),
        _count("false_positives", "FP at the cut with the best F1 on the other folds"), _count("false_negatives", "FN there"),
        _share("precision", "at that cut; null where nothing is called"), _share("recall", "at that cut"),
        _number("false_positives_per_mb", "FP per million bases, each strand counted by itself"),
        _count("false_positives_at_reference_misses", "FP at the cut that misses no more sites of the other folds than the reference arm at its own cut"),
        _count("false_negatives_at_reference_misses", "FN there: near the reference arm's, as far as the cut carries over"),
        _count("false_negatives_at_reference_false_calls", "FN at the cut with no more false calls on the other folds than the reference arm at its own cut"),
        _count("false_positives_at_reference_false_calls", "FP there"),
        _count("false_positives_at_half", "FP at a calibrated probability of 0.5, which nobody chose"), _count("false_negatives_at_half", "FN there"),
    ),
)  # fmt: skip

CALIBRATION_TABLE = Table(
    "calibration",
    1,
    "reliability among bases with a probability of at least .01, one row per bin that holds a base",
    (
        _KIND, _ARM, _key("bins", "bins of equal numbers of bases, or the same edges for every arm", (EQUAL_COUNT, FIXED)),
        _count("bin", "by ascending probability, from 0"), _count("bases", "bases in the bin"), _count("sites", "true sites among them"),
        _share("predicted", "mean probability"), _share("observed", "share of true sites"),
        _share("observed_low", "lower end of Wilson's 95 % interval of the share"), _share("observed_high", "upper end"),
    ),
)  # fmt: skip

CALIBRATION_SUMMARY_TABLE = Table(
    "calibration_summary",
    1,
    "calibration at true prevalence in one number or two",
    (
        _KIND, _ARM,
        _share("expected_calibration_error", "mean |predicted - observed| over the bases of the bins of equal counts"),
        _share("brier", "mean squared error of the probability over all bases"),
        _number("predicted_sites", "sum of the probabilities of all bases"), _count("sites", "true sites"),
    ),
)  # fmt: skip

CURVE_TABLE = Table(
    "curves",
    1,
    "precision-recall curves over all bases, at up to 300 cuts each, best first",
    (
        _KIND, _ARM, _share("recall", "share of true sites called"), _share("precision", "share of calls that are true sites"),
        Column("cut", pl.Float32, "call", "base_score", "probability from which a base is called", "probability", low=0, high=1),
    ),
)  # fmt: skip

GROUP_TABLE = Table(
    "per_group",
    1,
    "each gene group by itself, one row per group, site type and arm",
    (
        Column("group", pl.Int32, "key", "gene", "gene group, as in the predictions"),
        _key("genes", "names of its genes, separated by spaces"), _KIND, _ARM,
        Column("fold", pl.Int8, "key", "gene", "the fold that held it out; -1 for a test set"),
        _count("bases", "bases of the group"), _count("sites", "true sites of the group"),
        _share("average_precision", "of the group's own bases; null without a site"),
    ),
)  # fmt: skip
