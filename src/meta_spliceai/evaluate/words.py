"""The numbers as a table for a terminal, and as sentences that say what they do and do not show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from meta_spliceai.evaluate.bootstrap import FEW_GROUPS
from meta_spliceai.evaluate.strata import ALL, BASE_UNSEEN, FEW_SITES
from meta_spliceai.genome.labels import SITE_TYPES

if TYPE_CHECKING:
    from meta_spliceai.evaluate.result import EvaluationResult

DEFINITIONS = {
    "bases": "every base of every held-out gene body, each (chrom, position, strand) once, at the prevalence nature has",
    "truth": "a donor (acceptor) of any annotated transcript of any gene on the strand",
    "average precision": "sum over cuts of precision times the recall gained there; tied bases are one cut",
    "fold by fold": "mean of the folds' own average precisions, weighted by sites: bases scored by different models are never ranked against one another",
    "top-k accuracy": "share of true sites among the k best bases, k the number of true sites",
    "interval": "middle 95 % of a paired bootstrap over gene groups: a draw takes whole groups, the same ones for every arm",
    "difference": "average precision minus that of the reference arm on the same bases",
    "cut": "for each fold, the score with the best F1 on the other folds",
    "calibration": "of arms with a calibration map, after it; each fold's map was fitted on the other folds. Rankings and cuts are measured before them: some maps tie scores",
    "FP, FN": "bases called that are no annotated site; annotated sites that are not called",
    "FP at base FN": "FP at the cut that misses no more sites of the other folds than the reference arm misses there at its own",
    "FN at base FP": "FN at the cut with no more false calls on the other folds than the reference arm makes there at its own",
    "FP per Mb": "FP per million bases evaluated, each strand counted by itself",
    "ECE": "expected calibration error: mean |predicted - observed| over ten bins of equal numbers of bases with p of at least .01",
    "Brier score": "mean squared error of the probability over all bases",
    "gene group": "genes that overlap or resemble one another; a group is never split between training and evaluation",
}

_TITLE_WIDTH, _CHANGE_WIDTH = 27, 27
RECALIBRATED = "recalibrated"
"""The arm that keeps the reference arm's order, so that a verdict on its ranking would say nothing."""

DIFFERENT_CLAIMS = {
    "gene_conditioned": "also knows where the annotated gene begins and ends",
    "annotated": "also knows what the annotation counts in the gene",
}
"""Profiles whose arms answer another question than the base model does."""


def main_table(result: EvaluationResult) -> str:
    """Every arm on all bases, donors and then acceptors, as text for a terminal of 100 columns."""
    arms = result.about["arms"]
    width = max(_TITLE_WIDTH, *(len(_marked(arm)) for arm in arms))
    lines = []
    for kind in SITE_TYPES:
        sites = result.about["measured"]["sites"][kind]
        head = f"{f'{kind}s ({sites:,} sites)':<{width}}  {'AP':>7}  {'change [95 % interval]':<{_CHANGE_WIDTH}}  {'FP':>6}  {'FN':>6}"
        lines += [head, "-" * len(head)]
        lines += [f"{_marked(arm):<{width}}  {_cells(result, kind, arm)}" for arm in arms]
        lines.append("")
    if any(is_different_claim(arm) for arm in arms):
        lines.append("* a different claim: this arm knows the annotated gene, which the base model does not")
    return "\n".join(lines).rstrip()


def _marked(arm: Mapping[str, Any]) -> str:
    return f"{arm['title']} *" if is_different_claim(arm) else str(arm["title"])


def is_different_claim(arm: Mapping[str, Any]) -> bool:
    """Whether an arm knows more of the gene than the base model, and must be reported apart."""
    return arm["profile"] in DIFFERENT_CLAIMS


def _cells(result: EvaluationResult, kind: str, arm: Mapping[str, Any]) -> str:
    row, errors = result.ranking(ALL, kind, arm["name"]), result.errors(kind, arm["name"])
    is_reference = arm["name"] == result.about["reference_arm"]
    difference = "reference" if is_reference else change(row)
    return (
        f"{number(row['average_precision']):>7}  {difference:<{_CHANGE_WIDTH}}  "
        f"{errors['false_positives']:>6,}  {errors['false_negatives']:>6,}"
    )


def number(value: float | None) -> str:
    """Four decimals, or what stands for no number."""
    return "too few" if value is None else f"{value:.4f}"


def change(row: Mapping[str, Any], name: str = "difference") -> str:
    """A difference with its interval, such as "+0.0072 [+0.0020, +0.0130]"; empty where there is none."""
    if row[name] is None:
        return ""
    if row[name] == row[f"{name}_low"] == row[f"{name}_high"] == 0:
        return "none: the same order"
    if row[f"{name}_low"] is None:
        return f"{row[name]:+.4f} [no interval]"
    return f"{row[name]:+.4f} [{row[f'{name}_low']:+.4f}, {row[f'{name}_high']:+.4f}]"


