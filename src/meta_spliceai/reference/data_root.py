"""Where references are kept: one order of places to look, for every command and for Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DATA_VARIABLE = "META_SPLICEAI_DATA"
ROOT_VARIABLE = "META_SPLICEAI_ROOT"
DATA = "data"
_PROJECT_MARKS = (".git", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Step:
    """One place where the data root may be said.

    Parameters
    ----------
    place
        Who says it.
    found
        The folder it names; None where it says nothing.
    """

    place: str
    found: Path | None


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder that holds references.

    Parameters
    ----------
    path
        The folder; it need not exist yet.
    place
        Who said so.
    steps
        Every place in the order in which they count, the first that says something decides.
    """

    path: Path
    place: str
    steps: tuple[Step, ...]


def find_data_root(given: Path | None = None, *, project_root: Path | None = None) -> DataRoot:
    """Find the data root.

    In this order: what is given, META_SPLICEAI_DATA, `data` in the project root that is given, `data` in
    META_SPLICEAI_ROOT, `data` in the nearest folder upwards that has one and is a project (has `.git` or
    `pyproject.toml`), `data` in the current folder.
    """
    steps = (
        Step("--data-root", given),
        Step(DATA_VARIABLE, _from_environment(DATA_VARIABLE)),
        Step("the project root that was given", None if project_root is None else project_root / DATA),
        Step(ROOT_VARIABLE, _below(_from_environment(ROOT_VARIABLE))),
        Step("the project around the current folder", _below(_project_around(Path.cwd()))),
        Step("the current folder", Path.cwd() / DATA),
    )
    path, place = next((step.found, step.place) for step in steps if step.found is not None)
    return DataRoot(path, place, steps)


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None


def _below(folder: Path | None) -> Path | None:
    return None if folder is None else folder / DATA


def _project_around(folder: Path) -> Path | None:
    """The nearest folder, this one or above, that is a project and has a folder `data`."""
    for candidate in (folder, *folder.parents):
        if (candidate / DATA).is_dir() and any((candidate / mark).exists() for mark in _PROJECT_MARKS):
            return candidate
    return None
