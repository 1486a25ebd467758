"""Tuning: judged as `train` would be, seeded, budgeted, and resumed after a kill as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.errors import InputError, PlanMismatchError
from meta_spliceai.train import tune as tune_module
from meta_spliceai.train.fit import FoldFitter
from meta_spliceai.train.learners.spec import LEARNERS, given_settings, learner_of, settings_of
from meta_spliceai.train.run import train
from meta_spliceai.train.sampled import weighted_average_precision
from meta_spliceai.train.search_space import SPACES, space_of
from meta_spliceai.train.tune import TuneResult, tune
from tests.train.conftest import Inputs

pytest.importorskip("optuna")

# the rest of XGBoost's space is varied
MODEL = '{"rounds": 6, "min_child_weight": 2.0, "colsample_bytree": 0.5, "subsample": 0.9}'


def options(inputs: Inputs, out: Path, **others: Any) -> dict[str, Any]:
    given = inputs.options(out_dir=out, model=MODEL, feature_profile="base_only", trials=3)
    return {**given, **others}


@pytest.fixture(scope="module")
def tuned(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    return tune(**options(inputs, tmp_path_factory.mktemp("tuned") / "study", trials=4))


def trials_of(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "study.tsv", separator="\t").drop("seconds")


def test_the_best_hyper_parameters_are_what_train_takes(tuned: TuneResult, inputs: Inputs, tmp_path: Path) -> None:
    held = trials_of(tuned.out_dir)
    assert held.columns == [
        "trial", "average_precision", "donor", "acceptor", "max_depth", "eta", "reg_lambda"
    ]  # fmt: skip
    assert tuned.best == pytest.approx(held["average_precision"].max())
    assert (held["donor"] + held["acceptor"]).to_list() == pytest.approx((2 * held["average_precision"]).to_list())
    assert settings_of(learner_of(tuned.best_model)) == tuned.settings
    assert tuned.settings["rounds"] == 6
    single = {name: value for name, value in inputs.options().items() if name != "recipe"}
    train(**{**single, "model": str(tuned.best_model), "out_dir": tmp_path / "run", "single_split": True})
    described = json.loads((tmp_path / "run" / "trainer.json").read_text())
    assert described["learner"] == tuned.settings


def test_the_first_trial_is_the_learner_as_given_and_is_worth_what_train_makes_of_it(
    tuned: TuneResult, inputs: Inputs, tmp_path: Path
) -> None:
    first = trials_of(tuned.out_dir).row(0, named=True)
    assert (first["max_depth"], first["eta"]) == (5, 0.025)
    assert tuned.defaults == pytest.approx(first["average_precision"])
    out = tmp_path / "run"
    train(**inputs.options(out_dir=out, model=MODEL, feature_profile="base_only", arms=()))
    assert (out / "split.tsv").read_bytes() == (tuned.out_dir / "split.tsv").read_bytes()
    plan = tune_module.plan_training(
        **{name: value for name, value in inputs.options().items() if name not in ("model", "recipe")},
        feature_profile="base_only", arms=(), split="family", test_size=0.0, seed=42, similarity=tune_module.Similarity(),
        method=tune_module.Method(learner_of(MODEL), inputs.options()["recipe"]),
    )  # fmt: skip
    rows = FoldFitter(plan).rows
    held = pl.concat(pl.read_parquet(path) for path in sorted((out / "predictions").glob("part_*.parquet")))
    keys = ["chrom", "strand", "position"]
    for kind in ("donor", "acceptor"):
        scores = rows.keys.join(held, on=keys, how="left", maintain_order="left")[f"base_scores_{kind}"]
        found = weighted_average_precision(scores.cast(pl.Float64).to_numpy(), rows.truth(kind), rows.weight)
        # probabilities of float32 tie where logits do not
        assert first[kind] == pytest.approx(found, abs=0.01)


def test_a_study_goes_on_with_more_trials_and_is_the_same_as_in_one_go(
    tuned: TuneResult, inputs: Inputs, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    few = tune(**options(inputs, out, trials=2, threads=1))
    assert few.trials == 2
    more = tune(**options(inputs, out, trials=4, threads=4))
    assert trials_of(out).equals(trials_of(tuned.out_dir))
    assert (more.best, more.settings) == (tuned.best, tuned.settings)
    again = tune(**options(inputs, out, trials=3))
    assert again.trials == 4


def test_a_killed_study_resumes_as_if_nothing_had_happened(tuned: TuneResult, inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "study"
    script = (
        "import sys, time; from pathlib import Path\n"
        "from meta_spliceai.train import fit; from meta_spliceai.train.tune import tune\n"
        "from tests.train.conftest import Inputs; from tests.train.test_tune import options\n"
        "genuine = fit.FoldFitter.out_of_fold\n"
        "fit.FoldFitter.out_of_fold = lambda *given: (time.sleep(0.5), genuine(*given))[1]\n"
        "a, b, c, out = map(Path, sys.argv[1:])\n"
        "tune(**options(Inputs(a, b, c), out, trials=4))\n"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script, inputs.dataset, inputs.reference, inputs.eval_dir, out],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])},
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None and _begun(out / "study.db") < 2:
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "study.tsv").exists()
    tune(**options(inputs, out, trials=4))
    assert trials_of(out).equals(trials_of(tuned.out_dir))


def _begun(file: Path) -> int:
    if not file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        try:
            return int(
                database.execute("select count(*) from trials where state in ('RUNNING', 'COMPLETE')").fetchone()[0]
            )
        except sqlite3.OperationalError:  # it is just being made
            return 0


def test_time_ends_a_study_between_trials(inputs: Inputs, tmp_path: Path) -> None:
    assert tune(**options(inputs, tmp_path / "study", trials=50, seconds=1e-6)).trials == 1


def test_other_options_are_refused_until_overwritten(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "study"
    tune(**options(inputs, out, trials=1))
    with pytest.raises(PlanMismatchError, match="parameter seed"):
        tune(**options(inputs, out, trials=1, seed=1))
    assert tune(**options(inputs, out, trials=1, seed=1, overwrite=True)).trials == 1
    assert tune(**options(inputs, out, trials=1, seed=1, overwrite=True)).trials == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "log_reg"}, "hyper-parameters to vary"),
        ({"trials": 0}, "--trials above 0"),
        ({"seconds": 0}, "--seconds above 0"),
        ({"model": "xgbost"}, "near xgboost"),
        ({"model": json.dumps(settings_of(learner_of("xgboost")))}, "with all of them given"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    inputs: Inputs, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tune(**options(inputs, tmp_path / "study", **changed))
    assert not (tmp_path / "study").exists()


def test_without_optuna_the_extra_is_named(inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'meta-spliceai\[tune\]'"):
        tune(**options(inputs, tmp_path / "study"))


def test_spaces_hold_the_defaults_of_their_learners_and_leave_out_what_is_given() -> None:
    for name, space in SPACES.items():
        held = settings_of(LEARNERS[name]())
        assert all(span.low <= held[key] <= span.high for key, span in space.items())
    given = given_settings('{"name": "xgboost", "learning_rate": 0.1, "max_depth": 3}')
    assert given == {"eta", "max_depth"}
    assert set(SPACES["xgboost"]) - set(space_of({"name": "xgboost"}, given)) == given
