"""Columns that a dataset got later, as side files aligned with its parts.

    patches/NAME/batch_00001.parquet     same rows and row groups as master/batch_00001.parquet

The manifest has a part `patch:NAME` for them, which says which columns they hold and the checksum of each file they are
aligned with. A column that the dataset has already is read from the patch instead; a new one comes after the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meta_spliceai.build.master import MASTER
from meta_spliceai.errors import PlanMismatchError, first_few
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.describe import column_from_json
from meta_spliceai.schema.tables import dataset_table_of
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Manifest, PartEntry

PATCHES = "patches"
PATCH_PART = "patch:"
ADDED_COLUMNS = "added_columns"
"""Parameter of a dataset's manifest: columns its files hold beyond those that a build writes, as JSON."""
ABSENT_COLUMNS = "absent_columns"
"""Parameter of a dataset's manifest: names of columns that its files lack."""
MERGED_UNITS = "merged_units"
"""Parameter of a dataset's manifest: whether the rows that several genes had of one base were merged into one."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Columns added later.

    Parameters
    ----------
    name, kind
        Its name, and what made it: structural, gene_type or columns.
    columns
        What its side files hold, in order.
    aligned
        SHA-256 of each file of the dataset it is aligned with, by that file's name.
    order
        Patches apply in ascending order; the last one that holds a column counts.
    """

    name: str
    kind: str
    columns: tuple[Column, ...]
    aligned: Mapping[str, str]
    order: int

    @property
    def table(self) -> Table:
        """The table of its side files."""
        return Table("dataset_patch", 1, "columns of a dataset that were added later, row by row", self.columns)

    def side_file(self, part_file: str) -> str:
        """The side file of `master/batch_00001.parquet`, relative to the dataset folder."""
        return f"{PATCHES}/{self.name}/{Path(part_file).name}"


def stored_table(manifest: Manifest) -> Table:
    """The columns that the files in `master` hold."""
    built = dataset_table_of(manifest.parameters)
    absent = set(manifest.parameters.get(ABSENT_COLUMNS, ()))
    added = tuple(column_from_json(content) for content in manifest.parameters.get(ADDED_COLUMNS, ()))
    return Table(built.name, built.version, built.meaning, (*(c for c in built if c.name not in absent), *added))


def patched_table(table: Table, patches: Iterable[Patch]) -> Table:
    """The columns that readers see."""
    columns = {column.name: column for column in table}
    for patch in patches:
        columns |= {column.name: column for column in patch.columns}
    return Table(table.name, table.version, table.meaning, tuple(columns.values()))


def master_checksums(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of every file in `master`, by name."""
    return {file.name: file.sha256 for file in manifest.files() if file.name.startswith(f"{MASTER}/")}


def listed_patches(manifest: Manifest) -> tuple[Patch, ...]:
    """The patches that a manifest names, in the order in which they apply, whether or not they still fit."""
    found = (
        _patch(name.removeprefix(PATCH_PART), entry)
        for name, entry in manifest.parts.items()
        if name.startswith(PATCH_PART)
    )
    return tuple(sorted(found, key=lambda patch: patch.order))


def patches_of(manifest: Manifest, folder: Path) -> tuple[Patch, ...]:
    """The patches of a dataset, in the order in which they apply.

    Raises
    ------
    PlanMismatchError
        The dataset's files changed after a patch was made; the patch is named.
    """
    found, held = listed_patches(manifest), master_checksums(manifest)
    for patch in found:
        changed = sorted(name for name in {*held, *patch.aligned} if held.get(name) != patch.aligned.get(name))
        if changed:
            raise PlanMismatchError(
                expected=f"patch {patch.name} of {folder} to be aligned with the dataset's files",
                found=f"these changed after it was made: {first_few(changed)}",
                action=f"remove it with `meta-spliceai dataset patch {folder} --rollback {patch.name}`, then patch again",
            )
    return found


def _patch(name: str, entry: PartEntry) -> Patch:
    facts: Mapping[str, Any] = entry.facts
    columns = tuple(column_from_json(content) for content in facts["columns"])
    return Patch(name, facts["kind"], columns, facts["aligned"], facts["order"])


def patch_identity(patch: Patch) -> str:
    """Fingerprint of a patch's part: what it holds and what it is aligned with."""
    return fingerprint([patch.kind, [column.name for column in patch.columns], dict(patch.aligned)])
