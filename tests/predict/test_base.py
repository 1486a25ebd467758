import json

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run
from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError
from meta_spliceai.evaluate.words import what_was_measured
from meta_spliceai.predict.base import evaluate_base
from meta_spliceai.predict.run import predict
from meta_spliceai.train.run import train
from tests.basepass.conftest import TOYS
from tests.toys.tiny_genome import GENES
from tests.train.conftest import FOLDS, MODEL, RECIPE, scored

__all__ = ["scored"]


def pass_with(names, scored, folder):
    """A base pass with toy base models over the tiny genome."""
    with pytest.MonkeyPatch.context() as patch:
        for name, model in TOYS.items():
            patch.setitem(registry._SHIPPED, name, lambda model=model, **_: model())
        return run(reference=scored.reference, base=names, eval_dir=folder).eval_dir


@pytest.fixture(scope="module")
def passed(scored, tmp_path_factory):
    return pass_with(list(TOYS), scored, tmp_path_factory.mktemp("bases") / "toy_eval")


def test_every_base_model_and_their_mean_are_measured_on_every_base_once(scored, passed, tmp_path):
    found = evaluate_base(reference=scored.reference, eval_dir=passed, out_dir=tmp_path, draws=20)
    assert "meta-model" not in " ".join(what_was_measured(found.evaluation))
    assert [arm["name"] for arm in found.evaluation.about["arms"]] == ["base", "toysites", "second", "base_mean"]
    table = pl.read_parquet(tmp_path / "predictions" / "part_00001.parquet")
    assert not table.select("chrom", "strand", "position").is_duplicated().any()
    measured = found.evaluation.arms.filter(pl.col("splice_type") == "donor")
    for arm, value in measured.select("arm", "average_precision").iter_rows():
        truth, scores = table["is_donor"].to_numpy(), table[f"{arm}_donor"].to_numpy()
        assert _average_precision(scores, truth) == pytest.approx(value, abs=1e-9)
    summary = found.summary()
    assert "mean of base models" in summary
    assert "95 % intervals over" in summary


def _average_precision(scores, truth):
    cuts, place = np.unique(-scores, return_inverse=True)
    hits, calls = (np.cumsum(np.bincount(place, weights, minlength=cuts.size)) for weights in (truth, None))
    return float((np.diff(np.concatenate(([0], hits))) * hits / calls).sum() / truth.sum())


def test_scores_of_arms_are_the_stored_ones(scored, passed, tmp_path):
    evaluate_base(reference=scored.reference, eval_dir=passed, out_dir=tmp_path, draws=20)
    table = pl.read_parquet(tmp_path / "predictions" / "part_00001.parquet")
    second = open_artifacts(passed.parent / "second_eval")
    here = table.filter((pl.col("chrom") == "chrT2") & (pl.col("strand") == "-")).sort("position").slice(100, 500)
    start, end = here["position"][0] - 1, here["position"][-1]
    stored = second.scores("chrT2", "-", start, end).donor
    at = here["position"].to_numpy() - 1 - start
    np.testing.assert_array_equal(here["second_donor"].to_numpy(), stored[at])


def test_one_gene_alone_cannot_be_divided(scored, passed, tmp_path):
    with pytest.raises(GeneError, match="gene groups"):
        evaluate_base(reference=scored.reference, eval_dir=passed, out_dir=tmp_path, genes=[GENES[0].gene_id], draws=20)


def test_a_meta_model_learns_from_several_base_models_and_predicts_with_the_same(scored, passed, tmp_path):
    options = {"reference": scored.reference, "eval_dir": passed}
    dataset = tmp_path / "dataset"
    build(**options, output_dir=dataset, kmer_sizes=(1,))
    out = tmp_path / "model_run"
    train(**options, dataset=dataset, out_dir=out, folds=FOLDS, recipe=RECIPE, model=MODEL, threads=2)
    manifest = pl.read_csv(out / "feature_manifest.csv")
    assert {"second_donor_logit", "toysites_usage_donor_logit", "mean_donor_logit"} <= set(manifest["feature"])
    _starts_are_the_best_means_of_the_other_folds(out, FOLDS)
    made = predict(model=out, **options, out=tmp_path / "predicted", genes=[GENES[1].gene_id])
    assert made.bases == GENES[1].end - GENES[1].start + 1
    assert pl.read_parquet(made.table)["meta_donor"].is_finite().all()


def test_a_dataset_of_fewer_base_models_teaches_and_is_applied_without_the_others(scored, passed, tmp_path):
    options = {"reference": scored.reference, "eval_dir": passed}
    first = open_artifacts(passed).base_names[0]
    dataset, out = tmp_path / "dataset", tmp_path / "model_run"
    names = build(**options, output_dir=dataset, kmer_sizes=(1,), base_models=[f"{first},second"]).path
    columns = pl.read_parquet_schema(next((names / "master").glob("*.parquet")))
    assert "second_donor_logit" in columns
    assert not [name for name in columns if name.startswith("toysites")]
    train(**options, dataset=dataset, out_dir=out, arms=["meta"], folds=FOLDS, recipe=RECIPE, model=MODEL, threads=2)
    saved = json.loads((out / "model" / "model.json").read_text())
    assert [one["name"] for one in saved["base_models"]] == [first, "second"]
    predict(model=out, **options, out=tmp_path / "of_three", genes=[GENES[1].gene_id])
    two = pass_with([first, "second"], scored, tmp_path / f"{first}_eval")
    predict(model=out, reference=scored.reference, eval_dir=two, out=tmp_path / "of_two", genes=[GENES[1].gene_id])
    of_three, of_two = (pl.read_parquet(tmp_path / name / "predictions.parquet") for name in ("of_three", "of_two"))
    assert of_three.equals(of_two)


def _starts_are_the_best_means_of_the_other_folds(out, folds):
    """The untrained arm is that mean of every base; where the saved model corrects nothing, it starts there too."""
    manifest = json.loads((out / "manifest.json").read_text())
    saved = json.loads((out / "model" / "model.json").read_text())["corrections"]
    logits = {"donor_logit", "second_donor_logit", "toysites_donor_logit", "toysites_usage_donor_logit"}
    for fold in range(folds):
        starts = manifest["parts"][f"fold_{fold + 1}"]["facts"]["starts"]
        assert saved[f"donor_{fold + 1}.ubj"]["start"] == starts["meta_donor"]
        assert set(starts["best_mean_donor"]) <= logits
        assert starts["best_mean_donor"] == starts["meta_donor"] == starts["base_scores_donor"]
    table = pl.concat([pl.read_parquet(file) for file in (out / "predictions").glob("part_*.parquet")])
    assert {"base_mean_donor", "best_mean_donor"} <= set(table.columns)
    own = table.filter(pl.col("base_mean_donor") >= RECIPE.gate)
    assert (own["best_mean_donor"] != own["base_mean_donor"]).any()
    below = table.filter(pl.col("base_mean_donor") < RECIPE.gate)
    assert (below["best_mean_donor"] == below["base_mean_donor"]).all()
