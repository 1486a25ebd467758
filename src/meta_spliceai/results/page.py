"""results.json as Markdown: the same numbers, in the order in which people ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from meta_spliceai.evaluate.strata import ALL, JUNCTIONS
from meta_spliceai.evaluate.words import is_different_claim, plain_family, plain_name
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.results.cells import Json, change, count_of, measured, number, signed, table
from meta_spliceai.results.numbers import MAIN_ARM
from meta_spliceai.train.arms import BASE, BEST_MEAN, RECALIBRATED


def page(numbers: Json, picture: str, introduction: str) -> str:
    """Everything as one Markdown page.

    Parameters
    ----------
    numbers
        `numbers_of`.
    picture
        File name of the picture beside the page.
    introduction
        Markdown that comes after the title.
    """
    parts = [
        "# Results",
        introduction.strip(),
        _reading(numbers),
        "\n".join(f"- {sentence}" for sentence in _said_of_all(numbers)),
        f"![Change in average precision with 95 % intervals, by set of base models]({picture})",
        *(part for one in numbers["sets"] for part in _of_set(one, numbers)),
        *_ablation(numbers),
        *_sampled(numbers),
        *_made_with(numbers),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def title_of(base_models: Iterable[Json]) -> str:
    """The base models of a set, by name."""
    return " + ".join(model["name"] for model in base_models)


def _reading(numbers: Json) -> str:
    data, draws = numbers["data"], numbers["made_with"]["bootstrap"]["draws"]
    sites = data["sites"]
    return f"""\
{data["genes"]:,} whole genes of {data["build"]}, {data["bases"]:,} bases, {sites["donor"]:,} donors and {sites["acceptor"]:,} acceptors in \
{data["gene_groups"]} groups of genes that overlap or resemble one another, divided into {data["folds"]} folds.

- *AP* is average precision over every base, at the prevalence nature has. Each base is scored by a model that has not seen its gene group.
- Intervals are the middle 95 % of {draws:,} paired draws of gene groups; changes are against the first base model on the same bases.
- *Best mean* is the untrained mean of those base models' logits that ranks best on the other folds: what a model must beat to be worth training.
- *Model on base scores* and *meta-model* are boundary-blind: no feature changes when the annotated ends of a gene move. The *gene-conditioned \
model* knows them: another claim, not to be set beside the others.
- *FP* and *FN* are counted at cuts chosen on the other folds: the one with the best F1, and the one that matches the base model's misses, or its \
false calls, there. *ECE* is the expected calibration error among bases with a probability of at least .01."""


def _said_of_all(numbers: Json) -> list[str]:
    """The sentences that are the same for every set of base models, where there are several."""
    first, *others = (one["in_words"] for one in numbers["sets"])
    return [sentence for sentence in first if others and all(sentence in words for words in others)]


def _of_set(one: Json, numbers: Json) -> Iterator[str]:
    said = _said_of_all(numbers)
    yield f"## {title_of(one['base_models'])}"
    yield _arms(one)
    yield _starts(one)
    yield "\n".join(f"- {sentence}" for sentence in one["in_words"] if sentence not in said)
    yield "### Errors at cuts, and calibration"
    yield _errors(one)
    yield "### Strata"
    yield _strata(one, numbers)
    yield from _usage(one)
    yield from _junctions(one, numbers)


def _shown_arms(one: Json) -> list[Json]:
    """All but the recalibrated base model, which ranks as the raw one does."""
    return [arm for arm in one["arms"] if arm["name"] != RECALIBRATED.name]


def _has_mean(one: Json) -> bool:
    return any(arm["name"] == BEST_MEAN.name for arm in one["arms"])


def _row(one: Json, kind: str, arm: str, stratum: str = ALL) -> Json:
    found: Json = one["results"][kind][arm]["strata"][stratum]
    return found


def _title(arm: Json) -> str:
    return f"{arm['title']} (another claim)" if is_different_claim(arm) else str(arm["title"])


def _arms(one: Json) -> str:
    has_mean = _has_mean(one)
    head = [
        "arm",
        *(
            name
            for kind in SITE_TYPES
            for name in (f"{kind} AP", "change [95 %]", *(["against best mean"] if has_mean else []))
        ),
    ]
    rows = []
    for arm in _shown_arms(one):
        cells = [_title(arm)]
        for kind in SITE_TYPES:
            row = _row(one, kind, arm["name"])
            cells += [number(row["average_precision"]), change(row) if arm["name"] != BASE.name else "–"]
            if has_mean:
                against = one["results"][kind][arm["name"]]["against"].get(BEST_MEAN.name)
                cells.append("–" if against is None else change(against))
        rows.append(cells)
    return table(head, rows)


