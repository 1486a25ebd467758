"""From options to a plan: everything that can be wrong is found here, before anything is fitted or written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.enricher import Enricher
from meta_spliceai.features.profile import Profile, admitted_features
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.tables import BASE_MODELS, dataset_table_of
from meta_spliceai.store.fingerprint import file_sha256, plain
from meta_spliceai.train.arms import BASE, BASE_MEAN, BEST_MEAN, RECALIBRATED, Arm, ablation_arms, choose_arms
from meta_spliceai.train.baseline import find_baseline, read_baseline
from meta_spliceai.train.calibrate import CALIBRATION_CHOICES, DEFAULT_CHOICE, CalibrationChoice
from meta_spliceai.train.evidence import load_needed, needed_by_dataset
from meta_spliceai.train.families import families_of
from meta_spliceai.train.groups import gene_groups
from meta_spliceai.train.leakage import check_admitted, check_probe
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.matrix import DatasetFolder, open_dataset
from meta_spliceai.train.profile_file import profile_of
from meta_spliceai.train.prune import Pruned, find_prunable
from meta_spliceai.train.residual import Method
from meta_spliceai.train.split import SCHEMES, Scheme, marked_seen, plan_split
from meta_spliceai.train.split_file import read_split, split_of
from meta_spliceai.train.start import logit_columns


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
    method
        How each model is learnt.
    named_features
        The only features that the saved model may read, where a file of them was given.
    pruned
        Features that no model may read, where some were to be dropped.
    baseline
        The base model's performance gene by gene, if there is such a table.
    folds, seed, threads
        Number of folds, seed of all choices, and fits that run at the same time.
    parameters
        Everything that decides the content of the folder, for its manifest.
    enrichers
        Those that whole genes need, with the evidence that the dataset was built with.
    row_cap
        Rows that models may learn from, drawn at random; default: all.
    calibration
        The kind of map from scores to probabilities, or `auto`.
    """

    dataset: DatasetFolder
    reference: Reference
    artifacts: Artifacts
    genes: pl.DataFrame
    split: pl.DataFrame
    arms: tuple[Arm, ...]
    feature_profile: Profile
    method: Method
    named_features: frozenset[str] | None
    pruned: Pruned | None
    baseline: pl.DataFrame | None
    folds: int
    seed: int
    threads: int
    parameters: dict[str, Any]
    enrichers: tuple[Enricher, ...] = ()
    row_cap: int | None = None
    calibration: CalibrationChoice = DEFAULT_CHOICE

    @property
    def inputs(self) -> dict[str, str]:
        """Content fingerprints of what the run is made from."""
        return {
            "dataset": self.dataset.fingerprint,
            "reference": self.reference.fingerprint,
            "base_pass": self.artifacts.fingerprint,
        }

    def with_calibration(self, choice: CalibrationChoice) -> TrainPlan:
        """The plan with another kind of calibration.

        Raises
        ------
        InputError
            There is no such kind.
        """
        if choice not in CALIBRATION_CHOICES:
            raise InputError(f"--calibration {', '.join(CALIBRATION_CHOICES)}", f"{choice!r}", "choose one of them")
        if choice == DEFAULT_CHOICE:
            return self  # folders of runs that knew no choice stay the same
        return replace(self, calibration=choice, parameters={**self.parameters, "calibration": choice})

    @property
    def reported_arms(self) -> tuple[Arm, ...]:
        """Every arm of the predictions, the untrained ones first."""
        return (BASE, RECALIBRATED, *((BASE_MEAN,) if self.artifacts.further_bases else ()), *self.fitted_arms)

    @property
    def fitted_arms(self) -> tuple[Arm, ...]:
        """The arms that learn from labels, be it only which mean to take."""
        return (*((BEST_MEAN,) if self.artifacts.further_bases else ()), *self.arms)

    def features_of(self, arm: Arm) -> tuple[str, ...]:
        """The columns an arm reads, in the order of the dataset."""
        assert arm.profile is not None
        names = admitted_features(self.dataset.table, arm.profile)
        if arm == BEST_MEAN:
            return tuple(names[place] for channel in SITE_TYPES for place in logit_columns(names, channel))
        if self.named_features is not None and arm.profile == self.feature_profile:
            names = [name for name in names if name in self.named_features]
        kept = tuple(name for name in names if self.pruned is None or name not in self.pruned.names)
        return kept if arm.ablation is None else tuple(filter(arm.ablation.keeps, kept))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that any arm reads, in the order of the dataset."""
        wanted = {name for arm in self.fitted_arms for name in self.features_of(arm)}
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
    feature_profile: str,
    arms: Sequence[str],
    split: str,
    folds: int,
    test_size: float,
    seed: int,
    threads: int | None,
    method: Method,
    similarity: Similarity,
    baseline_tsv: Path | None = None,
    corr_thr: float | None = None,
    evidence: Sequence[str] = (),
    ablation: bool = False,
) -> TrainPlan:
    """Check the options and what they name, group the genes and divide them into folds.

    Raises
    ------
    InputError, GeneError, SchemaError, StoreError, LeakageError
        The first problem found.
    """
    if threads is not None and threads < 1:
        raise InputError("--threads of at least 1", f"{threads}", "give a positive number or leave the option out")
    opened = open_dataset(dataset)
    profile, named_features = profile_of(feature_profile, opened.table)
    chosen = choose_arms(arms, profile)
    loaded = load_reference(reference)
    artifacts = artifacts_of(loaded, eval_dir, opened.manifest.parameters.get(BASE_MODELS))
    _check_inputs(opened, loaded, artifacts)
    check_covered(artifacts, loaded, opened.gene_ids)
    read: set[str] = set()
    for arm in chosen:
        assert arm.profile is not None
        check_probe(opened.manifest.facts, arm.profile)
        names = admitted_features(opened.table, arm.profile)
        check_admitted(names, opened.table, arm.profile)
        _check_computable(names, opened)
        read |= set(names)
    baseline_file = find_baseline(baseline_tsv, artifacts.path)
    baseline = None if baseline_file is None else read_baseline(baseline_file, opened.gene_ids)
    genes = loaded.genes.filter(pl.col("gene_id").is_in(opened.gene_ids))
    enrichers = load_needed(needed_by_dataset(opened.manifest, read), evidence, loaded, exactly=True)
    seen = artifacts.training_chromosomes
    saved = None if split in SCHEMES else Path(split)
    if saved is None:
        with loaded.open_genome() as genome:
            groups = gene_groups(genes, loaded.exons(), genome, similarity)
        table = plan_split(
            genes, groups, folds=folds, test_size=test_size, seed=seed, training_chromosomes=seen,
            scheme=cast("Scheme", split),
        )  # fmt: skip
    else:
        read_back = read_split(saved)
        table = marked_seen(split_of(read_back, genes, loaded.genes["gene_id"], saved), seen)
        folds = read_back.folds
    in_order = [name for name in opened.table.names if name in read]
    pruned = None if corr_thr is None else find_prunable(opened, in_order, corr_thr=corr_thr, seed=seed)
    if ablation:
        gone = frozenset() if pruned is None else pruned.names
        origins = {
            column.name: column.origin
            for column in opened.table.part(admitted_features(opened.table, profile))
            if column.name not in gone and (named_features is None or column.name in named_features)
        }
        families = families_of(opened)
        chosen += ablation_arms(profile, origins, {name: families[name] for name in origins})
    parameters = {
        "feature_profile": profile,
        "named_features": sorted(named_features) if named_features is not None else None,
        "corr_thr": corr_thr,
        "arms": [arm.name for arm in chosen],
        "folds": folds,
        "test_size": test_size,
        "seed": seed,
        "method": plain(method.parameters()),
        "similarity": plain(similarity) if saved is None else None,
        "split": split if saved is None else file_sha256(saved),
        "base_models": plain([dict(one) for one in artifacts.all_base_models]),
    }
    return TrainPlan(
        dataset=opened,
        reference=loaded,
        artifacts=artifacts,
        genes=genes,
        split=table,
        arms=tuple(chosen),
        feature_profile=profile,
        method=method,
        named_features=named_features,
        pruned=pruned,
        baseline=baseline,
        folds=folds,
        seed=seed,
        threads=threads or available_cores(),
        parameters=parameters,
        enrichers=enrichers,
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
