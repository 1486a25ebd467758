"""Replacing what a folder holds: whole or not at all, and never a stranger's file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from meta_spliceai.errors import StoreError
from meta_spliceai.store.folder import FileEntry, Folder, PartEntry, describe_file, read_manifest
from meta_spliceai.store.staged import replace_content, staging_area


def made(path: Path) -> Path:
    with Folder.opened(path, kind="toy", format_version=1, parameters={}, inputs={}) as folder:
        (path / "sub").mkdir()
        for name in ("a.txt", "sub/b.txt"):
            (path / name).write_text("old")
        files = tuple(describe_file(path, name) for name in ("a.txt", "sub/b.txt"))
        folder.record("one", PartEntry("x", files))
    (path / "mine.txt").write_text("mine")
    return path


def stage(folder: Folder) -> None:
    """New content: a.txt changed, sub/b.txt gone, c.txt new."""
    area = staging_area(folder.path)
    area.mkdir()
    entries: list[FileEntry] = []
    for name in ("a.txt", "c.txt"):
        (area / name).write_text("new")
        entries.append(describe_file(area, name))
    folder.stage(dataclasses.replace(folder.manifest, parts={"one": PartEntry("y", tuple(entries))}))


def content(path: Path) -> dict[str, str]:
    names = (item for item in path.rglob("*") if item.is_file() and item.name not in (".lock", "manifest.json"))
    return {item.relative_to(path).as_posix(): item.read_text() for item in names}


def test_new_content_takes_the_place_of_the_old_and_other_files_stay(tmp_path: Path) -> None:
    path = made(tmp_path / "f")
    with Folder.existing(path, kind="toy", format_version=1) as folder:
        stage(folder)
        assert content(path)["a.txt"] == "old"
        replace_content(path)
    assert content(path) == {"a.txt": "new", "c.txt": "new", "mine.txt": "mine"}
    assert not (path / "sub").exists()
    assert read_manifest(path, "toy", 1).parts["one"].fingerprint == "y"


@pytest.mark.parametrize("moment", range(4))
def test_stopped_at_any_step_it_is_finished_by_whoever_opens_the_folder_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    path = made(tmp_path / "f")
    left = [moment]
    replace, rename = Path.replace, Path.rename

    def counted(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return (rename if target.name == ".staged" else replace)(self, target)

    with Folder.existing(path, kind="toy", format_version=1) as folder:
        stage(folder)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", counted)
            patch.setattr(Path, "rename", counted)
            with pytest.raises(KeyboardInterrupt):
                replace_content(path)
    if moment == 0:  # nothing was decided yet
        assert content(path)["a.txt"] == "old"
        assert read_manifest(path, "toy", 1).parts["one"].fingerprint == "x"
        return
    with pytest.raises(StoreError, match="run the same command again"):
        read_manifest(path, "toy", 1)
    with Folder.opened(path, kind="toy", format_version=1, parameters={}, inputs={}) as folder:
        assert folder.manifest.parts["one"].fingerprint == "y"
    assert content(path) == {"a.txt": "new", "c.txt": "new", "mine.txt": "mine"}


def test_a_folder_that_is_none_gets_no_lock(tmp_path: Path) -> None:
    with pytest.raises(StoreError), Folder.existing(tmp_path, kind="toy", format_version=1):
        pass
    assert list(tmp_path.iterdir()) == []
