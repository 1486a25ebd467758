"""`train --single-split` and `--incremental`: the same options and outputs, in memory and from disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from meta_spliceai.errors import InputError, LeakageError, PlanMismatchError, SchemaError
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.train.memory import bytes_of, needed_from_disk, needed_in_memory, rows_of_batch
from meta_spliceai.train.run import train
from meta_spliceai.train.single import SingleSplitResult
from meta_spliceai.train.trainer import Trainer
from tests.train.conftest import Inputs
from tests.train.test_run import damaged

OUTPUTS = {
    "manifest.json", "trainer.json", "donor.ubj", "acceptor.ubj", "model.pkl", "metrics.json", "feature_manifest.csv",
    "model_card.md", "delta_vs_baseline.csv", "held_out_rows.parquet",
}  # fmt: skip


def options(inputs: Inputs, out: Path, **others: Any) -> dict[str, Any]:
    given = {"dataset": inputs.dataset, "eval_dir": inputs.eval_dir, "out_dir": out, "single_split": True}
    return {**given, "model": '{"rounds": 10}', **others}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {"run_log.jsonl", ".lock"}


@pytest.mark.rows("R1", "R2", "R10", "R11", "R21")
def test_one_split_leaves_the_same_files_from_memory_and_from_disk(inputs: Inputs, tmp_path: Path) -> None:
    results = [
        train(**options(inputs, tmp_path / "memory")),
        train(**options(inputs, tmp_path / "disk", incremental=True, batch_size=500)),
    ]
    for result in results:
        assert isinstance(result, SingleSplitResult)
        assert names(result.out_dir) == OUTPUTS
        read = read_manifest(result.out_dir, "single_split_run", 1)
        assert read.complete
        assert "average precision of the meta-model" in result.summary()
    first, second = (result.out_dir for result in results)
    for name in ("donor.ubj", "acceptor.ubj", "metrics.json", "feature_manifest.csv", "delta_vs_baseline.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    delta = pl.read_csv(first / "delta_vs_baseline.csv")
    assert delta["baseline_f1_score"].equals(delta["f1_score"], null_equal=True)
    assert Trainer.load(first).model.features


def test_a_finished_split_is_kept_and_other_options_are_refused(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(**options(inputs, tmp_path / "out", target="splice_site", prune_features=True, valid_size=0))
    assert {"dataset_trimmed.parquet", "pruned_features.csv", "splice_site.ubj"} <= names(tmp_path / "out")
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("it was trained again"))
    again = train(**options(inputs, tmp_path / "out", target="splice_site", prune_features=True, valid_size=0))
    assert isinstance(again, SingleSplitResult)
    assert list(again.metrics["test"])[-1] == "splice_site"
    with pytest.raises(PlanMismatchError, match="parameter seed"):
        train(**options(inputs, tmp_path / "out", target="splice_site", prune_features=True, valid_size=0, seed=1))


def test_options_that_only_one_split_knows_are_refused_without_it(inputs: Inputs, tmp_path: Path) -> None:
    for given in ({"target": "splice_site"}, {"group_col": "chrom"}):
        with pytest.raises(InputError, match="add --single-split"):
            train(**inputs.options(out_dir=tmp_path / "run", **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "xgbost"}, "near xgboost"),
        ({"model": "log_reg", "incremental": True}, "xgboost, lightgbm or sgd_logistic"),
        ({"incremental": True, "memory_limit": "1 MB"}, "a --memory-limit of at least"),
        ({"incremental": True, "memory_limit": "much"}, "--memory-limit as a size"),
        ({"feature_profile": "denovo"}, "a feature profile"),
        ({"weights": "half"}, "weights inverse_inclusion or none"),
    ],
)
def test_what_one_split_cannot_use_is_refused_before_anything_is_written(
    inputs: Inputs, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(**options(inputs, tmp_path / "out", **given))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("incremental", [False, True])
def test_a_planted_leak_and_a_baseline_of_other_genes_stop_one_split(
    inputs: Inputs, tmp_path: Path, incremental: bool
) -> None:
    leaky = damaged(inputs, tmp_path / "dataset", "gc_content")
    with pytest.raises(LeakageError, match="gc_content"):
        train(**options(leaky, tmp_path / "out", incremental=incremental))
    (tmp_path / "other.tsv").write_text("gene_id\tf1_score\nX\t1\n")
    with pytest.raises(InputError, match="rows of other genes"):
        train(**options(inputs, tmp_path / "out", incremental=incremental, baseline_tsv=tmp_path / "other.tsv"))


def test_a_dataset_of_another_schema_version_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    copy = damaged(inputs, tmp_path / "dataset", "gc_content")
    for path in (copy.dataset / "master").glob("*.parquet"):
        table = pq.read_table(path)
        written = json.loads(table.schema.metadata[b"meta_spliceai.schema"]) | {"version": 99}
        path.unlink()
        pq.write_table(table.replace_schema_metadata({b"meta_spliceai.schema": json.dumps(written).encode()}), path)
    with pytest.raises(SchemaError, match="dataset, version 99"):
        train(**options(copy, tmp_path / "out"))


def test_a_memory_limit_makes_batches_smaller_and_one_that_cannot_be_kept_is_refused() -> None:
    def size(limit: str | None, learner: str = "xgboost") -> int:
        return rows_of_batch(limit, 200_000, 2_000_000, 150, learner)

    assert size(None) == size("8GB") == 200_000
    assert 1_000 < size("700MB") < 200_000
    with pytest.raises(
        InputError, match=r"at least [\d,]+ MB for 2,000,000 rows x 150 features[\s\S]*or --model xgboost"
    ):
        size("700MB", "lightgbm")
    assert (bytes_of("1GB"), bytes_of("1.5 GiB"), bytes_of("200")) == (1 << 30, 3 << 29, 200)


@pytest.mark.rows("R25")
def test_training_says_what_memory_it_needs_before_it_starts(
    inputs: Inputs, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("it has started"))
    for given, said in (
        ({}, "--incremental needs less"),
        ({"incremental": True, "batch_size": 500}, "500 rows at a time"),
    ):
        caplog.clear()
        with caplog.at_level("INFO", "meta_spliceai"), pytest.raises(pytest.fail.Exception, match="it has started"):
            train(**options(inputs, tmp_path / said[:3], **given))
        assert re.search(rf"[\d,]+ rows x \d+ features: about [\d,]+ MB of memory; .*{said}", caplog.text)


@pytest.mark.rows("R25")
def test_estimates_of_memory_grow_with_rows_and_features_as_measured() -> None:
    per_row = (needed_in_memory(3_000_000, 150) - needed_in_memory(1_000_000, 150)) / 2_000_000
    assert per_row == pytest.approx(1.5 * 4 * 150, rel=0.01)
    assert needed_from_disk(6_000_000, 150, "xgboost", 20_000) < 1 << 30 < needed_in_memory(2_000_000, 150)
    assert needed_from_disk(20_000_000, 150, "lightgbm", 20_000) > 20_000_000 * 150


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("given", [{}, {"incremental": True}, {"single_split": False}])
def test_values_that_are_not_finite_are_named_wherever_rows_are_read(
    inputs: Inputs, tmp_path: Path, value: float, given: dict[str, Any]
) -> None:
    spoilt = damaged(inputs, tmp_path / "dataset", "gc_content", lambda label: np.where(label > 0, value, 0.5))
    with pytest.raises(SchemaError, match=r"gc_content has \d+ values that are NaN or infinite"):
        train(**options(spoilt, tmp_path / "out", reference=inputs.reference, **given))
