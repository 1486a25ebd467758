"""A saved meta-model: what comes back, and what is never read."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import load
from meta_spliceai.train.model import MODEL_FILE, MetaModel
from tests.train.conftest import Inputs


@pytest.fixture(scope="module")
def model(run: Path) -> MetaModel:
    return MetaModel.load(run / "model")


def changed(run: Path, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of the model whose description is changed."""
    shutil.copytree(run / "model", folder)
    described = json.loads((folder / MODEL_FILE).read_text())
    change(described)
    (folder / MODEL_FILE).write_text(json.dumps(described))
    return folder


def test_a_model_is_found_by_its_folder_and_by_its_run(run: Path, model: MetaModel) -> None:
    assert MetaModel.load(run).training_genes == model.training_genes
    assert model.profile == "de_novo"
    assert {feature.role for feature in model.features} == {"feature"}
    assert {feature.origin for feature in model.features} == {"base_score", "sequence"}
    assert len(model.training_genes) == 17


def test_a_saved_model_comes_back_the_same(model: MetaModel, inputs: Inputs, tmp_path: Path) -> None:
    names = model.save(tmp_path / "again")
    assert names[-1] == MODEL_FILE
    assert sorted(names) == sorted(path.name for path in (tmp_path / "again").iterdir())
    again = MetaModel.load(tmp_path / "again")
    reference, artifacts = load(inputs.reference), open_artifacts(inputs.eval_dir)
    genes = reference.genes.filter(pl.col("gene_name") == "PLUSALT")
    with reference.open_genome() as genome:
        (first,), (second,) = (list(own.predict(genes, artifacts, genome)) for own in (model, again))
    for channel in SITE_TYPES:
        np.testing.assert_array_equal(first.meta[channel], second.meta[channel])
    assert (model.profile, model.features, model.calibration) == (again.profile, again.features, again.calibration)


def test_the_card_says_what_a_user_must_know(run: Path) -> None:
    card = (run / "model" / "model_card.md").read_text()
    for said in ("base model **toy**", "`de_novo`", "training genes | 17", "made in code, no terms", "## Limits"):
        assert said in card


def test_scores_of_another_base_model_are_refused(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    folder = changed(run, tmp_path / "m", lambda d: d["base_models"][0].update(weights_fingerprint="f" * 64))
    model = MetaModel.load(folder)
    with pytest.raises(ModelError, match="scores of base model toy with weights ffffffffffff") as caught:
        model.base_scores_in(open_artifacts(inputs.eval_dir))
    assert "toy with weights 000000000000" in caught.value.found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=9), "a meta-model of version 9"),
        (lambda d: d.update(kind="dataset"), "a dataset of version 4"),
        (lambda d: d["provenance"].update(schema_version=9), "found: version 9"),
        (lambda d: d.pop("gate"), "lacks or garbles 'gate'"),
        (lambda d: d["calibration"].update(donor={"slope": 1}), "lacks or garbles"),
        (
            lambda d: d["features"].append({"name": "secret", "role": "feature", "origin": "sequence"}),
            "1 unknown: secret",
        ),
        (lambda d: d["features"][0].update(origin="gene"), "donor_score declared otherwise"),
        (lambda d: d["corrections"].clear(), "no donor model is listed"),
        (lambda d: d["learner"].update(name="oracle"), "a learner among xgboost"),
        (lambda d: d["corrections"].update({"donor_9.ubj": {"sha256": "0" * 64}}), "donor_9.ubj[\\s\\S]*no such file"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(run: Path, tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        MetaModel.load(changed(run, tmp_path / "m", change))


def test_a_booster_that_was_changed_is_never_parsed(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run / "model", tmp_path / "m"))
    (folder / "donor_1.ubj").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match="its content is not what training wrote"):
        MetaModel.load(folder)


def test_unreadable_json_is_refused(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run / "model", tmp_path / "m"))
    for content in (b"{", b"\xff\xfe", b"[1, 2]"):
        (folder / MODEL_FILE).write_bytes(content)
        with pytest.raises(ModelError, match=r"a whole meta-model in .*model\.json"):
            MetaModel.load(folder)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('a pickle was run')",)


@pytest.mark.rows("R11")
def test_a_crafted_pickle_is_never_run(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_bytes(pickle.dumps(_Bomb()))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(ModelError, match="other formats are not read"):
        MetaModel.load(tmp_path)
    with pytest.raises(ModelError, match="a program that runs when it is loaded"):
        MetaModel.load(tmp_path / "model.pkl")


@pytest.mark.rows("R11")
def test_a_trusted_pickle_is_the_same_model_and_nothing_else_is_taken_for_one(
    run: Path, model: MetaModel, tmp_path: Path
) -> None:
    again = MetaModel.load(run / "model" / "model.pkl", trust_pickle=True)
    assert again.to_files() == model.to_files()
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"no": "model"}))
    with pytest.raises(ModelError, match="found: a dict"):
        MetaModel.load(tmp_path / "model.pkl", trust_pickle=True)
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="UnpicklingError"):
        MetaModel.load(tmp_path / "model.pkl", trust_pickle=True)


def test_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a meta-model folder with model\.json"):
        MetaModel.load(tmp_path)
    with pytest.raises(ModelError, match="the path does not exist"):
        MetaModel.load(tmp_path / "nowhere")
