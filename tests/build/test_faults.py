"""What can go wrong with a build ends with one clear message, or is put right; nothing is half-written."""

from __future__ import annotations

import dataclasses
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

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.bases import forget_loaded_models
from meta_spliceai.build import probe as probe_module
from meta_spliceai.build.run import BuildResult, build
from meta_spliceai.errors import (
    BusyError,
    DiskFullError,
    GeneError,
    InputError,
    LeakageError,
    PlanMismatchError,
    StoreError,
)
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.store import atomic
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.folder import Folder, read_manifest
from tests.build.conftest import Passed, pass_over, rows_of
from tests.build.kill_driver import contents
from tests.toys.tiny_genome import write_tiny_genome
from tests.toys.toy_base_model import ToyBaseModel

GENES = ["TG01.1", "TG09.1", "TG13.1"]


def make(passed: Passed, folder: Path, **options: Any) -> BuildResult:
    defaults = {"gene_ids": GENES, "batch_size": 1, "kmer_sizes": [2]}
    return build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, **{**defaults, **options})


@pytest.fixture(scope="module")
def whole(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "dataset"
    make(passed, folder)
    return folder


@pytest.fixture
def dataset(whole: Path, tmp_path: Path) -> Path:
    """A finished dataset of three batches, to be damaged; links stay links."""
    copy = tmp_path / "dataset"
    shutil.copytree(whole, copy)
    for path in (copy / "master").iterdir():
        path.unlink()
        path.hardlink_to(copy / path.name.replace(".parquet", "_trim.parquet"))
    return copy


# ---- damage that is put right ----------------------------------------------------------------------------------------


@pytest.mark.rows("B11")
def test_a_finished_dataset_is_left_alone(passed: Passed, dataset: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.parquet")}
    result = make(passed, dataset)
    assert (result.batches, result.batches_made, result.genes) == (3, 0, 3)
    assert result.rows == rows_of(dataset).height
    assert before == {path: path.stat().st_mtime_ns for path in dataset.rglob("*.parquet")}


def truncate(folder: Path) -> None:
    path = folder / "batch_00002_trim.parquet"
    path.write_bytes(path.read_bytes()[:-7])


def truncate_in_master(folder: Path) -> None:
    path = folder / "master/batch_00002.parquet"
    path.unlink()
    path.write_bytes((folder / "batch_00002_trim.parquet").read_bytes()[:-7])


def damage_the_footer(folder: Path) -> None:
    path = folder / "batch_00002_trim.parquet"
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))


def lose_the_batch(folder: Path) -> None:
    (folder / "batch_00002_trim.parquet").unlink()


def lose_the_link(folder: Path) -> None:
    (folder / "master/batch_00002.parquet").unlink()


def lose_the_master_folder(folder: Path) -> None:
    shutil.rmtree(folder / "master")


def lose_the_ledger(folder: Path) -> None:
    (folder / "batch_00002_ledger.csv").unlink()


def lose_a_document(folder: Path) -> None:
    (folder / "gene_manifest.csv").unlink()


def put_another_batch_in_its_place(folder: Path) -> None:
    path = folder / "master/batch_00002.parquet"
    path.unlink()
    path.write_bytes((folder / "batch_00001_trim.parquet").read_bytes())


def leave_files_of_a_larger_build(folder: Path) -> None:
    for name in ("batch_00004_trim.parquet", "batch_00004_ledger.csv", "master/batch_00004.parquet"):
        shutil.copy(folder / "batch_00001_trim.parquet", folder / name)


def leave_scratch(folder: Path) -> None:
    for name in (
        "batch_00002_raw.tmp.parquet",
        ".batch_00002_trim.parquet.77.tmp",
        "master/.batch_00001.parquet.7.tmp",
    ):
        (folder / name).write_bytes(b"half")