def plain_words(result: EvaluationResult) -> list[str]:
    """What the numbers show, and what they do not, as sentences."""
    return [*what_was_measured(result), *what_is_shown(result), *what_psi_says(result), *what_is_not_shown(result)]


def what_was_measured(result: EvaluationResult) -> Iterator[str]:
    """The bases, and whether they can carry a claim."""
    measured, about = result.about["measured"], result.about
    trained = about.get("feature_profile") is not None  # a base pass measured by itself has no profile
    yield (
        f"Measured on {measured['bases']:,} bases of {measured['genes']:,} genes in {measured['gene_groups']:,} gene groups, "
        f"with {measured['sites']['donor']:,} donors and {measured['sites']['acceptor']:,} acceptors."
        + (" Each base was scored by a meta-model that had not seen its gene group." if trained else "")
    )
    yield from _what_the_table_lacks(about.get("table"))
    if about["bootstrap"]["few_groups"]:
        fewest = min(measured["groups_with_sites"].values())
        yield (
            f"Only {fewest} gene groups have sites; with fewer than {FEW_GROUPS} the intervals say little, and a gain seen "
            "here needs more genes before anybody should believe it."
        )
    share = measured["base_unseen_share"]
    if not about.get("table", {}).get("training_known", True):
        yield (
            "Nobody said which chromosomes the tools were trained on (--trained-on), so nothing here supports a claim about "
            "new genes."
        )
    elif share == 1:
        yield "The base model never saw these chromosomes in training, so the comparison is fair to both sides."
    elif share == 0:
        yield (
            "The base model was trained on all of these chromosomes, so its own numbers flatter it and nothing here "
            "supports a claim about new genes."
        )
    else:
        yield (
            f"The base model was trained on the chromosomes of {100 * (1 - share):.0f} % of these bases; only the others "
            f"(stratum {BASE_UNSEEN}) can support a claim, and the verdicts below are about them."
        )


def _what_the_table_lacks(table: Mapping[str, Any] | None) -> Iterator[str]:
    """Of bases that a table of scores does not list, and of what looks wrong with it."""
    if table is None:
        return
    lacking, sites = table["bases_without_score"], table["sites_without_score"]
    if lacking:
        rule = {"zero": "count as scored 0", "ignore": "are left out for all arms, which flatters them"}[
            table["missing"]
        ]
        yield (
            f"The table has no score for {lacking:,} of {table['bases_of_genes']:,} bases of the genes, {sites['donor']:,} donors and "
            f"{sites['acceptor']:,} acceptors among them; they {rule}."
        )
    for warning in table["warnings"]:
        yield _capital(warning) + "."


def _reference_words(result: EvaluationResult) -> str:
    """How sentences call the reference arm."""
    first = result.about["arms"][0]
    return "the base model" if first["name"] == "base" else str(first["title"])


def claim_stratum(result: EvaluationResult) -> str:
    """The stratum that verdicts are about: bases the base model has not seen, where only some are."""
    return BASE_UNSEEN if 0 < result.about["measured"]["base_unseen_share"] < 1 else ALL


def main_arm(result: EvaluationResult) -> Mapping[str, Any] | None:
    """The arm an evaluation is about: the meta-model, else that of base scores, else the last that makes no other claim."""
    others = result.about["arms"][1:]
    named = [arm for name in ("meta", "base_scores") for arm in others if arm["name"] == name]
    alike = [arm for arm in others if not is_different_claim(arm) and arm["name"] != RECALIBRATED]
    return next(iter(named + alike[::-1] + others), None)


def what_is_shown(result: EvaluationResult) -> Iterator[str]:
    """A verdict on each arm, what its features add, and its errors."""
    stratum = claim_stratum(result)
    for arm in result.about["arms"][1:]:
        if arm["name"] == RECALIBRATED:
            continue
        rows = {kind: result.ranking(stratum, kind, arm["name"]) for kind in SITE_TYPES}
        found = "; ".join(f"{kind}s, {verdict(row)}" for kind, row in rows.items())
        apart = f" (a different claim: it {DIFFERENT_CLAIMS[arm['profile']]})" if is_different_claim(arm) else ""
        yield f"{_capital(arm['title'])}{apart} against {_reference_words(result)}: {found}."
    arm = main_arm(result)
    if arm is not None:
        yield from _fold_by_fold(result, arm)
        yield from _above_untrained(result, arm)
        yield from _what_features_add(result)
        yield from _errors(result, arm)


def verdict(row: Mapping[str, Any]) -> str:
    """What a difference in ranking shows."""
    if row["difference"] is None:
        return f"too few sites ({row['sites']} of the {FEW_SITES} it takes) to say anything"
    if row["difference"] == row["difference_low"] == row["difference_high"] == 0:
        return "the same order"
    if row["difference_low"] is None:
        return f"too few draws with sites for an interval ({change(row)})"
    return f"{_direction(row, 'difference')} {change(row)}"


