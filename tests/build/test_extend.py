"""More genes into a dataset that exists: what is there stays, and the whole is what one build would have made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build import run as run_module
from meta_spliceai.build.batch import make_batch
from meta_spliceai.build.run import BuildResult, build
from meta_spliceai.errors import InputError, PlanMismatchError, StoreError
from meta_spliceai.maintain.patch import patch
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.store.folder import read_manifest
from meta_spliceai.train.matrix import open_dataset
from tests.build.conftest import Passed, pass_over, rows_of
from tests.build.kill_driver import contents

FIRST = ["TG03.1", "TG09.1", "TG13.1"]
MORE = ["TG01.1", "TG05.1", "TG17.1"]


def make(passed: Passed, folder: Path, **options: Any) -> BuildResult:
    defaults = {"batch_size": 2, "kmer_sizes": [2]}
    return build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **{**defaults, **options})


@pytest.fixture(scope="module")
def first(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "dataset"
    make(passed, folder, gene_ids=FIRST)
    return folder


@pytest.fixture
def dataset(first: Path, tmp_path: Path) -> Path:
    return copy_of(first, tmp_path / "dataset")


def copy_of(dataset: Path, folder: Path) -> Path:
    """A copy whose files in `master` are links again."""
    shutil.copytree(dataset, folder)
    for path in (folder / "master").iterdir():
        path.unlink()
        path.hardlink_to(folder / path.name.replace(".parquet", "_trim.parquet"))
    return folder


def inodes(folder: Path) -> dict[str, tuple[int, int]]:
    paths = [*folder.glob("batch_*"), *folder.glob("master/*")]
    return {path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("gene_id", "position")


@pytest.mark.rows("B13")
def test_an_extension_leaves_old_batches_alone_and_adds_new_ones_after_the_last(passed: Passed, dataset: Path) -> None:
    before, bytes_before = inodes(dataset), contents(dataset)
    result = make(passed, dataset, gene_ids=MORE, extend=True)
    assert (result.genes, result.batches, result.batches_made) == (6, 4, 2)
    after = inodes(dataset)
    assert {name: after[name] for name in before} == before
    assert {name: held for name, held in contents(dataset).items() if name in before} == {
        name: held for name, held in bytes_before.items() if name in before
    }
    assert sorted(path.name for path in (dataset / "master").iterdir()) == [
        f"batch_0000{number}.parquet" for number in (1, 2, 3, 4)
    ]
    assert set(pl.read_parquet(dataset / "master/batch_00002.parquet")["gene_id"]) == {"TG13.1"}, "not filled up"


@pytest.mark.rows("B13")
def test_extended_rows_are_those_of_one_build_of_all_genes(passed: Passed, dataset: Path, tmp_path: Path) -> None:
    make(passed, dataset, gene_ids=MORE, extend=True)
    make(passed, tmp_path / "whole", gene_ids=[*FIRST, *MORE])
    assert in_order(rows_of(dataset)).equals(in_order(rows_of(tmp_path / "whole")))
    for table, keys in (("sampling_ledger.csv", ["gene_id", "sampling_tier"]), ("gene_manifest.csv", ["gene_id"])):
        ours, theirs = (pl.read_csv(folder / table).sort(keys) for folder in (dataset, tmp_path / "whole"))
        place = [name for name in ("global_index", "file_index", "file_name") if name in ours.columns]
        assert ours.drop(place).equals(theirs.drop(place))
    facts = [dict(read_manifest(folder, "dataset", 1).facts) for folder in (dataset, tmp_path / "whole")]
    assert facts[0] == facts[1]


@pytest.mark.rows("B13")
def test_an_extended_dataset_is_valid_and_says_what_was_added(passed: Passed, dataset: Path) -> None:
    make(passed, dataset, gene_ids=MORE, extend=True)
    report = validate_dataset(dataset, reference=passed.reference, verify=True, skip=["DS022", "DS023"])
    assert report.exit_status == 0, report.summary()
    manifest = read_manifest(dataset, "dataset", 1)
    assert manifest.parameters["gene_ids"] == [*FIRST, *MORE]
    assert manifest.parameters["batch_genes"] == [2, 1, 2, 1]
    assert "- later extended by 3 genes (policy custom)." in (dataset / "BUILD_INFO.md").read_text()
    genes = pl.read_csv(dataset / "gene_manifest.csv")
    assert genes["gene_id"].to_list() == [*FIRST, *MORE]
    assert genes["file_index"].to_list() == [1, 1, 2, 3, 3, 4]
    assert open_dataset(dataset).gene_ids == [*FIRST, *MORE]


@pytest.mark.rows("B13")
def test_extending_again_by_the_same_genes_changes_nothing(passed: Passed, dataset: Path) -> None:
    make(passed, dataset, gene_ids=MORE, extend=True)
    before, held = inodes(dataset), contents(dataset)
    assert make(passed, dataset, gene_ids=MORE, extend=True).batches_made == 0
    assert make(passed, dataset, gene_ids=["TG01.1", "TG03.1"], extend=True).genes == 6
    assert (inodes(dataset), contents(dataset)) == (before, held)


@pytest.mark.rows("B13")
def test_an_extension_can_be_extended(passed: Passed, dataset: Path, tmp_path: Path) -> None:
    for gene_id in MORE:
        make(passed, dataset, additional_gene_ids=[gene_id], extend=True)
    assert read_manifest(dataset, "dataset", 1).parameters["batch_genes"] == [2, 1, 1, 1, 1]
    make(passed, tmp_path / "whole", gene_ids=[*FIRST, *MORE])
    assert in_order(rows_of(dataset)).equals(in_order(rows_of(tmp_path / "whole")))


@pytest.mark.rows("B13")
def test_a_policy_with_more_genes_adds_only_those_that_are_new(passed: Passed, tmp_path: Path) -> None:
    for policy in ("random", "error_total"):
        folder = tmp_path / policy
        make(passed, folder, subset_policy=policy, n_genes=3)
        few = read_manifest(folder, "dataset", 1).parameters["gene_ids"]
        make(passed, folder, subset_policy=policy, n_genes=5, extend=True)
        many = read_manifest(folder, "dataset", 1).parameters["gene_ids"]
        assert many[:3] == few
        make(passed, tmp_path / f"{policy}_5", subset_policy=policy, n_genes=5)
        assert set(many) == set(read_manifest(tmp_path / f"{policy}_5", "dataset", 1).parameters["gene_ids"])


@pytest.mark.rows("B13")
def test_genes_to_add_may_come_from_a_file(passed: Passed, dataset: Path, tmp_path: Path) -> None:
    listed = tmp_path / "genes.csv"
    listed.write_text("gene,note\r\nTG01.1,first\r\nSTART,its name\r\n")
    assert make(passed, dataset, gene_ids_file=listed, gene_col="gene", extend=True).genes == 4


@pytest.mark.rows("B13", "B14")
def test_an_interrupted_extension_resumes_to_the_same_bytes(
    passed: Passed, dataset: Path, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = copy_of(first, tmp_path / "whole")
    make(passed, whole, gene_ids=MORE, extend=True)

    def fail_at_four(plan: Any) -> Any:
        if plan.number == 4:
            raise RuntimeError("power cut")
        return make_batch(plan)

    with monkeypatch.context() as changed:
        changed.setattr(run_module, "make_batch", fail_at_four)
        with pytest.raises(RuntimeError, match="power cut"):
            make(passed, dataset, gene_ids=MORE, extend=True)
    assert (dataset / "master/batch_00003.parquet").is_file(), "master grows batch by batch"
    with pytest.raises(StoreError, match="a finished dataset"):
        open_dataset(dataset)
    assert make(passed, dataset, gene_ids=MORE, extend=True).batches_made == 1
    assert contents(dataset) == contents(whole)


def test_extending_finishes_a_build_that_was_interrupted(passed: Passed, dataset: Path) -> None:
    rows = in_order(rows_of(dataset))
    (dataset / "batch_00001_trim.parquet").unlink()
    assert make(passed, dataset, gene_ids=MORE, extend=True).batches_made == 3
    assert in_order(rows_of(dataset).filter(pl.col("gene_id").is_in(FIRST))).equals(rows)


@pytest.mark.rows("B13")
@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"easy_ratio": 0.3}, "parameter easy_ratio: on disk 0.5, now 0.3"),
        (
            {"kmer_sizes": [3], "window": 9},
            r"kmer_sizes: on disk \[2\], now \[3\]; parameter window: on disk 75, now 9",
        ),
        ({"seed": 1}, "parameter seed: on disk 42, now 1"),
        ({"batch_size": 3}, "parameter batch_size: on disk 2, now 3"),
    ],
)
def test_other_options_than_the_genes_are_refused_with_their_differences(
    passed: Passed, dataset: Path, options: dict[str, Any], difference: str
) -> None:
    before = contents(dataset)
    with pytest.raises(PlanMismatchError, match=difference):
        make(passed, dataset, gene_ids=MORE, extend=True, **options)
    assert contents(dataset) == before


@pytest.mark.rows("B13")
def test_another_base_pass_is_refused_and_one_with_more_genes_is_the_same(passed: Passed, tmp_path: Path) -> None:
    home, eval_dir = passed.reference.parent, tmp_path / "growing"
    growing = pass_over(home, eval_dir=eval_dir, genes=FIRST)
    make(growing, tmp_path / "d", gene_ids=FIRST)
    pass_over(home, eval_dir=eval_dir, genes=[*FIRST, *MORE])
    assert make(growing, tmp_path / "d", gene_ids=MORE, extend=True).batches_made == 2
    other = pass_over(home, eval_dir=tmp_path / "other", seed=7)
    with pytest.raises(PlanMismatchError, match="input base_pass: on disk"):
        make(other, tmp_path / "d", gene_ids=["TG02.3"], extend=True)


def test_other_options_are_refused_before_the_base_pass_is_run(passed: Passed, tmp_path: Path) -> None:
    few = pass_over(passed.reference.parent, eval_dir=tmp_path / "few", genes=FIRST)
    make(few, tmp_path / "d", gene_ids=FIRST)
    with pytest.raises(PlanMismatchError, match="parameter window: on disk 75, now 9"):
        make(few, tmp_path / "d", gene_ids=MORE, extend=True, window=9)
    assert open_artifacts(few.eval_dir).genes == set(FIRST)


def test_there_must_be_a_dataset_to_extend(passed: Passed, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a dataset folder with manifest"):
        make(passed, tmp_path / "none", gene_ids=MORE, extend=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("options", "found"), [({"overwrite": True}, "--overwrite"), ({"shard": "1/2"}, "--shard")])
def test_contradicting_options_are_refused(passed: Passed, dataset: Path, options: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError, match=f"found: {found} besides"):
        make(passed, dataset, gene_ids=MORE, extend=True, **options)


def test_a_dataset_with_patches_is_not_extended(passed: Passed, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "expression.tsv").write_text("gene_id\ttpm\nTG03.1\t1.5\n")
    patch(dataset, kind="columns", table=tmp_path / "expression.tsv")
    with pytest.raises(StoreError, match="found: patches expression"):
        make(passed, dataset, gene_ids=MORE, extend=True)


def test_the_first_command_no_longer_fits_an_extended_dataset(passed: Passed, dataset: Path) -> None:
    make(passed, dataset, gene_ids=MORE, extend=True)
    with pytest.raises(PlanMismatchError, match="parameter gene_ids: on disk 6 items, now 3, only on disk"):
        make(passed, dataset, gene_ids=FIRST)