def forget_the_entry(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["parts"]["batch_00002"]
    write_json(folder / "manifest.json", manifest)


@pytest.mark.rows("B11", "B12", "B14", "B15", "B20")
@pytest.mark.parametrize(
    ("damage", "batches_made"),
    [
        (truncate, 1),
        (truncate_in_master, 0),
        (damage_the_footer, 1),
        (lose_the_batch, 1),
        (lose_the_link, 0),
        (lose_the_master_folder, 0),
        (lose_the_ledger, 1),
        (lose_a_document, 0),
        (put_another_batch_in_its_place, 0),
        (leave_files_of_a_larger_build, 0),
        (leave_scratch, 0),
        (forget_the_entry, 1),
    ],
)
def test_damage_is_noticed_and_only_what_is_needed_is_made_again(
    passed: Passed, whole: Path, dataset: Path, damage: Any, batches_made: int
) -> None:
    damage(dataset)
    assert make(passed, dataset).batches_made == batches_made
    assert contents(dataset) == contents(whole)
    for path in (dataset / "master").iterdir():
        assert path.samefile(dataset / path.name.replace(".parquet", "_trim.parquet"))


@pytest.mark.rows("B11")
def test_a_batch_edited_by_hand_is_noticed_when_checksums_are_verified(
    passed: Passed, whole: Path, dataset: Path
) -> None:
    path = dataset / "batch_00002_trim.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert make(passed, dataset).batches_made == 0
    assert make(passed, dataset, verify=True).batches_made == 1
    assert contents(dataset) == contents(whole)


@pytest.mark.rows("B19")
@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EMLINK])
def test_without_hard_links_the_master_folder_holds_copies(
    passed: Passed, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    make(passed, tmp_path / "d")
    assert contents(tmp_path / "d") == contents(whole)
    assert not (tmp_path / "d/master/batch_00001.parquet").samefile(tmp_path / "d/batch_00001_trim.parquet")
    before = (tmp_path / "d/master/batch_00001.parquet").stat().st_ino
    assert make(passed, tmp_path / "d").batches_made == 0
    assert (tmp_path / "d/master/batch_00001.parquet").stat().st_ino == before, "an equal copy is good enough"


@pytest.mark.rows("B5")
def test_overwriting_starts_anew_and_leaves_nothing_of_the_larger_build(
    passed: Passed, dataset: Path, tmp_path: Path
) -> None:
    make(passed, dataset, gene_ids=GENES[:2], seed=1, overwrite=True)
    make(passed, tmp_path / "fresh", gene_ids=GENES[:2], seed=1)
    assert contents(dataset) == contents(tmp_path / "fresh")


# ---- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.rows("B11")
@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"easy_ratio": 0.3}, "parameter easy_ratio: on disk 0.5, now 0.3"),
        (
            {"hard_prob": 0.2, "window": 50},
            "parameter hard_prob: on disk 0.15, now 0.2; parameter window: on disk 75, now 50",
        ),
        ({"kmer_sizes": [2, 3]}, r"parameter kmer_sizes: on disk \[2\], now \[2, 3\]"),
        ({"gene_ids": GENES[:2]}, "parameter gene_ids: "),
        ({"batch_size": 2}, "parameter batch_size: on disk 1, now 2"),
        ({"seed": 1}, "parameter seed: on disk 42, now 1"),
    ],
)
def test_changed_parameters_are_refused_with_their_differences(
    passed: Passed, dataset: Path, options: dict[str, Any], difference: str
) -> None:
    before = contents(dataset)
    with pytest.raises(PlanMismatchError, match=difference):
        make(passed, dataset, **options)
    assert contents(dataset) == before


@pytest.mark.rows("B11")
def test_another_base_pass_is_refused_on_resuming(passed: Passed, dataset: Path, tmp_path: Path) -> None:
    other = pass_over(passed.reference.parent, eval_dir=tmp_path / "other", seed=7)
    with pytest.raises(PlanMismatchError, match="input base_pass: on disk"):
        make(other, dataset)


