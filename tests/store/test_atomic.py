"""Nothing half-written is ever visible."""

from __future__ import annotations

import errno
import resource
import sys
from pathlib import Path

import pytest

from meta_spliceai.errors import DiskFullError, StoreError
from meta_spliceai.store import atomic


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.txt"
    atomic.write_text(path, "long old content\n")
    atomic.write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError, match="half way"), atomic.written_aside(path) as aside:
        aside.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_sorted_ends_with_a_newline_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, {"b": 1, "a": [None, "ä"]})
    assert path.read_bytes().endswith(b"}\n")
    assert list(atomic.read_json(path)) == ["a", "b"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(path, {"a": float("nan")})
    assert atomic.read_json(path) == {"a": [None, "ä"], "b": 1}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"JSON in .*a\.json"):
        atomic.read_json(path)


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a file .*a\.json"):
        atomic.read_json(tmp_path / "a.json")


def test_a_link_is_the_same_file_and_replaces_what_was_there(tmp_path: Path) -> None:
    source, link = tmp_path / "a", tmp_path / "below" / "b"
    source.write_text("content")
    link.parent.mkdir()
    link.write_text("stale")
    atomic.link_or_copy(source, link)
    assert link.samefile(source)


def test_where_links_are_impossible_the_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    source, copy = tmp_path / "a", tmp_path / "b"
    source.write_text("content")
    atomic.link_or_copy(source, copy)
    assert copy.read_text() == "content"
    assert not copy.samefile(source)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_full_disk_is_a_disk_full_error_and_leaves_nothing(tmp_path: Path) -> None:
    # The limit makes the kernel itself refuse the bytes (Python ignores the signal), as a full disk would.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DiskFullError, match=r"room to write .*big\.bin") as caught:
            atomic.write_bytes(tmp_path / "big.bin", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "refused more bytes" in caught.value.found
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(StoreError, match="permission and ability to write"):
        atomic.write_text(tmp_path / "folder" / "a.txt", "x")


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    keep = [tmp_path / name for name in ("a.tmp", ".hidden", "batch_00001_raw.tmp.parquet")]
    gone = [tmp_path / name for name in (".a.parquet.17.tmp", ".manifest.json.4.tmp")]
    for path in (*keep, *gone):
        path.touch()
    assert atomic.remove_leftovers(tmp_path) == gone
    assert sorted(tmp_path.iterdir()) == sorted(keep)


def test_log_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    atomic.append_line(path, {"n": 1})
    atomic.append_line(path, {"n": 2})
    assert path.read_text() == '{"n": 1}\n{"n": 2}\n'
