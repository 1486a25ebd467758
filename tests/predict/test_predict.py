"""Applying a saved model: every base once, called sites as BED, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.calibration import map_from_json
from meta_spliceai.errors import GeneError, InputError, ModelError, PlanMismatchError
from meta_spliceai.predict.run import META_PREDICTION_TABLE, PREDICTED_GENE_TABLE, PredictResult, predict
from meta_spliceai.reference.load import load
from meta_spliceai.schema.check import check_frame
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train.run import train
from tests.train.conftest import Inputs, inputs, run, scored

__all__ = ["inputs", "run", "scored"]  # fixtures, made once for all tests of training and predicting
BED = ["chrom", "start", "end", "name", "score", "strand", "gene_ids", "base", "meta", "seen_in_training"]
GENES = ["MINUSALT", "LEFT", "TG06.1"]


def predicted(run: Path, inputs: Inputs, out: Path, **options: Any) -> PredictResult:
    given = {"model": run, "reference": inputs.reference, "eval_dir": inputs.eval_dir, "genes": GENES, **options}
    return predict(**given, out=out)


@pytest.fixture(scope="module")
def result(run: Path, inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> PredictResult:
    return predicted(run, inputs, tmp_path_factory.mktemp("predicted") / "out")


def bed_of(result: PredictResult) -> pl.DataFrame:
    return pl.read_csv(result.bed, separator="\t", has_header=False, new_columns=BED)


def test_every_base_of_the_genes_is_written_once_in_order(result: PredictResult, inputs: Inputs) -> None:
    frame = check_frame(pl.read_parquet(result.table), META_PREDICTION_TABLE, source="predictions")
    keys = frame.select("chrom", "strand", "position")
    assert keys.equals(keys.sort(pl.all()))
    genes = load(inputs.reference).genes.filter(pl.col("gene_id").is_in(["TG03.1", "TG05.1", "TG06.1"]))
    expected = {
        (row["strand"], position)
        for row in genes.iter_rows(named=True)
        for position in range(row["start"], row["end"] + 1)
    }
    assert list(keys.select("strand", "position").iter_rows()) == sorted(expected)
    assert result.bases == len(expected)


def test_the_saved_models_mean_margin_is_what_is_written(
    run: Path, result: PredictResult, inputs: Inputs, tmp_path: Path
) -> None:
    """The set-aside genes of a training run are predicted by its saved model, uncalibrated: both ways must agree."""
    out = tmp_path / "run"
    train(**inputs.options(out_dir=out, test_size=0.2, arms=()))
    aside = pl.read_parquet(out / "predictions" / "part_set_aside.parquet")
    genes = pl.read_csv(out / "split.tsv", separator="\t").filter(side="test")["gene_id"].to_list()
    again = predicted(out, inputs, tmp_path / "predicted", genes=genes)
    table = pl.read_parquet(again.table)
    assert table.select("chrom", "strand", "position").equals(aside.select("chrom", "strand", "position"))
    for kind in ("donor", "acceptor"):
        np.testing.assert_array_equal(table[kind], aside[f"base_{kind}"])
        fitted = map_from_json(json.loads((out / "model" / "model.json").read_text())["calibration"][kind])
        expected = fitted.of_probability(aside[f"meta_{kind}"].to_numpy())
        np.testing.assert_allclose(table[f"meta_{kind}"], expected, rtol=1e-4)
    assert (again.seen_in_training, again.genes) == (0, len(genes))
    assert not table["seen_in_training"].any()
    assert "it has not seen" in again.summary()


def test_called_sites_are_written_as_bed(result: PredictResult) -> None:
    table, bed = pl.read_parquet(result.table), bed_of(result)
    called = {
        (row["position"], kind)
        for kind in ("donor", "acceptor")
        for row in table.filter(pl.col(f"meta_{kind}") >= 0.5).iter_rows(named=True)
    }
    assert {(row["end"], row["name"]) for row in bed.iter_rows(named=True)} == called
    assert len(called) == result.called_donors + result.called_acceptors == bed.height > 8
    assert (bed["end"] - bed["start"] == 1).all()
    assert bed["score"].is_between(500, 1000).all()
    assert bed["start"].is_sorted()
    np.testing.assert_allclose(bed["score"], 1000 * bed["meta"], atol=0.51)


def test_a_called_site_names_all_genes_that_hold_it(result: PredictResult) -> None:
    of_site = dict(bed_of(result).select("end", "gene_ids").iter_rows())
    assert of_site[25_501] == "TG05.1,TG06.1"
    assert of_site[26_650] == "TG06.1"
    assert of_site[13_620] == "TG03.1"


def test_genes_and_bases_seen_in_training_are_marked(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    model = Path(shutil.copytree(run / "model", tmp_path / "model"))
    described = json.loads((model / "model.json").read_text())
    described["training_genes"].remove("TG06.1")
    (model / "model.json").write_text(json.dumps(described))
    result = predicted(model, inputs, tmp_path / "out")
    genes = read_tsv(tmp_path / "out" / "genes.tsv", PREDICTED_GENE_TABLE)
    assert dict(genes.select("gene_id", "seen_in_training").iter_rows()) == {
        "TG03.1": True, "TG05.1": True, "TG06.1": False,
    }  # fmt: skip
    table = pl.read_parquet(result.table).filter(pl.col("strand") == "+")
    assert table.filter("seen_in_training")["position"].max() == 26_000
    assert result.seen_in_training == 2
    assert dict(bed_of(result).select("end", "seen_in_training").iter_rows())[26_650] is False


def test_the_threshold_decides_what_is_called(run: Path, inputs: Inputs, tmp_path: Path, result: PredictResult) -> None:
    few = predicted(run, inputs, tmp_path / "few", threshold=0.9)
    assert bed_of(few)["meta"].min() >= 0.9  # type: ignore[operator]
    assert few.called_donors + few.called_acceptors < bed_of(result).height


def test_all_genes_with_artifacts_are_predicted_by_default(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    assert predicted(run, inputs, tmp_path / "out", genes=None).genes == 17


def test_genes_can_come_from_a_file(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    listed = tmp_path / "genes.txt"
    listed.write_text("RARE\n")
    assert predicted(run, inputs, tmp_path / "out", genes=None, gene_ids_file=listed).bases == 4_000


def test_a_finished_prediction_is_kept_and_other_options_are_refused(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    first = predicted(run, inputs, tmp_path / "out", genes=["RARE"])
    written = first.table.stat().st_mtime_ns
    assert predicted(run, inputs, tmp_path / "out", genes=["RARE"]) == first
    assert first.table.stat().st_mtime_ns == written
    with pytest.raises(PlanMismatchError, match=r"parameter threshold: on disk 0\.5, now 0\.9"):
        predicted(run, inputs, tmp_path / "out", genes=["RARE"], threshold=0.9)
    assert predicted(run, inputs, tmp_path / "out", genes=["RARE"], threshold=0.9, overwrite=True).bases == first.bases


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"genes": ["PLUSSALT"]}, GeneError, "did you mean PLUSALT"),
        ({"genes": []}, GeneError, "an empty list"),
        ({"threshold": 0.0}, InputError, "--threshold above 0"),
        ({"model": Path("nowhere")}, ModelError, "the path does not exist"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    run: Path, inputs: Inputs, tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        predicted(run, inputs, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_another_base_models_artifacts_are_refused(run: Path, inputs: Inputs, tmp_path: Path) -> None:
    model = Path(shutil.copytree(run / "model", tmp_path / "model"))
    described = json.loads((model / "model.json").read_text())
    described["base_models"][0]["name"] = "spliceai"
    (model / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match="scores of base model spliceai") as caught:
        predicted(model, inputs, tmp_path / "out")
    assert "toy with weights" in caught.value.found
