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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.build.run import FORMAT_VERSION as DATASET_FORMAT
from meta_spliceai.errors import ModelError
from meta_spliceai.features.profile import Profile
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.atomic import read_json, write_bytes, write_json, write_text
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import write_tsv
from meta_spliceai.train.arms import ARM_OF_PROFILE, BASE, RECALIBRATED, Arm
from meta_spliceai.train.calibrate import Calibration
from meta_spliceai.train.describe import feature_manifest, labelled_metrics, model_card, run_description
from meta_spliceai.train.fit import FINAL, CalibrationsByFold, FoldFitter
from meta_spliceai.train.groups import Similarity
from meta_spliceai.train.model import CARD_FILE, MetaModel, ModelFeature
from meta_spliceai.train.plan import TrainPlan, plan_training
from meta_spliceai.train.predictions import KnownBases, prediction_table, write_predictions
from meta_spliceai.train.residual import Correction, Ensemble, Recipe
from meta_spliceai.train.split import SET_ASIDE
from meta_spliceai.train.whole_gene import merged_length, score_tiles
from meta_spliceai.workers.progress import track

KIND = "model_run"
FORMAT_VERSION = 1
SPLIT_FILE, CALIBRATIONS_FILE, METRICS_FILE = "split.tsv", "calibrations.json", "metrics.json"
MODEL, PREDICTIONS, FEATURE_MANIFEST = "model", "predictions", "feature_manifest.csv"

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
    reference: Path,
    eval_dir: Path | None = None,
    out_dir: Path,
    feature_profile: Profile = "de_novo",
    arms: Sequence[str] = ("base_scores", "meta", "gene_conditioned"),
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
        The reference it was built with.
    eval_dir
        The base pass it was built from; default: the only one in the reference folder.
    out_dir
        Where everything goes.
    feature_profile
        The features of the saved model: `base_only`, `de_novo`, `gene_conditioned` or `annotated`.
    arms
        Trained arms to compare: `base_scores`, `meta`, `gene_conditioned`, `annotated`.
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
        folds=folds,
        test_size=test_size,
        seed=seed,
        threads=threads,
        recipe=recipe or Recipe(),
        similarity=similarity or Similarity(),
    )
    with Folder.opened(
        out_dir,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=plan.parameters,
        inputs=plan.inputs,
        overwrite=overwrite,
    ) as folder:
        run = _Run(plan, folder)
        result = run.carry_out()
        folder.log("train", rows=result.rows, bases=result.bases, threads=plan.threads)
    return result