def _errors(one: Json) -> str:
    head = ["arm", "site", "FP", "FN", "FP at base's FN", "FN at base's FP", "ECE", "top-k"]
    rows = []
    for kind in SITE_TYPES:
        for arm in one["arms"]:
            found = one["results"][kind][arm["name"]]
            cut, ece = found["thresholds"], found["calibration"]["expected_calibration_error"]
            counts = (
                "false_positives",
                "false_negatives",
                "false_positives_at_reference_misses",
                "false_negatives_at_reference_false_calls",
            )
            shown = [count_of(cut[name]) for name in counts]
            rows.append(
                [_title(arm), kind, *shown, number(ece), number(_row(one, kind, arm["name"])["top_k_accuracy"])]
            )
    return table(head, rows)


def _strata(one: Json, numbers: Json) -> str:
    """The main arm in every stratum that holds enough sites to be measured."""
    main = next((arm for arm in one["arms"] if arm["name"] == MAIN_ARM), one["arms"][-1])
    beside = [BASE.name, *([BEST_MEAN.name] if _has_mean(one) else [])]
    titles = ["base model AP", *(["best mean AP"] if _has_mean(one) else [])]
    head = ["bases", "site", "sites", *titles, f"{main['title']} AP", "change [95 %]"]
    rows = []
    for name in (stratum["name"] for stratum in numbers["strata"] if stratum["name"] not in (ALL, JUNCTIONS)):
        for kind in SITE_TYPES:
            row = _row(one, kind, main["name"], name)
            if row["difference"] is not None:
                precisions = [_row(one, kind, arm, name)["average_precision"] for arm in (*beside, main["name"])]
                rows.append(
                    [plain_name(name), kind, count_of(row["sites"]), *map(number, precisions), change(row)],
                )
    return table(head, rows)


def _usage(one: Json) -> Iterator[str]:
    """Used against unused annotated sites, where percent spliced in was given."""
    by_key = {(row["arm"], row["splice_type"]): row for row in one["site_usage"]}
    if not by_key:
        return
    counts = " and ".join(
        f"{row['used']:,} used against {row['unused']:,} unused {kind}s"
        for kind in SITE_TYPES
        for row in (by_key[BASE.name, kind],)
    )
    yield "### Used and unused sites"
    yield (
        f"Annotated sites by percent spliced in: {counts}. *AUC* is the chance that a used one scores "
        "higher; .5 is guessing."
    )
    yield _by_arm(one, "AUC", "auc", lambda kind, arm: by_key[arm, kind])


def _junctions(one: Json, numbers: Json) -> Iterator[str]:
    """Sites that RNA-seq junctions support as the truth, where junctions were given."""
    meaning = next((item["meaning"] for item in numbers["strata"] if item["name"] == JUNCTIONS), None)
    if meaning is None:
        return
    counts = " and ".join(f"{_row(one, kind, BASE.name, JUNCTIONS)['sites']:,} {kind}s" for kind in SITE_TYPES)
    yield "### RNA-seq junctions"
    yield f"{meaning[:1].upper()}{meaning[1:]}; {counts}."
    yield _by_arm(one, "AP", "average_precision", lambda kind, arm: _row(one, kind, arm, JUNCTIONS))


def _by_arm(one: Json, title: str, name: str, found: Callable[[str, str], Json]) -> str:
    """A line per arm: a measure with its interval, and its change, for donors and for acceptors."""
    head = ["arm", *(text for kind in SITE_TYPES for text in (f"{kind} {title} [95 %]", "change [95 %]"))]
    rows = []
    for arm in _shown_arms(one):
        cells = [_title(arm)]
        for kind in SITE_TYPES:
            row = found(kind, arm["name"])
            cells += [measured(row, name), "–" if arm["name"] == BASE.name else change(row)]
        rows.append(cells)
    return table(head, rows)


def _starts(one: Json) -> str:
    if len(one["base_models"]) < 2:
        return ""
    found = "; ".join(
        f"for {kind}s "
        + ", ".join(
            f"{'the mean of ' if ' + ' in names else ''}`{names}` in {count} of {sum(one['starts'][kind].values())} folds"
            for names, count in sorted(one["starts"][kind].items(), key=lambda item: (-item[1], item[0]))
        )
        for kind in SITE_TYPES
    )
    return f"What the best mean is, and corrections start from, was chosen on the other folds: {found}."


