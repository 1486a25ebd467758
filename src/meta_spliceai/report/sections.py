"""What the page says about the measurement, part by part; each function turns one part of an evaluation into HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import polars as pl

from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.evaluate.strata import ALL, JUNCTIONS
from meta_spliceai.evaluate.words import (
    BEST_MEAN,
    claim_stratum,
    is_different_claim,
    main_arm,
    number,
    plain_name,
    verdict,
    what_is_not_shown,
    what_is_shown,
    what_was_measured,
)
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report import detail_figures, page, ranking_figures
from meta_spliceai.report.drawing import Arm, as_svg, typeset

_CHANGE = {
    "difference": page.signed,
    "difference_low": page.signed,
    "difference_high": page.signed,
    "change": page.signed,
}


def _titled(frame: pl.DataFrame, result: EvaluationResult) -> pl.DataFrame:
    titles = {arm["name"]: arm["title"] for arm in result.about["arms"]}
    return frame.with_columns(pl.col(name).replace(titles) for name in ("arm", "other") if name in frame.columns)


def summary(result: EvaluationResult) -> str:
    """The two numbers that matter, and the sentences that say what they show and what they do not."""
    arm = main_arm(result)
    items = [] if arm is None else [_card(result, arm, kind) for kind in SITE_TYPES]
    items += [] if arm is None else [card for kind in SITE_TYPES for card in _untrained_card(result, arm, kind)]
    parts = {
        "What was measured": what_was_measured(result),
        "What it shows": what_is_shown(result),
        "What it does not show": what_is_not_shown(result),
    }
    lists = [page.heading(title) + page.bullets([typeset(words) for words in found]) for title, found in parts.items()]
    return page.cards(items) + "".join(lists)


def _card(result: EvaluationResult, arm: Arm, kind: str) -> str:
    stratum = claim_stratum(result)
    row = result.ranking(stratum, kind, arm["name"])
    where = "" if stratum == ALL else f" ({plain_name(stratum)})"
    what = f"{kind}s{where}: change in average precision, {arm['title']} against base model"
    if row["difference"] is None:
        return page.card(what, "too few sites", f"{row['sites']} sites", "nothing can be said")
    return _difference_card(what, row)


def _untrained_card(result: EvaluationResult, arm: Arm, kind: str) -> Iterator[str]:
    """With several base models: the arm beside their best untrained mean, which is what training has to beat."""
    found = result.contrasts.filter(splice_type=kind, arm=arm["name"], other=BEST_MEAN)
    for row in found.drop_nulls("difference").iter_rows(named=True):
        where = "" if claim_stratum(result) == ALL else " (all bases)"
        yield _difference_card(
            f"{kind}s{where}: change in average precision, {arm['title']} against the best untrained mean of base models",
            row,
        )


def _difference_card(what: str, row: dict[str, Any]) -> str:
    words = verdict(row).split(",")[0]
    tone = {"a gain": "gain", "a loss": "loss"}.get(words, "")
    bounds = "no interval"
    if row["difference_low"] is not None:
        words = f"{words}: the interval includes 0" if tone == "" else words
        bounds = page.minus(f"95 % interval {row['difference_low']:+.4f} to {row['difference_high']:+.4f}")
    return page.card(what, page.minus(f"{row['difference']:+.4f}"), bounds, words, tone)


def arms(result: EvaluationResult) -> str:
    """Every arm on the same bases: differences with intervals, then the main table."""
    title = "Every arm on the same bases"
    notes = [f"{arm['title']}: {arm['note']}" for arm in result.about["arms"] if arm["note"]]
    if main_arm(result) is None:
        words = "There is no arm beside the reference arm, so nothing is compared."
        return page.section(title, page.paragraph(words), _main_table(result), page.bullets(notes))
    caption = (
        "Change in average precision against the base model, on the same bases. Bars are 95 % intervals of a paired "
        "bootstrap that draws whole gene groups; an interval that includes 0 shows no change. The small open mark below is "
        "the same, ranked fold by fold: no base is compared with one that another model scored."
    )
    svg = as_svg(ranking_figures.forest(ranking_figures.arm_rows(result)))
    numbers = _titled(result.arms, result).drop("stratum", "caution")
    between = page.folded(
        "every arm against every other",
        page.table(_titled(result.contrasts, result), formats=_CHANGE),
    )
    return page.section(
        title,
        page.figure(svg, "Forest plot of changes in average precision by arm", caption, page.table(numbers, formats=_CHANGE)),
        _main_table(result),
        between,
        page.bullets(notes),
        _unseen_only(result),
    )  # fmt: skip


def _unseen_only(result: EvaluationResult) -> str:
    """The same picture for the bases that can support a claim, where those are not all."""
    stratum = claim_stratum(result)
    if stratum == ALL:
        return ""
    svg = as_svg(ranking_figures.forest(ranking_figures.arm_rows(result, stratum)))
    caption = "The same, on the chromosomes the base model was not trained on: the only ones that can support a claim."
    numbers = _titled(result.strata.filter(stratum=stratum), result).drop("stratum", "caution")
    return page.heading("Chromosomes the base model has not seen") + page.figure(
        svg, "Forest plot on base-unseen chromosomes", caption, page.table(numbers, formats=_CHANGE)
    )


_MAIN_COLUMNS = ("average precision", "change", "change, fold by fold", "top-k", "FP", "FN")


def _main_table(result: EvaluationResult) -> str:
    """One row per arm, first donors and then acceptors; intervals below their numbers."""
    head = "".join(f"<th>{escape(name)}</th>" for name in _MAIN_COLUMNS)
    body = "".join(
        f'<tr class="band"><th colspan="{len(_MAIN_COLUMNS) + 1}">{kind}s, '
        f"{result.about['measured']['sites'][kind]:,} sites</th></tr>"
        + "".join(_main_row(result, kind, arm) for arm in result.about["arms"])
        for kind in SITE_TYPES
    )
    return page.framed(
        f'<thead><tr><th class="text">arm</th>{head}</tr></thead><tbody>{body}</tbody>'
    ) + page.paragraph(
        "Change: of average precision against the base model; below each number its 95 % interval. Fold by fold: the same "
        "without ranking bases of different folds against one another. Top-k: share of true sites among as many best bases. "
        "FP and FN: errors at the cut that the other folds chose for the best F1."
    )


def _main_row(result: EvaluationResult, kind: str, arm: Arm) -> str:
    row, errors = result.ranking(ALL, kind, arm["name"]), result.errors(kind, arm["name"])
    is_reference = arm["name"] == result.about["reference_arm"]
    values = (
        page.with_bounds(row, "average_precision", page.shown),
        "reference" if is_reference else page.with_bounds(row, "difference", page.signed),
        "" if is_reference else page.with_bounds(row, "within_folds_difference", page.signed),
        number(row["top_k_accuracy"]), page.shown(errors["false_positives"]), page.shown(errors["false_negatives"]),
    )  # fmt: skip
    title = escape(arm["title"]) + ("<br><small>a different claim</small>" if is_different_claim(arm) else "")
    cells = "".join(f"<td>{value}</td>" for value in values)
    return f'<tr{" class=reference" if is_reference else ""}><td class="text">{title}</td>{cells}</tr>'


def curves(result: EvaluationResult) -> str:
    """Precision-recall curves."""
    caption = (
        "Precision and recall over every base of the held-out genes, at the prevalence nature has. Below, the same curves "
        "where they bend; those axes do not begin at 0. Recalibration keeps the order of the bases, so its curve lies on the "
        "base model's."
    )
    every = pl.int_range(pl.len()).over("splice_type", "arm") % 15 == 0
    numbers = page.paragraph("Every 15th point; curves.tsv has them all.") + page.table(
        _titled(result.curves.filter(every), result)
    )
    svg = as_svg(ranking_figures.curves(result))
    return page.section("Precision and recall", page.figure(svg, "Precision-recall curves by arm", caption, numbers))


_ERROR_TITLES = {
    "splice_type": "site", "arm": "arm", "false_positives": "FP", "false_negatives": "FN",
    "false_positives_per_mb": "FP per Mb", "precision": "precision", "recall": "recall",
    "false_positives_at_reference_misses": "FP at base FN",
    "false_negatives_at_reference_false_calls": "FN at base FP",
    "false_positives_at_half": "FP at .5", "false_negatives_at_half": "FN at .5",
}  # fmt: skip


def errors(result: EvaluationResult) -> str:
    """Errors at cuts chosen out of fold."""
    chosen = (
        "The cut of each fold is chosen on the other folds, never on the bases it is applied to."
        if result.thresholds["out_of_fold"].all()
        else "There is one fold only, so cuts were chosen on the very bases they are applied to: these counts flatter."
    )
    words = (
        f"{chosen} FP and FN are at the cut with the best F1. FP at base FN: at the cut that, on the other folds, misses no "
        "more sites than the base model at its own cut; FN at base FP likewise. The cut .5 was chosen by nobody."
    )
    frame = _titled(result.thresholds, result).select(*_ERROR_TITLES)
    whole = page.folded("all columns, with the cuts", page.table(_titled(result.thresholds, result)))
    formats = {"false_positives_per_mb": page.rounded(1), "precision": page.rounded(3), "recall": page.rounded(3)}
    return page.section(
        "Errors at a cut",
        page.paragraph(words),
        page.table(frame, _ERROR_TITLES, formats, parted_by="splice_type"),
        whole,
    )


def calibration(result: EvaluationResult) -> str:
    """Reliability, expected calibration error and Brier score."""
    caption = (
        "Bases with a probability of at least .01, in the same bins for every arm; the dashed line is perfect. Upright bars, "
        "drawn for the base model and the meta-model only, are Wilson 95 % intervals of the share, as if bases were independent."
    )
    titles = {
        "splice_type": "site", "expected_calibration_error": "ECE", "brier": "Brier score",
        "predicted_sites": "predicted sites", "sites": "true sites",
    }  # fmt: skip
    short = _titled(result.calibration_summary, result)
    words = (
        "ECE: mean |predicted - observed| over ten bins of equal numbers of bases, among those with a probability of at least "
        ".01. Predicted sites: the sum of all probabilities, which equals the true number for a model calibrated on the whole."
    )
    return page.section(
        "Calibration",
        page.figure(
            as_svg(detail_figures.calibration(result, main_arm(result))),
            "Reliability diagram by arm",
            caption,
            page.table(_titled(result.calibration, result)),
        ),
        page.table(short, titles, {"brier": _scientific, "predicted_sites": page.rounded(0)}, parted_by="splice_type"),
        page.paragraph(words),
    )


def _scientific(value: object) -> str:
    return page.minus(f"{value:.2e}") if isinstance(value, float) else page.shown(value)


def groups(result: EvaluationResult) -> str:
    """The main arm beside the base model, gene group by gene group."""
    title, arm = "Gene by gene", main_arm(result)
    if arm is None:
        return page.section(title, page.paragraph("Nothing is compared, so there is no change to show."))
    caption = (
        f"The {arm['title']} against the base model, each group of genes ranked by itself; larger dots have more sites, and "
        "+2 stands for two more genes of the group. Single groups scatter widely: a dot is no evidence, the interval over all "
        "groups is."
    )
    numbers = pl.concat(
        [
            detail_figures.group_changes(result, arm["name"], kind).select(pl.lit(kind).alias("site"), pl.all())
            for kind in SITE_TYPES
        ]
    )
    svg = as_svg(detail_figures.per_group(result, arm))
    return page.section(
        title,
        page.figure(svg, "Change in average precision by gene group", caption, page.table(numbers, formats=_CHANGE)),
    )


def _subsets(result: EvaluationResult) -> list[dict[str, Any]]:
    """The strata but for junctions, which are another truth and have a part of their own."""
    return [item for item in result.about["strata"] if item["name"] != JUNCTIONS]


def strata(result: EvaluationResult) -> str:
    """Subsets of bases: a picture of the main arm, and a table of all arms."""
    title, arm = "Where the change is", main_arm(result)
    meanings = page.bullets([f"{plain_name(item['name'])}: {item['meaning']}" for item in _subsets(result)])
    everything = pl.concat([result.arms, result.strata.filter(pl.col("stratum") != JUNCTIONS)])
    names = ["splice_type", "stratum", "arm", "sites", "groups", "average_precision", "difference", "difference_low", "difference_high", "caution"]  # fmt: skip
    numbers = page.table(
        _titled(everything, result).select(names), {"splice_type": "site", "average_precision": "AP"}, _CHANGE
    )
    rows = [] if arm is None else ranking_figures.stratum_rows(result, arm)
    if arm is None or len(rows) < 2:
        words = "No subset holds some of the sites and not all, so there is no picture."
        return page.section(title, page.paragraph(words), page.folded("the numbers", numbers), meanings)
    caption = (
        f"The {arm['title']} against the base model in subsets of the bases. A stratum with fewer than "
        f"{result.about['fewest_sites_measured']} sites is counted, not measured; strata that hold every site or none are in "
        "the numbers only."
    )
    svg = as_svg(ranking_figures.forest(rows))
    return page.section(title, page.figure(svg, "Forest plot by stratum", caption, numbers), meanings)
