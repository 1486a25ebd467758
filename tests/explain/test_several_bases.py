"""Explanations with several base models, whose corrections start from the mean of some of their logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.bases import forget_loaded_models
from meta_spliceai.basepass.run import run as base_pass
from meta_spliceai.build.run import build
from meta_spliceai.explain.run import ExplainResult, explain
from meta_spliceai.train.run import train
from meta_spliceai.train.tune import tune
from tests.basepass.conftest import TOYS
from tests.build.conftest import Passed
from tests.train.conftest import Inputs

POSITIONS = ["chrT1:4200:+", "PLUSALT:5001", "PLUSALT:4300"]


@pytest.fixture(scope="module")
def several(scored: Passed, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A dataset with the scores of two base models."""
    folder = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        forget_loaded_models()
        for name in ("toy", "second"):
            patch.setitem(registry._SHIPPED, name, lambda model=TOYS[name], **_: model())
        base_pass(reference=scored.reference, base=["toy", "second"], eval_dir=folder / "toy_eval", tn_rate=0.3)
        forget_loaded_models()
    dataset = folder / "dataset"
    build(reference=scored.reference, eval_dir=folder / "toy_eval", output_dir=dataset, kmer_sizes=(1,))
    return Inputs(dataset, scored.reference, folder / "toy_eval")


@pytest.fixture(scope="module")
def run_of_several(several: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run_of_several") / "model_run"
    train(**several.options(out_dir=out, arms=("meta",)))
    return out


@pytest.fixture(scope="module")
def explained(several: Inputs, run_of_several: Path, tmp_path_factory: pytest.TempPathFactory) -> ExplainResult:
    return explain(
        run_dir=run_of_several,
        dataset=several.dataset,
        reference=several.reference,
        eval_dir=several.eval_dir,
        out_dir=tmp_path_factory.mktemp("explain") / "out",
        repeats=2,
        threads=2,
        position=POSITIONS,
    )


def starts(run: Path, fold: int, kind: str) -> list[str]:
    found: Any = json.loads((run / "manifest.json").read_text())["parts"][f"fold_{fold + 1}"]["facts"]["starts"]
    return list(found[f"meta_{kind}"])


def test_contributions_sum_from_the_mean_of_all_to_what_was_predicted(
    explained: ExplainResult, run_of_several: Path
) -> None:
    held = pl.concat(pl.read_parquet(path) for path in sorted((run_of_several / "predictions").glob("part_*.parquet")))
    corrected = 0
    for base in explained.bases:
        row = held.row(
            by_predicate=(pl.col("chrom") == base.chrom)
            & (pl.col("position") == base.position)
            & (pl.col("strand") == base.strand),
            named=True,
        )
        for kind, one in base.splice_types.items():
            mean = row[f"base_mean_{kind}"]
            assert one.start_logit == pytest.approx(np.log(mean / (1 - mean)), abs=1e-3)
            assert one.probability == pytest.approx(row[f"meta_{kind}"], rel=1e-3)
            parts = [*(part.contribution for part in one.contributions), one.other_features, one.average]
            assert sum(parts) == pytest.approx(one.correction, abs=1e-4)
            assert one.start_logit + one.correction == pytest.approx(one.logit, abs=1e-4)
            if one.corrected:
                corrected += 1
                assert one.starts_from == (" + ".join(starts(run_of_several, row["fold"], kind)),)
    assert corrected


def test_the_words_say_where_a_correction_starts(explained: ExplainResult) -> None:
    words = explained.summary()
    assert "logit of the mean of base models" in words
    one = next(one for base in explained.bases for one in base.splice_types.values() if one.corrected)
    (start,) = one.starts_from
    named = f"the mean of {start}" if " + " in start else start
    assert f"starts from {named}; the way there is part of the correction" in words
    assert "below the gate: the score of the base model stands" not in words
    written = json.loads((explained.out_dir / "rows.json").read_text())
    assert written[0]["splice_types"]["donor"]["start_logit_of"] == "mean of base models"


def test_ranking_loses_what_a_start_carries_whether_or_not_trees_read_it(
    explained: ExplainResult, run_of_several: Path
) -> None:
    """In the tables the start belongs to the features that it is the mean of."""
    for kind in ("donor", "acceptor"):
        names = {name for fold in range(3) for name in starts(run_of_several, fold, kind)}
        drops = explained.permutation.filter(pl.col("name").is_in(list(names)), splice_type=kind, kind="feature")
        assert drops.height == len(names)
        assert drops["drop_mean"].max() > 0.01  # type: ignore[operator]
    # the toys differ in donors only, so that only there a start lies away from the mean of both
    assert explained.shap_summary is not None
    (first,) = explained.shap_summary.filter(splice_type="donor").head(1).to_dicts()
    assert first["feature"] in {name for fold in range(3) for name in starts(run_of_several, fold, "donor")}
    assert first["mean_abs"] > 0.1


def test_settings_are_tuned_with_several_base_models(several: Inputs, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    options = several.options(out_dir=tmp_path / "study", model='{"rounds": 4}', trials=2)
    found = tune(**options)
    assert found.trials == 2
    assert found.best >= found.defaults > 0
