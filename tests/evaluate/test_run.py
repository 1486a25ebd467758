import json
from pathlib import Path

import polars as pl
import polars.testing
import pytest
from tests.toys import predictions as toy

from meta_spliceai.errors import InputError, SchemaError, StoreError
from meta_spliceai.evaluate.run import evaluate, main_table, plain_words
from meta_spliceai.evaluate.words import row_of


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toy.frame()


@pytest.fixture(scope="module")
def result(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("evaluated")
    return evaluate(predictions=toy.write(folder / "predictions", table), out_dir=folder / "evaluation", draws=200)


def test_a_better_arm_is_shown_better_with_an_interval_above_zero(result):
    for kind in ("donor", "acceptor"):
        row = row_of(result, "all", kind, "meta")
        assert 0 < row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_every_arm_is_measured_on_the_same_bases(result, table):
    rows = result.ranking.filter(pl.col("stratum") == "all")
    assert rows["bases"].unique().to_list() == [table.height]
    assert rows["sites"].unique().to_list() == [24 * 6]


def test_number_of_parts_and_order_of_rows_do_not_matter(tmp_path, table, result):
    shuffled = toy.write(tmp_path / "predictions", table.sample(fraction=1, shuffle=True, seed=3), parts=1)
    again = evaluate(predictions=shuffled, out_dir=tmp_path / "evaluation", draws=200)
    pl.testing.assert_frame_equal(again.ranking, result.ranking)
    pl.testing.assert_frame_equal(again.errors, result.errors)


def test_strata_split_the_bases_and_few_sites_give_no_number(tmp_path, result):
    names = result.ranking["stratum"].unique().to_list()
    assert sorted(names) == ["all", "alternative", "canonical", "other_genes", "protein_coding"]
    few = evaluate(predictions=toy.write(tmp_path / "p", toy.frame(groups=3)), out_dir=tmp_path / "e", draws=50)
    assert row_of(few, "all", "donor", "meta")["average_precision"] is None
    assert "too few" in main_table(few)


def test_words_say_what_is_and_what_is_not_shown(result):
    words = " ".join(plain_words(result))
    assert "Meta-model ranks donors better than the base model: +" in words
    assert "a different claim" in words
    assert "never saw these chromosomes" in words


def test_what_is_written_can_be_read_by_a_machine(result):
    metrics = json.loads((result.out_dir / "metrics.json").read_text())
    assert {arm["name"] for arm in metrics["arms"]} == {"base", "meta", "gene_conditioned"}
    assert metrics["draws"] == 200
    assert len(metrics["ranking"]) == result.ranking.height
    assert (result.out_dir / "errors.tsv").read_text().startswith("splice_type\tarm\tsites")


def test_a_unit_counted_twice_is_refused(tmp_path, table):
    doubled = toy.write(tmp_path / "p", pl.concat([table, table.head(1)]))
    with pytest.raises(SchemaError, match="each \\(chrom, strand, position\\) once"):
        evaluate(predictions=doubled, out_dir=tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_nan_probabilities_are_refused(tmp_path, table):
    broken = table.with_columns(
        meta_donor=pl.when(pl.int_range(pl.len()) == 5).then(float("nan")).otherwise("meta_donor").cast(pl.Float32)
    )
    with pytest.raises(SchemaError, match=r"column meta_donor.*\n.*1 values"):
        evaluate(predictions=toy.write(tmp_path / "p", broken), out_dir=tmp_path / "e")


def test_a_cut_part_is_named(tmp_path, table):
    folder = toy.write(tmp_path / "p", table)
    part = folder / "part_00002.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"readable Parquet file .*part_00002"):
        evaluate(predictions=folder, out_dir=tmp_path / "e")


def test_missing_predictions_and_too_few_draws_are_refused(tmp_path: Path, table):
    with pytest.raises(StoreError, match="predictions folder"):
        evaluate(predictions=tmp_path / "none", out_dir=tmp_path / "e")
    with pytest.raises(InputError, match="--draws of at least 2"):
        evaluate(predictions=toy.write(tmp_path / "p", table), out_dir=tmp_path / "e", draws=1)