def _ablation(numbers: Json) -> Iterator[str]:
    if numbers["ablation"] is None:
        return
    bases = numbers["sets"][-1]["base_models"]
    yield "## What each family of features adds"
    yield (
        f"The meta-model of {title_of(bases)}, without each family of features and with each alone. A family without which nothing is "
        "lost may still help alone: families share information."
    )
    if len(bases) > 1:
        yield (
            "An arm starts from the best mean of those base models' logits that it may read; one that may read fewer than two of them "
            "starts from the mean of all. That mean is a family of its own besides, so what is lost without a base model's family is not "
            "all that the base model adds: that is the difference between the sets above."
        )
    head = ["features"]
    for kind in SITE_TYPES:
        head += [f"{kind} AP", "against the whole model [95 %]", "against the base model [95 %]"]
    by_arm: dict[str, dict[str, Json]] = {}
    for row in numbers["ablation"]:
        by_arm.setdefault(row["arm"], {})[row["splice_type"]] = row
    rows = []
    for by_kind in by_arm.values():
        one = by_kind[SITE_TYPES[0]]
        whole = one["change"] == "whole"
        cells = ["whole model" if whole else f"{one['change']} {plain_family(one['of'])}"]
        for kind in SITE_TYPES:
            row = by_kind[kind]
            cells += [
                number(row["average_precision"]),
                "–" if whole else change(row, "to_full"),
                change(row, "to_base"),
            ]
        rows.append(cells)
    yield table(head, rows)


def _sampled(numbers: Json) -> Iterator[str]:
    yield "## Sampled rows against whole genes"
    yield (
        "The training set holds all sites and a share of the other bases. Weighted by the bases they stand for, its rows estimate the numbers of "
        "whole genes, here with the standard error of the sampling; counted as they are, they tell another story."
    )
    head = [
        "bases",
        "arm",
        "site",
        "AP, whole genes",
        "AP, weighted rows",
        "AP, rows as they are",
        "gain, whole genes",
        "gain, weighted",
        "gain, as they are",
    ]
    rows = []
    # the first base model is the same in every set
    first = numbers["sets"][0]
    rows += [
        [title_of(first["base_models"]), "base model", kind, *_precisions(row), *["–"] * 3]
        for kind in SITE_TYPES
        for row in (first["sampled_and_whole"][RECALIBRATED.name][kind],)
    ]
    for one in numbers["sets"]:
        by_kind = one["sampled_and_whole"][MAIN_ARM]
        rows += [[title_of(one["base_models"]), "meta-model", kind, *_estimates(by_kind[kind])] for kind in SITE_TYPES]
    if numbers["unweighted"] is not None:
        largest = title_of(numbers["sets"][-1]["base_models"])
        rows += [
            [largest, "meta-model, learnt unweighted", kind, *_estimates(numbers["unweighted"][kind])]
            for kind in SITE_TYPES
        ]
    yield table(head, rows)


def _precisions(row: Json) -> list[str]:
    error = row["weighted_standard_error"]
    weighted = number(row["weighted"]) + ("" if error is None else f" ± {error:.4f}")
    return [number(row["whole"]), weighted, number(row["unweighted"])]


def _estimates(row: Json) -> list[str]:
    gains = (row["whole_gain"], row["weighted_gain"], row["unweighted_gain"])
    return [*_precisions(row), *("–" if gain is None else signed(gain) for gain in gains)]


def _made_with(numbers: Json) -> Iterator[str]:
    made = numbers["made_with"]
    yield "## How this page was made"
    options = ", ".join(f"`{name}={_plain(value)}`" for name, value in sorted(made["options"].items()) if value != [])
    software = ", ".join(f"{name} {version}" for name, version in sorted(made["software"].items()))
    method = ", ".join(f"{name} {value}" for name, value in sorted(made["method"]["learner"].items()))
    yield "\n".join(
        [
            "By `meta-spliceai results`; the numbers are in `results.json` beside it.",
            "",
            f"- Options: {options}",
            f"- Learner: {method}",
            f"- Software: {software}",
            f"- Fingerprints: reference {made['inputs']['reference'][:12]}, base pass {made['inputs']['base_pass'][:12]}",
            *(
                f"- {model['name']}: weights {model['weights_fingerprint'][:12]}; trained on chromosomes "
                f"{', '.join(model['training_chromosomes']) or 'that it does not name'}. {model['licence']}"
                for model in numbers["sets"][-1]["base_models"]
            ),
        ]
    )


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
