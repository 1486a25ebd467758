"""Which enrichers decide which columns, from a build to a prediction."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.build.enrich import apply_feature_enrichers
from meta_spliceai.build.run import build
from meta_spliceai.errors import InputError, LeakageError
from meta_spliceai.features.enricher import Bases
from meta_spliceai.features.registry import ENTRY_POINT_GROUP, enricher_names
from meta_spliceai.predict.run import predict
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.tables import dataset_table, dataset_table_of
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.train.matrix import open_dataset
from meta_spliceai.train.run import train
from tests.build.conftest import Passed, rows_of
from tests.train.conftest import FOLDS, RECIPE


def built(passed: Passed, folder: Path, **options: Any) -> Path:
    given = {"kmer_sizes": (1,), "batch_size": 6, **options}
    return build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **given).path


@pytest.fixture(scope="module")
def everything(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(passed, tmp_path_factory.mktemp("everything"))


class Geography:
    """Knows the last digit of a position, and nothing on contig chrT2."""

    name, identity = "geography", "1"
    columns = (Column("last_digit", pl.Float32, "feature", "external", "of the position", nullable=True),)

    def compute(self, bases: Bases) -> Mapping[str, np.ndarray]:
        assert bases.gene is None
        digit = (bases.position % 10).astype(np.float32)
        return {"last_digit": np.full_like(digit, np.nan) if bases.chrom == "chrT2" else digit}


class Neighbours(Geography):
    """Looks at which other rows there are, so it knows where the gene begins."""

    name = "neighbours"
    columns = (Column("rows_before", pl.Float32, "feature", "external", "position within the request"),)

    def compute(self, bases: Bases) -> Mapping[str, np.ndarray]:
        return {"rows_before": np.abs(bases.index - bases.index.min())}


class Names(Geography):
    """Tells genes apart, and says so."""

    name = "names"
    columns = (Column("gene_number", pl.Float32, "feature", "gene", "digits of the gene's id"),)

    def compute(self, bases: Bases) -> Mapping[str, np.ndarray]:
        return {"gene_number": np.full(bases.position.size, float(bases.gene.gene_id[2:4]))}


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that plugs in the enrichers above, one that cannot be imported, and one that is none."""
    package = ModuleType("some_enrichers")
    package.geography, package.neighbours, package.names = (
        lambda kind=kind, **_: kind() for kind in (Geography, Neighbours, Names)
    )
    package.no_enricher = lambda **_: object()
    names = ("geography", "neighbours", "names", "no_enricher", "gone")
    points = [importlib.metadata.EntryPoint(name, f"some_enrichers:{name}", ENTRY_POINT_GROUP) for name in names]
    monkeypatch.setitem(sys.modules, "some_enrichers", package)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda *, group: [point for point in points if point.group == group]
    )


@pytest.mark.rows("F6", "F7", "F8")
def test_the_named_enrichers_decide_the_columns_and_the_values_stay(
    passed: Passed, everything: Path, tmp_path: Path
) -> None:
    some = built(passed, tmp_path / "some", enrichers=["performance,gene overlap"])
    manifest = read_manifest(some, "dataset", 1)
    assert manifest.parameters["enrichers"] == ["performance", "gene", "overlap"]
    table = dataset_table_of(manifest.parameters)
    assert {"num_overlaps", "gene_length", "donor_surge_ratio", "score", "gene_type"} <= set(table.names)
    assert not {"gc_content", "1mer_A", "num_exons", "donor_distance_up_50", "transcript_length"} & set(table.names)
    for path in (some / "master").iterdir():
        check_frame(pl.read_parquet(path), table, source=path.name)
    assert rows_of(some).equals(rows_of(everything).select(table.names))


def test_the_default_is_every_built_in_enricher(everything: Path) -> None:
    manifest = read_manifest(everything, "dataset", 1)
    assert dataset_table_of(manifest.parameters) == dataset_table((1,))
    before = {name: value for name, value in manifest.parameters.items() if name != "enrichers"}
    assert dataset_table_of(before) == dataset_table((1,)), "datasets that were built before enrichers could be chosen"


@pytest.mark.parametrize(("left_out", "kept"), [("sequence", "kmer"), ("kmer", "sequence")])
def test_what_is_computed_together_can_be_chosen_apart(
    passed: Passed, everything: Path, tmp_path: Path, left_out: str, kept: str
) -> None:
    names = [name for name in enricher_names()[:8] if name != left_out]
    rows = rows_of(built(passed, tmp_path / "d", enrichers=names))
    assert ("1mer_A" in rows.columns) == (kept == "kmer")
    assert ("gc_content" in rows.columns) == (kept == "sequence")
    assert rows.equals(rows_of(everything).select(rows.columns))


