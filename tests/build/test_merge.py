"""Datasets that were built apart become one, and nothing happens to them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.build import merge as merge_module
from meta_spliceai.build.merge import merge
from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError, InputError, PlanMismatchError, StoreError
from meta_spliceai.maintain.dedup import dedup
from meta_spliceai.maintain.patch import patch
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.folder import read_manifest
from tests.build.conftest import Passed, pass_over, rows_of
from tests.build.kill_driver import contents

PLAN = ["TG01.1", "TG03.1", "TG05.1", "TG13.1", "TG17.1"]
LEFT = ["TG03.1", "TG09.1", "TG13.1"]
RIGHT = ["TG01.1", "TG05.1", "TG13.1", "TG17.1"]


def make(passed: Passed, folder: Path, **options: Any) -> Path:
    defaults = {"batch_size": 2, "kmer_sizes": [2]}
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **{**defaults, **options})
    return folder


@pytest.fixture(scope="module")
def home(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of a plan, the same in one go, and datasets of other gene lists; tests only read them."""
    folder = tmp_path_factory.mktemp("merging")
    make(passed, folder / "whole", gene_ids=PLAN)
    for number in (1, 2, 3):
        make(passed, folder / f"shard_{number}", gene_ids=PLAN, shard=f"{number}/3")
    make(passed, folder / "left", gene_ids=LEFT)
    make(passed, folder / "right", gene_ids=RIGHT)
    make(passed, folder / "others", subset_policy="custom", additional_gene_ids=["TG01.1", "TG17.1"], batch_size=1)
    return folder


@pytest.fixture
def untouched(home: Path) -> Any:
    """What the datasets hold must be the same after the test."""
    before = contents(home)
    yield
    assert contents(home) == before


def shards(home: Path) -> list[Path]:
    return [home / f"shard_{number}" for number in (3, 1, 2)]


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("gene_id", "position")


def is_valid(passed: Passed, dataset: Path) -> bool:
    report = validate_dataset(dataset, reference=passed.reference, verify=True, skip=["DS022", "DS023"])
    return report.exit_status == 0


# ---- shards ----------------------------------------------------------------------------------------------------------


@pytest.mark.rows("B29", "B30")
@pytest.mark.usefixtures("untouched")
def test_merged_shards_are_the_bytes_of_one_build(passed: Passed, home: Path, tmp_path: Path) -> None:
    result = merge(shards(home), output_dir=tmp_path / "d")
    assert contents(tmp_path / "d") == contents(home / "whole")
    assert (result.genes, result.batches, result.batches_linked, result.batches_rewritten) == (5, 3, 3, 0)
    assert result.rows == rows_of(home / "whole").height
    trimmed = tmp_path / "d/batch_00002_trim.parquet"
    assert trimmed.samefile(home / "shard_2/batch_00002_trim.parquet")
    assert trimmed.samefile(tmp_path / "d/master/batch_00002.parquet")


def test_a_build_goes_on_where_shards_were_merged(passed: Passed, home: Path, tmp_path: Path) -> None:
    merge(shards(home), output_dir=tmp_path / "d")
    make(passed, tmp_path / "d", gene_ids=PLAN)
    assert contents(tmp_path / "d") == contents(home / "whole")
    make(passed, tmp_path / "d", gene_ids=["TG02.3"], extend=True)
    assert is_valid(passed, tmp_path / "d")


