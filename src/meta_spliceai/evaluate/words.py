"""The numbers as a table and as sentences that say what they do and do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from meta_spliceai.evaluate.bootstrap import FEW_GROUPS

if TYPE_CHECKING:
    from meta_spliceai.evaluate.run import EvaluationResult

DEFINITIONS = {
    "bases": "every base of every held-out gene body, each (chrom, position, strand) once",
    "truth": "a donor (acceptor) of any transcript of any gene on the strand",
    "average_precision": "sum over cuts of precision times the recall gained; ties are one cut",
    "interval": "middle 95 % of a paired bootstrap over gene groups: the same groups are drawn for every arm",
    "difference": "average precision minus that of the reference arm on the same bases",
    "top_k_accuracy": "share of true sites among the k best bases, k the number of true sites",
    "cut": "for each fold the cut with the best F1 on the other folds; the mean over folds is shown",
    "at_base_misses": "at the cut that, on the other folds, misses no more sites than the reference arm does at its own",
    "at_base_false_calls": "at the cut that, on the other folds, calls no more false bases than the reference arm does",
    "calibration": "of arms with a calibration map after it: each fold's map was fitted on the other folds; maps are increasing, so rankings and cuts are measured without them",
    "expected_calibration_error": "mean |predicted - observed| in ten bins among bases with probability of at least .01",
}


def main_table(result: EvaluationResult) -> str:
    """All arms on all bases, as text for a terminal."""
    titles = {arm["name"]: arm["title"] for arm in result.about["arms"]}
    width = max(len(title) for title in titles.values())
    head = f"{'average precision on whole held-out genes':<{width}}  {'donor':>7}  {'vs base [95 %]':<23}  {'acceptor':>8}  {'vs base [95 %]':<23}"
    lines = [head, "-" * len(head)]
    for name, title in titles.items():
        donor, acceptor = (row_of(result, "all", kind, name) for kind in ("donor", "acceptor"))
        lines.append(
            f"{title:<{width}}  {number(donor['average_precision']):>7}  {change(donor):<23}  "
            f"{number(acceptor['average_precision']):>8}  {change(acceptor):<23}"
        )
    return "\n".join(lines)


def row_of(result: EvaluationResult, stratum: str, kind: str, arm: str) -> dict[str, Any]:
    """The ranking row of one stratum, site type and arm."""
    rows = result.ranking.filter(
        (pl.col("stratum") == stratum) & (pl.col("splice_type") == kind) & (pl.col("arm") == arm)
    )
    return rows.row(0, named=True)


def number(value: float | None) -> str:
    """Three or four decimals, or what stands for no number."""
    return "too few" if value is None else f"{value:.4f}"


def change(row: dict[str, Any]) -> str:
    """A difference with its interval; empty for the reference arm itself."""
    if (
        row["difference"] is None
        or row["difference_low"] is None
        or (row["difference_low"] == row["difference_high"] == 0)
    ):
        return ""
    return f"{row['difference']:+.4f} [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]"


def plain_words(result: EvaluationResult) -> list[str]:
    """What the numbers show, and what they do not."""
    about = result.about
    donor = row_of(result, "all", "donor", about["reference_arm"])
    acceptor = row_of(result, "all", "acceptor", about["reference_arm"])
    sentences = [
        f"Measured on {about['bases']:,} bases of {about['gene_groups']} gene groups, with {donor['sites']:,} donors and "
        f"{acceptor['sites']:,} acceptors; no base was scored by a model that had seen its group."
    ]
    if about["gene_groups"] < FEW_GROUPS:
        sentences.append(f"With fewer than {FEW_GROUPS} groups the intervals say little.")
    for arm in about["arms"]:
        if arm["name"] not in (about["reference_arm"], "recalibrated"):
            sentences += [_verdict(result, arm, kind) for kind in ("donor", "acceptor")]
    sentences += _limits(result)
    return sentences


def _verdict(result: EvaluationResult, arm: dict[str, Any], kind: str) -> str:
    row = row_of(result, "all", kind, arm["name"])
    if row["difference_low"] is None:
        return f"{arm['title']}, {kind}s: too few sites to say."
    shown = change(row)
    if row["difference_low"] > 0:
        return f"{arm['title']} ranks {kind}s better than the base model: {shown}."
    if row["difference_high"] < 0:
        return f"{arm['title']} ranks {kind}s worse than the base model: {shown}."
    return f"{arm['title']} shows no difference for {kind}s that these genes could prove: {shown}."


def _limits(result: EvaluationResult) -> list[str]:
    sentences = []
    strata = set(result.ranking["stratum"].to_list())
    unseen = result.about.get("base_unseen_share")
    if "base_seen" in strata:
        sentences.append(
            "Some genes lie on chromosomes the base model was trained on; only the stratum base_unseen supports a claim."
        )
    elif unseen == 0:
        sentences.append("The base model was trained on all of these chromosomes, so its own numbers flatter it.")
    else:
        sentences.append("The base model never saw these chromosomes in training.")
    if any(arm["profile"] == "gene_conditioned" for arm in result.about["arms"]):
        sentences.append(
            "The gene-conditioned model also knows where the annotated gene begins and ends: a different claim, not to be "
            "compared with the others as if it were the same."
        )
    sentences.append(
        "Truth is the annotation with all its transcripts: some false positives are real sites nobody annotated, and some "
        "annotated sites are hardly used."
    )
    skipped = result.about.get("skipped_arms") or []
    sentences += [f"Not measured: {arm['name']} ({arm['reason']})." for arm in skipped]
    return sentences