class _Run:
    """One training run into an opened folder; every method makes one kind of part, unless it is there already."""

    def __init__(self, plan: TrainPlan, folder: Folder) -> None:
        self._plan, self._folder = plan, folder
        self._fitter = FoldFitter(plan)
        self._planned: dict[str, str] = {}
        arms = [BASE, RECALIBRATED, *plan.arms]
        self._arms: tuple[Arm, ...] = tuple(arms)

    def carry_out(self) -> TrainResult:
        """Make all parts and mark the folder complete."""
        plan = self._plan
        self._write_split()
        self._fit_folds()
        calibrations = self._calibrate()
        self._save_model(calibrations[FINAL])
        self._predict(calibrations)
        parts = self._folder.manifest.parts
        bases = sum(
            file.rows or 0 for name in self._planned for file in parts[name].files if name.startswith(PREDICTIONS)
        )
        rows = int(plan.dataset.manifest.facts["rows"])
        facts = {"rows": rows, "bases": bases, "genes": plan.genes.height, "groups": plan.split["group"].n_unique()}
        if not self._folder.manifest.complete:
            self._folder.finalise(self._planned, facts)
        return TrainResult(
            out_dir=self._folder.path,
            model=self._folder.path / MODEL,
            predictions=self._folder.path / PREDICTIONS,
            genes=plan.genes.height,
            groups=facts["groups"],
            folds=plan.folds,
            rows=rows,
            bases=bases,
            arms=tuple(arm.name for arm in self._arms),
        )

    def _is_done(self, part: str, *made_from: Any) -> bool:
        """Whether a part is there; notes that it is planned."""
        manifest = self._folder.manifest
        self._planned[part] = fingerprint([KIND, part, manifest.parameters, manifest.inputs, made_from])
        return self._folder.is_done(part, self._planned[part])

    def _record(self, part: str, files: Mapping[str, int | None], **facts: Any) -> None:
        entries = tuple(describe_file(self._folder.path, name, rows) for name, rows in files.items())
        self._folder.record(part, PartEntry(self._planned[part], entries, plain(facts)))

    def _write_split(self) -> None:
        if not self._is_done("split", self._plan.split.rows()):
            write_tsv(self._plan.split, self._folder.path / SPLIT_FILE)
            self._record("split", {SPLIT_FILE: self._plan.split.height})

    def _fit_folds(self) -> None:
        todo = [
            fold for fold in range(self._plan.folds) if not self._is_done(f"fold_{fold + 1}", self._planned["split"])
        ]
        models = len(self._plan.arms) * len(SITE_TYPES)
        with track("fitting", len(todo) * models, "models") as progress:
            for fold in todo:
                files: dict[str, int | None] = {}
                shrinkage: dict[str, float] = {}
                for arm, channel, correction in self._fitter.fit_fold(fold):
                    name = _booster_file(fold, arm, channel)
                    write_bytes(self._folder.path / name, correction.to_bytes())
                    files[name] = None
                    shrinkage[f"{arm.name}_{channel}"] = correction.shrinkage
                    progress.advance(1)
                self._record(f"fold_{fold + 1}", files, shrinkage=shrinkage)

    def _ensembles(self, folds: Sequence[int]) -> dict[str, Ensemble]:
        """The models of some folds, applied together, by arm."""
        return {
            arm.name: Ensemble(
                self._plan.features_of(arm),
                self._plan.recipe.gate,
                {
                    channel: tuple(
                        _read_correction(self._folder.path / _booster_file(fold, arm, channel)) for fold in folds
                    )
                    for channel in SITE_TYPES
                },
            )
            for arm in self._plan.arms
        }

    def _calibrate(self) -> CalibrationsByFold:
        """Calibrations by fold (or FINAL), arm and channel."""
        path = self._folder.path / CALIBRATIONS_FILE
        folds = range(self._plan.folds)
        if not self._is_done("calibrations", [self._planned[f"fold_{fold + 1}"] for fold in folds]):
            scores = self._fitter.out_of_fold({fold: self._ensembles([fold]) for fold in folds})
            write_json(path, plain(self._fitter.calibrations(scores)))
            write_json(self._folder.path / METRICS_FILE, labelled_metrics(self._fitter.sampled_metrics(scores)))
            self._record("calibrations", {CALIBRATIONS_FILE: None, METRICS_FILE: None})
        return {
            name: {
                arm: {channel: Calibration(**fitted) for channel, fitted in by_channel.items()}
                for arm, by_channel in by_arm.items()
            }
            for name, by_arm in read_json(path).items()
        }

    def _save_model(self, calibrations: Mapping[str, Mapping[str, Calibration]]) -> None:
        if self._is_done(MODEL, self._planned["calibrations"]):
            return
        plan = self._plan
        arm = ARM_OF_PROFILE[plan.feature_profile]
        declared = {column.name: column for column in plan.dataset.table}
        trained = plan.split.filter(pl.col("fold") != SET_ASIDE)["gene_id"]
        model = MetaModel(
            profile=plan.feature_profile,
            features=tuple(ModelFeature(n, declared[n].role, declared[n].origin) for n in plan.features_of(arm)),
            ensemble=self._ensembles(range(plan.folds))[arm.name],
            calibration=calibrations[arm.name],
            base_model=plan.artifacts.base_model,
            training_genes=tuple(trained.to_list()),
            provenance={
                "build": plan.reference.build,
                "dataset_fingerprint": plan.inputs["dataset"],
                "reference_fingerprint": plan.inputs["reference"],
                "schema_version": plan.dataset.table.version,
                "dataset_format_version": DATASET_FORMAT,
                "seed": plan.seed,
                "folds": plan.folds,
            },
        )
        files: dict[str, int | None] = {f"{MODEL}/{name}": None for name in model.save(self._folder.path / MODEL)}
        write_text(self._folder.path / MODEL / CARD_FILE, model_card(model))
        manifest = feature_manifest(model)
        write_bytes(self._folder.path / FEATURE_MANIFEST, manifest.write_csv().encode())
        self._record(MODEL, {**files, f"{MODEL}/{CARD_FILE}": None, FEATURE_MANIFEST: manifest.height})

    def _predict(self, calibrations: CalibrationsByFold) -> None:
        plan = self._plan
        self._write_description(calibrations)
        held = [*range(plan.folds), *([SET_ASIDE] if plan.split["test"].any() else [])]
        todo = [fold for fold in held if not self._is_done(_predictions_part(fold), self._planned["calibrations"])]
        known = KnownBases(plan.reference, plan.split)
        table = prediction_table([arm.name for arm in self._arms])
        lengths = sum(merged_length(plan.genes_of_fold(fold)) for fold in todo)
        with track("predicting", lengths, "bases"), plan.reference.open_genome() as genome:
            for fold in todo:
                models = self._ensembles(range(plan.folds) if fold == SET_ASIDE else [fold])
                tiles = score_tiles(plan.genes_of_fold(fold), plan.artifacts, genome, models)
                name = f"{PREDICTIONS}/{_predictions_part(fold).replace('predictions', 'part')}.parquet"
                rows = write_predictions(self._folder.path / name, tiles, known, table)
                self._record(_predictions_part(fold), {name: rows})

    def _write_description(self, calibrations: CalibrationsByFold) -> None:
        name = f"{PREDICTIONS}/predictions.json"
        if not self._is_done("description", self._planned["calibrations"]):
            write_json(self._folder.path / name, run_description(self._plan, self._arms, calibrations))
            self._record("description", {name: None})


def _booster_file(fold: int, arm: Arm, channel: str) -> str:
    return f"folds/fold_{fold + 1}/{arm.name}_{channel}.ubj"


def _predictions_part(fold: int) -> str:
    return f"{PREDICTIONS}_set_aside" if fold == SET_ASIDE else f"{PREDICTIONS}_{fold + 1:05d}"


def _read_correction(path: Path) -> Correction:
    try:
        return Correction.from_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            expected=f"a fold's model in {path}",
            found=str(error).splitlines()[0],
            action="run the same train command again with --overwrite",
        ) from error
