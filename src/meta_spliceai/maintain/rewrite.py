"""A dataset written anew from another one: fewer rows or other columns, and everything it says about itself made to agree.

The manifest's parameter `maintenance` lists what was done, so `build` refuses to resume there (it would undo it), and a
reader knows. A rewrite is resumable part by part; in place, it is made beside the old content and put there as a whole.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.build import master
from meta_spliceai.build.batch import COUNTED
from meta_spliceai.build.finish import complete, counts_of
from meta_spliceai.build.layout import LAYOUT, history
from meta_spliceai.build.patches import ADDED_COLUMNS, MERGED_UNITS
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.build.summary import Summary
from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import column_as_json
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, LEDGER_TABLE, dataset_table_of
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import MANIFEST, Folder, PartEntry, describe_file
from meta_spliceai.store.staged import replace_content, staging_area
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, row_groups

log = logging.getLogger(__name__)

MAINTENANCE = "maintenance"
"""Parameter of a dataset's manifest: what was done to it after it was built, in order."""

_NOT_OPTIONS = (MAINTENANCE, ADDED_COLUMNS, MERGED_UNITS)
_UNKNOWN_MODEL = {"name": "unknown", "licence": "unknown", "training_build": "unknown", "training_chromosomes": []}
_UNKNOWN_PASS = {"rule": {}, "flank": "unknown"}

PartFrames = Callable[[Path], Iterator[pl.DataFrame]]
"""Rows of the new part made from a file of the old dataset, frame by frame."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is written.

    Parameters
    ----------
    source
        The dataset it is made from.
    table
        Columns of the new dataset.
    step
        What is done, as plain values, with a key `note`: one sentence for people.
    counts
        Rows of the new dataset: part (its name), gene_id, sampling_tier, rows.
    gene_types
        Gene type by gene, where it is another one now.
    merged_units
        Whether the rows of several genes at one base were merged into one.
    """

    source: DatasetFolder
    table: Table
    step: Mapping[str, Any]
    counts: pl.DataFrame
    gene_types: Mapping[str, str]
    merged_units: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The new dataset's parameters: the old ones, the step, and the columns that no build writes."""
        old = self.source.manifest.parameters
        built = set(dataset_table_of(old).names)
        added = [column_as_json(column) for column in self.table if column.name not in built]
        history = [*old.get(MAINTENANCE, ()), {**self.step, "source": self.source.fingerprint}]
        extra = {ADDED_COLUMNS: added} if added else {}
        merged = {MERGED_UNITS: True} if self.merged_units or self.source.one_row_per_unit else {}
        kept = {name: value for name, value in old.items() if name not in _NOT_OPTIONS}
        return {**kept, **extra, **merged, MAINTENANCE: history}


def row_counts(dataset: DatasetFolder, kept: Mapping[Path, BoolArray] | None = None) -> pl.DataFrame:
    """Rows by part (its name), gene_id and sampling_tier; with `kept`, only the rows it marks, per file."""
    counts, row = [], Counter[Path]()
    for path, _, frame in row_groups(dataset, ("gene_id", "sampling_tier")):
        first = row[path]
        row[path] += frame.height
        chosen = frame if kept is None else frame.filter(pl.Series(kept[path][first : row[path]], dtype=pl.Boolean))
        grouped = chosen.group_by("gene_id", "sampling_tier", maintain_order=True).agg(rows=pl.len().cast(pl.Int64))
        counts.append(grouped.select(pl.lit(path.stem).alias("part"), pl.all()))
    schema = {"part": pl.String, "gene_id": pl.String, "sampling_tier": pl.String, "rows": pl.Int64}
    together = pl.concat([pl.DataFrame(schema=schema), *counts])
    return together.group_by("part", "gene_id", "sampling_tier", maintain_order=True).agg(pl.col("rows").sum())


def open_to_change(path: Path) -> DatasetFolder:
    """Open a dataset for a change in place; what an interrupted one left to do is done first.

    Raises
    ------
    StoreError, SchemaError
        As `open_dataset`.
    """
    folder = path.parent if path.name == master.MASTER and not (path / MANIFEST).exists() else path
    with Folder.existing(folder, kind=KIND, format_version=FORMAT_VERSION):
        return open_dataset(folder)


@contextmanager
def destination(source: DatasetFolder, dst: Path | None, *, inplace: bool) -> Iterator[Path]:
    """Where a rewrite goes: `dst`, or a staging area inside `source` that takes its place at the end, if it was used.

    Raises
    ------
    InputError
        Both or neither, or a `dst` that is the source.
    StoreError
        The source changed since it was opened.
    """
    if inplace == (dst is not None):
        raise InputError(
            expected="either --dst FOLDER or --inplace",
            found="both" if inplace else "neither",
            action="choose one; --inplace keeps the old files until the new ones are complete",
        )
    if dst is not None:
        if dst.resolve() in (source.path.resolve(), (source.path / master.MASTER).resolve()):
            raise InputError("--dst to be another folder", f"the dataset itself, {dst}", "choose another, or --inplace")
        yield dst
        return
    with locked_as_opened(source) as folder:
        staging = staging_area(source.path)
        if staging.exists():
            shutil.rmtree(staging)  # what an interrupted run left; nothing of it was ever in use
        yield staging
        if staging.exists():
            replace_content(source.path)
            folder.log("replaced in place")


@contextmanager
def locked_as_opened(source: DatasetFolder) -> Iterator[Folder]:
    """The dataset's folder, locked, if it is still as it was when it was opened.

    Raises
    ------
    StoreError
        Another process changed it meanwhile.
    """
    with Folder.existing(source.path, kind=KIND, format_version=FORMAT_VERSION) as folder:
        if folder.manifest != source.manifest:
            raise StoreError(
                f"{source.path} as it was opened", "another process changed it meanwhile", "run the command again"
            )
        yield folder


