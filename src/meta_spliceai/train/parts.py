"""The parts of a training run, each made once: split, folds, calibrations, model, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from meta_spliceai.build.run import FORMAT_VERSION as DATASET_FORMAT
from meta_spliceai.calibration import CalibrationMap, map_from_json
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.atomic import read_json, write_bytes, write_json, write_text
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import write_tsv
from meta_spliceai.train.arms import ARM_OF_PROFILE, BASE, BEST_MEAN, Arm
from meta_spliceai.train.baseline import DELTA_FILE, deltas, whole_gene_calls
from meta_spliceai.train.classes import ClassModel
from meta_spliceai.train.describe import feature_manifest, labelled_metrics, model_card, run_description
from meta_spliceai.train.evidence import needed_by_dataset
from meta_spliceai.train.fit import FINAL, CalibrationsByFold, FoldFitter, Indices, Logs
from meta_spliceai.train.learners.spec import settings_of
from meta_spliceai.train.matrix import TrainingRows
from meta_spliceai.train.model import CARD_FILE, MetaModel, ModelFeature
from meta_spliceai.train.plan import TrainPlan
from meta_spliceai.train.predictions import KnownBases, prediction_table, write_predictions
from meta_spliceai.train.prune import PRUNED_FILE, TRIMMED_FILE, write_trimmed
from meta_spliceai.train.residual import Correction, Ensemble, NothingLearnt, Scorer
from meta_spliceai.train.split import SET_ASIDE
from meta_spliceai.train.whole_gene import merged_length, score_tiles
from meta_spliceai.workers.progress import track

KIND = "model_run"
FORMAT_VERSION = 3
SPLIT_FILE, CALIBRATIONS_FILE, METRICS_FILE = "split.tsv", "calibrations.json", "metrics.json"
MODEL, PREDICTIONS, FEATURE_MANIFEST = "model", "predictions", "feature_manifest.csv"


class RunParts:
    """One training run into an opened folder; every method makes one kind of part, unless it is there already.

    Parameters
    ----------
    plan, folder
        What to make, and where.
    sampled_metrics
        The file for estimates from sampled rows.
    """

    def __init__(self, plan: TrainPlan, folder: Folder, *, sampled_metrics: str = METRICS_FILE) -> None:
        self._plan, self._folder, self._sampled_metrics = plan, folder, sampled_metrics
        self._fitter = FoldFitter(plan)
        self._planned: dict[str, str] = {}
        self._arms: tuple[Arm, ...] = plan.reported_arms

    def make(self) -> dict[str, int]:
        """Make all parts and mark the folder complete; returns rows learnt from, bases predicted, genes and groups."""
        calibrations = self._learn()
        self._save_model(calibrations[FINAL])
        self._predict(calibrations)
        self._compare_genes()
        facts = self._facts()
        if not self._folder.manifest.complete:
            self._folder.finalise(self._planned, facts)
        return facts

    def cross_validate(self) -> dict[str, int]:
        """Make the parts that measuring needs, without a saved model; returns what `make` does, and finalises nothing."""
        self._predict(self._learn())
        return self._facts()

    @property
    def planned(self) -> Mapping[str, str]:
        """The fingerprint of every part that was made or found, by name."""
        return self._planned

    def rows_out_of_fold(self) -> tuple[TrainingRows, Indices, dict[str, dict[str, Logs]]]:
        """The rows of the dataset, the fold of each, and their scores by models that had not seen them."""
        fitter = self._fitter
        scores = fitter.out_of_fold({fold: self._scorers(fold) for fold in range(self._plan.folds)})
        return fitter.rows, fitter.fold, scores

    def _learn(self) -> CalibrationsByFold:
        self._write_split()
        self._write_trimmed()
        self._fit_folds()
        return self._calibrate()

    def _facts(self) -> dict[str, int]:
        plan, parts = self._plan, self._folder.manifest.parts
        bases = sum(
            file.rows or 0 for name in self._planned for file in parts[name].files if name.startswith(PREDICTIONS)
        )
        return {
            "rows": int(plan.dataset.manifest.facts["rows"]),
            "bases": bases,
            "genes": plan.genes.height,
            "groups": plan.split["group"].n_unique(),
        }

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

    def _write_trimmed(self) -> None:
        pruned = self._plan.pruned
        if pruned is None or self._is_done("trimmed", sorted(pruned.names)):
            return
        table = pruned.as_frame()
        write_bytes(self._folder.path / PRUNED_FILE, table.write_csv().encode())
        rows = write_trimmed(self._plan.dataset, pruned.names, self._folder.path / TRIMMED_FILE)
        self._record("trimmed", {PRUNED_FILE: table.height, TRIMMED_FILE: rows})

    def _fit_folds(self) -> None:
        todo = [
            fold for fold in range(self._plan.folds) if not self._is_done(f"fold_{fold + 1}", self._planned["split"])
        ]
        models = len(self._plan.arms) * len(self._plan.method.outputs)
        with track("fitting", len(todo) * models, "models") as progress:
            for fold in todo:
                files: dict[str, int | None] = {}
                shrinkage: dict[str, float] = {}
                starts: dict[str, list[str]] = {}
                for arm, output, correction in self._fitter.fit_fold(fold):
                    name = self._model_file(fold, arm, output)
                    write_bytes(self._folder.path / name, correction.model.to_bytes())
                    files[name] = None
                    shrinkage[f"{arm.name}_{output}"] = correction.shrinkage
                    starts[f"{arm.name}_{output}"] = self._start_names(arm, correction)
                    progress.advance(1)
                for channel in SITE_TYPES if BEST_MEAN in self._plan.fitted_arms else ():
                    mean = self._fitter.best_mean(fold, channel)
                    starts[f"{BEST_MEAN.name}_{channel}"] = self._start_names(BEST_MEAN, mean)
                self._record(f"fold_{fold + 1}", files, shrinkage=shrinkage, starts=starts)

    def _start_names(self, arm: Arm, correction: Correction) -> list[str]:
        features = self._plan.features_of(arm)
        return [features[column] for column in correction.start]

    def _ensembles(self, folds: Sequence[int], arms: Sequence[Arm]) -> dict[str, Ensemble]:
        """The models of some folds, applied together, by arm."""
        return {
            arm.name: Ensemble(
                self._plan.features_of(arm),
                self._plan.method.recipe.gate,
                {channel: tuple(self._read_correction(fold, arm, channel) for fold in folds) for channel in SITE_TYPES},
            )
            for arm in arms
        }

    def _class_model(self, fold: int, arm: Arm) -> ClassModel:
        method = self._plan.method
        models = {output: self._read_correction(fold, arm, output).model for output in method.outputs}
        return ClassModel(self._plan.features_of(arm), method.recipe.gate, models)

    def _models_of(self, fold: int) -> Mapping[str, Scorer]:
        """What scores the genes of a fold; those set aside are scored by the models of all folds together."""
        every = range(self._plan.folds)
        return self._ensembles(every, self._plan.fitted_arms) if fold == SET_ASIDE else self._scorers(fold)

    def _scorers(self, fold: int) -> Mapping[str, Scorer]:
        """What scores the genes of a fold, by arm."""
        if self._plan.method.objective == "corrections":
            return self._ensembles([fold], self._plan.fitted_arms)
        untrained = [arm for arm in self._plan.fitted_arms if arm not in self._plan.arms]
        return {
            **self._ensembles([fold], untrained),
            **{arm.name: self._class_model(fold, arm) for arm in self._plan.arms},
        }

    def _model_file(self, fold: int, arm: Arm, output: str) -> str:
        return f"folds/fold_{fold + 1}/{arm.name}_{output}{self._plan.method.learner.suffix}"

    def _read_correction(self, fold: int, arm: Arm, output: str) -> Correction:
        facts, key = self._folder.manifest.parts[f"fold_{fold + 1}"].facts, f"{arm.name}_{output}"
        features = self._plan.features_of(arm)
        start = tuple(features.index(name) for name in facts["starts"][key])
        if arm == BEST_MEAN:
            return Correction(NothingLearnt(), 0.0, start=start)
        path = self._folder.path / self._model_file(fold, arm, output)
        method = self._plan.method
        try:
            model = method.learner.load(path.read_bytes())
            return Correction(model, facts["shrinkage"][key], method.base_margin, start)
        except (OSError, ValueError) as error:
            raise ModelError(
                expected=f"a fold's model in {path}",
                found=str(error).splitlines()[0],
                action="run the same train command again with --overwrite",
            ) from error

    def _calibrate(self) -> CalibrationsByFold:
        """Calibrations by fold (or FINAL), arm and channel."""
        path = self._folder.path / CALIBRATIONS_FILE
        folds = range(self._plan.folds)
        if not self._is_done("calibrations", [self._planned[f"fold_{fold + 1}"] for fold in folds]):
            _, _, scores = self.rows_out_of_fold()
            write_json(path, plain(self._fitter.calibrations(scores)))
            write_json(
                self._folder.path / self._sampled_metrics, labelled_metrics(self._fitter.sampled_metrics(scores))
            )
            self._record("calibrations", {CALIBRATIONS_FILE: None, self._sampled_metrics: None})
        return {
            name: {
                arm: {channel: map_from_json(fitted) for channel, fitted in by_channel.items()}
                for arm, by_channel in by_arm.items()
            }
            for name, by_arm in read_json(path).items()
        }

    def _save_model(self, calibrations: Mapping[str, Mapping[str, CalibrationMap]]) -> None:
        if self._is_done(MODEL, self._planned["calibrations"]):
            return
        plan = self._plan
        arm = ARM_OF_PROFILE[plan.feature_profile]
        declared = {column.name: column for column in plan.dataset.table}
        features = plan.features_of(arm)
        trained = plan.split.filter(pl.col("fold") >= 0)["gene_id"]
        model = MetaModel(
            profile=plan.feature_profile,
            features=tuple(ModelFeature(n, declared[n].role, declared[n].origin) for n in features),
            ensemble=self._ensembles(range(plan.folds), [arm])[arm.name],
            calibration=calibrations[arm.name],
            base_models=tuple(plan.artifacts.all_base_models),
            learner=settings_of(plan.method.learner),
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
            enrichers=needed_by_dataset(plan.dataset.manifest, features),
        )
        files: dict[str, int | None] = {f"{MODEL}/{name}": None for name in model.save(self._folder.path / MODEL)}
        write_text(self._folder.path / MODEL / CARD_FILE, model_card(model))
        manifest = feature_manifest(model)
        write_bytes(self._folder.path / FEATURE_MANIFEST, manifest.write_csv().encode())
        self._record(MODEL, {**files, f"{MODEL}/{CARD_FILE}": None, FEATURE_MANIFEST: manifest.height})

    def _predict(self, calibrations: CalibrationsByFold) -> None:
        plan = self._plan
        self._write_description(calibrations)
        held = [*range(plan.folds), *([SET_ASIDE] if SET_ASIDE in plan.split["fold"] else [])]
        todo = [fold for fold in held if not self._is_done(_predictions_part(fold), self._planned["calibrations"])]
        known = KnownBases(plan.reference, plan.split)
        table = prediction_table([arm.name for arm in self._arms])
        lengths = sum(merged_length(plan.genes_of_fold(fold)) for fold in todo)
        with track("predicting", lengths, "bases"), plan.reference.open_genome() as genome:
            for fold in todo:
                models = self._models_of(fold)
                tiles = score_tiles(plan.genes_of_fold(fold), plan.artifacts, genome, models, enrichers=plan.enrichers)
                name = f"{PREDICTIONS}/{_predictions_part(fold).replace('predictions', 'part')}.parquet"
                rows = write_predictions(self._folder.path / name, tiles, known, table)
                self._record(_predictions_part(fold), {name: rows})

    def _compare_genes(self) -> None:
        plan = self._plan
        parts = sorted(name for name in self._planned if name.startswith(f"{PREDICTIONS}_"))
        made_from = [self._planned[name] for name in parts]
        if self._is_done("delta", made_from, [] if plan.baseline is None else plan.baseline.rows()):
            return
        files = [self._folder.path / f.name for name in parts for f in self._folder.manifest.parts[name].files]
        meta = ARM_OF_PROFILE[plan.feature_profile].name
        threshold = float(plan.artifacts.rule["threshold"])
        calls = whole_gene_calls(files, plan.genes, (BASE.name, meta), threshold)
        found = deltas(calls, BASE.name, meta, plan.baseline)
        write_bytes(self._folder.path / DELTA_FILE, found.write_csv().encode())
        self._record("delta", {DELTA_FILE: found.height}, threshold=threshold)

    def _write_description(self, calibrations: CalibrationsByFold) -> None:
        name = f"{PREDICTIONS}/predictions.json"
        if not self._is_done("description", self._planned["calibrations"]):
            write_json(self._folder.path / name, run_description(self._plan, self._arms, calibrations))
            self._record("description", {name: None})


def _predictions_part(fold: int) -> str:
    return f"{PREDICTIONS}_set_aside" if fold == SET_ASIDE else f"{PREDICTIONS}_{fold + 1:05d}"