@pytest.mark.rows("B30")
@pytest.mark.usefixtures("untouched")
def test_a_missing_shard_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"1 missing: batches 2\nwhat to do: build the missing .*: --shard 2/3"):
        merge([home / "shard_1", home / "shard_3"], output_dir=tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_shards_of_different_plans_are_refused(passed: Passed, home: Path, tmp_path: Path) -> None:
    other = make(passed, tmp_path / "other", gene_ids=PLAN[:4], shard="2/2")
    with pytest.raises(PlanMismatchError, match=r"parameter gene_ids: in .*shard_1 "):
        merge([home / "shard_1", home / "shard_3", other], output_dir=tmp_path / "d")


def test_batches_in_several_shards_are_refused(passed: Passed, home: Path, tmp_path: Path) -> None:
    again = make(passed, tmp_path / "again", gene_ids=PLAN, shard="1/1")
    with pytest.raises(InputError, match="in several: batches 1"):
        merge([home / "shard_1", again], output_dir=tmp_path / "d")
    assert merge([again], output_dir=tmp_path / "d").genes == 5


def test_shards_and_other_datasets_are_not_mixed(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"both; no shard is .*left"):
        merge([*shards(home), home / "left"], output_dir=tmp_path / "d")


# ---- other gene lists ------------------------------------------------------------------------------------------------


@pytest.mark.rows("B29", "B30")
@pytest.mark.usefixtures("untouched")
def test_datasets_of_other_genes_are_joined_with_batches_renumbered(passed: Passed, home: Path, tmp_path: Path) -> None:
    result = merge([home / "left", home / "others"], output_dir=tmp_path / "d")
    assert (result.genes, result.batches, result.batches_linked) == (5, 4, 4)
    assert result.rows == rows_of(tmp_path / "d").height
    make(passed, tmp_path / "whole", gene_ids=[*LEFT, "TG01.1", "TG17.1"])
    assert in_order(rows_of(tmp_path / "d")).equals(in_order(rows_of(tmp_path / "whole")))
    assert is_valid(passed, tmp_path / "d")
    master = tmp_path / "d/master"
    assert sorted(path.name for path in master.iterdir()) == [f"batch_0000{number}.parquet" for number in (1, 2, 3, 4)]
    assert (master / "batch_00003.parquet").samefile(home / "others/batch_00001_trim.parquet")
    parameters = read_manifest(tmp_path / "d", "dataset", 1).parameters
    assert parameters["batch_genes"] == [2, 1, 1, 1]
    assert [choice["genes"] for choice in parameters["merged"]] == [3, 2]
    said = "- merged from 2 datasets: 3 genes (policy custom); 2 genes (policy custom)."
    assert said in (tmp_path / "d/BUILD_INFO.md").read_text()


@pytest.mark.rows("B30")
def test_the_counts_of_a_merged_dataset_are_those_of_one_build(passed: Passed, home: Path, tmp_path: Path) -> None:
    merge([home / "left", home / "others"], output_dir=tmp_path / "d")
    make(passed, tmp_path / "whole", gene_ids=[*LEFT, "TG01.1", "TG17.1"])
    ours, theirs = (dict(read_manifest(folder, "dataset", 1).facts) for folder in (tmp_path / "d", tmp_path / "whole"))
    assert ours.pop("boundary_probe")["changed"] == theirs.pop("boundary_probe")["changed"] == []
    assert ours == theirs


@pytest.mark.usefixtures("untouched")
def test_a_merged_dataset_can_be_extended_and_merged_again(passed: Passed, home: Path, tmp_path: Path) -> None:
    merge([home / "left", home / "others"], output_dir=tmp_path / "d")
    make(passed, tmp_path / "d", gene_ids=["TG02.3"], extend=True)
    make(passed, tmp_path / "more", gene_ids=["TG06.1"])
    merge([tmp_path / "more", tmp_path / "d"], output_dir=tmp_path / "e")
    assert set(rows_of(tmp_path / "e")["gene_id"]) == {"TG06.1", "TG02.3", *LEFT, "TG01.1", "TG17.1"}
    assert is_valid(passed, tmp_path / "e")


@pytest.mark.rows("B30")
@pytest.mark.usefixtures("untouched")
def test_genes_in_several_datasets_are_refused_by_name(home: Path, tmp_path: Path) -> None:
    with pytest.raises(GeneError, match=r"1 in several: TG13\.1\nwhat to do: add --on-duplicate first"):
        merge([home / "left", home / "right"], output_dir=tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.rows("B30")
@pytest.mark.usefixtures("untouched")
def test_the_first_datasets_rows_are_kept_when_asked_for(passed: Passed, home: Path, tmp_path: Path) -> None:
    result = merge([home / "left", home / "right"], output_dir=tmp_path / "d", on_duplicate="first")
    assert (result.genes_left_out, result.batches_linked, result.batches_rewritten) == (("TG13.1",), 3, 1)
    assert result.rows_left_out == rows_of(home / "left").filter(pl.col("gene_id") == "TG13.1").height > 0
    assert f"{result.rows_left_out} rows of 1 genes: TG13.1" in result.summary()
    rows = rows_of(tmp_path / "d")
    assert not rows.select("gene_id", "position").is_duplicated().any()
    make(passed, tmp_path / "whole", gene_ids=sorted({*LEFT, *RIGHT}))
    assert in_order(rows).equals(in_order(rows_of(tmp_path / "whole")))
    assert is_valid(passed, tmp_path / "d")
    assert "1 more of another dataset before it" in (tmp_path / "d/BUILD_INFO.md").read_text()


def test_a_batch_without_its_doubled_genes_has_the_bytes_of_a_batch_of_the_others(
    passed: Passed, home: Path, tmp_path: Path
) -> None:
    merge([home / "left", home / "right"], output_dir=tmp_path / "d", on_duplicate="first")
    make(passed, tmp_path / "alone", gene_ids=["TG17.1"])
    for name in ("trim.parquet", "ledger.csv"):
        rewritten, alone = tmp_path / f"d/batch_00004_{name}", tmp_path / f"alone/batch_00001_{name}"
        assert rewritten.read_bytes() == alone.read_bytes()


def test_a_dataset_whose_genes_are_all_doubled_adds_nothing(home: Path, tmp_path: Path) -> None:
    result = merge([home / "right", home / "others"], output_dir=tmp_path / "d", on_duplicate="first")
    assert (result.genes, result.batches) == (4, 2)
    assert in_order(rows_of(tmp_path / "d")).equals(in_order(rows_of(home / "right")))


# ---- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.rows("B30")
@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"easy_ratio": 0.3, "window": 9}, r"parameter easy_ratio: in \S+left 0.5, in \S+other 0.3; parameter window:"),
        ({"kmer_sizes": [3]}, r"parameter kmer_sizes: in \S+left \[2\], in \S+other \[3\]"),
        ({"seed": 1}, r"parameter seed: in \S+left 42, in \S+other 1"),
    ],
)
def test_datasets_built_otherwise_are_refused_with_their_differences(
    passed: Passed, home: Path, tmp_path: Path, options: dict[str, Any], difference: str
) -> None:
    other = make(passed, tmp_path / "other", gene_ids=["TG01.1"], **options)
    with pytest.raises(PlanMismatchError, match=difference):
        merge([home / "left", other], output_dir=tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.rows("B30")
def test_datasets_of_other_base_passes_and_modes_are_refused(passed: Passed, home: Path, tmp_path: Path) -> None:
    seeded = pass_over(passed.reference.parent, eval_dir=tmp_path / "seeded", seed=7, genes=["TG01.1"])
    other = make(seeded, tmp_path / "other", gene_ids=["TG01.1"])
    with pytest.raises(PlanMismatchError, match=r"input base_pass: in \S+left "):
        merge([home / "left", other], output_dir=tmp_path / "d")
    by_transcript = pass_over(
        passed.reference.parent, eval_dir=tmp_path / "mode", position_id_mode="transcript", genes=["TG01.1"]
    )
    other = make(by_transcript, tmp_path / "third", gene_ids=["TG01.1"])
    with pytest.raises(PlanMismatchError, match=r"parameter position_id_mode: in \S+left genomic, in "):
        merge([home / "left", other], output_dir=tmp_path / "d")


def test_datasets_changed_after_they_were_built_are_refused(passed: Passed, home: Path, tmp_path: Path) -> None:
    (tmp_path / "expression.tsv").write_text("gene_id\ttpm\nTG03.1\t1.5\n")
    patched = tmp_path / "patched"
    shutil.copytree(home / "left", patched)
    patch(patched, kind="columns", table=tmp_path / "expression.tsv")
    with pytest.raises(StoreError, match="found: patches: patch:expression"):
        merge([patched, home / "others"], output_dir=tmp_path / "d")
    changed = dedup(home / "left", dst=tmp_path / "changed").path
    with pytest.raises(StoreError, match="found: rows or columns changed afterwards"):
        merge([home / "others", changed], output_dir=tmp_path / "d")


@pytest.mark.parametrize("name", ["batch_00002_trim.parquet", "master/batch_00001.parquet", "batch_00001_ledger.csv"])
def test_a_damaged_source_is_refused(home: Path, tmp_path: Path, name: str) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(home / "left", damaged)
    (damaged / name).write_bytes((damaged / name).read_bytes()[:-5])
    with pytest.raises(StoreError, match=r"1 of 2 batches missing or damaged: batch_0000"):
        merge([damaged, home / "others"], output_dir=tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_source_edited_by_hand_is_noticed_when_checksums_are_verified(home: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited"
    shutil.copytree(home / "left", edited)
    for path in (edited / "batch_00002_trim.parquet", edited / "master/batch_00002.parquet"):
        content = path.read_bytes()
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    with pytest.raises(StoreError, match="1 of 2 batches missing or damaged: batch_00002"):
        merge([edited, home / "others"], output_dir=tmp_path / "d", verify=True)


def test_a_part_made_under_another_rule_is_not_taken_for_one_of_the_dataset(home: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(home / "left", forged)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["parts"]["batch_00002"]["fingerprint"] = manifest["parts"]["batch_00001"]["fingerprint"]
    write_json(forged / "manifest.json", manifest)
    with pytest.raises(StoreError, match="missing or damaged: batch_00002"):
        merge([forged, home / "others"], output_dir=tmp_path / "d")


def test_an_edited_gene_manifest_is_refused(home: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(home / "left", damaged)
    text = (damaged / "gene_manifest.csv").read_text()
    (damaged / "gene_manifest.csv").write_text(text.replace("TG03.1", "TG04.1"))
    with pytest.raises(StoreError, match=r"gene_manifest.csv of .* as the build wrote it"):
        merge([damaged, home / "others"], output_dir=tmp_path / "d")


def test_what_cannot_be_merged_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found: none\nwhat to do: name the folders of at least two"):
        merge([], output_dir=tmp_path / "d")
    with pytest.raises(InputError, match=r"named more than once: .*left"):
        merge([home / "left", home / "left/master"], output_dir=tmp_path / "d")
    with pytest.raises(InputError, match="--output-dir to be another folder"):
        merge([home / "left", home / "others"], output_dir=home / "others")
    with pytest.raises(InputError, match="name it with --output-dir"):
        merge([home / "left", home / "others"])
    with pytest.raises(StoreError, match="a dataset folder with manifest"):
        merge([home / "left", tmp_path / "none"], output_dir=tmp_path / "d")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").touch()
    with pytest.raises(StoreError, match=r"no manifest\.json, but chapter\.txt"):
        merge([home / "left", home / "others"], output_dir=tmp_path / "thesis")


# ---- doing it --------------------------------------------------------------------------------------------------------


@pytest.mark.rows("B30")
@pytest.mark.usefixtures("untouched")
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(home: Path, tmp_path: Path) -> None:
    told = merge([home / "left", home / "right"], output_dir=tmp_path / "d", on_duplicate="first", dry_run=True)
    assert list(tmp_path.iterdir()) == []
    assert "would hold" in told.summary()
    done = merge([home / "left", home / "right"], output_dir=tmp_path / "d", on_duplicate="first")
    assert done.summary() == told.summary().replace("would hold", "holds")


@pytest.mark.rows("B19", "B30")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EMLINK])
def test_without_hard_links_files_are_copied(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    merge(shards(home), output_dir=tmp_path / "d")
    assert contents(tmp_path / "d") == contents(home / "whole")
    assert not (tmp_path / "d/batch_00001_trim.parquet").samefile(home / "shard_1/batch_00001_trim.parquet")


@pytest.mark.rows("B30")
@pytest.mark.usefixtures("untouched")
def test_an_interrupted_merge_resumes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    join = merge_module.join_batch

    def fail_at_two(batch: Any) -> Any:
        if batch.number == 2:
            raise RuntimeError("power cut")
        return join(batch)

    with monkeypatch.context() as changed:
        changed.setattr(merge_module, "join_batch", fail_at_two)
        with pytest.raises(RuntimeError, match="power cut"):
            merge(shards(home), output_dir=tmp_path / "d")
    assert [path.name for path in (tmp_path / "d/master").iterdir()] == ["batch_00001.parquet"]
    with pytest.raises(StoreError, match="2 missing or damaged: batch_00002, batch_00003"):
        merge([tmp_path / "d"])
    merge(shards(home), output_dir=tmp_path / "d")
    assert contents(tmp_path / "d") == contents(home / "whole")


def test_another_merge_into_the_same_folder_needs_overwrite(home: Path, tmp_path: Path) -> None:
    merge([home / "left", home / "others"], output_dir=tmp_path / "d")
    merge([home / "left", home / "others"], output_dir=tmp_path / "d")
    with pytest.raises(PlanMismatchError, match="parameter merged: "):
        merge(shards(home), output_dir=tmp_path / "d")
    merge(shards(home), output_dir=tmp_path / "d", overwrite=True)
    assert contents(tmp_path / "d") == contents(home / "whole")


# ---- one interrupted build -------------------------------------------------------------------------------------------


def interrupted(home: Path, folder: Path, *lost: str) -> Path:
    """The whole dataset before its documents were written, and without some batches."""
    shutil.copytree(home / "whole", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"complete": False, "facts": {}}
    for name in ("documents", *lost):
        for file in manifest["parts"].pop(name)["files"]:
            (folder / file["name"]).unlink()
    write_json(folder / "manifest.json", manifest)
    return folder


@pytest.mark.rows("B12", "B30")
def test_an_interrupted_build_with_all_batches_is_finished(passed: Passed, home: Path, tmp_path: Path) -> None:
    folder = interrupted(home, tmp_path / "d")
    assert "would hold" in merge([folder], dry_run=True, reference=passed.reference).summary()
    assert not read_manifest(folder, "dataset", 1).complete
    result = merge([folder / "master"], reference=passed.reference, eval_dir=passed.eval_dir)
    assert (result.genes, result.batches) == (5, 3)
    assert contents(folder) == contents(home / "whole")
    assert merge([folder]).rows == result.rows, "nothing is left to do, and no reference is needed"


@pytest.mark.rows("B12", "B30")
def test_batches_that_an_interrupted_build_lacks_are_named(passed: Passed, home: Path, tmp_path: Path) -> None:
    folder = interrupted(home, tmp_path / "d", "batch_00002")
    before = contents(folder)
    with pytest.raises(StoreError, match=r"all 3 batches of (.|\n)*1 missing or damaged: batch_00002\nwhat to do: run"):
        merge([folder], reference=passed.reference, eval_dir=passed.eval_dir)
    assert contents(folder) == before


def test_another_base_pass_does_not_finish_a_build(passed: Passed, home: Path, tmp_path: Path) -> None:
    folder = interrupted(home, tmp_path / "d")
    other = pass_over(passed.reference.parent, eval_dir=tmp_path / "other", seed=7, genes=PLAN)
    with pytest.raises(PlanMismatchError, match="input base_pass: on disk"):
        merge([folder], reference=passed.reference, eval_dir=other.eval_dir)


@pytest.mark.rows("B30")
def test_the_command_line_takes_several_datasets(home: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "meta_spliceai", "dataset", "merge", *map(str, shards(home))]
    done = subprocess.run([*command, "--output-dir", str(tmp_path / "d")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'd'} holds ")
    assert contents(tmp_path / "d") == contents(home / "whole")