def write_rewrite(plan: Rewrite, target: Path, part_frames: PartFrames) -> Path:
    """Write the new dataset to `target`; finished parts of an interrupted run are kept.

    Raises
    ------
    PlanMismatchError
        `target` holds something made otherwise.
    """
    manifest = plan.source.manifest
    genes, ledger = _gene_manifest(plan), _ledger(plan)
    with Folder.opened(
        target, kind=KIND, format_version=FORMAT_VERSION, parameters=plan.parameters, inputs=manifest.inputs
    ) as folder:
        identities = {
            path.stem: fingerprint([KIND, path.stem, folder.manifest.parameters]) for path in plan.source.files
        }
        for path in plan.source.files:
            name = path.stem
            if not folder.is_done(name, identities[name]):
                home = genes.filter(pl.col("file_name") == path.name)["gene_id"]
                own = ledger.filter(pl.col("gene_id").is_in(home.to_list()))
                folder.record(name, _write_part(folder, plan, name, identities[name], part_frames(path), own))
        notes = tuple(str(step["note"]) for step in folder.manifest.parameters[MAINTENANCE])
        complete(folder, identities, notes, lambda: _summary(folder, plan, genes, ledger, list(identities)))
    return target


def _write_part(
    folder: Folder, plan: Rewrite, name: str, identity: str, frames: Iterable[pl.DataFrame], ledger: pl.DataFrame
) -> PartEntry:
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    with TableWriter(folder.path / master.trim_file(name), plan.table) as writer:
        for frame in frames:
            writer.append(plan.table.conform(frame))
            for column, counter in counts.items():
                counter.update({str(value): n for value, n in frame[column].value_counts().iter_rows()})
    write_bytes(folder.path / master.ledger_file(name), ledger.write_csv().encode())
    master.link(folder.path, name)
    files = (
        describe_file(folder.path, master.trim_file(name), writer.rows),
        describe_file(folder.path, master.master_file(name), writer.rows),
        describe_file(folder.path, master.ledger_file(name), ledger.height),
    )
    return PartEntry(identity, files, {"rows": writer.rows, **{column: dict(n) for column, n in counts.items()}})


def _summary(folder: Folder, plan: Rewrite, genes: pl.DataFrame, ledger: pl.DataFrame, parts: list[str]) -> Summary:
    facts, parameters = plan.source.manifest.facts, folder.manifest.parameters
    return Summary(
        build=str(facts.get("build", "an unknown build")),
        base_model=facts.get("base_model", _UNKNOWN_MODEL),
        base_pass=facts.get("base_pass", _UNKNOWN_PASS),
        inputs=folder.manifest.inputs,
        parameters={name: value for name, value in parameters.items() if name not in {*_NOT_OPTIONS, *LAYOUT}},
        software=folder.manifest.software,
        table=plan.table,
        genes=genes,
        ledger=ledger,
        counts=counts_of(folder, parts),
        notes=(*history(parameters), *(str(step["note"]) for step in parameters[MAINTENANCE])),
        probe=facts.get("boundary_probe", {"features_checked": 0, "genes": [], "changed": []}),
    )


# ---- gene manifest and ledger ----------------------------------------------------------------------------------------


def read_gene_manifest(dataset: DatasetFolder) -> pl.DataFrame:
    """`GENE_MANIFEST_TABLE` of a dataset."""
    return _read_csv(dataset.path / "gene_manifest.csv", GENE_MANIFEST_TABLE)


def read_ledger(dataset: DatasetFolder) -> pl.DataFrame:
    """`LEDGER_TABLE` of a dataset."""
    return _read_csv(dataset.path / "sampling_ledger.csv", LEDGER_TABLE)


def _read_csv(path: Path, table: Table) -> pl.DataFrame:
    try:
        return table.conform(pl.read_csv(path, schema_overrides=table.polars_schema()))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            expected=f"a readable {table.name} in {path}",
            found=str(error).splitlines()[0],
            action="run the same build command again (without --no-manifest); it makes the document again and nothing else",
        ) from error


def _gene_manifest(plan: Rewrite) -> pl.DataFrame:
    """The source's, with the rows and the file of each gene as they are now."""
    now = plan.counts.group_by("gene_id", maintain_order=True).agg(
        now=pl.col("rows").sum(), part=pl.col("part").filter(pl.col("rows") > 0).first()
    )
    genes = read_gene_manifest(plan.source).join(now, on="gene_id", how="left", maintain_order="left")
    file_name = pl.coalesce(pl.col("part") + ".parquet", "file_name")
    gene_type = pl.col("gene_id").replace_strict(dict(plan.gene_types), default=None, return_dtype=pl.String)
    return GENE_MANIFEST_TABLE.conform(
        genes.with_columns(
            rows=pl.col("now").fill_null(0),
            file_name=file_name,
            file_index=file_name.str.extract(r"(\d+)").cast(pl.Int64),
            gene_type=pl.coalesce(gene_type, "gene_type"),
        )
    )


def _ledger(plan: Rewrite) -> pl.DataFrame:
    """The source's, with the rows kept as they are now; what is gone counts as dropped."""
    now = plan.counts.group_by("gene_id", "sampling_tier").agg(now=pl.col("rows").sum())
    lines = read_ledger(plan.source).unique(["gene_id", "sampling_tier"], keep="first", maintain_order=True)
    joined = lines.join(now, on=["gene_id", "sampling_tier"], how="left", maintain_order="left")
    kept = pl.col("now").fill_null(0)
    seen = pl.max_horizontal("rows_seen", kept)
    return LEDGER_TABLE.conform(joined.with_columns(rows_kept=kept, rows_seen=seen, rows_dropped=seen - kept))
