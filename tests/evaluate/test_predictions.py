import json
import shutil

import polars as pl
import pytest

from meta_spliceai.errors import SchemaError, StoreError
from meta_spliceai.evaluate import predictions as predictions_module
from meta_spliceai.evaluate.predictions import open_predictions, read_predictions
from meta_spliceai.evaluate.result import load_evaluation
from meta_spliceai.evaluate.run import evaluate
from tests.evaluate import toys


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toys.frame(groups=8, bases_per_group=300)


@pytest.fixture
def folder(tmp_path, table):
    return toys.write(tmp_path / "p", table)


def _refused(error, match, folder):
    out = folder.parent / "e"
    with pytest.raises(error, match=match):
        evaluate(predictions=folder, out_dir=out, draws=10)
    assert not out.exists()


def _rewritten(folder, table, **columns):
    return toys.write(folder, table.with_columns(**columns))


def test_columns_are_read_part_by_part_in_any_batch_size(monkeypatch, folder, table):
    monkeypatch.setattr(predictions_module, "READ_ROWS", 7)
    frames = list(read_predictions(folder, ["position", "meta_donor"]))
    assert max(frame.height for frame in frames) == 7
    pl.testing.assert_frame_equal(pl.concat(frames), table.select("position", "meta_donor"))
    assert (open_predictions(folder).column("position") == table["position"].to_numpy()).all()


def test_the_reference_arm_is_put_first(folder, table):
    toys.write(folder, table, **{"reference arm": "meta"})
    assert [arm.name for arm in open_predictions(folder).arms][:2] == ["meta", "base"]


def test_an_unknown_column_is_refused_by_name(folder):
    with pytest.raises(SchemaError, match="no colour"):
        read_predictions(folder, ["colour"])


def test_a_missing_folder_is_said(tmp_path):
    _refused(StoreError, "a predictions folder .*\\nfound: there is none", tmp_path / "none")


def test_a_folder_without_parts_is_said(folder):
    for part in folder.glob("part_*"):
        part.unlink()
    _refused(StoreError, r"files part_\*\.parquet", folder)


def test_a_missing_description_is_said(folder):
    (folder / "predictions.json").unlink()
    _refused(StoreError, r"a file .*predictions\.json", folder)


@pytest.mark.parametrize("name", ["arms", "reference arm", "groups"])
def test_a_description_that_lacks_something_is_said(folder, name):
    path = folder / "predictions.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != name}))
    _refused(SchemaError, f"lacks or garbles '{name}'", folder)


def test_a_reference_arm_that_is_no_arm_is_refused(folder, table):
    toys.write(folder, table, **{"reference arm": "nobody"})
    _refused(SchemaError, "reference arm nobody", folder)


def test_a_cut_part_is_named(folder):
    part = folder / "part_00002.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    _refused(StoreError, r"readable Parquet file .*part_00002", folder)


def test_a_part_damaged_in_the_middle_is_named(folder):
    part = folder / "part_00002.parquet"
    content = bytearray(part.read_bytes())
    content[200:5_000] = bytes(4_800)
    part.write_bytes(content)
    _refused(StoreError, r"readable Parquet file .*part_00002", folder)


def test_a_missing_part_is_noticed_by_its_groups(folder):
    (folder / "part_00001.parquet").unlink()
    _refused(StoreError, r"none of \d, such as gene0, gene1", folder)


def test_a_part_of_another_run_is_noticed_by_its_groups(folder, table):
    path = folder / "predictions.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "groups": about["groups"][:-1]}))
    _refused(SchemaError, "others: 7", folder)


def test_a_missing_column_and_a_wrong_dtype_are_named(folder, table):
    toys.write(folder, table.drop("meta_donor").with_columns(pl.col("fold").cast(pl.Int64)))
    _refused(SchemaError, "column fold is Int64, not Int8, no column meta_donor", folder)


def test_a_unit_counted_twice_is_refused_with_its_place(folder, table):
    shutil.copy(folder / "part_00001.parquet", folder / "part_00004.parquet")
    _refused(
        SchemaError,
        r"each \(chrom, position, strand\) once.*\nfound: 800 rows too many, the first at chr1:1:\+",
        folder,
    )


def test_the_same_position_on_the_other_strand_is_another_unit(folder, table):
    other = table.with_columns(strand=pl.when(pl.col("strand") == "+").then(pl.lit("-")).otherwise(pl.lit("+")))
    toys.write(folder, pl.concat([table, other]))
    assert evaluate(predictions=folder, out_dir=folder.parent / "e", draws=10).about["measured"]["bases"] == 4_800


def test_a_group_in_two_folds_is_refused(folder, table):
    fold = pl.when(pl.int_range(pl.len()) == 5).then(3).otherwise(pl.col("fold")).cast(pl.Int8)
    _rewritten(folder, table, fold=fold)
    _refused(SchemaError, "groups in several folds: 0", folder)


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.5, None])
def test_what_is_no_probability_is_refused_before_anything_is_measured(folder, table, bad):
    value = pl.when(pl.int_range(pl.len()) == 5).then(pl.lit(bad)).otherwise(pl.col("meta_donor")).cast(pl.Float32)
    _rewritten(folder, table, meta_donor=value)
    _refused(SchemaError, "outside: 1 in column meta_donor", folder)


def test_a_class_that_does_not_exist_is_refused(folder, table):
    _rewritten(folder, table, site_class=pl.lit(3, pl.UInt8))
    _refused(SchemaError, "column site_class has 800 values above 2", folder)


def test_a_folder_that_holds_something_else_is_left_alone(folder):
    out = folder.parent / "e"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"no manifest\.json, but notes\.txt"):
        evaluate(predictions=folder, out_dir=out, draws=10)
    assert [path.name for path in out.iterdir() if path.name != ".lock"] == ["notes.txt"]


def test_a_changed_table_is_noticed_when_the_evaluation_is_read(folder):
    out = folder.parent / "e"
    evaluate(predictions=folder, out_dir=out, draws=10)
    (out / "arms.tsv").write_text((out / "arms.tsv").read_text().replace("meta", "beta"))
    with pytest.raises(StoreError, match=r"arms\.tsv damaged or changed"):
        load_evaluation(out)


def test_an_interrupted_evaluation_is_not_taken_for_a_complete_one(folder):
    out = folder.parent / "e"
    evaluate(predictions=folder, out_dir=out, draws=10)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "complete": False, "parts": {}}))
    with pytest.raises(StoreError, match="one that was interrupted"):
        load_evaluation(out)
