"""`dataset patch`: columns added to a dataset, or put right in it, without rewriting it.

    patches/NAME/batch_00001.parquet     the columns of the patch, row by row beside master/batch_00001.parquet

Readers see one table. `--inplace` makes one physical table of it again, `--rollback NAME` forgets a patch. Each of these
happens whole or not at all.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from meta_spliceai.build.finish import DOCUMENTS
from meta_spliceai.build.patches import (
    PATCH_PART,
    Patch,
    listed_patches,
    master_checksums,
    patch_identity,
    patched_table,
    stored_table,
)
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.maintain.patch_columns import (
    KEYS,
    ColumnSource,
    GeneTypes,
    PatchOrigin,
    PatchRole,
    StructuralColumns,
    types_of_file,
    types_of_reference,
    user_table,
)
from meta_spliceai.maintain.rewrite import (
    Rewrite,
    destination,
    locked_as_opened,
    open_to_change,
    row_counts,
    write_rewrite,
)
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.describe import as_json, column_as_json
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.folder import Folder, Manifest, PartEntry, describe_file
from meta_spliceai.store.staged import replace_content, staging_area
from meta_spliceai.store.tables import write_row_groups
from meta_spliceai.train.matrix import DatasetFolder, row_groups

log = logging.getLogger(__name__)

PatchKind = Literal["structural", "gene_type", "columns"]

DEFAULT_REFERENCE = Path("data/ensembl")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class PatchResult:
    """What was done.

    Parameters
    ----------
    path
        The dataset.
    action
        One word: patched, folded (one physical table again), rolled back, or unchanged.
    name
        The patch, or the patches that were folded in.
    changed
        Values that are other than before, by column; for a new column, values that are not null.
    rows
        Rows of the dataset.
    patches
        The patches that are side files now, in the order in which they apply.
    """

    path: Path
    action: str
    name: str
    changed: dict[str, int]
    rows: int
    patches: tuple[str, ...]

    def summary(self) -> str:
        """What a person wants to know."""
        lines = [f"{self.path}: {self.action}{f' ({self.name})' if self.name else ''}, {self.rows:,} rows"]
        width = max((len(name) for name in self.changed), default=0)
        lines += [f"  {name:<{width}}  {count:>12,} values changed" for name, count in self.changed.items()]
        if self.action == "unchanged":
            lines.append("  every value was right already: nothing was written")
        if self.patches:
            lines.append(
                f"  side files: {', '.join(self.patches)} (--rollback NAME forgets one, --inplace folds them in)"
            )
        return "\n".join(lines)


def patch(
    dataset: Path,
    *,
    kind: PatchKind | None = None,
    reference: Path | None = None,
    gene_features: Path | None = None,
    table: Path | None = None,
    columns: Sequence[str] | None = None,
    role: PatchRole = "feature",
    origin: PatchOrigin = "external",
    name: str | None = None,
    inplace: bool = False,
    rollback: str | None = None,
) -> PatchResult:
    """Add columns to a dataset, or put some right, without rewriting it; it never asks anything.

    Parameters
    ----------
    dataset
        The dataset folder, or its master folder.
    kind
        `structural`: lengths, exons, overlaps and splice sites of the genes, from the reference. `gene_type`: gene types,
        from the reference or --gene-features. `columns`: columns of --table. Leave it out to fold or roll back.
    reference
        Folder made by `reference prepare`; default: data/ensembl.
    gene_features
        A table with gene_id and gene_type (TSV, CSV or Parquet), in place of the reference, for `gene_type`.
    table
        For `columns`: a TSV, CSV or Parquet table with gene_id, or with chrom, position (1-based) and strand.
    columns
        Columns of that table; default: all but the keys.
    role
        `feature`, or `text` for columns that no model may use.
    origin
        Where their information comes from: `external` measurements, the `gene`, or the `annotation`.
    name
        Name of the patch; default: its kind, or the name of the table.
    inplace
        Make one physical table of the dataset and all of its patches, the new one among them. The old files stay until the
        new ones are complete.
    rollback
        Forget the patch of this name.

    Raises
    ------
    InputError
        Options that do not go together, a table or reference that does not fit.
    PlanMismatchError
        The dataset's files changed after an earlier patch; it is named.
    """
    _check_options(kind, rollback, inplace=inplace, table=table)
    if rollback is not None:
        return _roll_back(dataset, rollback)
    opened = open_to_change(dataset)
    changed: dict[str, int] = {}
    if kind is not None:
        name = name or (table.name.split(".")[0] if table is not None else kind)
        _check_name(name, opened)
        source = _source(kind, opened, reference, gene_features, table, columns, role, origin)
        changed = _changed_values(opened, source)
        if changed:
            _add(opened, name, kind, [column for column in source.columns if column.name in changed], source)
            opened = open_to_change(opened.path)
    if inplace and opened.patches:
        _fold(opened)
        name = ", ".join(held.name for held in opened.patches)
        opened = open_to_change(opened.path)
        action = "folded"
    else:
        action = "patched" if changed else "unchanged"
    rows = sum(file.rows or 0 for file in opened.manifest.files() if file.name in master_checksums(opened.manifest))
    return PatchResult(opened.path, action, name or "", changed, rows, tuple(p.name for p in opened.patches))


def _check_options(kind: PatchKind | None, rollback: str | None, *, inplace: bool, table: Path | None) -> None:
    if kind is not None and kind not in get_args(PatchKind):
        raise InputError(f"--kind of {', '.join(get_args(PatchKind))}", f"{kind}", "choose one of these")
    if kind is None and rollback is None and not inplace:
        raise InputError(
            expected="--kind, --rollback NAME or --inplace",
            found="none of them",
            action="say what to add (--kind structural, gene_type or columns), or what to do with the patches there are",
        )
    if rollback is not None and (kind is not None or inplace):
        raise InputError("--rollback alone", "other options as well", "roll back first, then patch")
    if (kind == "columns") != (table is not None):
        raise InputError(
            expected="--kind columns together with --table FILE",
            found="only one of them",
            action="give both, or leave both out",
        )


def _check_name(name: str, dataset: DatasetFolder) -> None:
    if not _NAME.fullmatch(name):
        raise InputError("--name of letters, digits, dots, - and _", name, "choose another name")
    if name in (held.name for held in dataset.patches):
        raise InputError(
            expected=f"a new name for the patch of {dataset.path}",
            found=f"there is a patch {name} already",
            action=f"choose another with --name, or remove that one with --rollback {name}",
        )


def _source(
    kind: PatchKind,
    dataset: DatasetFolder,
    reference: Path | None,
    gene_features: Path | None,
    table: Path | None,
    columns: Sequence[str] | None,
    role: PatchRole,
    origin: PatchOrigin,
) -> ColumnSource:
    if kind == "columns":
        assert table is not None
        chroms = sorted({chrom for _, _, frame in row_groups(dataset, ("chrom",)) for chrom in frame["chrom"].unique()})
        return user_table(table, columns, role, origin, dataset.table, chroms)
    if kind == "gene_type" and gene_features is not None:
        return GeneTypes(types_of_file(gene_features, dataset.gene_ids))
    loaded = _reference(dataset, reference)
    return (
        StructuralColumns(loaded, dataset.gene_ids) if kind == "structural" else GeneTypes(types_of_reference(loaded))
    )


def _reference(dataset: DatasetFolder, path: Path | None) -> Reference:
    if path is None and not DEFAULT_REFERENCE.is_dir():
        raise InputError(
            expected=f"a reference: --reference FOLDER, or one in {DEFAULT_REFERENCE}",
            found="neither",
            action="give the folder that `meta-spliceai reference prepare` made",
        )
    loaded = load(path or DEFAULT_REFERENCE)
    if dataset.manifest.inputs.get("reference") != loaded.fingerprint:
        log.warning(
            "%s is not the reference the dataset was built from: what it says of genes may not fit the labels",
            loaded.path,
        )
    return loaded


# ---- what changes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row group as it is (keys, and the columns it has of those that are patched), and the patched columns."""

    old: pl.DataFrame
    new: pl.DataFrame