def _direction(row: Mapping[str, Any], name: str) -> str:
    if row[f"{name}_low"] > 0:
        return "a gain,"
    return "a loss," if row[f"{name}_high"] < 0 else "no gain shown,"


def _fold_by_fold(result: EvaluationResult, arm: Mapping[str, Any]) -> Iterator[str]:
    """Said where the verdict depends on whether bases that different models scored are ranked against one another."""
    for kind in SITE_TYPES:
        row = result.ranking(claim_stratum(result), kind, arm["name"])
        if row["difference_low"] is None or row["within_folds_difference_low"] is None:
            continue
        if _direction(row, "difference") != _direction(row, "within_folds_difference"):
            yield (
                f"Ranked fold by fold, so that no base is compared with one that another model scored, the {arm['title']} "
                f"on {kind}s shows {_direction(row, 'within_folds_difference').rstrip(',')} "
                f"{change(row, 'within_folds_difference')}. The pooled number stands; this one says where to look."
            )


def _above_untrained(result: EvaluationResult, arm: Mapping[str, Any]) -> Iterator[str]:
    """An arm beside the best untrained mean of several base models: whether there is more to it than averaging."""
    rows = [row for row in result.contrasts.to_dicts() if (row["arm"], row["other"]) == (arm["name"], "best_mean")]
    if rows and all(row["difference_low"] is not None for row in rows):
        found = "; ".join(f"{row['splice_type']}s, {_direction(row, 'difference')} {change(row)}" for row in rows)
        yield f"{_capital(arm['title'])} against the untrained mean of base models that is best on the other folds: {found}."


def _what_features_add(result: EvaluationResult) -> Iterator[str]:
    """The meta-model beside the model on base scores only: whether the other features carry anything."""
    rows = [row for row in result.contrasts.to_dicts() if (row["arm"], row["other"]) == ("meta", "base_scores")]
    if rows and claim_stratum(result) == ALL and all(row["difference_low"] is not None for row in rows):
        found = "; ".join(f"{row['splice_type']}s, {_added(row)} {change(row)}" for row in rows)
        yield f"What the meta-model's other features add to those made of base scores: {found}."


def _added(row: Mapping[str, Any]) -> str:
    return _direction(row, "difference").replace("no gain shown", "nothing that can be shown")


def _errors(result: EvaluationResult, arm: Mapping[str, Any]) -> Iterator[str]:
    """False positives and false negatives of an arm beside the base model's."""
    own = {kind: result.errors(kind, arm["name"]) for kind in SITE_TYPES}
    base = {kind: result.errors(kind, result.about["reference_arm"]) for kind in SITE_TYPES}
    if all(row["out_of_fold"] for row in own.values()):
        chosen = "Errors over all bases, each fold at the cut the other folds chose"
    else:
        chosen = "Errors over all bases, at cuts chosen on these same bases, which flatters"
    found = "; ".join(
        f"{kind}s, {own[kind]['false_positives']:,} FP and {own[kind]['false_negatives']:,} FN against {_reference_words(result)}'s "
        f"{base[kind]['false_positives']:,} and {base[kind]['false_negatives']:,}, and "
        f"{own[kind]['false_positives_at_reference_misses']:,} FP at {_reference_words(result)}'s misses"
        for kind in SITE_TYPES
    )
    yield f"{chosen}, {arm['title']}: {found}."


def what_psi_says(result: EvaluationResult) -> Iterator[str]:
    """How well each arm tells used from unused annotated sites, where PSI was given."""
    rows = result.about.get("site_usage", [])
    for kind in SITE_TYPES:
        own = [row for row in rows if row["splice_type"] == kind]
        if own:
            found = ", ".join(
                f"{row['arm']} {row['auc']:.3f}"
                + (f" [{row['auc_low']:.3f}, {row['auc_high']:.3f}]" if row["auc_low"] is not None else "")
                for row in own
            )
            yield f"AUC of {own[0]['used']:,} used against {own[0]['unused']:,} unused annotated {kind}s, by PSI: {found}."


def what_is_not_shown(result: EvaluationResult) -> Iterator[str]:
    """The limits of what was measured."""
    yield (
        "Truth is the annotation with all its transcripts: some false positives are real sites that nobody annotated, and "
        "some annotated sites are hardly ever used."
    )
    yield (
        "The intervals cover which genes were drawn. They do not cover another training seed, and with several arms and "
        "strata one interval in twenty misses its mark."
    )
    if any(is_different_claim(arm) for arm in result.about["arms"]):
        yield (
            "An arm with a different claim holds for genes somebody has annotated; it is not to be set beside the other arms "
            "as if it were the same."
        )
    for arm in result.about["skipped_arms"]:
        yield f"Not measured: {arm['name']}, because {arm['reason']}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
