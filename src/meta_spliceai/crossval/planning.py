"""From options to a plan of a cross-validation; everything that can be wrong is found before anything is fitted."""

from __future__ import annotations

import logging
from dataclasses import replace

import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.train.classes import Objective
from meta_spliceai.train.plan import TrainPlan
from meta_spliceai.train.split import LEFT_OUT, SET_ASIDE

log = logging.getLogger(__name__)


def check_options(*, row_cap: int | None, draws: int) -> None:
    """Refuse options that no dataset could make good.

    Raises
    ------
    InputError
        The first of them.
    """
    if row_cap is not None and row_cap < 1:
        raise InputError("--row-cap of at least 1", f"{row_cap}", "leave the option out: all rows are then learnt from")
    if draws < 2:
        raise InputError("--draws of at least 2", f"{draws}", "1000 is a good number")


def without_test_side(plan: TrainPlan) -> TrainPlan:
    """The plan with the genes that a saved split set aside left out: they are neither learnt from nor measured."""
    aside = pl.col("fold") == SET_ASIDE
    spared = plan.split.filter(aside).height
    if not spared:
        return plan
    log.info("%d genes that the split sets aside for a test stay untouched", spared)
    return replace(
        plan,
        split=plan.split.with_columns(
            fold=pl.when(aside).then(pl.lit(LEFT_OUT, pl.Int8)).otherwise("fold"),
            side=pl.when(aside).then(pl.lit("left_out")).otherwise("side"),
        ),
    )


def with_objective(plan: TrainPlan, objective: Objective) -> TrainPlan:
    """The plan with an objective that its method has; arms of classes say what they do, which is no correction."""
    parameters = {**plan.parameters, "objective": objective}
    if objective == "corrections":
        return replace(plan, parameters=parameters)
    what = {
        "sigmoid": "three models, each of one class (donor, acceptor, neither) against the rest",
        "multiclass": "one model with a softmax over donor, acceptor and neither",
    }[objective]
    arms = tuple(replace(arm, note=f"{what}, on the features of {arm.profile}") for arm in plan.arms)
    return replace(plan, parameters=parameters, arms=arms)


def capped(plan: TrainPlan, row_cap: int | None) -> TrainPlan:
    """The plan with a cap on the rows that models learn from; without one where the dataset has no more rows."""
    rows = int(plan.dataset.manifest.facts["rows"])
    if row_cap is None or row_cap >= rows:
        return plan
    log.warning(
        "--row-cap: models learn from %s of %s rows, drawn at random; every result is marked, and none of them says what a "
        "model of all rows is worth",
        f"{row_cap:,}",
        f"{rows:,}",
    )
    return replace(plan, row_cap=row_cap, parameters={**plan.parameters, "row_cap": row_cap})


def check_folds(plan: TrainPlan) -> None:
    """Refuse folds that nothing could be measured in.

    Raises
    ------
    GeneError
        A fold without donors or acceptors; names its genes.
    """
    used = plan.split.filter(pl.col("fold") >= 0)
    sites = used.join(plan.genes.select("gene_id", "donor_sites", "acceptor_sites"), on="gene_id")
    by_fold = sites.group_by("fold").agg(pl.col("donor_sites", "acceptor_sites").sum(), "gene_id").sort("fold")
    for row in by_fold.iter_rows(named=True):
        lacking = [f"{kind}s" for kind in SITE_TYPES if row[f"{kind}_sites"] == 0]
        if lacking:
            raise GeneError(
                expected=f"true donors and acceptors in each of {plan.folds} folds",
                found=f"no {' and no '.join(lacking)} in fold {row['fold']}: {first_few(row['gene_id'])}",
                action="build a dataset of more genes with splice sites, or give fewer --folds",
            )
