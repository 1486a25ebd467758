"""Shares of a plan, each built into a folder of its own by a job of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.build.layout import Shard, batch_identities, batches_of, layout_parameters, shard_parameters
from meta_spliceai.build.run import BuildResult, build
from meta_spliceai.errors import GeneError, InputError, PlanMismatchError
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.store.folder import read_manifest
from tests.build.conftest import Passed, pass_over, rows_of
from tests.build.kill_driver import contents

GENES = ["TG01.1", "TG03.1", "TG05.1", "TG13.1", "TG17.1"]


def make(passed: Passed, folder: Path, **options: Any) -> BuildResult:
    defaults = {"gene_ids": GENES, "batch_size": 2, "kmer_sizes": [2]}
    return build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **{**defaults, **options})


@pytest.mark.rows("B29")
def test_shards_hold_the_batches_of_the_whole_plan_each_once_under_their_numbers(
    passed: Passed, tmp_path: Path
) -> None:
    make(passed, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    batches: dict[str, str] = {}
    for number in (1, 2):
        result = make(passed, tmp_path / f"shard_{number}", shard=f"{number}/2")
        own = {name: held for name, held in contents(tmp_path / f"shard_{number}").items() if "batch_" in name}
        assert result.batches == len(own) // 3
        assert not own.keys() & batches.keys()
        batches |= own
    assert batches == {name: held for name, held in whole.items() if "batch_" in name}


@pytest.mark.rows("B29")
def test_a_shard_is_a_dataset_that_names_the_whole_plan(passed: Passed, tmp_path: Path) -> None:
    make(passed, tmp_path / "d", shard="1/2")
    parameters = read_manifest(tmp_path / "d", "dataset", 1).parameters
    assert parameters["shard"] == {"number": 1, "of": 2, "plan": {"gene_ids": GENES}}
    assert parameters["gene_ids"] == ["TG01.1", "TG03.1", "TG17.1"]
    assert pl.read_csv(tmp_path / "d/gene_manifest.csv")["file_index"].to_list() == [1, 1, 3]
    assert set(rows_of(tmp_path / "d")["gene_id"]) == {"TG01.1", "TG03.1", "TG17.1"}
    report = validate_dataset(tmp_path / "d", reference=passed.reference, verify=True, skip=["DS010", "DS022", "DS023"])
    assert report.exit_status == 0, report.summary()
    said = "- shard 1 of 2: 2 of 3 batches, 3 of 5 genes of the whole plan."
    assert said in (tmp_path / "d/BUILD_INFO.md").read_text()


def test_a_shard_resumes_and_is_no_other_shard(passed: Passed, tmp_path: Path) -> None:
    make(passed, tmp_path / "d", shard="1/2")
    assert make(passed, tmp_path / "d", shard="1/2").batches_made == 0
    with pytest.raises(PlanMismatchError, match=r"parameter shard\.number: on disk 1, now 2"):
        make(passed, tmp_path / "d", shard="2/2")
    with pytest.raises(PlanMismatchError, match="parameter shard: on disk "):
        make(passed, tmp_path / "d")
    with pytest.raises(PlanMismatchError, match="parameter shard: on disk "):
        make(passed, tmp_path / "d", extend=True)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "/2", "a/b", "-1/2", "1/2/3"])
def test_a_shard_that_is_none_is_refused(passed: Passed, tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="--shard as NUMBER/HOW_MANY"):
        make(passed, tmp_path / "d", shard=text)


def test_more_shards_than_batches_are_refused_where_they_would_be_empty(passed: Passed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shard 4/4 holds none\nwhat to do: make at most 3 shards"):
        make(passed, tmp_path / "d", shard="4/4")
    assert not (tmp_path / "d").exists()


def test_no_shard_runs_the_base_pass(passed: Passed, tmp_path: Path) -> None:
    some = pass_over(passed.reference.parent, eval_dir=tmp_path / "some", genes=["TG01.1"])
    with pytest.raises(GeneError, match="none for 4 genes"):
        make(some, tmp_path / "d", shard="1/2")
    with pytest.raises(InputError, match="a shard to be built from artifacts that are there"):
        make(some, tmp_path / "d", shard="1/2", run_workflow=True)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_shards_share_out_any_layout(of: int) -> None:
    genes = [f"g{number}" for number in range(17)]
    parameters = {"gene_ids": genes, "batch_size": 2, **layout_parameters([2, 1, 2, 2, 2, 1, 7], 2)}
    shares = [batches_of(shard_parameters(parameters, Shard(number, of))) for number in range(1, of + 1)]
    assert sorted((batch.number, batch.gene_ids) for share in shares for batch in share) == [
        (batch.number, batch.gene_ids) for batch in batches_of(parameters)
    ]


def test_the_identity_of_a_batch_is_its_content_not_its_number() -> None:
    parameters = {"gene_ids": ["a", "b"], "batch_size": 1, "kmer_sizes": [2]}
    parameters |= {"hard_prob": 0.15, "window": 75, "easy_ratio": 0.5, "seed": 42}
    inputs = {"reference": "r", "base_pass": "p"}
    held = batch_identities(parameters, inputs)
    turned = batch_identities({**parameters, "gene_ids": ["b", "a"]}, inputs)
    assert held == {"batch_00001": turned["batch_00002"], "batch_00002": turned["batch_00001"]}
    for other in ({"kmer_sizes": [3]}, {"window": 9}, {"easy_ratio": 0.1}, {"seed": 1}, {"gene_ids": ["a", "c"]}):
        assert batch_identities({**parameters, **other}, inputs)["batch_00002"] != held["batch_00002"]
    for name in inputs:
        assert batch_identities(parameters, {**inputs, name: "x"})["batch_00001"] != held["batch_00001"]
