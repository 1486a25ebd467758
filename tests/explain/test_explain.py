"""What a model looks at: planted knowledge is found, contributions add up, and a base is explained as it was predicted."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.errors import GeneError, InputError, PlanMismatchError, StoreError
from meta_spliceai.explain.contributions import contributions, summary
from meta_spliceai.explain.held_out import ChannelRows
from meta_spliceai.explain.permutation import FeatureSet, exchanged, permutation_drops
from meta_spliceai.explain.run import ExplainResult, explain
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.train.learners.spec import learner_of
from meta_spliceai.train.residual import Ensemble, Examples, Method, Recipe, fit_correction
from meta_spliceai.train.run import train
from tests.train.conftest import Inputs
from tests.train.toys import toy_rows

NAMES = ("gc_content", "donor_max_up_1_10", "spread")
SMALL = {"rounds": 15, "max_depth": 3, "min_child_weight": 1.0, "colsample_bytree": 1.0, "eta": 0.3}


def planted(learner: dict[str, Any], *, base_margin: bool = True) -> tuple[ChannelRows, dict[int, Ensemble]]:
    """Rows of 20 gene groups in which `spread` alone says more than the base model, and a model of each half of them."""

    def informative(is_donor: Any, donor: Any, rng: Any) -> Any:
        return is_donor + rng.normal(0, 0.6, is_donor.size)

    rows = toy_rows(3_000, names=NAMES, spread=informative)
    group = np.arange(3_000) % 20
    start = np.log(rows.donor_score / (1 - rows.donor_score)).astype(np.float32)
    method = Method(learner_of(learner), Recipe(gate=0.0, inner_folds=2), base_margin=base_margin)
    ensembles = {}
    for fold in (0, 1):
        at = np.flatnonzero(group % 2 != fold)
        examples = Examples(rows.features[at], start[at], rows.is_donor[at], rows.weight[at], group[at])
        ensembles[fold] = Ensemble(NAMES, 0.0, {"donor": (fit_correction(examples, method, seed=fold),)})
    return ChannelRows(
        "donor", rows.features, start, group % 2, group, np.empty(0), rows.is_donor, rows.weight
    ), ensembles


@pytest.mark.parametrize("base_margin", [True, False])
@pytest.mark.parametrize(
    "learner",
    [
        {"name": "xgboost", **SMALL},
        {"name": "lightgbm", "rounds": 15, "num_leaves": 6},
        {"name": "catboost", "rounds": 40, "depth": 3, "learning_rate": 0.3, "rsm": 1.0},
    ],
)
def test_contributions_and_base_sum_to_the_margin(learner: dict[str, Any], base_margin: bool) -> None:
    pytest.importorskip(str(learner["name"]))
    rows, ensembles = planted(learner, base_margin=base_margin)
    both = Ensemble(NAMES, 0.0, {"donor": tuple(ensembles[fold].corrections["donor"][0] for fold in (0, 1))})
    found = contributions(both, "donor", rows.features, rows.start)
    assert found.shape == (3_000, 4)
    begin = rows.start if base_margin else 0.0
    np.testing.assert_allclose(begin + found.sum(axis=1), both.margin("donor", rows.features, rows.start), atol=2e-4)
    assert np.abs(found[:, :3]).max() > 0.1


def test_features_that_a_correction_starts_from_contribute_their_share_of_the_start() -> None:
    rows, ensembles = planted({"name": "xgboost", **SMALL})
    (plain,) = ensembles[0].corrections["donor"]
    ensemble = Ensemble(NAMES, 0.0, {"donor": (dataclasses.replace(plain, start=(0, 2)), plain)})
    found = contributions(ensemble, "donor", rows.features, rows.start)
    margin = ensemble.margin("donor", rows.features, rows.start)
    np.testing.assert_allclose(rows.start + found.sum(axis=1), margin, atol=2e-4)
    without = contributions(Ensemble(NAMES, 0.0, {"donor": (plain,)}), "donor", rows.features, rows.start)
    added = (found - without)[:, [0, 2]]
    np.testing.assert_allclose(added, (rows.features[:, [0, 2]] - rows.start[:, None]) / 4, atol=1e-5)


def test_shrinkage_scales_contributions_and_models_that_are_never_applied_give_none() -> None:
    rows, ensembles = planted({"name": "xgboost", **SMALL})
    (correction,) = ensembles[0].corrections["donor"]
    whole, half, none = (
        contributions(Ensemble(NAMES, 0.0, {"donor": (dataclasses.replace(correction, shrinkage=share),)}), "donor", rows.features, rows.start)
        for share in (1.0, 0.5, 0.0)
    )  # fmt: skip
    np.testing.assert_allclose(half, whole / 2)
    assert not none.any()


def test_each_group_takes_the_values_of_one_other_group() -> None:
    rows, _ = planted({"name": "xgboost", **SMALL})
    source = exchanged(rows, 7)
    given = {}
    for group in range(20):
        (given[group],) = set(rows.group[source[rows.group == group]].tolist())
    assert sorted(given.values()) == list(range(20))
    assert all(own != other for own, other in given.items())
    assert source.tolist() == exchanged(rows, 7).tolist()
    assert source.tolist() != exchanged(rows, 8).tolist()


def test_rows_are_drawn_in_proportion_to_the_bases_they_stand_for() -> None:
    rows, _ = planted({"name": "xgboost", **SMALL})
    drawn = np.concatenate([exchanged(rows, seed) for seed in range(30)])
    heavy = rows.weight > 1
    expected = rows.weight[heavy].sum() / rows.weight.sum()
    assert abs(heavy[drawn].mean() - expected) < 0.02


def test_one_group_has_nobody_to_exchange_with() -> None:
    rows, _ = planted({"name": "xgboost", **SMALL})
    with pytest.raises(GeneError, match="at least two gene groups"):
        exchanged(dataclasses.replace(rows, group=np.zeros(3_000, dtype=np.int64)), 1)


def test_ranking_loses_what_an_informative_feature_gave_it_and_nothing_with_noise() -> None:
    rows, ensembles = planted({"name": "xgboost", **SMALL})
    sets = [FeatureSet("feature", name, np.array([at])) for at, name in enumerate(NAMES)]
    sets.append(FeatureSet("family", "all", np.arange(3)))
    found = permutation_drops(rows, ensembles, sets, repeats=4, seed=1, threads=1)
    noise, noise_too, informative, everything = (one.drops.mean() for one in found)
    assert informative > 0.05
    assert everything > 0.05
    assert max(abs(noise), abs(noise_too)) < informative / 5
    threaded = permutation_drops(rows, ensembles, sets, repeats=4, seed=1, threads=3)
    for one, other in zip(found, threaded, strict=True):
        np.testing.assert_array_equal(one.drops, other.drops)


def test_the_drop_is_that_of_weighted_average_precision_with_exchanged_values() -> None:
    rows, ensembles = planted({"name": "xgboost", **SMALL})
    (drop,) = permutation_drops(
        rows, ensembles, [FeatureSet("feature", "spread", np.array([2]))], repeats=2, seed=3, threads=1
    )

    def precision(features: Any) -> float:
        """Row by row: precision at every true row, weighted by the bases that it stands for."""
        margin = rows.margin(ensembles, features)
        total = 0.0
        for row in np.flatnonzero(rows.label):
            at_least = margin >= margin[row]
            total += rows.weight[row] * rows.weight[at_least & rows.label].sum() / rows.weight[at_least].sum()
        return total / rows.weight[rows.label].sum()

    features = rows.features.copy()
    features[:, 2] = rows.features[exchanged(rows, seeded_word(3, "permute", "donor", 0)), 2]
    assert drop.drops[0] == pytest.approx(precision(rows.features) - precision(features), abs=1e-6)


def test_contributions_are_averaged_over_bases_and_over_sites() -> None:
    rows, ensembles = planted({"name": "xgboost", **SMALL})
    count, found = summary(rows, ensembles, sample=10_000, seed=1)
    assert count == 3_000
    by_hand = np.concatenate(
        [
            contributions(ensembles[f], "donor", rows.features[rows.fold == f], rows.start[rows.fold == f])[:, 2]
            for f in (0, 1)
        ]
    )
    label, weight = (np.concatenate([values[rows.fold == f] for f in (0, 1)]) for values in (rows.label, rows.weight))
    assert found["mean_abs"][2] == pytest.approx(np.average(np.abs(by_hand), weights=weight))
    assert found["mean_abs_sites"][2] == pytest.approx(np.average(np.abs(by_hand[label]), weights=weight[label]))
    assert found["mean_abs"].argmax() == 2
    small, again = (summary(rows, ensembles, sample=100, seed=1) for _ in range(2))
    assert small[0] == 100
    np.testing.assert_array_equal(small[1]["mean"], again[1]["mean"])


@pytest.fixture(scope="module")
def explained(run: Path, inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> ExplainResult:
    return explain(
        **options(run, inputs, tmp_path_factory.mktemp("explain") / "out"),
        position=["chrT1:4200:+", "PLUSALT:5001", "T1:5,001:+"],
    )


def options(run: Path, inputs: Inputs, out: Path, **others: Any) -> dict[str, Any]:
    given = {"run_dir": run, "dataset": inputs.dataset, "reference": inputs.reference, "eval_dir": inputs.eval_dir}
    return {**given, "out_dir": out, "repeats": 2, "threads": 2, **others}


def test_the_folder_holds_tables_picture_and_explained_bases(explained: ExplainResult, run: Path) -> None:
    names = {path.name for path in explained.out_dir.iterdir()}
    assert {"importance.tsv", "permutation.tsv", "shap_summary.tsv", "rows.json", "importance.svg"} <= names
    features = json.loads((run / "model" / "model.json").read_text())["features"]
    assert explained.importance.height == len(features)
    assert explained.importance["donor_gain"].sum() == pytest.approx(1)
    kinds = dict(explained.permutation["kind"].value_counts().iter_rows())
    families = explained.importance["family"].n_unique()
    assert kinds == {"feature": 2 * len(features), "family": 2 * families, "origin": 4}
    assert set(explained.importance["family"]) == {"own_score", "performance", "distance", "kmer", "sequence"}
    assert explained.shap_summary is not None
    assert explained.shap_summary.height == 2 * len(features)
    unused = explained.importance.filter(pl.col("donor_gain") == 0)["feature"]
    drops = explained.permutation.filter(pl.col("name").is_in(unused.to_list()), splice_type="donor", kind="feature")
    assert drops["drop_mean"].abs().max() == 0
    assert (explained.out_dir / "importance.svg").read_text().count("<svg") == 1


def test_average_precision_is_that_of_the_models_which_had_not_seen_the_rows(
    explained: ExplainResult, run: Path
) -> None:
    """Estimated again from the run's own predictions on whole genes, at the sampled rows' weights of the same models."""
    held = pl.concat(pl.read_parquet(path) for path in sorted((run / "predictions").glob("part_*.parquet")))
    for kind in ("donor", "acceptor"):
        scores = held.sort(f"meta_{kind}", descending=True)
        true = scores[f"is_{kind}"].to_numpy()
        precision = np.cumsum(true) / np.arange(1, true.size + 1)
        estimated = explained.permutation.filter(splice_type=kind)["average_precision"][0]
        assert estimated == pytest.approx(precision[true].mean(), abs=0.12)


def test_a_base_is_explained_as_it_was_predicted(explained: ExplainResult, run: Path) -> None:
    held = pl.concat(pl.read_parquet(path) for path in sorted((run / "predictions").glob("part_*.parquet")))
    assert [(base.chrom, base.position, base.gene_name) for base in explained.bases] == [
        ("chrT1", 4200, "PLUSALT"),
        ("chrT1", 5001, "PLUSALT"),
    ]
    for base in explained.bases:
        row = held.row(
            by_predicate=(pl.col("chrom") == base.chrom)
            & (pl.col("position") == base.position)
            & (pl.col("strand") == base.strand),
            named=True,
        )
        assert f"fold {row['fold'] + 1}," in base.models
        for kind, one in base.splice_types.items():
            assert one.is_site == row[f"is_{kind}"]
            assert one.base_probability == pytest.approx(row[f"base_{kind}"])
            assert one.probability == pytest.approx(row[f"meta_{kind}"], rel=1e-4)
            assert one.logit == pytest.approx(one.start_logit + one.correction, abs=1e-4)
            parts = [*(held.contribution for held in one.contributions), one.other_features, one.average]
            assert sum(parts) == pytest.approx(one.correction, abs=1e-4)
            assert len(one.contributions) <= 10
    assert any(one.corrected and one.contributions for base in explained.bases for one in base.splice_types.values())
    written = json.loads((explained.out_dir / "rows.json").read_text())
    assert written[0]["splice_types"]["donor"]["contributions"][0]["feature"] in explained.summary()


def test_other_positions_are_explained_without_measuring_again(
    explained: ExplainResult, run: Path, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(explained.out_dir, tmp_path / "copy"))

    def unwanted(*_: Any, **__: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("meta_spliceai.explain.run.permutation_drops", unwanted)
    found = explain(**options(run, inputs, copy), position=["PLUSALT:4300"])
    assert [base.position for base in found.bases] == [4300]
    assert found.permutation.equals(explained.permutation)
    with pytest.raises(PlanMismatchError, match="parameter seed"):
        explain(**options(run, inputs, copy, seed=7))


def test_few_rows_take_fewer_whole_gene_groups(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    found = explain(**options(run, inputs, tmp_path / "out", rows=600, shap_rows=50))
    assert 2 <= found.groups < 15
    assert found.rows >= 600
    assert found.shap_summary is not None
    assert found.shap_summary["rows"].max() == 50
    again = explain(**options(run, inputs, tmp_path / "again", rows=600, shap_rows=50, threads=1))
    assert again.permutation.equals(found.permutation)


def test_a_model_that_looks_at_genes_explains_a_base_from_each(inputs: Inputs, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**inputs.options(out_dir=out, arms=(), feature_profile="gene_conditioned"))
    found = explain(**options(out, inputs, tmp_path / "out"), position=["chrT1:4200:+"])
    assert "gene" in set(found.importance["family"])
    held = pl.concat(pl.read_parquet(path) for path in sorted((out / "predictions").glob("part_*.parquet")))
    row = held.filter(chrom="chrT1", position=4200, strand="+")
    if len(found.bases) == 1:
        assert found.bases[0].splice_types["donor"].probability == pytest.approx(
            row["gene_conditioned_donor"][0], rel=1e-4
        )


def test_a_learner_without_contributions_is_measured_and_its_single_bases_are_refused(
    inputs: Inputs, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(**{**inputs.options(out_dir=out, arms=(), feature_profile="base_only"), "model": "log_reg"})
    found = explain(**options(out, inputs, tmp_path / "out"))
    assert found.shap_summary is None
    assert "only xgboost, lightgbm and catboost" in found.summary()
    with pytest.raises(InputError, match="gives contributions"):
        explain(**options(out, inputs, tmp_path / "out"), position=["PLUSALT:4200"])


@pytest.mark.parametrize(
    ("position", "error", "message"),
    [
        ("4200", InputError, "CHROM:POSITION:STRAND"),
        ("chrT1:4200", GeneError, "no such gene"),
        ("chrT1:x:+", InputError, "CHROM:POSITION:STRAND"),
        ("chrT1:4200:.", InputError, "CHROM:POSITION:STRAND"),
        ("PLUSALT:1", GeneError, "the gene's body is TG02.3 4001–9000"),
        ("chrT1:9999999:+", GeneError, "it lies in none"),
    ],
)
def test_bases_that_cannot_be_meant_are_refused_before_anything_is_measured(
    run: Path, inputs: Inputs, tmp_path: Path, position: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        explain(**options(run, inputs, tmp_path / "out"), position=[position])
    assert not (tmp_path / "out").exists()


def test_other_inputs_and_folders_are_refused(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["inputs"]["dataset"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"the dataset of the training run .*\(000000000000\)"):
        explain(**options(copy, inputs, tmp_path / "out"))
    with pytest.raises(StoreError):
        explain(**options(inputs.dataset, inputs, tmp_path / "out"))
    with pytest.raises(InputError, match="--repeats of at least 2"):
        explain(**options(run, inputs, tmp_path / "out", repeats=1))