def _patched_frames(dataset: DatasetFolder, source: ColumnSource, files: Sequence[Path]) -> Iterator[_Pair]:
    held = [column.name for column in source.columns if column.name in dataset.table.names]
    for _, _, frame in row_groups(dataset, tuple(dict.fromkeys((*KEYS, *held))), files):
        yield _Pair(frame, source.values(frame))


def _changed_values(dataset: DatasetFolder, source: ColumnSource) -> dict[str, int]:
    """How many values each column changes; columns that change none are left out.

    Raises
    ------
    InputError
        A table of the user's gives no row of the dataset a value.
    """
    counts = dict.fromkeys([column.name for column in source.columns], 0)
    for pair in _patched_frames(dataset, source, dataset.files):
        for name in counts:
            new = pair.new[name]
            other = new.ne_missing(pair.old[name]) if name in pair.old.columns else new.is_not_null()
            counts[name] += int(other.sum())
    added = [column.name for column in source.columns if column.name not in dataset.table.names]
    if added and not any(counts[name] for name in added):
        raise InputError(
            expected="a table with some of the dataset's genes or bases",
            found=f"no row of {dataset.path} has a value of {first_few(added)} in it",
            action="check its keys: positions are 1-based, gene ids as in gene_manifest.csv",
        )
    return {name: count for name, count in counts.items() if count or name in added}


