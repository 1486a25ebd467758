"""The prepared references of a data root, side by side, and which of them is in use."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.reference.data_root import DataRoot, find_data_root
from meta_spliceai.reference.load import FORMAT_VERSION, KIND, Reference, load
from meta_spliceai.store import atomic
from meta_spliceai.store.folder import MANIFEST, read_manifest

log = logging.getLogger(__name__)

CURRENT = "current_reference.json"
_DEEPEST = 2
"""References lie in the data root, or one folder below it: `ensembl`, `ensembl/GRCh38_112`."""


@dataclass(frozen=True, slots=True)
class ListedReference:
    """A prepared reference of the data root.

    Parameters
    ----------
    name
        Its folder relative to the data root.
    path
        Its folder.
    build
        Of its genome.
    genes
        How many it has; None while it is not finished.
    complete
        Whether its preparation is finished.
    in_use
        Whether `reference use` chose it.
    """

    name: str
    path: Path
    build: str
    genes: int | None
    complete: bool
    in_use: bool

    def summary(self) -> str:
        """What it is, and whether it is used where none is named."""
        return f"{self.path} ({self.build}){' is in use' if self.in_use else ''}"


@dataclass(frozen=True, slots=True)
class ReferenceList:
    """The references of a data root."""

    data_root: Path
    references: tuple[ListedReference, ...]

    def summary(self) -> str:
        """One line per reference."""
        if not self.references:
            return f"no references in {self.data_root}; `meta-spliceai reference prepare --out` makes one"
        width = max(len(reference.name) for reference in self.references)
        return "\n".join([f"references in {self.data_root}", *(_line(each, width) for each in self.references)])


@dataclass(frozen=True, slots=True)
class ReferenceAudit:
    """Which reference a command that is given none would use, and why.

    Parameters
    ----------
    root
        The data root and every place that could have named another.
    references
        What is in it.
    chosen
        The reference; None where there is none or no choice among several.
    reason
        Why that one, or why none.
    """

    root: DataRoot
    references: tuple[ListedReference, ...]
    chosen: Path | None
    reason: str

    def summary(self) -> str:
        """The order of places, what each says, and the outcome."""
        lines = ["The data root is the first of these that is said:"]
        for number, step in enumerate(self.root.steps, start=1):
            arrow = "->" if step.place == self.root.place else "  "
            lines.append(f"{arrow} {number}  {step.place}: {'not said' if step.found is None else step.found}")
        lines += ["", ReferenceList(self.root.path, self.references).summary(), ""]
        lines.append(f"reference: {self.chosen or 'none'} ({self.reason})")
        return "\n".join(lines)


def load_reference(path: Path | None = None) -> Reference:
    """Load the reference in a folder, or the one in use where none is named.

    Raises
    ------
    InputError
        None is named and none is in use.
    StoreError
        It is not finished, or damaged.
    """
    return load(resolve_reference() if path is None else path)


def list_references(*, data_root: Path | None = None) -> ReferenceList:
    """List the prepared references of the data root: builds and releases side by side.

    Parameters
    ----------
    data_root
        Folder that holds them; by default the one that `reference audit` explains.
    """
    root = find_data_root(data_root)
    return ReferenceList(root.path, references_in(root.path))


def audit_references(*, data_root: Path | None = None) -> ReferenceAudit:
    """Say where references are looked for, in which order, what each place says, and which reference results.

    Parameters
    ----------
    data_root
        Folder that holds references, as the other commands would be given it.
    """
    root = find_data_root(data_root)
    references = references_in(root.path)
    chosen, reason = _choice(root.path, references)
    return ReferenceAudit(root, references, chosen.path if chosen else None, reason)


def use_reference(name: str, *, data_root: Path | None = None) -> ListedReference:
    """Choose the reference of a data root that is used where none is named.

    Parameters
    ----------
    name
        As `reference list` shows it.
    data_root
        Folder that holds the references; by default the one that `reference audit` explains.

    Raises
    ------
    InputError
        There is no finished reference of this name.
    """
    root = find_data_root(data_root)
    references = references_in(root.path)
    named = [reference for reference in references if reference.name == name.strip("/") and reference.complete]
    if not named:
        raise InputError(
            expected=f"a finished reference in {root.path}",
            found=f"{name!r}; there are {first_few([each.name for each in references if each.complete]) or 'none'}",
            action="give one of these, or make it with `meta-spliceai reference prepare`",
        )
    atomic.write_json(root.path / CURRENT, {"reference": named[0].name})
    return next(reference for reference in references_in(root.path) if reference.in_use)


def resolve_reference(
    *, data_root: Path | None = None, project_root: Path | None = None, build: str | None = None
) -> Path:
    """The folder of the reference that is used where none is named.

    The one that `reference use` chose; else the only finished one, of `build` where that is given.

    Raises
    ------
    InputError
        There is none, or there are several and none is in use.
    """
    root = find_data_root(data_root, project_root=project_root)
    chosen, reason = _choice(root.path, references_in(root.path), build)
    if chosen is None:
        wanted = "a finished reference" if build is None else f"a finished reference of {build}"
        raise InputError(
            expected=f"{wanted} in {root.path} (from {root.place})",
            found=reason,
            action="choose with `meta-spliceai reference use`, make one with `meta-spliceai reference prepare`, or see "
            "`meta-spliceai reference audit`",
        )
    return chosen.path


def references_in(root: Path) -> tuple[ListedReference, ...]:
    """The references below a data root, by name; damaged folders are skipped with a warning."""
    current = _current(root)
    patterns = ("*/" * depth + MANIFEST for depth in range(1, _DEEPEST + 1))
    folders = sorted(path.parent for pattern in patterns for path in root.glob(pattern))
    listed = (_listed(folder, root, current) for folder in folders)
    return tuple(reference for reference in listed if reference is not None)


def _listed(folder: Path, root: Path, current: str | None) -> ListedReference | None:
    try:
        if atomic.read_json(folder / MANIFEST).get("kind") != KIND:
            return None  # artifacts, datasets and downloads have manifests too
        manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    except (StoreError, AttributeError) as error:
        log.warning("%s is left out: %s", folder, error)
        return None
    name = folder.relative_to(root).as_posix()
    return ListedReference(
        name=name,
        path=folder,
        build=str(manifest.parameters.get("build", "?")),
        genes=manifest.facts.get("genes"),
        complete=manifest.complete,
        in_use=name == current,
    )


def _current(root: Path) -> str | None:
    """The name that `reference use` left."""
    path = root / CURRENT
    if not path.exists():
        return None
    try:
        return str(atomic.read_json(path)["reference"])
    except (StoreError, KeyError, TypeError):
        log.warning("%s is damaged; choose again with `meta-spliceai reference use`", path)
        return None


def _choice(
    root: Path, references: Sequence[ListedReference], build: str | None = None
) -> tuple[ListedReference | None, str]:
    """The reference to use, and why; None where there is none, or no choice among several."""
    finished = {each.name: each for each in references if each.complete}
    current = _current(root)
    if current is not None and current not in finished:
        return None, f"{current}, chosen with `reference use`, is not there or not finished"
    fitting = [each for each in finished.values() if build is None or each.build == build]
    for reference in fitting:
        if reference.in_use:
            return reference, "chosen with `reference use`"
    if len(fitting) == 1:
        return fitting[0], "the only one"
    names = first_few([reference.name for reference in fitting])
    return None, f"none is in use among {names}" if fitting else "there is none"


def _line(reference: ListedReference, width: int) -> str:
    genes = f"{reference.genes:,} genes" if reference.complete and reference.genes is not None else "not finished"
    return f"{'*' if reference.in_use else ' '} {reference.name:<{width}}  {reference.build}  {genes}"