def test_artifacts_of_another_reference_are_refused_before_anything_is_written(passed: Passed, tmp_path: Path) -> None:
    artifacts = tmp_path / "eval"
    shutil.copytree(passed.eval_dir, artifacts)
    manifest = json.loads((artifacts / "meta_models/manifest.json").read_text())
    manifest["inputs"]["reference"] = "f" * 64
    write_json(artifacts / "meta_models/manifest.json", manifest)
    with pytest.raises(InputError, match=r"found: .* was made with another one \(ffffffffffff\)"):
        make(Passed(passed.reference, artifacts), tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_artifacts_of_another_genome_build_are_refused(passed: Passed, tmp_path: Path) -> None:
    tiny = write_tiny_genome(tmp_path / "tiny")
    other = prepare(fasta=tiny.fasta, gtf=tiny.gtf, build="tiny2", out=tmp_path / "tiny2").path
    with pytest.raises(InputError, match=r"expected: artifacts made with the reference .*tiny2(.|\n)*another one"):
        make(Passed(other, passed.eval_dir), tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("extend", [False, True])
def test_artifacts_of_another_model_are_refused_on_resuming(
    passed: Passed, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extend: bool
) -> None:
    trained_again = dataclasses.replace(ToyBaseModel().info, weights_fingerprint="2" * 64)
    monkeypatch.setattr(ToyBaseModel, "info", trained_again)
    forget_loaded_models()
    other = pass_over(passed.reference.parent, eval_dir=tmp_path / "other", genes=GENES)
    forget_loaded_models()
    before = contents(dataset)
    with pytest.raises(PlanMismatchError, match="input base_pass: on disk"):
        make(other, dataset, extend=extend)
    assert contents(dataset) == before


def test_genes_without_artifacts_are_listed_with_the_command_that_makes_them(passed: Passed, tmp_path: Path) -> None:
    some = pass_over(passed.reference.parent, eval_dir=tmp_path / "some", genes=["START"])
    assert open_artifacts(some.eval_dir).genes == {"TG01.1"}
    with pytest.raises(GeneError, match=r"none for 2 genes: TG09\.1, TG13\.1") as caught:
        make(some, tmp_path / "d", run_workflow=False)
    assert f"basepass run --reference {passed.reference} --eval-dir {some.eval_dir} --genes TG09.1 TG13.1" in str(
        caught.value
    )
    with pytest.raises(GeneError, match="none for 16 genes"):
        make(some, tmp_path / "d", gene_ids=None, subset_policy="error_fp", n_genes=1, run_workflow=False)
    assert not (tmp_path / "d").exists()
    assert make(some, tmp_path / "d", gene_ids=None, subset_policy="all").genes == 1


def test_the_worst_genes_are_found_from_the_artifacts(passed: Passed, tmp_path: Path) -> None:
    rows = open_artifacts(passed.eval_dir).candidates(sorted(open_artifacts(passed.eval_dir).genes))
    for policy, kinds in (("error_fn", ["FN"]), ("error_fp", ["FP"]), ("error_total", ["FP", "FN"])):
        counts = rows.filter(pl.col("pred_type").is_in(kinds)).group_by("gene_id").len()
        worst = counts.sort("len", "gene_id", descending=[True, False])["gene_id"].to_list()[:3]
        make(passed, tmp_path / policy, gene_ids=None, subset_policy=policy, n_genes=3)
        assert set(read_manifest(tmp_path / policy, "dataset", 1).parameters["gene_ids"]) == set(worst)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gene_ids": []}, "found: an empty list"),
        ({"gene_ids": ["STRAT"]}, "1 unknown: STRAT(.|\n)*did you mean START"),
        ({"kmer_sizes": ["-1"]}, "whole numbers for --kmer-sizes\nfound: -1"),
        ({"kmer_sizes": [3, 9]}, "different k-mer sizes from 1 to 8\nfound: 3, 9"),
        ({"kmer_sizes": [3, 3]}, "different k-mer sizes"),
        ({"easy_ratio": 1.5}, "--easy-ratio from 0 to 1"),
        ({"batch_size": 0}, "--batch-size of at least 1"),
        ({"batch_rows": 0}, "--batch-rows of at least 1"),
        ({"workers": 0}, "--workers of at least 1"),
    ],
)
def test_unusable_options_are_refused_before_anything_is_written(
    passed: Passed, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make(passed, tmp_path / "d", **options)
    assert not (tmp_path / "d").exists()


def test_the_only_base_pass_of_a_reference_is_found(passed: Passed, tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    shutil.copytree(passed.reference, reference, ignore=shutil.ignore_patterns("*_eval"))
    with pytest.raises(InputError, match=r"one base pass in .*\nfound: none\nwhat to do: run"):
        build(reference=reference, output_dir=tmp_path / "d", gene_ids=GENES, run_workflow=False)
    shutil.copytree(passed.eval_dir, reference / "toy_eval")
    assert build(reference=reference, output_dir=tmp_path / "d", gene_ids=GENES[2:], kmer_sizes=()).genes == 1
    shutil.copytree(passed.eval_dir, reference / "other_eval")
    with pytest.raises(InputError, match="found: 2: other_eval, toy_eval"):
        build(reference=reference, output_dir=tmp_path / "d", gene_ids=GENES)


@pytest.mark.rows("B18", "B20", "B22")
def test_foreign_parquet_files_in_the_master_folder_are_refused(passed: Passed, dataset: Path) -> None:
    shutil.copy(dataset / "batch_00001_trim.parquet", dataset / "master/part-0.parquet")
    with pytest.raises(StoreError, match=r"other Parquet files: part-0\.parquet"):
        make(passed, dataset)


@pytest.mark.rows("B20")
def test_two_builds_at_once_are_refused(passed: Passed, dataset: Path) -> None:
    manifest = read_manifest(dataset, "dataset", 1)
    with (
        Folder.opened(
            dataset, kind="dataset", format_version=1, parameters=manifest.parameters, inputs=manifest.inputs
        ),
        pytest.raises(BusyError, match="the only process writing to"),
    ):
        make(passed, dataset)


@pytest.mark.rows("B4")
def test_a_folder_that_cannot_be_written_is_named(passed: Passed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="permission and ability to write"):
        make(passed, tmp_path / "file")
    with pytest.raises(StoreError, match="permission and ability to write"):
        make(passed, tmp_path / "file" / "below")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root, and Windows, ignore a folder's permissions")
@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_without_permission_to_write_is_named(
    passed: Passed, dataset: Path, tmp_path: Path, inside: bool
) -> None:
    locked = dataset if inside else tmp_path
    (dataset / "batch_00002_trim.parquet").unlink()
    locked.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="permission and ability to write"):
            make(passed, dataset if inside else tmp_path / "d")
    finally:
        locked.chmod(0o755)


@pytest.mark.rows("B14", "B20")
@pytest.mark.parametrize("step", ["_sync", "_replace", "remove"])
def test_a_file_system_that_becomes_read_only_is_named_and_the_build_resumes(
    passed: Passed, whole: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (dataset / "batch_00002_trim.parquet").unlink()
    (dataset / "batch_00009_raw.tmp.parquet").write_bytes(b"scratch")
    before = contents(dataset)

    def refuse(*paths: Path) -> None:
        with atomic.disk_errors(paths[-1]):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(atomic, step, refuse)
        with pytest.raises(StoreError, match=r"permission and ability to write(.|\n)*Read-only file system"):
            make(passed, dataset)
    assert {name: held for name, held in contents(dataset).items() if name in before and "raw" not in name} == {
        name: held for name, held in before.items() if "raw" not in name
    }
    assert make(passed, dataset).batches_made == 1
    assert contents(dataset) == contents(whole)


def test_someone_elses_folder_is_refused(passed: Passed, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(StoreError, match=r"found: no manifest\.json, but thesis\.docx"):
        make(passed, tmp_path)


def test_a_damaged_artifact_is_named(passed: Passed, tmp_path: Path) -> None:
    artifacts = tmp_path / "eval"
    shutil.copytree(passed.eval_dir, artifacts)
    for path in (artifacts / "meta_models").glob("analysis_sequences_*"):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match=r"a readable Parquet file .*analysis_sequences_"):
        make(Passed(passed.reference, artifacts), tmp_path / "d")
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [".lock", "manifest.json"]


# ---- gene files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gene_id\nTG01.1\nTG13.1\n", None),
        ("TG01.1\r\nTG13.1\r\n", None),
        ("\ufeffgene_id\r\nTG01.1\r\n\r\nTG13.1", None),
        ("TG01.1\nTG13.1\nSTART\nTG01.1\n", "genes named more than once: START, TG01.1"),
        ("symbol,gene_id\r\nx,TG01.1\r\ny,TG13.1\r\n", None),
        ("# two genes\n\n  tg01.1\nTG13.1  \n", None),
    ],
    ids=["header", "Windows", "mark-and-Windows", "duplicates", "table", "comment-and-case"],
)
def test_gene_files_of_all_kinds_are_understood(
    passed: Passed, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, said: str | None
) -> None:
    (tmp_path / "genes.txt").write_bytes(text.encode())
    with caplog.at_level("WARNING", logger="meta_spliceai"):
        make(passed, tmp_path / "d", gene_ids=None, gene_ids_file=tmp_path / "genes.txt")
    assert read_manifest(tmp_path / "d", "dataset", 1).parameters["gene_ids"] == ["TG01.1", "TG13.1"]
    assert [record.message for record in caplog.records if "named" in record.message] == ([said] if said else [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TG01.1\nSTRAT\nNOBODY\n", r"2 unknown: STRAT, NOBODY\nwhat to do: STRAT: did you mean START"),
        ("gene_id\n", "found: none"),
        ("", "found: none"),
        ("name,score\nTG01.1,3\n", r"a column gene_id in .*\nfound: name, score\nwhat to do: .* --gene-col"),
    ],
    ids=["unknown", "header-only", "empty", "other-column"],
)
def test_unusable_gene_files_are_refused_before_anything_is_written(
    passed: Passed, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "genes.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        make(passed, tmp_path / "d", gene_ids=None, gene_ids_file=tmp_path / "genes.txt")
    assert not (tmp_path / "d").exists()


# ---- disks -----------------------------------------------------------------------------------------------------------

FULL_DISK = """
import resource, sys
from pathlib import Path
from meta_spliceai.build.run import build
from meta_spliceai.errors import DiskFullError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    build(reference=Path(sys.argv[1]), eval_dir=Path(sys.argv[2]), output_dir=Path(sys.argv[3]),
          gene_ids=sys.argv[5:], batch_size=1, kmer_sizes=[2])
except DiskFullError as error:
    sys.exit(str(error))
"""


@pytest.mark.rows("B14", "B20")
@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_full_disk_is_explained_and_the_build_resumes(passed: Passed, whole: Path, tmp_path: Path) -> None:
    # the kernel refuses bytes beyond the limit, as a full disk would; in a process of its own, as the limit is global
    folder = tmp_path / "d"
    arguments = [passed.reference, passed.eval_dir, folder, 20_000, *GENES]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "expected: room to write" in done.stderr
    assert "it resumes" in done.stderr
    assert [path.name for path in folder.rglob("*") if path.suffix in (".parquet", ".tmp")] == []
    make(passed, folder)
    assert contents(folder) == contents(whole)


def test_a_disk_that_fills_up_in_the_end_is_explained(
    passed: Passed, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        if path.name.startswith(".README"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("meta_spliceai.store.atomic._sync", refuse)
        with pytest.raises(DiskFullError, match=r"room to write .*README\.md"):
            make(passed, tmp_path / "d")
    assert make(passed, tmp_path / "d").batches_made == 0
    assert contents(tmp_path / "d") == contents(whole)


def test_a_leaking_feature_stops_the_build_by_name(
    passed: Passed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "changed_by_moving_the_ends", lambda *_, **__: ["donor_max_up_501_5000"])
    with pytest.raises(LeakageError, match=r"1 changed when the ends of .* moved: donor_max_up_501_5000"):
        make(passed, tmp_path / "d")
    assert not read_manifest(tmp_path / "d", "dataset", 1).complete
