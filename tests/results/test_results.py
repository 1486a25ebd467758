"""The table of results: the numbers are those of the evaluations behind it, and the page says what the numbers say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.run import run as base_pass
from meta_spliceai.errors import InputError
from meta_spliceai.results import ResultsMade, results
from meta_spliceai.train.matrix import open_dataset
from tests.basepass.conftest import TOYS
from tests.build.conftest import Passed
from tests.train.conftest import FOLDS, MODEL, scored

__all__ = ["scored"]

BASES = ["toy", "second"]


@pytest.fixture(scope="module")
def options(scored: Passed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in BASES:
            patch.setitem(registry._SHIPPED, name, lambda model=TOYS[name], **_: model())
        eval_dir = tmp_path_factory.mktemp("bases") / "toy_eval"
        base_pass(reference=scored.reference, base=BASES, eval_dir=eval_dir)
    return {
        "reference": scored.reference,
        "eval_dir": eval_dir,
        "kmer_sizes": (1,),
        "model": MODEL,
        "folds": FOLDS,
        "draws": 20,
    }


@pytest.fixture(scope="module")
def made(options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ResultsMade:
    folder = tmp_path_factory.mktemp("results")
    (folder / "introduction.md").write_text("What was asked.\n")
    return results(
        **options, out_dir=folder / "runs", write_to=folder / "docs", introduction=folder / "introduction.md"
    )


@pytest.fixture(scope="module")
def numbers(made: ResultsMade) -> Any:
    return json.loads(made.numbers.read_text())


def test_each_set_of_base_models_is_measured(made: ResultsMade, numbers: Any) -> None:
    assert [[model["name"] for model in one["base_models"]] for one in numbers["sets"]] == [["toy"], BASES]
    first, second = ([arm["name"] for arm in one["arms"]] for one in numbers["sets"])
    assert first == ["base", "recalibrated", "base_scores", "meta", "gene_conditioned"]
    assert second == ["base", "recalibrated", "base_mean", "best_mean", "base_scores", "meta", "gene_conditioned"]
    assert set(made.gains) == {"toy", "toy + second"}
    runs = made.page.parents[1] / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["ablation", "toy", "toy_second", "unweighted"]
    rows = pl.read_parquet_schema(next((runs / "toy" / "dataset" / "master").glob("*.parquet")))
    assert not [name for name in rows if name.startswith("second")]


def test_numbers_are_those_of_the_predictions(made: ResultsMade, numbers: Any) -> None:
    parts = made.page.parents[1] / "runs" / "toy_second" / "model_run" / "predictions"
    table = pl.concat([pl.read_parquet(file) for file in sorted(parts.glob("part_*.parquet"))])
    for kind in ("donor", "acceptor"):
        truth = table[f"is_{kind}"].to_numpy()
        for arm, found in numbers["sets"][1]["results"][kind].items():
            whole = average_precision_score(truth, table[f"{arm}_{kind}"].to_numpy())
            assert found["strata"]["all"]["average_precision"] == pytest.approx(whole, abs=1e-9)


def test_sampled_rows_stand_beside_whole_genes_weighted_and_as_they_are(made: ResultsMade, numbers: Any) -> None:
    rows = open_dataset(made.page.parents[1] / "runs" / "toy" / "dataset").scan().collect()
    for kind in ("donor", "acceptor"):
        found = numbers["sets"][0]["sampled_and_whole"]["recalibrated"][kind]
        logit = np.log(rows[f"{kind}_score"].to_numpy().astype(float)) - np.log1p(-rows[f"{kind}_score"].to_numpy())
        plain = average_precision_score(rows[f"is_{kind}"].to_numpy(), np.nan_to_num(logit))
        assert found["unweighted"] == pytest.approx(plain, abs=1e-6)
        assert abs(found["weighted"] - found["whole"]) < abs(found["unweighted"] - found["whole"])
    assert set(numbers["unweighted"]) == {"donor", "acceptor"}


def test_the_page_says_what_the_numbers_say(made: ResultsMade, numbers: Any) -> None:
    page = made.page.read_text()
    assert page.startswith("# Results\n\nWhat was asked.\n")
    assert page.index("## toy\n") < page.index("## toy + second\n") < page.index("## What each family of features adds")
    for one in numbers["sets"]:
        for kind in ("donor", "acceptor"):
            for arm, found in one["results"][kind].items():
                if arm != "recalibrated":
                    assert f"{found['strata']['all']['average_precision']:.4f}" in page
    for row in numbers["ablation"]:
        assert f"{row['average_precision']:.4f}" in page
    assert "{" not in re.sub(r"`[^`]*`", "", page)
    assert "None" not in page
    heads = [len(line.split("|")) for line in page.splitlines() if line.startswith("|")]
    tables = [[len(row.split("|")) for row in block.splitlines()] for block in page.split("\n\n") if block[:1] == "|"]
    assert all(len(set(widths)) == 1 for widths in tables)
    assert sum(map(len, tables)) == len(heads)
    assert made.picture.read_text().lstrip().startswith("<?xml")


def test_the_same_command_again_gives_the_same_bytes(made: ResultsMade, options: dict[str, Any], numbers: Any) -> None:
    folder = made.page.parents[1]
    before = {path.name: path.read_bytes() for path in made.page.parent.iterdir()}
    fitted = (folder / "runs" / "toy" / "model_run" / "folds" / "fold_1" / "meta_donor.ubj").stat().st_mtime_ns
    results(**options, out_dir=folder / "runs", write_to=folder / "docs", introduction=folder / "introduction.md")
    assert {path.name: path.read_bytes() for path in made.page.parent.iterdir()} == before
    assert (folder / "runs" / "toy" / "model_run" / "folds" / "fold_1" / "meta_donor.ubj").stat().st_mtime_ns == fitted


def test_a_file_that_is_not_there_is_said_before_anything_is_built(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no .*psi\.tsv"):
        results(**options, out_dir=tmp_path / "runs", psi=tmp_path / "psi.tsv")
    assert not (tmp_path / "runs").exists()
