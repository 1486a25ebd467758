"""A folder that is made in parts: `manifest.json`, a lock, and plan -> part -> finalise.

`manifest.json` holds what the folder was made from (format version, parameters, fingerprints of the inputs, software
versions) and one entry per finished part (its fingerprint, and name, size, rows and SHA-256 of its files). A part's
entry is written after its files, so the manifest is the only witness of what is done: files without an entry are
ignored and made again. What varies from run to run (time, host, workers) goes to `run_log.jsonl`, on which nothing
depends.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import pyarrow.parquet as pq

from meta_spliceai.errors import BusyError, PlanMismatchError, StoreError, first_few
from meta_spliceai.store import atomic
from meta_spliceai.store.fingerprint import file_sha256, plain
from meta_spliceai.store.staged import finish_replacement, is_half_replaced, staging_area

MANIFEST = "manifest.json"
RUN_LOG = "run_log.jsonl"
_LOCK = ".lock"
_SOFTWARE = (
    *("meta-spliceai", "numpy", "polars", "pyarrow", "openvino"),
    *("xgboost-cpu", "xgboost", "lightgbm", "catboost", "scikit-learn"),
)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One finished file: its name relative to the folder, bytes, rows (None for files without rows) and SHA-256."""

    name: str
    bytes: int
    rows: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class PartEntry:
    """One finished part: the fingerprint of its plan, its files, and facts about it that later steps need."""

    fingerprint: str
    files: tuple[FileEntry, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `manifest.json`."""

    kind: str
    format_version: int
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    software: Mapping[str, str]
    parts: Mapping[str, PartEntry]
    complete: bool
    facts: Mapping[str, Any]

    def files(self) -> Iterator[FileEntry]:
        """Every file of every finished part, by part name."""
        for name in sorted(self.parts):
            yield from self.parts[name].files


def software_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that results depend on."""
    versions = {"python": platform.python_version()}
    for package in _SOFTWARE:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def describe_file(folder: Path, name: str, rows: int | None = None) -> FileEntry:
    """The entry of a file that was just written below `folder`."""
    path = folder / name
    return FileEntry(name, path.stat().st_size, rows, file_sha256(path))


def read_manifest(folder: Path, kind: str, format_version: int) -> Manifest:
    """Read and check a folder's manifest.

    Raises
    ------
    StoreError
        No manifest, a damaged one, one of another kind of folder, or one of another format version.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise StoreError(
            expected=f"a {kind} folder with {MANIFEST} at {folder}",
            found="no such file" if folder.exists() else "the folder does not exist",
            action=f"check the path, or make the {kind} first",
        )
    if is_half_replaced(folder):
        raise StoreError(
            expected=f"a {kind} at {folder}, old or new",
            found="its content was being replaced in place when that was interrupted",
            action="run the same command again: the new files are complete, and it puts them in place first",
        )
    raw = atomic.read_json(path)
    try:
        found_kind, found_version = raw["kind"], raw["format_version"]
        if found_kind != kind:
            raise StoreError(f"a {kind} at {folder}", f"a {found_kind}", f"give the path of a {kind}")
        if found_version != format_version:
            raise StoreError(
                expected=f"format version {format_version} of a {kind} at {folder}",
                found=f"version {found_version}",
                action=_other_version(kind, folder, found_version, format_version),
            )
        parts = {
            name: PartEntry(
                entry["fingerprint"], tuple(FileEntry(**file) for file in entry["files"]), entry.get("facts", {})
            )
            for name, entry in raw["parts"].items()
        }
        return Manifest(
            kind=kind,
            format_version=format_version,
            parameters=raw["parameters"],
            inputs=raw["inputs"],
            software=raw["software"],
            parts=parts,
            complete=raw["complete"],
            facts=raw.get("facts", {}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            expected=f"a complete {path}",
            found=f"it lacks or garbles {error}",
            action="the file was changed by something else: restore it, or remove the folder and run the command again",
        ) from error


def _other_version(kind: str, folder: Path, found: Any, wanted: int) -> str:
    if isinstance(found, int) and found > wanted:
        return "it was made by a newer version of meta-spliceai: use that version, or a newer one"
    if kind == "dataset":
        return f"run `meta-spliceai dataset migrate {folder} --dst NEW_FOLDER`"
    return "make it again with this version of meta-spliceai, or use the version that made it"


class Folder:
    """A folder being made. Hold its lock (`with Folder.opened(...)`) for as long as it is written to."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands on disk."""
        return self._manifest

    @classmethod
    @contextmanager
    def opened(
        cls,
        path: Path,
        *,
        kind: str,
        format_version: int,
        parameters: Mapping[str, Any],
        inputs: Mapping[str, str],
        software: Mapping[str, str] | None = None,
        overwrite: bool = False,
        kept_on_overwrite: Collection[str] = (),
    ) -> Iterator[Folder]:
        """Make or resume a folder while holding its lock.

        Parameters
        ----------
        parameters
            Everything that decides what is written, as plain values.
        inputs
            Content fingerprints by input name.
        software
            Versions that the content was made with; default: those installed here.
        overwrite
            Start anew where the folder was made with other parameters or inputs; only files that the old manifest
            names are deleted.
        kept_on_overwrite
            Names of parts that the changed parameters do not touch; they stay.

        Raises
        ------
        PlanMismatchError
            The folder was made with other parameters or inputs; the message lists the differences.
        BusyError
            Another process holds the lock.
        """
        with atomic.disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        with locked(path):
            finish_replacement(path)
            atomic.remove_leftovers(path)
            versions = software_versions() if software is None else dict(software)
            wanted = _as_on_disk(parameters)
            fresh = Manifest(kind, format_version, wanted, dict(inputs), versions, {}, False, {})
            if (path / MANIFEST).exists():
                folder = cls(path, read_manifest(path, kind, format_version))
                found = differences(folder.manifest, fresh.parameters, fresh.inputs)
                if found and not overwrite:
                    raise PlanMismatchError(
                        expected=f"{path} to hold a {kind} made with the same parameters and inputs",
                        found="; ".join(found),
                        action="choose another folder, repeat the earlier options to resume, or add --overwrite to start anew",
                    )
                if overwrite:
                    folder._start_anew(fresh, kept_on_overwrite)
                yield folder
            else:
                _refuse_foreign_files(path, kind)
                folder = cls(path, fresh)
                folder._write()
                yield folder

    @classmethod
    @contextmanager
    def existing(cls, path: Path, *, kind: str, format_version: int) -> Iterator[Folder]:
        """Open a folder to change it, whatever it was made from, while holding its lock.

        Raises
        ------
        StoreError
            As `read_manifest`.
        BusyError
            Another process holds the lock.
        """
        if not (path / MANIFEST).exists():
            read_manifest(path, kind, format_version)  # says what is missing; no lock is left in a stranger's folder
        with locked(path):
            finish_replacement(path)
            atomic.remove_leftovers(path)
            yield cls(path, read_manifest(path, kind, format_version))

    def is_done(self, name: str, fingerprint: str, *, verify: bool = False) -> bool:
        """Whether part `name` is finished: entry, fingerprint, and each file's size and footer (or checksum) agree."""
        entry = self._manifest.parts.get(name)
        if entry is None or entry.fingerprint != fingerprint:
            return False
        return all(file_is_whole(self.path, file, verify=verify) for file in entry.files)

    def record(self, name: str, entry: PartEntry) -> None:
        """Write the entry of a finished part; its files must be complete before."""
        parts = {**self._manifest.parts, name: entry}
        self._manifest = dataclasses.replace(self._manifest, parts=parts, complete=False)
        self._write()

    def drop(self, names: Iterable[str]) -> None:
        """Forget parts and then delete their files."""
        gone = [name for name in names if name in self._manifest.parts]
        if not gone:
            return
        files = [file.name for name in gone for file in self._manifest.parts[name].files]
        parts = {name: entry for name, entry in self._manifest.parts.items() if name not in gone}
        self._manifest = dataclasses.replace(self._manifest, parts=parts, complete=False)
        self._write()
        kept = {file.name for file in self._manifest.files()}
        for name in files:
            if name not in kept:
                atomic.remove(self.path / name)

    def finalise(self, planned: Mapping[str, str], facts: Mapping[str, Any]) -> None:
        """Mark the folder complete.

        Parameters
        ----------
        planned
            Fingerprint by part name; every one must be done.
        facts
            What the folder as a whole says about itself.

        Raises
        ------
        StoreError
            Names the parts that are missing.
        """
        missing = [name for name, identity in planned.items() if not self.is_done(name, identity)]
        if missing:
            raise StoreError(
                expected=f"all {len(planned)} parts of {self.path}",
                found=f"{len(missing)} missing: {first_few(missing)}",
                action="run the same command again; finished parts are kept",
            )
        self._manifest = dataclasses.replace(self._manifest, complete=True, facts=plain(dict(facts)))
        self._write()

    def stage(self, manifest: Manifest) -> None:
        """Put the manifest of the content that is to be replaced, or added to, into the staging area.

        The staging area then holds this and the files that are new or other than before.
        """
        atomic.write_json(staging_area(self.path) / MANIFEST, plain(manifest))

    def amend(self, manifest: Manifest) -> None:
        """Write another manifest in one step, then delete the files that only the old one names."""
        old = [file.name for file in self._manifest.files()]
        self._manifest = dataclasses.replace(manifest, parameters=_as_on_disk(manifest.parameters))
        self._write()
        staying = {file.name for file in manifest.files()}
        for name in old:
            if name not in staying:
                atomic.remove(self.path / name)

    def log(self, event: str, **facts: Any) -> None:
        """Append what varies from run to run to the run log."""
        atomic.append_line(
            self.path / RUN_LOG, {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **plain(facts)}
        )

    def _write(self) -> None:
        atomic.write_json(self.path / MANIFEST, plain(self._manifest))

    def _start_anew(self, fresh: Manifest, kept: Collection[str]) -> None:
        parts = {name: entry for name, entry in self._manifest.parts.items() if name in kept}
        self.amend(dataclasses.replace(fresh, parts=parts))


def file_is_whole(folder: Path, file: FileEntry, *, verify: bool = False) -> bool:
    """Whether a file has the recorded size and, for Parquet, a readable footer with the recorded rows.

    With `verify`, the SHA-256 of the content is compared instead of the footer.
    """
    path = folder / file.name
    try:
        if path.stat().st_size != file.bytes:
            return False
        if verify:
            return file_sha256(path) == file.sha256
        return path.suffix != ".parquet" or pq.read_metadata(path).num_rows == file.rows
    except Exception:  # any failure to open a part means the part is not whole; it is then made again
        return False


@contextmanager
def locked(path: Path, name: str = _LOCK) -> Iterator[None]:
    """Hold the lock file `name` in a folder; `BusyError` where another process holds it."""
    lock = filelock.FileLock(path / name)
    with atomic.disk_errors(path):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:  # an OSError too, so it is caught before the file system's own
            raise BusyError(
                expected=f"to be the only process writing to {path}",
                found="another process holds its lock",
                action="wait for it to end, or choose another folder",
            ) from error
    try:
        yield
    finally:
        lock.release()


def _as_on_disk(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the manifest gives them when it is read again: what is made of them is then the same after a stop."""
    written: dict[str, Any] = json.loads(json.dumps(plain(dict(parameters)), sort_keys=True))
    return written


def differences(
    held: Manifest,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    *,
    words: tuple[str, str] = ("on disk", "now"),
) -> list[str]:
    """Every parameter and input that is another one than a manifest has, as `parameter window: on disk 75, now 50`.

    Parameters
    ----------
    parameters, inputs
        What is compared with it, as plain values.
    words
        How the manifest's values and the other ones are called.
    """
    rows = []
    for title, ours, theirs in (("parameter", held.parameters, parameters), ("input", held.inputs, inputs)):
        rows += [f"{title} {place}: {_change(a, b, words)}" for place, a, b in _changes("", ours, theirs)]
    return rows


def _changes(place: str, held: Any, wanted: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every place where two values differ, with both; parameters inside parameters are `outer.inner`."""
    if held == wanted:
        return
    if isinstance(held, Mapping) and isinstance(wanted, Mapping):
        for key in sorted({*held, *wanted}):
            yield from _changes(f"{place}.{key}" if place else key, held.get(key), wanted.get(key))
    else:
        yield place, held, wanted


def _change(held: Any, wanted: Any, words: tuple[str, str]) -> str:
    ours, theirs = words
    if isinstance(held, list) and isinstance(wanted, list) and max(len(held), len(wanted)) > 5:
        gone, new = sorted({*map(str, held)} - {*map(str, wanted)}), sorted({*map(str, wanted)} - {*map(str, held)})
        parts = [f"{ours} {len(held)} items, {theirs} {len(wanted)}"]
        parts += [f"only {ours} {first_few(gone)}"] if gone else []
        parts += [f"only {theirs} {first_few(new)}"] if new else []
        return ", ".join(parts)
    return f"{ours} {_short(held)}, {theirs} {_short(wanted)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_foreign_files(path: Path, kind: str) -> None:
    foreign = sorted(item.name for item in path.iterdir() if item.name != _LOCK)
    if foreign:
        raise StoreError(
            expected=f"an empty or new folder, or one that holds a {kind}, at {path}",
            found=f"no {MANIFEST}, but {first_few(foreign)}",
            action="choose another folder, or move those files away",
        )
