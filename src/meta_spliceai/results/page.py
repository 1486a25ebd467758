"""results.json as Markdown: the same numbers, in the order in which people ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meta_spliceai.evaluate.strata import ALL
from meta_spliceai.evaluate.words import is_different_claim
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.arms import BASE, BEST_MEAN, RECALIBRATED

Json = Mapping[str, Any]

_MAIN_ARM = "meta"


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


def _of_set(one: Json, numbers: Json) -> Iterator[str]:
    yield f"## {title_of(one['base_models'])}"
    yield _arms(one)
    yield _errors(one)
    yield _strata(one, numbers)
    yield _usage(one)
    yield _starts(one)
    yield "\n".join(f"- {sentence}" for sentence in one["in_words"])


def _shown_arms(one: Json) -> list[Json]:
    """All but the recalibrated base model, which ranks as the raw one does."""
    return [arm for arm in one["arms"] if arm["name"] != RECALIBRATED.name]


def _row(one: Json, kind: str, arm: str, stratum: str = ALL) -> Json:
    found: Json = one["results"][kind][arm]["strata"][stratum]
    return found


def _title(arm: Json) -> str:
    return f"{arm['title']} (another claim)" if is_different_claim(arm) else str(arm["title"])


def _arms(one: Json) -> str:
    has_mean = any(arm["name"] == BEST_MEAN.name for arm in one["arms"])
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
            cells += [_number(row["average_precision"]), _change(row) if arm["name"] != BASE.name else "–"]
            if has_mean:
                against = one["results"][kind][arm["name"]]["against"].get(BEST_MEAN.name)
                cells.append("–" if against is None else _change(against))
        rows.append(cells)
    return _table(head, rows)


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
            shown = [_count(cut[name]) for name in counts]
            rows.append(
                [_title(arm), kind, *shown, _number(ece), _number(_row(one, kind, arm["name"])["top_k_accuracy"])]
            )
    return _table(head, rows)


def _strata(one: Json, numbers: Json) -> str:
    """The main arm in every stratum that holds enough sites to be measured."""
    main = next((arm for arm in one["arms"] if arm["name"] == _MAIN_ARM), one["arms"][-1])
    head = ["bases", "site", "sites", "base model AP", f"{main['title']} AP", "change [95 %]"]
    rows = []
    for stratum in numbers["strata"]:
        for kind in SITE_TYPES:
            row, base = (_row(one, kind, name, stratum["name"]) for name in (main["name"], BASE.name))
            if stratum["name"] != ALL and row["difference"] is not None:
                name = stratum["name"].replace("_", " ")
                rows.append(
                    [
                        name,
                        kind,
                        _count(row["sites"]),
                        _number(base["average_precision"]),
                        _number(row["average_precision"]),
                        _change(row),
                    ]
                )
    return _table(head, rows)


def _usage(one: Json) -> str:
    titles = {arm["name"]: _title(arm) for arm in _shown_arms(one)}
    rows = [
        [
            titles[row["arm"]],
            row["splice_type"],
            f"{row['used']:,} / {row['unused']:,}",
            _number(row["auc"]),
            _change(row),
        ]
        for row in one["site_usage"]
        if row["arm"] in titles
    ]
    if not rows:
        return ""
    table = _table(["arm", "site", "used / unused", "AUC", "change [95 %]"], rows)
    return f"Used against unused annotated sites, by percent spliced in:\n\n{table}"


def _starts(one: Json) -> str:
    if len(one["base_models"]) < 2:
        return ""
    found = "; ".join(
        f"{kind}s: "
        + ", ".join(
            f"`{names}` in {count} of {sum(one['starts'][kind].values())} folds"
            for names, count in one["starts"][kind].items()
        )
        for kind in SITE_TYPES
    )
    return f"Corrections start from the mean of: {found}."


def _ablation(numbers: Json) -> Iterator[str]:
    if numbers["ablation"] is None:
        return
    yield "## What each family of features adds"
    yield f"The meta-model of {title_of(numbers['sets'][-1]['base_models'])}, without each family of features and with each alone."
    rows = [
        [
            "whole model" if row["change"] == "whole" else f"{row['change']} {row['of']}",
            row["splice_type"],
            _number(row["average_precision"]),
            "–" if row["change"] == "whole" else _change(row, "to_full"),
            _change(row, "to_base"),
        ]
        for row in numbers["ablation"]
    ]
    yield _table(["features", "site", "AP", "against the whole model [95 %]", "against the base model [95 %]"], rows)


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
    for one in numbers["sets"]:
        titles = {arm["name"]: arm["title"] for arm in one["arms"]}
        for arm, by_kind in one["sampled_and_whole"].items():
            if arm in (RECALIBRATED.name, _MAIN_ARM):
                name = "base model" if arm == RECALIBRATED.name else titles[arm]
                rows += [[title_of(one["base_models"]), name, kind, *_estimates(row)] for kind, row in by_kind.items()]
    if numbers["unweighted"] is not None:
        largest = title_of(numbers["sets"][-1]["base_models"])
        rows += [
            [largest, "meta-model, learnt unweighted", kind, *_estimates(row)]
            for kind, row in numbers["unweighted"].items()
        ]
    yield _table(head, rows)


def _estimates(row: Json) -> list[str]:
    error = row["weighted_standard_error"]
    weighted = _number(row["weighted"]) + ("" if error is None else f" ± {error:.4f}")
    gains = (row["whole_gain"], row["weighted_gain"], row["unweighted_gain"])
    return [
        _number(row["whole"]),
        weighted,
        _number(row["unweighted"]),
        *("–" if gain is None else f"{gain:+.4f}" for gain in gains),
    ]


def _made_with(numbers: Json) -> Iterator[str]:
    made = numbers["made_with"]
    yield "## How this page was made"
    options = ", ".join(f"`{name}={_plain(value)}`" for name, value in made["options"].items() if value != [])
    software = ", ".join(f"{name} {version}" for name, version in made["software"].items())
    method = ", ".join(f"{name} {value}" for name, value in made["method"]["learner"].items())
    yield "\n".join(
        [
            "By `meta-spliceai results`; the numbers are in `results.json` beside it.",
            "",
            f"- Options: {options}",
            f"- Learner: {method}",
            f"- Software: {software}",
            f"- Reference {made['inputs']['reference'][:12]}, base pass {made['inputs']['base_pass'][:12]}",
            *(
                f"- {model['name']}: weights {model['weights_fingerprint'][:12]}; trained on chromosomes "
                f"{', '.join(model['training_chromosomes']) or 'that it does not name'}. {model['licence']}"
                for model in numbers["sets"][-1]["base_models"]
            ),
        ]
    )


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _change(row: Json, name: str = "difference") -> str:
    value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "–"
    return f"{value:+.4f}" if low is None else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
