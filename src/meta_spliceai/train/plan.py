"""From options to a plan: everything that can be wrong is found here, before anything is fitted or written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.profile import Profile, admitted_features
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.tables import dataset_table_of
from meta_spliceai.store.fingerprint import file_sha256, plain
from meta_spliceai.train.arms import BASE, BASE_MEAN, RECALIBRATED, Arm, choose_arms
from meta_spliceai.train.groups import gene_groups
from meta_spliceai.train.leakage import check_admitted, check_probe
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.matrix import DatasetFolder, open_dataset
from meta_spliceai.train.residual import Recipe
from meta_spliceai.train.split import marked_seen, plan_split
from meta_spliceai.train.split_file import read_split, split_of


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """A checked plan.

    Parameters
    ----------
    dataset, reference, artifacts
        What is learnt from, and what whole genes are scored with.
    genes
        The dataset's genes: rows of `GENE_TABLE` in reference order.
    split
        `SPLIT_TABLE`.
    arms
        The trained arms.
    feature_profile
        The profile of the saved model.
    recipe
        How each correction is learnt.
    folds, seed, threads
        Number of folds, seed of all choices, and fits that run at the same time.
    parameters
        Everything that decides the content of the folder, for its manifest.
    """

    dataset: DatasetFolder
    reference: Reference
    artifacts: Artifacts
    genes: pl.DataFrame
    split: pl.DataFrame
    arms: tuple[Arm, ...]
    feature_profile: Profile
    recipe: Recipe
    folds: int
    seed: int
    threads: int
    parameters: dict[str, Any]

    @property
    def inputs(self) -> dict[str, str]:
        """Content fingerprints of what the run is made from."""
        return {
            "dataset": self.dataset.fingerprint,
            "reference": self.reference.fingerprint,
            "base_pass": self.artifacts.fingerprint,
        }

    @property
    def reported_arms(self) -> tuple[Arm, ...]:
        """Every arm of the predictions, the untrained ones first."""
        return (BASE, RECALIBRATED, *((BASE_MEAN,) if self.artifacts.further_bases else ()), *self.arms)

    def features_of(self, arm: Arm) -> tuple[str, ...]:
        """The columns an arm reads, in the order of the dataset."""
        assert arm.profile is not None
        return tuple(admitted_features(self.dataset.table, arm.profile))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that any arm reads, in the order of the dataset."""
        wanted = {name for arm in self.arms for name in self.features_of(arm)}
        return tuple(name for name in self.dataset.table.names if name in wanted)

    def genes_of_fold(self, fold: int) -> pl.DataFrame:
        """The genes a fold holds out; those set aside for fold -1."""
        held = self.split.filter(pl.col("fold") == fold)["gene_id"]
        return self.genes.filter(pl.col("gene_id").is_in(held.to_list()))


def plan_training(
    *,
    dataset: Path,
    reference: Path | None,
    eval_dir: Path | None,
    feature_profile: Profile,
    arms: Sequence[str],
    split: Path | None,
    folds: int,
    test_size: float,
    seed: int,
    threads: int | None,
    recipe: Recipe,
    similarity: Similarity,
) -> TrainPlan:
    """Check the options and what they name, group the genes and divide them into folds.

    Raises
    ------
    InputError, GeneError, SchemaError, StoreError, LeakageError
        The first problem found.
    """
    if threads is not None and threads < 1:
        raise InputError("--threads of at least 1", f"{threads}", "give a positive number or leave the option out")
    chosen = choose_arms(arms, feature_profile)
    opened = open_dataset(dataset)
    loaded = load_reference(reference)
    artifacts = artifacts_of(loaded, eval_dir)
    _check_inputs(opened, loaded, artifacts)
    check_covered(artifacts, loaded, opened.gene_ids)
    for arm in chosen:
        assert arm.profile is not None
        check_probe(opened.manifest.facts, arm.profile)
        names = admitted_features(opened.table, arm.profile)
        check_admitted(names, opened.table, arm.profile)
        _check_computable(names, opened)
    genes = loaded.genes.filter(pl.col("gene_id").is_in(opened.gene_ids))
    seen = artifacts.training_chromosomes
    if split is not None:
        saved = read_split(split)
        table = marked_seen(split_of(saved, genes, loaded.genes["gene_id"], split), seen)
        folds = saved.folds
    else:
        with loaded.open_genome() as genome:
            groups = gene_groups(genes, loaded.exons(), genome, similarity)
        table = plan_split(genes, groups, folds=folds, test_size=test_size, seed=seed, training_chromosomes=seen)
    parameters = {
        "feature_profile": feature_profile,
        "arms": [arm.name for arm in chosen],
        "folds": folds,
        "test_size": test_size,
        "seed": seed,
        "recipe": plain(recipe),
        "similarity": plain(similarity) if split is None else None,
        "split": None if split is None else file_sha256(split),
        "base_models": plain([dict(one) for one in artifacts.all_base_models]),
    }
    return TrainPlan(
        dataset=opened,
        reference=loaded,
        artifacts=artifacts,
        genes=genes,
        split=table,
        arms=tuple(chosen),
        feature_profile=feature_profile,
        recipe=recipe,
        folds=folds,
        seed=seed,
        threads=threads or available_cores(),
        parameters=parameters,
    )


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_computable(names: Sequence[str], dataset: DatasetFolder) -> None:
    """A model is measured on every base of whole genes, so each of its features must be known for every base."""
    built = set(dataset_table_of(dataset.manifest.parameters).names)
    added = [name for name in names if name not in built]
    if added:
        raise InputError(
            expected="features that can be computed for every base of a gene",
            found=f"columns that were added to the dataset's rows: {first_few(added)}",
            action="take them out with `dataset patch --rollback`, or add them with --role text: they are then kept, and no "
            "model reads them",
        )


def _check_inputs(dataset: DatasetFolder, reference: Reference, artifacts: Artifacts) -> None:
    """The dataset must have been built from this reference and this base pass."""
    for name, given, path in (
        ("reference", reference.fingerprint, reference.path),
        ("base_pass", artifacts.fingerprint, artifacts.path),
    ):
        built_from = dataset.manifest.inputs.get(name)
        if built_from != given:
            raise InputError(
                expected=f"the {name.replace('_', ' ')} that {dataset.path} was built from ({str(built_from)[:12]})",
                found=f"{path} is another one ({given[:12]})",
                action="give the folder the dataset was built from, or build the dataset again",
            )
