"""`cv`: plan -> folds -> predictions out of fold -> measures.

split.tsv                 the fold and the group of each gene
folds/fold_1/*            what each fold's models learnt
calibrations.json         each fold's, fitted on the other folds
sampled_metrics.json      of sampled rows, and labelled as such
predictions/              every base of every gene, and rows.parquet, every row of the dataset
evaluation/               of all folds together, as `evaluate` writes it
per_fold.tsv, pooled.tsv, top_k.tsv, top_k_by_scope.parquet, thresholds.json, metrics.json, summary.txt
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from meta_spliceai.crossval.measures import measure_folds
from meta_spliceai.crossval.planning import capped, check_folds, check_options, with_objective, without_test_side
from meta_spliceai.crossval.result import CrossValidationResult, framed, pooled_rows, write_result
from meta_spliceai.crossval.rows import arms_of_rows, write_rows
from meta_spliceai.crossval.tables import FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE, scope_table
from meta_spliceai.crossval.top_k import accuracies, top_k_rows
from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.bases import load_bases
from meta_spliceai.evaluate.bootstrap import LEVEL, multiplicities
from meta_spliceai.evaluate.predictions import open_predictions
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file, software_versions
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train.calibrate import DEFAULT_CHOICE, CalibrationChoice
from meta_spliceai.train.classes import Objective
from meta_spliceai.train.learners.spec import learner_of
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.parts import PREDICTIONS, RunParts
from meta_spliceai.train.plan import TrainPlan, plan_training
from meta_spliceai.train.residual import Method, Recipe
from meta_spliceai.train.run import say_what_is_divided
from meta_spliceai.train.split import SCHEMES

KIND, FORMAT_VERSION = "cross_validation", 1
EVALUATION, ROWS_FILE, SAMPLED_FILE = "evaluation", f"{PREDICTIONS}/rows.parquet", "sampled_metrics.json"

Weights = Literal["inverse_inclusion", "none"]


def cv(
    *,
    dataset: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] = (),
    out_dir: Path,
    feature_profile: str = "de_novo",
    arms: Sequence[str] = ("base_scores", "meta", "gene_conditioned"),
    folds: int = 5,
    split: str = "family",
    seed: int = 42,
    threads: int | None = None,
    model: str = "xgboost",
    objective: Objective = "corrections",
    base_margin: bool | None = None,
    weights: Weights = "inverse_inclusion",
    early_stopping: bool = False,
    calibration: CalibrationChoice = DEFAULT_CHOICE,
    row_cap: int | None = None,
    draws: int = 1000,
    recipe: Recipe | None = None,
    similarity: Similarity | None = None,
    overwrite: bool = False,
) -> CrossValidationResult:
    """Predict every base of every gene by models that had not seen it, and measure them fold by fold and together.

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
        A profile whose arm is compared in any case: `base_only`, `de_novo`, `gene_conditioned` or `annotated`, or a file
        with one feature a line, which claims the narrowest of them that admits all.
    arms
        Trained arms to compare: `base_scores`, `meta`, `gene_conditioned`, `annotated`.
    folds
        Folds; each is held out once.
    split
        What stays together: `family`, genes that overlap or resemble one another; `gene`, genes that overlap, so that
        relatives of a gene may have been learnt from; `chromosome`, all genes of a chromosome, without those that have
        relatives in another fold. Or a saved split, as `split plan` writes it, which decides the folds; genes that it sets
        aside stay untouched.
    seed
        Seed of every random choice.
    threads
        Fits that run at the same time; default: all cores. It changes no result.
    model
        What learns: xgboost, lightgbm, catboost, random_forest, log_reg, sgd_logistic or mlp, or a JSON object of its
        hyper-parameters, such as '{"name": "xgboost", "max_depth": 4}', or a file of such.
    objective
        `corrections`: a model for donors and one for acceptors, which correct the base score; `sigmoid`: three models, each
        of donor, acceptor or neither against the rest; `multiclass`: one model with a softmax over the three, of learners
        that have one (xgboost). The last two start from nothing.
    base_margin
        Whether models correct the base model's logit, which is the default; with `--no-base-margin` they start from
        nothing, and their own score stands wherever the base score reaches the gate.
    weights
        `inverse_inclusion`: a row counts as the bases it stands for; `none`: as one. Calibration is always weighted.
    early_stopping
        Choose the number of rounds of a boosted learner on inner folds.
    calibration
        What makes probabilities of scores, for each arm and site type by itself, fitted for each fold on the others: `beta`,
        `platt`, `temperature`, `isotonic` or `none`; or `auto`, the kind with the least log loss among the other folds.
        Rankings and thresholds are measured before it, so `isotonic`, which ties scores, spoils none.
    row_cap
        Rows that models may learn from, drawn at random, for a quick trial; default: all. Every result is marked where it
        leaves rows out. Predictions are made for all bases and rows in any case.
    draws
        Draws of the bootstrap over gene groups.
    recipe
        What surrounds the learner.
    similarity
        When two genes resemble one another, so that they must stay together.
    overwrite
        Start anew where the folder holds a run made with other options.

    Raises
    ------
    InputError, GeneError, SchemaError, LeakageError
        Before anything is fitted: options, datasets or features that cannot be used, or folds that nothing could be
        measured in.
    PlanMismatchError
        The folder holds a run made with other options or inputs.
    """
    check_options(row_cap=row_cap, draws=draws)
    if weights not in get_args(Weights):
        raise InputError(f"--weights {' or '.join(get_args(Weights))}", f"{weights!r}", "choose one of them")
    plan = plan_training(
        dataset=dataset,
        reference=reference,
        eval_dir=eval_dir,
        feature_profile=feature_profile,
        arms=arms,
        split=split,
        folds=folds,
        test_size=0.0,
        seed=seed,
        threads=threads,
        method=Method(
            learner=learner_of(model),
            recipe=recipe or Recipe(),
            base_margin=objective == "corrections" if base_margin is None else base_margin,
            early_stopping=early_stopping,
            weighted=weights == "inverse_inclusion",
            objective=objective,
        ),
        similarity=similarity or Similarity(),
        evidence=evidence,
    )
    plan = capped(with_objective(without_test_side(plan), objective), row_cap).with_calibration(calibration)
    check_folds(plan)
    say_what_is_divided(plan)
    with Folder.opened(
        out_dir,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters={**plan.parameters, "draws": draws},
        inputs=plan.inputs,
        overwrite=overwrite,
    ) as folder:
        return _Run(plan, folder, draws).make(split if split in SCHEMES else "a saved split")


class _Run:
    """One cross-validation into an opened folder; finished parts are kept."""

    def __init__(self, plan: TrainPlan, folder: Folder, draws: int) -> None:
        self._plan, self._folder, self._draws = plan, folder, draws
        self._parts = RunParts(plan, folder, sampled_metrics=SAMPLED_FILE)
        self._planned: dict[str, str] = {}

    def make(self, split: str) -> CrossValidationResult:
        """Make what is not there, and read back what is."""
        facts = self._parts.cross_validate()
        self._write_rows()
        about = self._about(split, facts)
        if not self._is_done("measures", about):
            self._measure(about)
        if not self._folder.manifest.complete:
            self._folder.finalise({**self._parts.planned, **self._planned}, facts)
        self._folder.log("cv", **facts, threads=self._plan.threads)
        out = self._folder.path
        tables = {
            table.name: read_tsv(out / f"{table.name}.tsv", table) for table in (FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE)
        }
        return CrossValidationResult(out, about, **tables)

    def _is_done(self, part: str, *made_from: Any) -> bool:
        manifest, learnt = self._folder.manifest, dict(self._parts.planned)
        self._planned[part] = fingerprint([KIND, part, manifest.parameters, manifest.inputs, learnt, made_from])
        return self._folder.is_done(part, self._planned[part])

    def _record(self, part: str, files: Mapping[str, int | None]) -> None:
        entries = tuple(describe_file(self._folder.path, name, rows) for name, rows in files.items())
        self._folder.record(part, PartEntry(self._planned[part], entries))

    def _write_rows(self) -> None:
        if not self._is_done("rows", arms_of_rows(self._plan)):
            self._record("rows", {ROWS_FILE: write_rows(self._folder.path / ROWS_FILE, self._plan, self._parts)})

    def _about(self, split: str, facts: Mapping[str, int]) -> dict[str, Any]:
        plan = self._plan
        description = read_json(self._folder.path / PREDICTIONS / "predictions.json")
        used = plan.split.filter(pl.col("fold") >= 0)
        return {
            **facts,
            "genes": used.height,
            "groups": used["group"].n_unique(),
            "folds": plan.folds,
            "split": split,
            "arms": description["arms"],
            "reference_arm": description["reference arm"],
            "objective": plan.method.objective,
            "method": plan.parameters["method"],
            "feature_profile": plan.feature_profile,
            "base_model": description["base_model"],
            "base_seen_genes": int(used["base_seen"].sum()),
            "bootstrap": {"draws": self._draws, "seed": plan.seed, "level": LEVEL, "unit": "gene group"},
            "calibration": description["calibration"],
            "row_cap": plan.row_cap,
            "software": software_versions(),
        }

    def _measure(self, about: dict[str, Any]) -> None:
        plan, folder, draws = self._plan, self._folder, self._draws
        predictions = folder.path / PREDICTIONS
        evaluation = evaluate(predictions=predictions, out_dir=folder.path / EVALUATION, draws=draws, seed=plan.seed)
        table = open_predictions(predictions)
        bases = load_bases(table)
        arms = [arm.name for arm in table.arms]
        measures = measure_folds(table, bases, draws=draws, seed=plan.seed)
        scopes = accuracies(plan, table)
        by_scope = top_k_rows(scopes, arms, bases.group_names, multiplicities(bases.groups, draws, plan.seed))
        sampled = read_json(folder.path / SAMPLED_FILE)["sampled rows"]["arms"]
        result = CrossValidationResult(
            folder.path,
            about,
            per_fold=framed(measures.by_fold, FOLD_TABLE, plan.row_cap),
            pooled=framed(pooled_rows(evaluation, measures, by_scope, sampled), POOLED_TABLE, plan.row_cap),
            top_k=framed(by_scope, TOP_K_TABLE, plan.row_cap),
        )
        self._record("measures", write_result(result, scopes, scope_table(arms)))
