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
    "within folds": "the folds' own average precisions, weighted by sites: what pooling bases scored by different models costs",
    "top-k accuracy": "share of true sites among the k best bases, k the number of true sites",
    "interval": "middle 95 % of a paired bootstrap over gene groups: a draw takes whole groups, the same ones for every arm",
    "difference": "average precision minus that of the reference arm on the same bases",
    "cut": "for each fold, the probability with the best F1 on the other folds",
    "calibration": "of arms with a calibration map, after it; each fold's map was fitted on the other folds. Maps are increasing, so rankings and cuts are measured before them",
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
"""The arm that keeps the reference arm's order within each fold, so that a verdict on its ranking says nothing."""

_POOLING_SEEN = 0.001

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
    if row[f"{name}_low"] is None:
        return f"{row[name]:+.4f} [no interval]"
    return f"{row[name]:+.4f} [{row[f'{name}_low']:+.4f}, {row[f'{name}_high']:+.4f}]"


def plain_words(result: EvaluationResult) -> list[str]:
    """What the numbers show, and what they do not, as sentences."""
    return [*_what_was_measured(result), *_verdicts(result), *_errors(result), *_limits(result)]


def _what_was_measured(result: EvaluationResult) -> Iterator[str]:
    measured, about = result.about["measured"], result.about
    yield (
        f"Measured on {measured['bases']:,} bases of {measured['genes']:,} genes in {measured['gene_groups']:,} gene groups, "
        f"with {measured['sites']['donor']:,} donors and {measured['sites']['acceptor']:,} acceptors. Each base was scored "
        "by a meta-model that had not seen its gene group."
    )
    if about["bootstrap"]["few_groups"]:
        fewest = min(measured["groups_with_sites"].values())
        yield (
            f"Only {fewest} gene groups have sites; with fewer than {FEW_GROUPS} the intervals say little, and a gain seen "
            "here needs more genes before anybody should believe it."
        )
    share = measured["base_unseen_share"]
    if share == 1:
        yield "The base model never saw these chromosomes in training, so the comparison is fair to both sides."
    elif share == 0:
        yield (
            "The base model was trained on all of these chromosomes, so its own numbers flatter it and nothing here "
            "supports a claim about new genes."
        )
    else:
        yield (
            f"The base model was trained on the chromosomes of {1 - share:.0%} of these bases; only the others "
            f"(stratum {BASE_UNSEEN}) can support a claim, and the verdicts below are about them."
        )


def claim_stratum(result: EvaluationResult) -> str:
    """The stratum that verdicts are about: bases the base model has not seen, where only some are."""
    return BASE_UNSEEN if 0 < result.about["measured"]["base_unseen_share"] < 1 else ALL


def _verdicts(result: EvaluationResult) -> Iterator[str]:
    stratum = claim_stratum(result)
    for arm in result.about["arms"][1:]:
        if arm["name"] == RECALIBRATED:
            yield from _cost_of_pooling(result)
        else:
            found = "; ".join(f"{kind}s: {verdict(result.ranking(stratum, kind, arm['name']))}" for kind in SITE_TYPES)
            yield f"{_capital(arm['title'])} against the base model. {_capital(found)}."
        if is_different_claim(arm):
            yield (
                f"{_capital(arm['title'])} {DIFFERENT_CLAIMS[arm['profile']]}. That is a different claim: it holds for genes "
                "somebody has annotated, and is not to be set beside the other arms as if it were the same."
            )
    yield from _what_features_add(result)


def _cost_of_pooling(result: EvaluationResult) -> Iterator[str]:
    """What the recalibrated arm loses without any change of order within a fold."""
    rows = [(kind, result.ranking(ALL, kind, RECALIBRATED)) for kind in SITE_TYPES]
    lost = {kind: row["difference"] for kind, row in rows if abs(row["difference"] or 0) >= _POOLING_SEEN}
    if lost:
        found = ", ".join(f"{kind}s {value:+.4f}" for kind, value in lost.items())
        yield (
            "Recalibration keeps the base model's order within each fold; its change of average precision "
            f"({found}) comes from pooling folds with different maps, and every trained arm pays something like it."
        )


def verdict(row: Mapping[str, Any]) -> str:
    """What a difference in ranking shows."""
    if row["difference"] is None:
        return f"too few sites ({row['sites']} of the {FEW_SITES} it takes) to say anything"
    shown = f"average precision {change(row)}"
    if row["difference_low"] is None:
        return f"too few draws with sites for an interval ({shown})"
    if row["difference_low"] > 0:
        return f"a gain ({shown})"
    if row["difference_high"] < 0:
        return f"a loss ({shown})"
    return f"no gain shown, the interval includes 0 ({shown})"


def _what_features_add(result: EvaluationResult) -> Iterator[str]:
    """The meta-model beside the model on base scores only: whether the other features carry anything."""
    names = {arm["name"] for arm in result.about["arms"]}
    if not {"meta", "base_scores"} <= names or claim_stratum(result) != ALL:
        return
    rows = {
        row["splice_type"]: row
        for row in result.contrasts.to_dicts()
        if (row["arm"], row["other"]) == ("meta", "base_scores")
    }
    for kind, row in rows.items():
        if row["difference_low"] is None:
            continue
        shows = (
            "more"
            if row["difference_low"] > 0
            else "less"
            if row["difference_high"] < 0
            else "nothing that can be shown"
        )
        yield f"What the meta-model's other features add to base scores alone, {kind}s: {shows} ({change(row)})."


def _errors(result: EvaluationResult) -> Iterator[str]:
    """False positives and false negatives of the meta-model beside the base model's."""
    arms = {arm["name"]: arm for arm in result.about["arms"]}
    name = "meta" if "meta" in arms else next(reversed(arms))
    if name == result.about["reference_arm"]:
        return
    for kind in SITE_TYPES:
        base, own = result.errors(kind, result.about["reference_arm"]), result.errors(kind, name)
        chosen = (
            "each fold at the cut the others chose"
            if own["out_of_fold"]
            else "at cuts chosen on these same bases, which flatters"
        )
        yield (
            f"{_capital(kind)} errors, {chosen}: {arms[name]['title']} {own['false_positives']:,} FP and "
            f"{own['false_negatives']:,} FN, base model {base['false_positives']:,} FP and {base['false_negatives']:,} FN; "
            f"at the base model's number of misses {own['false_positives_at_reference_misses']:,} FP."
        )


def _limits(result: EvaluationResult) -> Iterator[str]:
    yield (
        "Truth is the annotation with all its transcripts: some false positives are real sites that nobody annotated, and "
        "some annotated sites are hardly ever used."
    )
    yield (
        "The intervals cover which genes were drawn. They do not cover another training seed, and with several arms and "
        "strata one interval in twenty misses its mark."
    )
    for arm in result.about["skipped_arms"]:
        yield f"Not measured: {arm['name']}, because {arm['reason']}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
