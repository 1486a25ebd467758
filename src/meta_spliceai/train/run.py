"""`train`: plan -> folds -> calibrations -> model -> predictions on whole held-out genes.

split.tsv                 the fold and the group of each gene
folds/fold_1/*.ubj        what each fold's models learnt
calibrations.json         fitted across folds
metrics.json              of sampled rows, and labelled as such
model/                    the saved meta-model
feature_manifest.csv      what it reads, and how much it gains from it
predictions/              every base of every held-out gene, by every arm
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.features.profile import Profile
from meta_spliceai.store.folder import Folder
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.parts import FORMAT_VERSION, KIND, MODEL, PREDICTIONS, RunParts
from meta_spliceai.train.plan import TrainPlan, plan_training
from meta_spliceai.train.residual import Recipe
from meta_spliceai.train.split import LEFT_OUT

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
                "next         meta-spliceai evaluate --predictions … measures them",
            ]
        )


def train(
    *,
    dataset: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    out_dir: Path,
    feature_profile: Profile = "de_novo",
    arms: Sequence[str] = ("base_scores", "meta", "gene_conditioned"),
    split: Path | None = None,
    folds: int = 5,
    test_size: float = 0.0,
    seed: int = 42,
    threads: int | None = None,
    recipe: Recipe | None = None,
    similarity: Similarity | None = None,
    overwrite: bool = False,
) -> TrainResult:
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
    out_dir
        Where everything goes.
    feature_profile
        The features of the saved model: `base_only`, `de_novo`, `gene_conditioned` or `annotated`.
    arms
        Trained arms to compare: `base_scores`, `meta`, `gene_conditioned`, `annotated`.
    split
        A saved split, as `split plan` writes it; it decides folds and test genes, instead of the two options that follow.
    folds
        Folds over gene groups.
    test_size
        Share of the gene groups that is set aside: in no fold, predicted by the saved model alone.
    seed
        Seed of every random choice.
    threads
        Fits that run at the same time; default: all cores. It changes no result.
    recipe
        How each correction is learnt.
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
    plan = plan_training(
        dataset=dataset,
        reference=reference,
        eval_dir=eval_dir,
        feature_profile=feature_profile,
        arms=arms,
        split=split,
        folds=folds,
        test_size=test_size,
        seed=seed,
        threads=threads,
        recipe=recipe or Recipe(),
        similarity=similarity or Similarity(),
    )
    _say_what_is_divided(plan)
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


def _say_what_is_divided(plan: TrainPlan) -> None:
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
