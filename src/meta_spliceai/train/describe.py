"""What a training run says about itself, and what a model card says about a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.train.arms import BASE, BASE_MEAN, Arm
from meta_spliceai.train.fit import FINAL, CalibrationsByFold
from meta_spliceai.train.model import MODEL_FILE, MetaModel
from meta_spliceai.train.plan import TrainPlan
from meta_spliceai.train.split import LEFT_OUT, SET_ASIDE


def run_description(plan: TrainPlan, arms: Sequence[Arm], calibrations: CalibrationsByFold) -> dict[str, Any]:
    """The content of predictions.json: arms, groups, base model, dataset, and the calibration of each arm by fold."""
    groups = (
        plan.split.filter(pl.col("fold") != LEFT_OUT)
        .group_by("group", maintain_order=True)
        .agg(gene_ids=pl.col("gene_id"), gene_names=pl.col("gene_name"))
        .sort("group")
    )
    maps = [
        {"fold": SET_ASIDE if fold == FINAL else int(fold), "arm": arm, "splice_type": channel, **plain(fitted)}
        for fold, by_arm in calibrations.items()
        for arm, by_channel in by_arm.items()
        for channel, fitted in by_channel.items()
    ]
    described: dict[str, Any] = plain(
        {
            "arms": [
                {"name": arm.name, "title": arm.title, "profile": arm.profile or "", "note": arm.note} for arm in arms
            ],
            "reference arm": BASE.name,
            "groups": groups.to_dicts(),
            "base_model": dict(plan.artifacts.base_model),
            "further_base_models": [dict(one) for one in plan.artifacts.further_base_models],
            "dataset": {"fingerprint": plan.inputs["dataset"], **plan.dataset.manifest.facts},
            "build": plan.reference.build,
            "seed": plan.seed,
            "folds": plan.folds,
            "feature_profile": plan.feature_profile,
            "skipped_arms": [{"name": BASE_MEAN.name, "reason": "the artifacts hold the scores of one base model"}]
            if BASE_MEAN not in arms
            else [],
            "calibration": {"choice": plan.calibration, "kinds": _kinds(maps)},
            "calibrations": maps,
            **({} if plan.row_cap is None else {"row_cap": plan.row_cap}),
        }
    )
    return described


def _kinds(maps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """The kind of each map by arm, site type and fold."""
    kinds: dict[str, dict[str, dict[str, str]]] = {}
    for one in maps:
        kinds.setdefault(one["arm"], {}).setdefault(one["splice_type"], {})[str(one["fold"])] = one["kind"]
    return kinds


def labelled_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics of sampled rows, under a label that says so."""
    return {
        "sampled rows": {
            "note": "weighted estimates from the sampled rows of the dataset, by models that had not seen them; the "
            "result that counts is measured on whole genes by `meta-spliceai evaluate`",
            "arms": dict(metrics),
        }
    }


def _kinds_of(model: MetaModel) -> str:
    return ", ".join(f"{channel}s {model.calibration[channel].kind}" for channel in SITE_TYPES)


def _ties(model: MetaModel) -> str:
    if all(one.kind != "isotonic" for one in model.calibration.values()):
        return ""
    return " An isotonic one ties bases whose scores differed: what ranks bases should know it."


def feature_manifest(model: MetaModel) -> pl.DataFrame:
    """What a model reads: feature, role, origin, donor_gain, acceptor_gain, rank.

    A gain is the feature's share of what the models of a channel gain from all of them, over all fold models, each
    counting as far as its correction is applied: of the loss that the splits of boosted trees take away; in other learners
    see `gains` of their models. Rank 1 has the largest sum of both.
    """
    gains = {f"{channel}_gain": _gain_shares(model, channel) for channel in SITE_TYPES}
    frame = pl.DataFrame(
        {
            "feature": [feature.name for feature in model.features],
            "role": [feature.role for feature in model.features],
            "origin": [feature.origin for feature in model.features],
            **gains,
        }
    )
    total = pl.sum_horizontal(list(gains))
    return frame.with_columns(rank=total.rank("ordinal", descending=True).cast(pl.Int64)).sort("rank")


def _gain_shares(model: MetaModel, channel: str) -> npt.NDArray[np.float64]:
    total = np.zeros(len(model.features))
    for correction in model.ensemble.corrections[channel]:
        total += correction.shrinkage * correction.model.gains(total.size)
    return total / total.sum() if total.any() else total


def model_card(model: MetaModel) -> str:
    """What a user of a model should know, as Markdown."""
    base = model.base_model
    origins = sorted({feature.origin for feature in model.features})
    counts = ", ".join(f"{sum(feature.origin == origin for feature in model.features)} {origin}" for origin in origins)
    shares = {
        channel: ", ".join(f"{fitted.shrinkage:.2f}" for fitted in model.ensemble.corrections[channel])
        for channel in SITE_TYPES
    }
    return "\n".join(
        [
            "# Meta-model",
            "",
            f"Corrects the splice-site probabilities of base model **{base['name']}** "
            f"(weights {str(base['weights_fingerprint'])[:12]}, trained on {base['training_build']}).",
            "",
            "| | |",
            "|---|---|",
            f"| profile | `{model.profile}` |",
            f"| features | {len(model.features)}: {counts} |",
            f"| learner | {model.learner['name']} |",
            f"| gate | bases with an own-channel base score of at least {model.ensemble.gate:g} are corrected |",
            *(f"| share of the {c} correction that is applied, by fold | {shares[c]} |" for c in SITE_TYPES),
            f"| training genes | {len(model.training_genes):,}, listed in `{MODEL_FILE}` |",
            *(f"| {name.replace('_', ' ')} | {value} |" for name, value in sorted(model.provenance.items())),
            "",
            "## Use",
            "",
            "Give it the artifacts of a base pass with the same base model: `meta-spliceai predict`. Below the gate the base",
            f"model's score stands. All scores pass through one calibration ({_kinds_of(model)}), fitted on bases of genes that the",
            "fold models had not been trained on, at the prevalence that whole genes have." + _ties(model),
            "",
            "## Limits",
            "",
            "It learnt from the annotated sites of the training genes: what a site is, is what their annotation says. How much",
            "better than the base model it is on genes it has not seen is measured by `meta-spliceai evaluate`; figures on",
            "training rows say nothing about that. The licence of the base model's weights may extend to what is made with",
            f"them: {base['licence']}.",
            "",
        ]
    )
