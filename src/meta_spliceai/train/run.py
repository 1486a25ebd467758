"""`train`: plan -> folds -> calibrations -> model -> predictions on whole held-out genes.

split.tsv                 the fold and the group of each gene
dataset_trimmed.parquet   with --prune-features; pruned_features.csv says what was dropped and why
folds/fold_1/*            what each fold's models learnt
calibrations.json         fitted across folds
metrics.json              of sampled rows, and labelled as such
model/                    the saved meta-model
feature_manifest.csv      what it reads, and how much it gains from it
delta_vs_baseline.csv     gene by gene, the saved model's arm beside the base model, on every base of held-out genes
predictions/              every base of every held-out gene, by every arm
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.store.folder import Folder
from meta_spliceai.train.baseline import DELTA_FILE
from meta_spliceai.train.calibrate import DEFAULT_CHOICE, CalibrationChoice
from meta_spliceai.train.learners.spec import learner_of
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.parts import FORMAT_VERSION, KIND, MODEL, PREDICTIONS, RunParts
from meta_spliceai.train.plan import TrainPlan, plan_training
from meta_spliceai.train.residual import Method, Recipe
from meta_spliceai.train.single import SingleSplitOptions, SingleSplitResult, train_single_split
from meta_spliceai.train.split import LEFT_OUT

Weights = Literal["inverse_inclusion", "none"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A finished training run.

    Parameters
    ----------
    out_dir, model, predictions
        The run's folder, the saved model, and the predictions on whole held-out genes.
    genes, groups, folds
        What was divided, and into how many folds.
    rows, bases
        Sampled rows learnt from, and bases predicted.
    arms
        Names of the arms in the predictions.
    """

    out_dir: Path
    model: Path
    predictions: Path
    genes: int
    groups: int
    folds: int
    rows: int
    bases: int
    arms: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for people."""
        return "\n".join(
            [
                f"model        {self.model}",
                f"predictions  {self.predictions}: {self.bases:,} bases of whole held-out genes",
                f"trained on   {self.rows:,} sampled rows of {self.genes:,} genes in {self.groups:,} groups, {self.folds} folds",
                f"arms         {', '.join(self.arms)}",
                f"gene by gene {self.out_dir / DELTA_FILE}",
                f"next         meta-spliceai evaluate --predictions {self.predictions} --out-dir {self.out_dir / 'evaluation'}",
                f"then         meta-spliceai report --run-dir {self.out_dir} --out {self.out_dir / 'report.html'}",
            ]
        )


def train(
    *,
    dataset: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] = (),
    out_dir: Path,
    feature_profile: str = "de_novo",
    arms: Sequence[str] = ("base_scores", "meta", "gene_conditioned"),
    split: str = "family",
    folds: int = 5,
    test_size: float | None = None,
    seed: int = 42,
    threads: int | None = None,
    model: str = "xgboost",
    base_margin: bool | None = None,
    weights: Weights = "inverse_inclusion",
    early_stopping: bool = False,
    single_split: bool = False,
    target: str = "splice_type",
    group_col: str = "gene_id",
    valid_size: float = 0.1,
    incremental: bool = False,
    batch_size: int = 200_000,
    memory_limit: str | None = None,
    prune_features: bool = False,
    corr_thr: float = 0.99,
    baseline_tsv: Path | None = None,
    ablation: bool = False,
    calibration: CalibrationChoice = DEFAULT_CHOICE,
    recipe: Recipe | None = None,
    similarity: Similarity | None = None,
    overwrite: bool = False,
) -> TrainResult | SingleSplitResult:
    """Cross-validate meta-models over gene groups and save one, with predictions for every base of held-out genes.

    An interrupted run resumes when it is called again: finished folds are kept.

    Parameters
    ----------
    dataset
        A built dataset, or its `master` folder.
    reference
        The reference it was built with; default: the one that `reference audit` finds.
    eval_dir
        The base pass it was built from; default: the only one in the reference folder.
    evidence
        The files of evidence that the dataset was built with, as NAME=FILE: whole genes need them as well.
    out_dir
        Where everything goes.
    feature_profile
        The features of the saved model: `base_only`, `de_novo`, `gene_conditioned` or `annotated`, or a file with one
        feature a line, which claims the narrowest of them that admits all.
    arms
        Trained arms to compare: `base_scores`, `meta`, `gene_conditioned`, `annotated`.
    split
        What is divided into folds: `family` (groups of genes that overlap or resemble one another), `gene` (overlap alone,
        which flatters), `chromosome`, or a file that `split plan` wrote; a file decides folds and test genes itself, instead
        of the two options that follow.
    folds
        Folds over gene groups.
    test_size
        Share of the gene groups that is set aside: in no fold, predicted by the saved model alone; default: none. With
        `--single-split`, the share that the model is measured on; default: 0.2.
    seed
        Seed of every random choice.
    threads
        Fits that run at the same time; default: all cores. It changes no result.
    model
        What learns: xgboost, lightgbm, catboost, random_forest, log_reg, sgd_logistic or mlp, or a JSON object of its
        hyper-parameters, such as '{"name": "xgboost", "max_depth": 4}', or a file of such.
    base_margin
        Whether models correct the base model's logit, which is the default; with `--no-base-margin` they start from
        nothing, and their own score stands wherever the base score reaches the gate.
    weights
        `inverse_inclusion`: a row counts as the bases it stands for; `none`: as one. Calibration is always weighted.
    early_stopping
        Choose the number of rounds of a boosted learner on inner folds.
    single_split
        Train one model on one split, and estimate what it is worth on sampled rows only, instead of cross-validating and
        predicting whole genes: quick, and enough to compare settings. Needs no artifacts.
    target
        With `--single-split`: `splice_type`, one model for donors and one for acceptors, or `splice_site`, one for both.
    group_col
        With `--single-split`: rows that agree in this column stay together.
    valid_size
        With `--single-split`: share of the groups that decides when boosting stops and how far corrections are shrunk.
    incremental
        One split for datasets larger than memory: features stay on disk and are read in batches.
    batch_size
        With `--incremental`: rows of features in memory at once.
    memory_limit
        With `--incremental`: memory that the run may take, such as 1GB; batches become smaller to stay below it.
    prune_features
        Drop features that hold one value in all rows, and those that another one all but repeats; the dataset without them
        is written as dataset_trimmed.parquet.
    corr_thr
        Absolute correlation, in a sample of rows, from which the later of two features is dropped.
    baseline_tsv
        The base model's performance gene by gene; default: the full_splice_performance.tsv of the base pass.
    ablation
        Also train arms without each family of features, and arms with one family only: what each adds. The command
        `ablation` then makes a table of it.
    calibration
        What makes probabilities of the scores of folds and of the saved model, fitted out of fold: `beta`, `platt`,
        `temperature`, `isotonic`, which ties scores, or `none`; or `auto`, the kind with the least log loss among the folds.
    recipe
        What surrounds the learner.
    similarity
        When two genes resemble one another, so that they must stay together.
    overwrite
        Start anew where the folder holds a run made with other options.

    Raises
    ------
    InputError, GeneError, SchemaError, LeakageError
        Before anything is fitted: options, datasets or features that cannot be used.
    PlanMismatchError
        The folder holds a run made with other options or inputs.
    """
    if single_split or incremental:
        if split != "family":
            raise InputError(
                expected="--split in cross-validation only",
                found=f"--split {split} with one split",
                action="leave it out and name what stays together with --group-col, or leave out --single-split",
            )
        if ablation:
            raise InputError(
                expected="--ablation with cross-validation, which measures whole genes",
                found="--incremental" if incremental else "--single-split",
                action="leave one of them out",
            )
        if calibration != DEFAULT_CHOICE:
            raise InputError(
                expected="--calibration with cross-validation, which has rows to fit it on",
                found="--incremental" if incremental else "--single-split",
                action="leave one of them out: the model of one split is not calibrated",
            )
        return train_single_split(
            dataset=dataset,
            reference=reference,
            eval_dir=eval_dir,
            baseline_tsv=baseline_tsv,
            out_dir=out_dir,
            options=SingleSplitOptions(
                model=model,
                target=target,
                group_col=group_col,
                test_size=0.2 if test_size is None else test_size,
                valid_size=valid_size,
                feature_profile=feature_profile,
                base_margin=base_margin is not False,
                weights=weights,
                early_stopping=early_stopping,
                corr_thr=corr_thr if prune_features else None,
                seed=seed,
                threads=threads or 1,
                incremental=incremental,
                batch_size=batch_size,
                memory_limit=memory_limit,
            ),
            overwrite=overwrite,
        )
    _refuse_single_split_options(target=(target, "splice_type"), group_col=(group_col, "gene_id"))
    plan = plan_training(
        dataset=dataset,
        reference=reference,
        eval_dir=eval_dir,
        feature_profile=feature_profile,
        arms=arms,
        split=split,
        folds=folds,
        test_size=test_size or 0.0,
        seed=seed,
        threads=threads,
        method=Method(
            learner=learner_of(model),
            recipe=recipe or Recipe(),
            base_margin=base_margin is not False,
            early_stopping=early_stopping,
            weighted=_is_weighted(weights),
        ),
        similarity=similarity or Similarity(),
        baseline_tsv=baseline_tsv,
        corr_thr=corr_thr if prune_features else None,
        evidence=evidence,
        ablation=ablation,
    ).with_calibration(calibration)
    say_what_is_divided(plan)
    with Folder.opened(
        out_dir,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=plan.parameters,
        inputs=plan.inputs,
        overwrite=overwrite,
    ) as folder:
        made = RunParts(plan, folder).make()
        folder.log("train", **made, threads=plan.threads)
    return TrainResult(
        out_dir=out_dir,
        model=out_dir / MODEL,
        predictions=out_dir / PREDICTIONS,
        folds=plan.folds,
        arms=tuple(arm.name for arm in plan.reported_arms),
        **made,
    )


def _refuse_single_split_options(**given: tuple[object, object]) -> None:
    for name, (value, default) in given.items():
        if value != default:
            raise InputError(
                expected=f"--{name.replace('_', '-')} {default} in cross-validation, which predicts donors and acceptors of "
                "whole genes by gene groups",
                found=f"{value}",
                action="add --single-split, or leave the option out",
            )


def _is_weighted(weights: Weights) -> bool:
    if weights not in get_args(Weights):
        raise InputError(f"--weights {' or '.join(get_args(Weights))}", f"{weights!r}", "choose one of them")
    return weights == "inverse_inclusion"


def say_what_is_divided(plan: TrainPlan) -> None:
    """Log the split, and warn of what would flatter."""
    used = plan.split.filter(pl.col("fold") != LEFT_OUT)
    log.info("%d genes in %d groups, %d folds", used.height, used["group"].n_unique(), plan.folds)
    if used.height < plan.split.height:
        log.info("%d genes are left out: their family is on another side", plan.split.height - used.height)
    seen = int(used["base_seen"].sum())
    if seen:
        log.warning(
            "the base model was trained on the chromosomes of %d of %d genes: its scores are better there than on new "
            "genes, so only base-unseen genes can support a claim; `evaluate` reports both apart",
            seen, used.height,
        )  # fmt: skip
    across = used.filter(pl.col("fold").n_unique().over("family") > 1)
    if across.height:
        log.warning(
            "%d genes have relatives in another fold, such as %s: this split lets models see genes like those they are "
            "measured on, and flatters",
            across.height, " ".join(across["gene_name"].head(5)),
        )  # fmt: skip
