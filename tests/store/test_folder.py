"""plan -> part -> finalise."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.errors import BusyError, PlanMismatchError, StoreError
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.store.atomic import write_text
from meta_spliceai.store.folder import Folder, PartEntry, describe_file, file_is_whole, read_manifest
from meta_spliceai.store.tables import write_parquet

TABLE = Table("numbers", 1, "numbers", (Column("n", pl.Int64, "key", "gene", "a number"),))


def opened(path: Path, **options: Any) -> Any:
    defaults: dict[str, Any] = {"kind": "toy", "format_version": 1, "parameters": {"k": 3}, "inputs": {"genome": "abc"}}
    return Folder.opened(path, **{**defaults, **options})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make_part(folder: Folder, name: str, rows: int = 3, identity: str = "id") -> None:
    write_parquet(pl.DataFrame({"n": range(rows)}, schema={"n": pl.Int64}), folder.path / f"{name}.parquet", TABLE)
    folder.record(name, PartEntry(identity, (describe_file(folder.path, f"{name}.parquet", rows),), {"rows": rows}))


def test_a_finished_folder_reads_back_as_it_was_made(tmp_path: Path) -> None:
    with opened(tmp_path / "f") as folder:
        make_part(folder, "a")
        make_part(folder, "b", rows=5)
        folder.finalise({"a": "id", "b": "id"}, {"rows": 8})
    manifest = read_manifest(tmp_path / "f", "toy", 1)
    assert manifest.complete
    assert manifest.facts == {"rows": 8}
    assert manifest.parameters == {"k": 3}
    assert [(file.name, file.rows) for file in manifest.files()] == [("a.parquet", 3), ("b.parquet", 5)]
    assert manifest.software["polars"] == pl.__version__


def test_the_manifest_is_the_same_whatever_order_parts_finish_in(tmp_path: Path) -> None:
    for path, order in ((tmp_path / "one", "ab"), (tmp_path / "other", "ba")):
        with opened(path) as folder:
            for name in order:
                make_part(folder, name)
    assert (tmp_path / "one/manifest.json").read_bytes() == (tmp_path / "other/manifest.json").read_bytes()


def test_a_part_is_done_only_with_its_entry_its_fingerprint_and_its_files(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        assert not folder.is_done("a", "id")
        make_part(folder, "a")
        assert folder.is_done("a", "id")
        assert not folder.is_done("a", "another plan")
        (tmp_path / "a.parquet").unlink()
        assert not folder.is_done("a", "id")


def test_a_file_without_an_entry_does_not_count(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        write_parquet(TABLE.empty(), tmp_path / "a.parquet", TABLE)
        assert not folder.is_done("a", "id")


def test_truncated_and_edited_files_are_noticed(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        make_part(folder, "a")
        path, entry = tmp_path / "a.parquet", folder.manifest.parts["a"].files[0]
        content = path.read_bytes()
        path.write_bytes(content[:-10])
        assert not file_is_whole(tmp_path, entry)
        path.write_bytes(content[:-8] + b"\0" * 8)
        assert not file_is_whole(tmp_path, entry)
        path.write_bytes(content[:4] + b"\xff" + content[5:])
        assert file_is_whole(tmp_path, entry), "the size and footer agree"
        assert not file_is_whole(tmp_path, entry, verify=True)
        path.write_bytes(content)
        assert file_is_whole(tmp_path, entry, verify=True)


def test_finalising_names_what_is_missing(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        make_part(folder, "a")
        with pytest.raises(StoreError, match=r"all 3 parts of .*\nfound: 2 missing: b, c\n"):
            folder.finalise({"a": "id", "b": "id", "c": "id"}, {})
        assert not read_manifest(tmp_path, "toy", 1).complete


def test_a_part_made_again_makes_the_folder_incomplete(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        make_part(folder, "a")
        folder.finalise({"a": "id"}, {})
        make_part(folder, "a", rows=4)
    assert not read_manifest(tmp_path, "toy", 1).complete


def test_dropping_a_part_deletes_its_files_but_not_shared_ones(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        make_part(folder, "a")
        make_part(folder, "b")
        shared = describe_file(tmp_path, "b.parquet", 3)
        folder.record("a", PartEntry("id", (*folder.manifest.parts["a"].files, shared)))
        folder.drop(["a", "never made"])
        assert not (tmp_path / "a.parquet").exists()
        assert folder.is_done("b", "id")
    assert list(read_manifest(tmp_path, "toy", 1).parts) == ["b"]


def test_other_parameters_or_inputs_are_refused_with_every_difference(tmp_path: Path) -> None:
    with opened(tmp_path, parameters={"k": 3, "genes": list("abcdef"), "old": 1}) as folder:
        make_part(folder, "a")
    before = (tmp_path / "manifest.json").read_bytes()
    with (
        pytest.raises(PlanMismatchError) as caught,
        opened(tmp_path, parameters={"k": 5, "genes": list("bcdefgh")}, inputs={"genome": "xyz"}),
    ):
        pass
    assert caught.value.found == (
        "parameter genes: on disk 6 items, now 7, only on disk a, only now g, h; parameter k: on disk 3, now 5; "
        "parameter old: on disk 1, now None; input genome: on disk abc, now xyz"
    )
    assert "--overwrite" in caught.value.action
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert (tmp_path / "a.parquet").exists()


def test_overwriting_deletes_only_what_the_manifest_names(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        make_part(folder, "a")
        make_part(folder, "b")
    (tmp_path / "notes.txt").write_text("mine")
    with opened(tmp_path, parameters={"k": 5}, overwrite=True, kept_on_overwrite=["b"]) as folder:
        assert list(folder.manifest.parts) == ["b"]
        assert folder.manifest.parameters == {"k": 5}
    assert not (tmp_path / "a.parquet").exists()
    assert (tmp_path / "b.parquet").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(StoreError, match=r"no manifest\.json, but thesis\.docx"), opened(tmp_path):
        pass
    assert names_in(tmp_path) == [".lock", "thesis.docx"]


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(BusyError, match="the only process writing to"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".manifest.json.123.tmp").write_text("{")
    with opened(tmp_path):
        pass
    assert names_in(tmp_path) == [".lock", "manifest.json"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("in the way")
    with pytest.raises(StoreError, match="permission and ability to write"), opened(tmp_path / "f"):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other toy"}, "found: a other toy"),
        ({"format_version": 2}, "found: version 2"),
        ({"parts": [1]}, "it lacks or garbles"),
        ({"parts": {"a": {"files": []}}}, "it lacks or garbles 'fingerprint'"),
    ],
)
def test_a_foreign_or_damaged_manifest_is_explained(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with opened(tmp_path):
        pass
    path = tmp_path / "manifest.json"
    write_text(path, json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StoreError, match=message):
        read_manifest(tmp_path, "toy", 1)


def test_reading_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="found: the folder does not exist"):
        read_manifest(tmp_path / "nowhere", "toy", 1)
    with pytest.raises(StoreError, match="found: no such file"):
        read_manifest(tmp_path, "toy", 1)


def test_the_run_log_takes_what_varies(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.log("built", workers=2)
    record = json.loads((tmp_path / "run_log.jsonl").read_text())
    assert record.keys() == {"time", "event", "workers"}


def test_parameters_have_the_same_order_before_and_after_a_stop(tmp_path: Path) -> None:
    parameters = {"z": 1, "a": {"y": [{"d": 1, "c": 2}], "b": (3, 4)}}
    with opened(tmp_path, parameters=parameters) as folder:
        first = str(folder.manifest.parameters)
    with opened(tmp_path, parameters=parameters) as folder:
        assert str(folder.manifest.parameters) == first
        folder.amend(dataclasses.replace(folder.manifest, parameters=parameters))
        assert str(folder.manifest.parameters) == first


def test_a_folder_may_say_that_others_made_its_content(tmp_path: Path) -> None:
    with opened(tmp_path, software={"polars": "0.1, 0.2"}) as folder:
        assert folder.manifest.software == {"polars": "0.1, 0.2"}