def test_a_model_trains_on_few_enrichers_and_predicts_with_them(passed: Passed, tmp_path: Path) -> None:
    dataset = built(passed, tmp_path / "d", enrichers=["sequence"])
    run = tmp_path / "run"
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir}
    train(dataset=dataset, out_dir=run, folds=FOLDS, recipe=RECIPE, arms=["meta"], threads=2, **options)
    assert predict(model=run, genes=["LEFT"], out=tmp_path / "p", **options).bases == 4_000
    read = pl.read_csv(run / "feature_manifest.csv")
    assert set(read["origin"]) == {"sequence", "base_score"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sequences"], "did you mean sequence"),
        (["gene_level"], "did you mean gene"),
        (["xyz"], "Correct the name"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(
    passed: Passed, tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        built(passed, tmp_path / "d", enrichers=names)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (["geography"], "NAME=FILE"),
        (["geography=nowhere.bed"], "there is none"),
        (["kmer={file}"], "no chosen enricher reads"),
    ],
)
def test_evidence_that_nothing_reads_is_refused(
    passed: Passed, tmp_path: Path, evidence: list[str], message: str
) -> None:
    (tmp_path / "file").write_text("")
    given = [item.format(file=tmp_path / "file") for item in evidence]
    with pytest.raises(InputError, match=message):
        built(passed, tmp_path / "d", evidence=given)


@pytest.mark.usefixtures("plugged_in")
def test_enrichers_of_other_packages_are_built_trained_and_predicted_with(passed: Passed, tmp_path: Path) -> None:
    dataset = built(passed, tmp_path / "d", enrichers=["performance", "geography", "names"], batch_size=50)
    rows = rows_of(dataset)
    assert rows.columns[-2:] == ["last_digit", "gene_number"]
    expected = pl.when(pl.col("chrom") != "chrT2").then((pl.col("position") % 10).cast(pl.Float32))
    assert rows["last_digit"].equals(rows.select(last_digit=expected)["last_digit"])
    assert (rows["gene_number"] == rows["gene_id"].str.slice(2, 2).cast(pl.Float32)).all()
    assert open_dataset(dataset).table.names == rows.columns
    manifest = read_manifest(dataset, "dataset", 1)
    assert manifest.inputs["evidence:geography"] == "1"
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir}
    run = tmp_path / "run"
    train(
        dataset=dataset,
        out_dir=run,
        folds=FOLDS,
        recipe=RECIPE,
        arms=["meta", "gene_conditioned"],
        feature_profile="gene_conditioned",
        threads=2,
        **options,
    )
    assert predict(model=run, genes=["LEFT", "RIGHT"], out=tmp_path / "p", **options).bases == 7_000


@pytest.mark.usefixtures("plugged_in")
def test_an_enricher_that_notices_the_ends_of_the_gene_is_found_and_named(passed: Passed, tmp_path: Path) -> None:
    with pytest.raises(LeakageError, match="rows_before"):
        built(passed, tmp_path / "d", enrichers=["neighbours"])


@pytest.mark.usefixtures("plugged_in")
@pytest.mark.parametrize(("name", "message"), [("gone", "AttributeError"), ("no_enricher", "a object without them")])
def test_plug_ins_that_cannot_be_used_are_named(passed: Passed, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        built(passed, tmp_path / "d", enrichers=[name])


@pytest.mark.rows("F9")
def test_F9_enrichers_are_applied_to_rows_by_hand(passed: Passed, everything: Path) -> None:
    rows = rows_of(everything).sample(fraction=1.0, shuffle=True, seed=1).head(300)
    keys = rows.select("gene_id", "position")
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir, "kmer_sizes": (1,)}
    every = apply_feature_enrichers(keys, **options)
    assert every.equals(rows.select(every.columns))
    few = apply_feature_enrichers(
        keys.with_columns(gc_content=pl.lit("old")),
        enrichers=["sequence", "structure", Geography()],
        reference=passed.reference,
    )
    assert few.select("gc_content", "num_exons").equals(rows.select("gc_content", "num_exons"))
    assert few["last_digit"].null_count() == rows.filter(pl.col("chrom") == "chrT2").height
    assert "donor_score" not in few.columns


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"gene_id": ["TG05.1"], "position": [1]}, "1 outside, such as 1 of TG05.1"),
        ({"gene_id": ["TG05.1"]}, "no column position"),
        ({"gene_id": ["TG99.1"], "position": [1]}, "TG99.1"),
    ],
)
def test_rows_that_are_nowhere_are_refused(passed: Passed, rows: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        apply_feature_enrichers(pl.DataFrame(rows), enrichers=["structure"], reference=passed.reference)
