"""What the runs measured, as one object: the content of results.json.

made_with   versions, seed, folds, draws, options, and fingerprints of what everything was made from
data        genes, bases, sites, gene groups
sets        for each set of base models: arms, strata, contrasts, errors, calibration, use, starts, sampled rows
ablation    each arm of the ablation of the largest set, beside the whole model and the base model
unweighted  the model that learnt from rows as if each stood for one base: on whole genes, and on sampled rows
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meta_spliceai.evaluate.result import EvaluationResult, metrics_of
from meta_spliceai.evaluate.strata import ALL
from meta_spliceai.evaluate.words import plain_words, what_psi_says
from meta_spliceai.explain.ablation import ablation_table
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.results.steps import Measured
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.train.arms import RECALIBRATED, TRAINED_ARMS
from meta_spliceai.train.parts import FORMAT_VERSION as RUN_FORMAT
from meta_spliceai.train.parts import KIND as RUN_KIND
from meta_spliceai.train.parts import METRICS_FILE

KIND, FORMAT_VERSION = "results", 1

MAIN_ARM = TRAINED_ARMS["meta"].name


def numbers_of(
    sets: Sequence[Measured],
    ablation: Measured | None,
    unweighted: Measured | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of results.json.

    Parameters
    ----------
    sets
        From the smallest set of base models to the largest.
    ablation, unweighted
        Runs with the largest set, where there were such.
    options
        What was asked for, without paths.
    """
    about, manifest = sets[-1].evaluation.about, _manifest(sets[-1].run_dir)
    found: dict[str, Any] = plain(
        {
            "kind": KIND,
            "format_version": FORMAT_VERSION,
            "made_with": {
                "options": dict(options),
                "inputs": {name: manifest.inputs[name] for name in ("reference", "base_pass")},
                "method": manifest.parameters["method"],
                "bootstrap": about["bootstrap"],
                "software": about["software"],
            },
            "data": {"build": about["build"], **about["measured"]},
            "strata": about["strata"],
            "definitions": about["definitions"],
            "sets": [_set(one) for one in sets],
            "ablation": None if ablation is None else ablation_table(ablation.evaluation).to_dicts(),
            "unweighted": None if unweighted is None else sampled_and_whole(unweighted)[MAIN_ARM],
        }
    )
    return found


def _manifest(run_dir: Path) -> Any:
    return read_manifest(run_dir, RUN_KIND, RUN_FORMAT)


def _set(one: Measured) -> dict[str, Any]:
    about = one.evaluation.about
    return {
        "base_models": [
            {name: model[name] for name in ("name", "weights_fingerprint", "training_chromosomes", "licence")}
            for model in _manifest(one.run_dir).parameters["base_models"]
        ],
        "arms": about["arms"],
        "results": metrics_of(one.evaluation)["results"],
        "site_usage": about.get("site_usage", []),
        "starts": chosen_starts(one.run_dir),
        "sampled_and_whole": sampled_and_whole(one),
        # how arms tell used from unused sites stands in `site_usage`
        "in_words": [words for words in plain_words(one.evaluation) if words not in set(what_psi_says(one.evaluation))],
    }


def chosen_starts(run_dir: Path) -> dict[str, dict[str, int]]:
    """By site type: the logits whose mean corrections start from, joined by ' + ', and in how many folds they do."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in SITE_TYPES}
    for name, part in _manifest(run_dir).parts.items():
        if name.startswith("fold_"):
            for kind in SITE_TYPES:
                start = part.facts["starts"].get(f"{MAIN_ARM}_{kind}", [])
                counts[kind][" + ".join(start) or "the base model's logit"] += 1
    return {kind: dict(counter.most_common()) for kind, counter in counts.items()}


def sampled_and_whole(one: Measured) -> dict[str, dict[str, dict[str, float | None]]]:
    """By arm and site type: average precision and its gain over the base model on whole genes, and what sampled rows say.

    `weighted` counts each row as the bases it stands for, `unweighted` each as one.
    """
    sampled = read_json(one.run_dir / METRICS_FILE)["sampled rows"]["arms"]
    base = sampled[RECALIBRATED.name]
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for arm in (arm["name"] for arm in one.evaluation.about["arms"][1:] if arm["name"] in sampled):
        for kind in SITE_TYPES:
            own, reference = sampled[arm][kind], base[kind]
            whole = _whole(one.evaluation, kind, arm)
            found.setdefault(arm, {})[kind] = {
                "whole": whole["average_precision"],
                "whole_gain": whole["difference"],
                "weighted": own["average_precision"],
                "weighted_standard_error": own["average_precision_standard_error"],
                "weighted_gain": _difference(own, reference, "average_precision"),
                "unweighted": own["unweighted_average_precision"],
                "unweighted_gain": _difference(own, reference, "unweighted_average_precision"),
            }
    return found


def _whole(result: EvaluationResult, kind: str, arm: str) -> dict[str, Any]:
    return result.ranking(ALL, kind, arm)


def _difference(own: Mapping[str, Any], base: Mapping[str, Any], name: str) -> float | None:
    return None if own[name] is None or base[name] is None else float(own[name]) - float(base[name])
