"""`tune`: hyper-parameters by Optuna, judged on the grouped folds that `train` would use.

split.tsv         the fold and the group of each gene
study.db          Optuna's own record (SQLite), from which an interrupted study resumes
study.tsv         every finished trial: its average precisions, hyper-parameters and seconds
best_model.json   the best hyper-parameters, as `train --model FILE` takes them
tuning.json       what was searched, and the best trial beside the defaults

A trial fits every fold of the split as `train` does, shrinkage included. Its worth is the mean over donors and acceptors of the
average precision of the held-out rows, weighted by inverse inclusion probability: an estimate for whole genes. The first trial is the
learner's defaults. What a trial tries depends on the seed and on the finished trials before it, so a study that was
interrupted goes on as it would have gone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import write_tsv
from meta_spliceai.train.fit import FoldFitter
from meta_spliceai.train.learners.protocol import Learner, imported
from meta_spliceai.train.learners.spec import given_settings, learner_of, settings_of
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.parts import SPLIT_FILE
from meta_spliceai.train.plan import TrainPlan, plan_training
from meta_spliceai.train.residual import Ensemble, Method, Recipe
from meta_spliceai.train.search_space import Span, space_of
from meta_spliceai.workers.progress import track

KIND, FORMAT_VERSION = "tuning", 1
STUDY_FILE, TRIALS_FILE, BEST_FILE, ABOUT_FILE = "study.db", "study.tsv", "best_model.json", "tuning.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TuneResult:
    """What was found.

    Parameters
    ----------
    out_dir, best_model
        The folder, and the file for `train --model`.
    trials
        Finished trials.
    best, defaults
        Average precision of the best trial and of the first one, which has the defaults: the mean over donors and acceptors.
    settings
        The best hyper-parameters.
    """

    out_dir: Path
    best_model: Path
    trials: int
    best: float
    defaults: float
    settings: dict[str, Any]

    def summary(self) -> str:
        """A few lines for people."""
        return "\n".join(
            [
                f"trials    {self.trials}, in {self.out_dir / TRIALS_FILE}",
                f"defaults  average precision {self.defaults:.4f} on held-out rows, mean over donors and acceptors",
                f"best      {self.best:.4f} ({self.best - self.defaults:+.4f}); as the best of many it looks better than it is",
                f"          {json.dumps(self.settings)}",
                f"next      meta-spliceai train … --model {self.best_model}",
            ]
        )


def tune(
    *,
    dataset: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] = (),
    out_dir: Path,
    model: str = "xgboost",
    trials: int = 50,
    seconds: float | None = None,
    feature_profile: str = "de_novo",
    folds: int = 5,
    test_size: float = 0.0,
    base_margin: bool | None = None,
    early_stopping: bool = False,
    seed: int = 42,
    threads: int | None = None,
    recipe: Recipe | None = None,
    similarity: Similarity | None = None,
    overwrite: bool = False,
) -> TuneResult:
    """Search for good hyper-parameters with Optuna, over the folds of gene groups that `train` would use.

    An interrupted study resumes when the command is given again; with more `--trials`, a finished one goes on.

    Parameters
    ----------
    dataset
        A built dataset, or its `master` folder.
    reference
        The reference it was built with; default: the one that `reference audit` finds.
    eval_dir
        The base pass it was built from; default: the only one in the reference folder.
    evidence
        The files of evidence that the dataset was built with, as NAME=FILE.
    out_dir
        Where everything goes.
    model
        What learns: xgboost, lightgbm, catboost, random_forest, sgd_logistic or mlp, or a JSON object or file of
        hyper-parameters. Those that are given stay as they are; the others are varied.
    trials
        Trials in all, those of earlier calls included.
    seconds
        Start no trial of this call after so many seconds; default: no limit.
    feature_profile
        The features that are used: a profile or a file, as for `train`.
    folds
        Folds over gene groups.
    test_size
        Share of the gene groups that is set aside and never looked at.
    base_margin
        Whether models correct the base model's logit, which is the default; `--no-base-margin` as for `train`.
    early_stopping
        Choose the number of rounds on inner folds; `rounds` is then not varied.
    seed
        Seed of the split, of the fits and of the search.
    threads
        Fits that run at the same time; default: all cores. It changes no result.
    recipe
        What surrounds the learner.
    similarity
        When two genes resemble one another, so that they must stay together.
    overwrite
        Start anew where the folder holds a study made with other options.

    Raises
    ------
    InputError
        Optuna is not installed, or options are out of range.
    GeneError, SchemaError, LeakageError
        As `train`.
    PlanMismatchError
        The folder holds a study made with other options or inputs.
    """
    for name, value in (("trials", trials), ("seconds", 1 if seconds is None else seconds)):
        if value <= 0:
            raise InputError(f"--{name} above 0", f"{value}", "give a larger number")
    imported("optuna", "tune", "leave tuning out: `train` has tuned defaults")
    learner = learner_of(model)
    given = given_settings(model) | (frozenset({"rounds"}) if early_stopping else frozenset())
    space = space_of(settings_of(learner), given)
    plan = plan_training(
        dataset=dataset,
        reference=reference,
        eval_dir=eval_dir,
        feature_profile=feature_profile,
        arms=(),
        split="family",
        folds=folds,
        test_size=test_size,
        seed=seed,
        threads=threads,
        method=Method(learner, recipe or Recipe(), base_margin is not False, early_stopping),
        similarity=similarity or Similarity(),
        evidence=evidence,
    )
    parameters = {**plan.parameters, "space": plain(space)}
    with Folder.opened(
        out_dir,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=parameters,
        inputs=plan.inputs,
        overwrite=overwrite,
    ) as folder:
        identity = fingerprint([KIND, parameters, plan.inputs])
        if overwrite:
            (out_dir / STUDY_FILE).unlink(missing_ok=True)
        search = _Search(plan, space, out_dir / STUDY_FILE, identity)
        if not folder.is_done("split", identity):
            write_tsv(plan.split, out_dir / SPLIT_FILE)
            folder.record("split", PartEntry(identity, (describe_file(out_dir, SPLIT_FILE, plan.split.height),)))
        search.run(trials, seconds)
        result = _write(out_dir, search)
        files = tuple(describe_file(out_dir, name) for name in (TRIALS_FILE, BEST_FILE, ABOUT_FILE))
        folder.record("study", PartEntry(identity, files, {"trials": result.trials}))
        folder.finalise({"split": identity, "study": identity}, {"trials": result.trials, "best": result.best})
        folder.log("tune", trials=result.trials, best=result.best, threads=plan.threads)
    return result


class _Search:
    """A study of Optuna's on disk, and how its trials are judged."""

    def __init__(self, plan: TrainPlan, space: dict[str, Span], file: Path, name: str) -> None:
        self._optuna = imported("optuna", "tune")
        # what Optuna says of every trial is in the table at the end
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self.plan, self.space = plan, space
        self._fitter = FoldFitter(plan)
        self._study = self._optuna.create_study(
            storage=self._optuna.storages.RDBStorage(f"sqlite:///{file.resolve()}"),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )

    def finished(self) -> list[Any]:
        """The trials that came to an end, in the order they were begun."""
        states = self._optuna.trial.TrialState
        found: list[Any] = self._study.get_trials(deepcopy=False, states=(states.COMPLETE,))
        return found

    def run(self, trials: int, seconds: float | None) -> None:
        """Make trials until there are as many, or the time is over; at least one in all."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)  # its process was stopped
        started, done = time.monotonic(), len(self.finished())
        with track("tuning", max(0, trials - done), "trials") as progress:
            while done < trials and (done == 0 or seconds is None or time.monotonic() - started < seconds):
                self._make_trial(done)
                done += 1
                progress.advance(1)

    def _make_trial(self, number: int) -> None:
        waiting = self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.WAITING,))
        if number == 0 and not waiting:
            held = settings_of(self.plan.method.learner)
            self._study.enqueue_trial({name: held[name] for name in self.space})
        # a sampler of its own for each trial: a resumed study draws what an uninterrupted one would have drawn
        seed = seeded_word(self.plan.seed, "tune", number) % 2**31
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask()
        learner = self.learner({name: span.suggested(trial, name) for name, span in self.space.items()})
        found = self._judged(learner)
        for channel, value in found.items():
            trial.set_user_attr(channel, value)
        worth = sum(found.values()) / len(found)
        self._study.tell(trial, worth)
        log.info("trial %d: average precision %.4f", number + 1, worth)

    def learner(self, parameters: dict[str, Any]) -> Learner:
        """The learner with some of its hyper-parameters replaced."""
        changed: Any = self.plan.method.learner
        replaced: Learner = replace(changed, **parameters)
        return replaced

    def _judged(self, learner: Learner) -> dict[str, float]:
        """Average precision of held-out rows by site type."""
        fitter = self._fitter.with_method(replace(self.plan.method, learner=learner))
        (arm,) = self.plan.arms

        def fit(fold: int) -> dict[str, Ensemble]:
            fitted = {channel: (correction,) for _, channel, correction in fitter.fit_fold(fold)}
            return {arm.name: Ensemble(self.plan.features_of(arm), self.plan.method.recipe.gate, fitted)}

        folds = range(self.plan.folds)
        # the site types of a fold are fitted side by side already
        with ThreadPoolExecutor(max_workers=max(1, self.plan.threads // len(SITE_TYPES))) as pool:
            ensembles = dict(zip(folds, pool.map(fit, folds), strict=True))
        scores = fitter.out_of_fold_of(arm, ensembles)
        found = {channel: fitter.average_precision(channel, scores[channel]) for channel in SITE_TYPES}
        return {channel: value for channel, value in found.items() if value is not None}


def _write(out_dir: Path, search: _Search) -> TuneResult:
    finished = search.finished()
    best = max(finished, key=lambda trial: (trial.value, -trial.number))
    settings = settings_of(search.learner(best.params))
    table = pl.DataFrame(
        [
            {
                "trial": place,
                "average_precision": trial.value,
                **{channel: trial.user_attrs.get(channel) for channel in SITE_TYPES},
                **trial.params,
                "seconds": trial.duration.total_seconds(),
            }
            for place, trial in enumerate(finished, 1)
        ]
    )
    write_tsv(table, out_dir / TRIALS_FILE)
    write_json(out_dir / BEST_FILE, settings)
    result = TuneResult(out_dir, out_dir / BEST_FILE, len(finished), best.value, finished[0].value, settings)
    about = {
        "objective": "mean over donors and acceptors of the average precision of held-out rows, weighted by inverse inclusion "
        "probability",
        "model": settings,
        "space": plain(search.space),
        "trials": result.trials,
        "best": {"trial": finished.index(best) + 1, "average_precision": best.value},
        "defaults": {"trial": 1, "average_precision": result.defaults},
        "options": search.plan.parameters,
        "inputs": search.plan.inputs,
    }
    write_json(out_dir / ABOUT_FILE, plain(about))
    return result
