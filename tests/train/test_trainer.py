"""The Python side of training: what is held out, what it is worth, what is saved, and what is refused."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.errors import (
    GeneError,
    InputError,
    LeakageError,
    MetaSpliceAIError,
    ModelError,
    SchemaError,
    StoreError,
)
from meta_spliceai.train import IncrementalTrainer, Trainer, datasets, fitting
from meta_spliceai.train.holdout import SIDES, divide
from meta_spliceai.train.light import Wanted
from meta_spliceai.train.row_store import OnDisk
from meta_spliceai.train.sampled import weighted_average_precision
from tests.train.conftest import Inputs

SMALL = {"rounds": 12, "eta": 0.2, "min_child_weight": 2.0, "max_depth": 3, "colsample_bytree": 0.5}
SNIPPET = Path(__file__).resolve().parents[3] / "shared" / "seeds"


@pytest.fixture(scope="module")
def frame(inputs: Inputs) -> pl.DataFrame:
    return datasets.load_dataset(inputs.dataset)


@pytest.fixture(scope="module")
def fitted(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trainer = Trainer(SMALL, out_dir=tmp_path_factory.mktemp("trained")).fit(inputs.dataset)
    trainer.save()
    return trainer


@pytest.mark.rows("R16")
def test_a_dataset_is_loaded_whole_in_part_or_as_a_plan(inputs: Inputs, frame: pl.DataFrame, tmp_path: Path) -> None:
    assert frame.height == json.loads((inputs.dataset / "manifest.json").read_text())["facts"]["rows"]
    some = datasets.load_dataset(inputs.dataset / "master", columns=["gene_id", "gc_content"])
    assert some.equals(frame.select("gene_id", "gc_content"))
    lazy = datasets.load_dataset(str(inputs.dataset), lazy=True)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.select(pl.len()).collect().item() == frame.height
    frame.write_parquet(tmp_path / "rows.parquet")
    assert datasets.load_dataset(tmp_path / "rows.parquet").equals(frame)
    with pytest.raises(SchemaError, match="did you mean gc_content"):
        datasets.load_dataset(inputs.dataset, columns=["gc_contents"])
    with pytest.raises(StoreError, match="no Parquet file"):
        datasets.load_dataset(tmp_path / "nowhere")


@pytest.mark.rows("R16")
def test_features_and_labels_of_a_frame(frame: pl.DataFrame) -> None:
    features, codes = datasets.prepare_xy(frame)
    assert set(features.dtypes) == {pl.Float32}
    assert codes.tolist() == [{"neither": 0, "donor": 1, "acceptor": 2}[name] for name in frame["splice_type"]]
    assert not {"splice_type", "pred_type", "position", "inclusion_probability", "gene_length"} & set(features.columns)
    wider, sites = datasets.prepare_xy(frame, "splice_site", profile="gene_conditioned")
    assert "gene_length" in wider.columns
    assert sites.tolist() == (codes > 0).astype(int).tolist()
    with pytest.raises(SchemaError, match="labels neither, donor, acceptor"):
        datasets.prepare_xy(frame.with_columns(splice_type=pl.lit("branchpoint")))
    with pytest.raises(SchemaError, match="none that the profile de_novo admits"):
        datasets.prepare_xy(frame.select("gene_id", "splice_type"))


def test_sides_are_made_of_whole_groups_by_name_and_seed_alone() -> None:
    names = [f"G{number}" for number in range(50)]
    side = divide(names, test_size=0.2, valid_size=0.1, seed=1)
    assert [int((side == at).sum()) for at in range(len(SIDES))] == [35, 5, 10]
    again = divide(names[::-1], test_size=0.2, valid_size=0.1, seed=1)
    assert again[::-1].tolist() == side.tolist()
    assert divide(names, test_size=0.2, valid_size=0.1, seed=2).tolist() != side.tolist()
    with pytest.raises(GeneError, match="at least 3 groups of genes"):
        divide(["one"], test_size=0.2, valid_size=0.1, seed=1)


@pytest.mark.rows("R9", "R10", "R14", "R15")
def test_a_trainer_holds_whole_genes_out_and_measures_both_models_on_them(fitted: Trainer, frame: pl.DataFrame) -> None:
    metrics = fitted.evaluate()
    held = pl.read_parquet(fitted.out_dir / "predictions" / "held_out_rows.parquet")
    sides = held.group_by("gene_id").agg(pl.col("side").n_unique())["side"]
    assert sides.to_list() == [1] * sides.len()
    test = held.filter(side="test")
    assert (
        metrics["test"]["rows"]
        == test.height
        == frame.filter(pl.col("gene_id").is_in(test["gene_id"].to_list())).height
    )
    assert metrics["test"]["groups"] == 3
    assert metrics["valid"]["groups"] == 2
    for channel, code in (("donor", 1), ("acceptor", 2)):
        for arm in ("base", "meta"):
            own = weighted_average_precision(
                test[f"{arm}_{channel}"].to_numpy().astype(float),
                (test["label"] == code).to_numpy(),
                test["weight"].to_numpy(),
            )
            assert metrics["test"][channel][arm]["auc_pr"] == pytest.approx(own)
    assert "whole genes" in metrics["note"]
    base = frame[test["row"].to_list()]
    np.testing.assert_array_equal(test["base_donor"], base["donor_score"])
    np.testing.assert_allclose(test["weight"], 1 / base["inclusion_probability"])


@pytest.mark.rows("R11")
def test_what_is_saved_comes_back_and_predicts_the_same(fitted: Trainer, frame: pl.DataFrame, tmp_path: Path) -> None:
    names = {path.name for path in fitted.out_dir.rglob("*") if path.is_file()}
    assert names == {
        "trainer.json", "donor.ubj", "acceptor.ubj", "model.pkl", "metrics.json", "feature_manifest.csv",
        "model_card.md", "delta_vs_baseline.csv", "held_out_rows.parquet",
    }  # fmt: skip
    held = pl.read_parquet(fitted.out_dir / "predictions" / "held_out_rows.parquet")
    again = Trainer.load(fitted.out_dir).predict(frame[held["row"].to_list()])
    assert again.columns == ["donor", "acceptor"]
    np.testing.assert_allclose(again["donor"], held["meta_donor"], atol=1e-7)
    trusted = Trainer.load(fitted.out_dir / "model.pkl", trust_pickle=True)
    assert trusted.model.to_files() == fitted.model.to_files()
    with pytest.raises(ModelError, match="a program that runs when it is loaded"):
        Trainer.load(fitted.out_dir / "model.pkl")
    (tmp_path / "trainer.json").write_bytes((fitted.out_dir / "trainer.json").read_bytes())
    (tmp_path / "donor.ubj").write_bytes(pickle.dumps("no model"))
    with pytest.raises(ModelError, match=r"acceptor\.ubj|donor\.ubj, whose content"):
        Trainer.load(tmp_path)
    with pytest.raises(ModelError, match=r"a folder with trainer\.json"):
        Trainer.load(tmp_path / "nowhere")


@pytest.mark.rows("R14")
def test_the_importance_of_every_feature_is_a_share_with_role_and_origin(fitted: Trainer) -> None:
    found = fitted.feature_importance()
    assert sorted(found["feature"]) == sorted(fitted.model.features)
    assert found["donor_gain"].sum() == pytest.approx(1.0)
    assert set(found["role"]) == {"feature"}
    assert set(found["origin"]) == {"base_score", "sequence"}


@pytest.mark.rows("R17")
def test_a_path_a_frame_and_arrays_of_the_same_rows_teach_the_same(fitted: Trainer, frame: pl.DataFrame) -> None:
    of_frame = Trainer(SMALL).fit(frame)
    assert [one.model.to_bytes() for one in of_frame.model.corrections.values()] == [
        one.model.to_bytes() for one in fitted.model.corrections.values()
    ]
    features, codes = datasets.prepare_xy(frame)
    bare = Trainer(SMALL, base_margin=False)
    weight = 1 / frame["inclusion_probability"].to_numpy()
    groups = frame["gene_id"].to_list()
    alone = Trainer(SMALL, base_margin=False).fit(frame).model.corrections["donor"].model.to_bytes()
    for given in (features, features.to_numpy()):
        of_arrays = bare.fit(given, codes, groups, sample_weight=weight, columns=features.columns)
        assert of_arrays.model.corrections["donor"].model.to_bytes() == alone
    assert bare.predict(features.to_numpy()).height == frame.height
    assert Trainer("log_reg").fit(features.to_numpy(), codes, groups).evaluate()["test"]["donor"].keys() == {
        "sites",
        "meta",
    }


@pytest.mark.rows("R12", "R18", "R21")
def test_held_out_genes_are_compared_with_the_base_models_table(
    fitted: Trainer, inputs: Inputs, tmp_path: Path
) -> None:
    delta = fitted.compare_baseline(inputs.eval_dir / "full_splice_performance.tsv")
    assert delta.height == 2 * 3
    assert delta["f1_score"].equals(delta["baseline_f1_score"], null_equal=True)
    assert pl.read_csv(fitted.out_dir / "delta_vs_baseline.csv").height == delta.height
    (tmp_path / "other.tsv").write_text("gene_id\tf1_score\nX\t1\n")
    with pytest.raises(InputError, match="rows of other genes"):
        fitted.compare_baseline(tmp_path / "other.tsv")


def test_one_target_for_any_site(frame: pl.DataFrame, tmp_path: Path) -> None:
    trainer = Trainer("log_reg", out_dir=tmp_path, label_col="splice_site").fit(frame)
    trainer.save()
    assert list(trainer.evaluate()["test"])[2:] == ["splice_site"]
    assert trainer.compare_baseline()["splice_type"].unique().to_list() == ["splice_site"]
    assert Trainer.load(tmp_path).predict(frame).columns == ["splice_site"]


@pytest.mark.rows("R22")
def test_the_cross_validation_of_the_guide_works_as_printed(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("sklearn", "pandas"):
        pytest.importorskip(library, reason=f"the printed lines need {library}")
    seed = next(SNIPPET.glob("004*"), None)
    if seed is None:
        pytest.skip("../shared/seeds is absent")
    printed = re.search(r"```python\n(.*?)```", seed.read_text(), re.S)
    assert printed
    # the package has another layout than the one of the guide; nothing else is changed
    code = printed[1].replace("meta_spliceai.splice_engine.meta_models.training", "meta_spliceai.train")
    (tmp_path / "train_pc_1000").symlink_to(inputs.dataset)
    (tmp_path / "full_splice_performance.tsv").write_bytes(
        (inputs.eval_dir / "full_splice_performance.tsv").read_bytes()
    )
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    for fold in range(5):
        assert pl.read_csv(f"models/cv/fold{fold}/delta_vs_baseline.csv")["baseline_f1_score"].drop_nulls().len()


@pytest.mark.rows("R19", "R20")
@pytest.mark.parametrize("model", ["xgboost", "lightgbm", "sgd_logistic"])
def test_a_dataset_larger_than_memory_teaches_what_the_same_rows_in_memory_teach(
    inputs: Inputs, frame: pl.DataFrame, tmp_path: Path, model: str
) -> None:
    """The same trees and coefficients, to the byte, where the batches are the same or the learner does not mind."""
    pytest.importorskip({"lightgbm": "lightgbm", "sgd_logistic": "sklearn"}.get(model, "numpy"))
    rows = 300
    small = {"rounds": 10} if model != "sgd_logistic" else {"batch_rows": rows, "epochs": 2}
    memory = Trainer({"name": model, **small}, out_dir=tmp_path / "a").fit(inputs.dataset)
    disk = IncrementalTrainer({"name": model, **small}, out_dir=tmp_path / "b", batch_rows=rows).fit(inputs.dataset)
    assert frame.height > 2 * rows
    assert disk.model.to_files() == memory.model.to_files()
    assert disk.evaluate() == memory.evaluate()
    assert memory.save().name == "a"
    assert disk.save().name == "b"
    names = [{path.relative_to(folder) for path in folder.rglob("*")} for folder in (tmp_path / "a", tmp_path / "b")]
    assert names[0] == names[1]


def test_edges_of_bins_found_in_a_sample_are_the_same_from_memory_and_from_disk(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = Trainer(SMALL).fit(inputs.dataset).model.to_files()
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 1_000)
    memory = Trainer(SMALL).fit(inputs.dataset).model.to_files()
    disk = IncrementalTrainer(SMALL, out_dir=tmp_path, batch_rows=300).fit(inputs.dataset).model.to_files()
    assert memory == disk != every


def test_batches_hold_the_rows_asked_for_in_order_whatever_their_size(inputs: Inputs, frame: pl.DataFrame) -> None:
    from meta_spliceai.train.matrix import open_dataset

    names = ("gc_content", "donor_score")
    places = np.flatnonzero(np.random.default_rng(1).random(frame.height) < 0.4)
    expected = frame.select(names).to_numpy().astype(np.float32)[places]
    for size in (1, 7, 250, 10**6):
        wanted = Wanted("splice_type", "gene_id", "de_novo", names, weighted=True, batch_rows=size)
        store = OnDisk(open_dataset(inputs.dataset), names, wanted, ("donor", "acceptor"), size)
        batches = list(store.batches(places))
        assert all(len(matrix) <= size for _, matrix, _ in batches)
        np.testing.assert_array_equal(np.concatenate([at for at, _, _ in batches]), np.arange(places.size))
        np.testing.assert_array_equal(np.concatenate([matrix for _, matrix, _ in batches]), expected)
        for lights in ([light for _, _, light in batches], list(store.light(places))):
            weight = np.concatenate([light.weight for light in lights])
            np.testing.assert_array_equal(weight, 1 / frame["inclusion_probability"].to_numpy()[places])
            base = np.concatenate([light.base["acceptor"] for light in lights])
            np.testing.assert_array_equal(base, frame["acceptor_score"].to_numpy()[places])


def test_early_stopping_uses_the_validation_genes(inputs: Inputs) -> None:
    eager = {"rounds": 400, "eta": 0.5, "min_child_weight": 0, "patience": 3}
    stopped = Trainer(eager, early_stopping=True).fit(inputs.dataset)
    assert all(one.model.rounds < 400 for one in stopped.model.corrections.values())
    with pytest.raises(InputError, match="a valid_size above 0"):
        Trainer(eager, early_stopping=True, valid_size=0)


def planted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(gc_content=(pl.col("splice_type") == "donor").cast(pl.Float32))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.filter(pl.col("gene_id") == f["gene_id"][0]), GeneError, "at least 3 groups"),
        (lambda f: f.with_columns(splice_type=pl.lit("neither")), InputError, "rows that are a donor"),
        (lambda f: f.filter(splice_type="donor"), InputError, "rows that are a donor and rows that are none"),
        (planted, LeakageError, r"gc_content \(origin sequence\) is 1 exactly on one side"),
        (lambda f: f.with_columns(gc_content=float("nan")), SchemaError, "NaN or infinite values in gc_content"),
        (lambda f: f.with_columns(gc_content=float("inf")), SchemaError, "NaN or infinite values in gc_content"),
        (
            lambda f: f.drop("inclusion_probability"),
            SchemaError,
            "inclusion_probability, of which the weights are made",
        ),
        (lambda f: f.drop("gene_id"), SchemaError, "no gene_id"),
        (lambda f: f.drop("splice_type"), SchemaError, "a label column splice_type"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(
    frame: pl.DataFrame, tmp_path: Path, change: Any, error: type[MetaSpliceAIError], message: str
) -> None:
    trainer = Trainer(SMALL, out_dir=tmp_path / "out")
    with pytest.raises(error, match=message):
        trainer.fit(change(frame))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="none yet"):
        trainer.save()


def test_rows_without_weights_count_alike_only_when_told_so(frame: pl.DataFrame) -> None:
    trainer = Trainer(SMALL, weights="none").fit(frame.drop("inclusion_probability"))
    assert trainer.evaluate()["weights"].startswith("none")


def test_missing_columns_are_named_and_further_ones_left_aside(fitted: Trainer, frame: pl.DataFrame) -> None:
    expected = fitted.predict(frame)
    assert fitted.predict(frame.with_columns(more=pl.lit(1.0))).equals(expected)
    with pytest.raises(ModelError, match="no gc_content"):
        fitted.predict(frame.drop("gc_content"))
    with pytest.raises(ModelError, match="features of shape"):
        fitted.predict(np.zeros((3, 2)))
    with pytest.raises(ModelError, match="base scores, which the model corrects"):
        Trainer.load(fitted.out_dir).predict(np.zeros((3, len(fitted.model.features))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trainer("oracle"), "--model to name a learner"),
        (lambda: Trainer(weights="half"), "weights inverse_inclusion or none"),
        (lambda: Trainer(test_size=0.9, valid_size=0.2), "below 1 together"),
        (lambda: IncrementalTrainer("log_reg"), "xgboost, lightgbm or sgd_logistic"),
        (lambda: IncrementalTrainer(batch_rows=0), "--batch-size of at least 1"),
        (lambda: IncrementalTrainer().fit(pl.DataFrame()), "the path of a dataset"),
        (lambda: Trainer().fit(np.zeros((2, 2))), "an array with labels"),
        (lambda: Trainer().fit(np.zeros((2, 2)), [0, 1, 1]), "2 features, 3 labels"),
        (lambda: Trainer().fit(np.full((2, 2), np.inf), [0, 1]), "infinite values in f0, f1"),
        (lambda: Trainer().fit(np.zeros((9, 2)), range(9)), "labels 0, 1 and 2"),
    ],
)
def test_what_a_trainer_cannot_use_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
