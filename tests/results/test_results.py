"""The table of results: the numbers are those of the evaluations behind it, and the page says what the numbers say."""

from __future__ import annotations

import copy
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
from meta_spliceai.report import drawing
from meta_spliceai.results import ResultsMade, picture, results
from meta_spliceai.results.page import page as write_page
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


def test_the_page_is_made_of_nothing_but_the_numbers(made: ResultsMade, numbers: Any) -> None:
    """As they were written: no number lives in memory only."""
    assert write_page(numbers, "results.svg", "What was asked.\n") == made.page.read_text()


def test_what_is_said_of_every_set_is_said_once(made: ResultsMade, numbers: Any) -> None:
    page = made.page.read_text()
    truth = next(words for words in numbers["sets"][0]["in_words"] if words.startswith("Truth is the annotation"))
    assert page.count(truth) == 1 < sum(truth in one["in_words"] for one in numbers["sets"])
    for one in numbers["sets"]:
        assert all(f"- {words}\n" in page for words in one["in_words"])


def test_the_picture_names_each_set_once_and_strata_stand_beside_the_best_mean(
    made: ResultsMade, numbers: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(picture, "styled", lambda **_: drawing.styled())  # text as text, to be read
    picture.draw(numbers, tmp_path / "results.svg")
    labels = re.findall(r">([^<>]+)</text>", (tmp_path / "results.svg").read_text())
    assert labels.count("toy") == labels.count("toy + second") == 1
    assert labels.count("meta-model") == 2
    page = made.page.read_text()
    assert "| bases | site | sites | base model AP | best mean AP | meta-model AP | change [95 %] |" in page
    best = numbers["sets"][1]["results"]["donor"]["best_mean"]["strata"]["protein_coding"]["average_precision"]
    assert f"| {best:.4f} | " in page[page.index("| protein coding | donor |", page.index("## toy + second")) :]


def test_second_truths_have_tables_of_all_arms(numbers: Any) -> None:
    asked: Any = json.loads(json.dumps(numbers))
    for one in asked["sets"]:
        for kind in ("donor", "acceptor"):
            for place, (arm, found) in enumerate(one["results"][kind].items()):
                found["strata"]["junctions"] = {**found["strata"]["all"], "sites": 7}
                one["site_usage"].append(
                    {"splice_type": kind, "arm": arm, "used": 30, "unused": 9, "auc": 0.7 + place / 100}
                    | {"auc_low": 0.6, "auc_high": 0.9, "difference": -0.00001, "difference_low": -0.1}
                    | {"difference_high": 0.1}
                )
    asked["strata"].append({"name": "junctions", "meaning": "another truth: reads"})
    page = write_page(asked, "results.svg", "")
    assert page.count("### Used and unused sites\n") == page.count("### RNA-seq junctions\n") == 2
    assert "30 used against 9 unused donors and 30 used against 9 unused acceptors" in page
    assert "| meta-model | 0.7" in page
    assert "[0.6000, 0.9000] | 0.0000 [-0.1000, +0.1000] |" in page
    assert "Another truth: reads; 7 donors and 7 acceptors." in page
    assert "| junctions |" not in page


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


def test_a_gain_of_nothing_is_a_number_and_not_a_dash(numbers: Any) -> None:
    changed = copy.deepcopy(numbers)
    changed["sets"][0]["sampled_and_whole"]["meta"]["donor"]["whole_gain"] = 0.0
    lines = write_page(changed, "results.svg", "").splitlines()
    row = next(line for line in lines if line.startswith("| toy | meta-model | donor |"))
    assert row.split(" | ")[6] == "0.0000"
    base = next(line for line in lines if line.startswith("| toy | base model | donor |"))
    assert base.split(" | ")[6:] == ["–", "–", "– |"]


def test_the_page_in_the_documentation_is_made_of_the_numbers_beside_it() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    introduction = (docs / "results_introduction.md").read_text()
    numbers = json.loads((docs / "results.json").read_text())
    assert write_page(numbers, "results.svg", introduction) == (docs / "results.md").read_text()