# ---- writing ---------------------------------------------------------------------------------------------------------


def _add(dataset: DatasetFolder, name: str, kind: str, columns: Sequence[Column], source: ColumnSource) -> None:
    manifest = dataset.manifest
    order = 1 + max((held.order for held in dataset.patches), default=0)
    made = Patch(name, kind, tuple(columns), master_checksums(manifest), order)
    with locked_as_opened(dataset) as folder:
        area = _fresh_staging_area(dataset.path)
        files = []
        for path in dataset.files:
            frames = (pair.new.select(made.table.names) for pair in _patched_frames(dataset, source, [path]))
            rows = write_row_groups(frames, area / made.side_file(path.name), made.table)
            files.append(describe_file(area, made.side_file(path.name), rows))
        facts = {
            "kind": kind,
            "columns": [column_as_json(column) for column in columns],
            "aligned": dict(made.aligned),
            "order": order,
        }
        parts = {**folder.manifest.parts, f"{PATCH_PART}{name}": PartEntry(patch_identity(made), tuple(files), facts)}
        _replace_manifest(folder, dataclasses.replace(folder.manifest, parts=parts))


def _roll_back(path: Path, name: str) -> PatchResult:
    folder_path = path.parent if path.name == "master" else path
    with Folder.existing(folder_path, kind=KIND, format_version=FORMAT_VERSION) as folder:
        manifest = folder.manifest
        parts = {part: entry for part, entry in manifest.parts.items() if part != f"{PATCH_PART}{name}"}
        remaining = sorted(part.removeprefix(PATCH_PART) for part in parts if part.startswith(PATCH_PART))
        if len(parts) == len(manifest.parts):
            raise InputError(
                expected=f"a patch {name} of {folder_path}",
                found=f"the patches {first_few(remaining)}" if remaining else "no patches",
                action="check the name; a patch that was folded in with --inplace cannot be rolled back",
            )
        _fresh_staging_area(folder_path)
        _replace_manifest(folder, dataclasses.replace(manifest, parts=parts))
        rows = int(manifest.facts.get("rows", 0))
    return PatchResult(folder_path, "rolled back", name, {}, rows, tuple(remaining))


def _fresh_staging_area(path: Path) -> Path:
    area = staging_area(path)
    shutil.rmtree(area, ignore_errors=True)
    area.mkdir()
    return area


def _replace_manifest(folder: Folder, manifest: Manifest) -> None:
    """Put the staged files and this manifest in place, with a schema.json that says which columns readers see."""
    area = staging_area(folder.path)
    parts = dict(manifest.parts)
    if DOCUMENTS in parts:
        write_json(area / "schema.json", as_json(patched_table(stored_table(manifest), listed_patches(manifest))))
        described = describe_file(area, "schema.json")
        files = tuple(described if file.name == "schema.json" else file for file in parts[DOCUMENTS].files)
        parts[DOCUMENTS] = dataclasses.replace(parts[DOCUMENTS], files=files)
    folder.stage(dataclasses.replace(manifest, parts=parts))
    replace_content(folder.path)


def _fold(dataset: DatasetFolder) -> None:
    """One physical table of the dataset and its patches."""
    names = [patch.name for patch in dataset.patches]
    columns = sorted({column.name for patch in dataset.patches for column in patch.columns})
    step = {
        "command": "dataset patch",
        "patches": names,
        "columns": columns,
        "note": f"`dataset patch` filled in {', '.join(f'`{name}`' for name in columns)} ({', '.join(names)})",
    }
    types: dict[str, str] = {}
    if "gene_type" in columns:
        for _, _, frame in row_groups(dataset, ("gene_id", "gene_type")):
            types.update(frame.unique().iter_rows())
    plan = Rewrite(dataset, dataset.table, step, row_counts(dataset), types)
    with destination(dataset, None, inplace=True) as target:
        write_rewrite(
            plan, target, lambda path: (frame for _, _, frame in row_groups(dataset, dataset.table.names, [path]))
        )
