"""`dataset migrate`: a dataset of an older format becomes one of today's.

The format's version travels in `manifest.json`, the schema's in every Parquet file. `STEPS` holds one step per version that
was ever in use; a dataset runs through the steps from its own version to today's. The result is written to another folder
and the old dataset is only read.

Version 0 is the implementation before this one, which wrote no version (see `earlier`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from meta_spliceai.build import master
from meta_spliceai.build.finish import DOCUMENTS
from meta_spliceai.build.patches import ABSENT_COLUMNS
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.genome.labels import NEITHER
from meta_spliceai.maintain.earlier import (
    EarlierDataset,
    Genes,
    find_earlier,
    match_genes,
    placed,
    read_part,
    recognise,
)
from meta_spliceai.maintain.rewrite import MAINTENANCE
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import as_json
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, dataset_table
from meta_spliceai.store.atomic import read_json, write_bytes, write_json, write_text
from meta_spliceai.store.fingerprint import file_sha256, fingerprint
from meta_spliceai.store.folder import MANIFEST, Folder, PartEntry, describe_file
from meta_spliceai.store.tables import SCHEMA_KEY, TableWriter

log = logging.getLogger(__name__)

_CONVERTED = (
    "gene_id",
    "gene_name",
    "chrom",
    "position",
    "strand",
    "transcript_id",
    "gene_type",
    "splice_type",
    "is_donor",
    "is_acceptor",
)
GENE_LIST = "genes.txt"


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What became of a dataset.

    Parameters
    ----------
    path
        The dataset of today's format; the given one where it is of today's format already.
    from_version, to_version
        Format versions.
    rows_before, rows
        Rows read and written.
    notes
        How it was converted, and what could not be, with counts.
    dropped_columns
        Columns of the old dataset that mean something else here, or nothing.
    """

    path: Path
    from_version: int
    to_version: int
    rows_before: int
    rows: int
    notes: tuple[str, ...]
    dropped_columns: tuple[str, ...]

    def summary(self) -> str:
        """What a person wants to know."""
        if self.from_version == self.to_version:
            return f"{self.path}: format version {self.to_version}, today's; nothing to do"
        lines = [
            f"{self.path}: format version {self.to_version}, from version {self.from_version}; "
            f"{self.rows:,} of {self.rows_before:,} rows"
        ]
        lines += [f"  {note}" for note in self.notes]
        if self.dropped_columns:
            lines.append(f"  columns dropped: {first_few(self.dropped_columns, 12)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Step:
    """From one format version to the next one in use.

    Parameters
    ----------
    to_version
        The version it makes.
    run
        (source folder, destination, reference folder or None) -> result.
    """

    to_version: int
    run: Callable[[Path, Path, Path | None], MigrationResult]


def migrate(dataset: Path, *, dst: Path | None = None, reference: Path | None = None) -> MigrationResult:
    """Convert a dataset of an older format, into another folder; the old one is only read.

    Parameters
    ----------
    dataset
        The dataset folder.
    dst
        Where the converted dataset goes; default: the dataset's name with `_migrated`.
    reference
        Folder made by `reference prepare`, of the build and annotation the dataset was made with. Needed for datasets of
        the implementation before this one, whose positions are converted with it.

    Raises
    ------
    StoreError
        There is no dataset, or it was made by a newer version.
    InputError
        The reference is missing, or does not explain the dataset's positions.
    """
    version = format_version_of(dataset)
    if version > FORMAT_VERSION:
        raise StoreError(
            expected=f"a dataset of format version {FORMAT_VERSION} or older at {dataset}",
            found=f"version {version}",
            action="it was made by a newer version of meta-spliceai: use that version, or a newer one",
        )
    source, goes_to = dataset, dst or dataset.with_name(f"{dataset.name}_migrated")
    result = MigrationResult(dataset, version, version, 0, 0, (), ())
    while version < FORMAT_VERSION:
        step = STEPS[version]
        to = goes_to if step.to_version == FORMAT_VERSION else goes_to.with_name(f"{goes_to.name}.v{step.to_version}")
        result = step.run(source, to, reference)
        source, version = to, step.to_version
    return result


def format_version_of(dataset: Path) -> int:
    """Format version of the dataset in a folder; 0 for one of the implementation before this one.

    Raises
    ------
    StoreError
        The folder holds no dataset of any version, or one that lost its manifest.
    """
    if (dataset / MANIFEST).exists():
        raw = read_json(dataset / MANIFEST)
        version = raw.get("format_version") if isinstance(raw, dict) and raw.get("kind") == KIND else None
        if isinstance(version, int) and (version in STEPS or version >= FORMAT_VERSION):
            return version
        raise StoreError(
            expected=f"a dataset of format version {min(STEPS)} to {FORMAT_VERSION} at {dataset}",
            found=f"{raw.get('kind', 'no kind')}, version {version}" if isinstance(raw, dict) else "no object",
            action="check the path",
        )
    earlier = find_earlier(dataset)
    if earlier is not None and SCHEMA_KEY in (pq.read_schema(earlier.files[0]).metadata or {}):
        raise StoreError(
            expected=f"{MANIFEST} in {dataset}, whose files meta-spliceai wrote",
            found="none: it was lost, and without it a dataset does not say how its rows were sampled",
            action="restore it from a copy, or build the dataset again in another folder with the options in BUILD_INFO.md: "
            "the bytes are the same",
        )
    if earlier is None:
        raise StoreError(
            expected=f"a dataset at {dataset}: {MANIFEST}, or Parquet files with gene_id, position, strand and splice_type",
            found="neither" if dataset.exists() else "no such folder",
            action="check the path",
        )
    return 0


# ---- version 0 -------------------------------------------------------------------------------------------------------


@dataclass
class _Tally:
    """Rows read, written and left out."""

    read: int = 0
    written: int = 0
    of_missing_genes: int = 0
    not_placed: int = 0
    not_in_reference: int = 0


def _from_earlier(path: Path, dst: Path, reference: Path | None) -> MigrationResult:
    if reference is None:
        raise InputError(
            expected="--reference FOLDER, to convert positions that are counted from the start of genes",
            found="none",
            action="prepare the genome and annotation that the dataset was made with (`meta-spliceai reference prepare`)",
        )
    dataset, loaded = find_earlier(path), load(reference)
    assert dataset is not None
    genes = match_genes(loaded, _gene_ids(dataset))
    if genes.table.is_empty():
        raise InputError(
            expected=f"genes of the reference {loaded.path} in {path}",
            found=f"none of them, but {first_few(genes.missing)}",
            action="give the reference of the annotation the dataset was made with",
        )
    sites = loaded.splice_sites()
    labelled = [read_part(dataset, file).filter(pl.col("splice_type") != NEITHER) for file in dataset.files]
    convention, shares = recognise(
        pl.concat(labelled, how="diagonal").filter(pl.col("gene_id").is_in(genes.table["their_id"].to_list())),
        genes.table,
        sites,
    )
    log.info("%s: %.1f %% of the sites", convention, 100 * shares[str(convention)])
    table = _table(dataset)
    step = {
        "command": "dataset migrate",
        "from_version": 0,
        "convention": str(convention),
        "note": f"`dataset migrate` converted it from the implementation before this one: {convention}",
    }
    parameters = _parameters(genes, table, step)
    inputs = {
        "reference": loaded.fingerprint,
        **{f"earlier/{file.name}": file_sha256(file) for file in dataset.files},
    }
    tally = _Tally()
    with Folder.opened(dst, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs) as folder:
        identities = {}
        counts = []
        for number, file in enumerate(dataset.files, start=1):
            name = master.batch_name(number)
            identities[name] = fingerprint([parameters, inputs, name])
            rows = _converted(read_part(dataset, file), genes, sites, convention, tally)
            counts.append(rows.group_by("gene_id").agg(rows=pl.len().cast(pl.Int64)).with_columns(number=number))
            folder.record(name, _write(folder, name, identities[name], rows, table))
        tally.written = sum(int(frame["rows"].sum()) for frame in counts)
        notes = _notes(tally, genes, f"{convention}; they explain {100 * shares[str(convention)]:.1f} % of the sites")
        _describe(folder, loaded, genes, pl.concat(counts), table, notes, identities, dataset)
    dropped = tuple(name for name in dataset.columns if name not in (*table.names, dataset.label))
    return MigrationResult(dst, 0, 1, tally.read, tally.written, notes, dropped)


def _gene_ids(dataset: EarlierDataset) -> list[str]:
    return sorted(
        {
            str(g)
            for file in dataset.files
            for g in pl.scan_parquet(file, glob=False).select("gene_id").unique().collect()["gene_id"]
        }
    )


def _table(dataset: EarlierDataset) -> Table:
    """The columns of a dataset that such a file can fill."""
    built = dataset_table(())
    has_calls = "pred_type" in read_part(dataset, dataset.files[0]).columns
    kept = (*_CONVERTED, "pred_type") if has_calls else _CONVERTED
    return Table(built.name, built.version, built.meaning, tuple(c for c in built if c.name in kept))


def _parameters(genes: Genes, table: Table, step: Mapping[str, Any]) -> dict[str, Any]:
    ordered = genes.table.unique("gene_id", maintain_order=True)["gene_id"].to_list()
    absent = [name for name in dataset_table(()).names if name not in table.names]
    return {"gene_ids": ordered, "kmer_sizes": [], ABSENT_COLUMNS: absent, MAINTENANCE: [dict(step)]}


def _converted(rows: pl.DataFrame, genes: Genes, sites: pl.DataFrame, convention: Any, tally: _Tally) -> pl.DataFrame:
    """The rows that can be placed, by gene in reference order and position, with the truth of the reference."""
    tally.read += rows.height
    known = placed(rows, genes.table, convention)
    tally.of_missing_genes += rows.height - known.height
    here = known.filter(pl.col("position").is_not_null())
    tally.not_placed += known.height - here.height
    for kind in ("donor", "acceptor"):
        own = sites.filter(pl.col("splice_type") == kind).select("chrom", "strand", "position").unique()
        here = here.join(
            own.with_columns(pl.lit(True).alias(f"is_{kind}")),
            on=["chrom", "strand", "position"],
            how="left",
            maintain_order="left",
        ).with_columns(pl.col(f"is_{kind}").fill_null(False))
    label = pl.col("splice_type")
    agrees = pl.when(label == "donor").then("is_donor").when(label == "acceptor").then("is_acceptor").otherwise(True)
    agreed = here.filter(agrees)
    tally.not_in_reference += here.height - agreed.height
    truth = (
        pl.when("is_donor")
        .then(pl.lit("donor"))
        .when("is_acceptor")
        .then(pl.lit("acceptor"))
        .otherwise(pl.lit(NEITHER))
    )
    filled = agreed.with_columns(splice_type=truth)
    if "transcript_id" not in filled.columns:
        filled = filled.with_columns(transcript_id=pl.lit(None, dtype=pl.String))
    order = {gene_id: n for n, gene_id in enumerate(genes.table["gene_id"].unique(maintain_order=True))}
    place = pl.col("gene_id").replace_strict(order, return_dtype=pl.Int64)
    return filled.sort(place, "position", maintain_order=True)


def _write(folder: Folder, name: str, identity: str, rows: pl.DataFrame, table: Table) -> PartEntry:
    with TableWriter(folder.path / master.trim_file(name), table) as writer:
        writer.append(table.conform(rows))
    master.link(folder.path, name)
    files = tuple(
        describe_file(folder.path, file, rows.height) for file in (master.trim_file(name), master.master_file(name))
    )
    return PartEntry(identity, files, {"rows": rows.height})


def _notes(tally: _Tally, genes: Genes, convention: str) -> tuple[str, ...]:
    notes = [f"converted from {convention}"]
    if tally.of_missing_genes:
        notes.append(
            f"left out: {tally.of_missing_genes:,} rows of {len(genes.missing):,} genes that the reference lacks "
            f"({first_few(genes.missing)})"
        )
    if tally.not_placed:
        notes.append(
            f"left out: {tally.not_placed:,} rows that are no site, because their base cannot be known (they were counted on "
            "shifted scores)"
        )
    if tally.not_in_reference:
        notes.append(f"left out: {tally.not_in_reference:,} rows labelled as sites that are none in the reference")
    notes.append(
        "features were computed another way there (best score within two bases at sites, k-mers of other windows), and how "
        f"rows were sampled is not recorded: to train, build the genes of {GENE_LIST} anew; `dataset patch --kind structural` "
        "fills in the structure of genes"
    )
    return tuple(notes)


def _describe(
    folder: Folder,
    reference: Reference,
    genes: Genes,
    counts: pl.DataFrame,
    table: Table,
    notes: tuple[str, ...],
    identities: dict[str, str],
    dataset: EarlierDataset,
) -> None:
    """gene_manifest.csv, schema.json, README.md and the list of genes."""
    manifest = _gene_manifest(reference, genes, counts)
    write_bytes(folder.path / "gene_manifest.csv", manifest.write_csv().encode())
    write_json(folder.path / "schema.json", as_json(table))
    write_text(folder.path / GENE_LIST, "".join(f"{gene_id}\n" for gene_id in manifest["gene_id"]))
    rows = int(manifest["rows"].sum())
    lines = [
        f"# {rows:,} rows of {manifest.height:,} genes, converted",
        "",
        f"Positions and labels of a dataset of {len(dataset.files):,} files made by the implementation before this one, on "
        f"{reference.build}. Positions are 1-based and genomic; a donor is the last base of an exon, an acceptor the first.",
        "",
        *(f"- {note[0].upper()}{note[1:]}." for note in notes),
    ]
    write_text(folder.path / "README.md", "\n".join(lines) + "\n")
    files = tuple(
        describe_file(folder.path, name, count)
        for name, count in (
            ("gene_manifest.csv", manifest.height),
            ("schema.json", None),
            (GENE_LIST, None),
            ("README.md", None),
        )
    )
    identity = fingerprint([identities, list(notes)])
    facts = {"rows": rows, "genes": manifest.height, "build": reference.build, "notes": list(notes)}
    folder.record(DOCUMENTS, PartEntry(identity, files, facts))
    folder.finalise({**identities, DOCUMENTS: identity}, facts)


def _gene_manifest(reference: Reference, genes: Genes, counts: pl.DataFrame) -> pl.DataFrame:
    totals = counts.group_by("gene_id").agg(pl.col("rows").sum(), pl.col("number").min())
    chosen = reference.genes.filter(pl.col("gene_id").is_in(genes.table["gene_id"].to_list()))
    return GENE_MANIFEST_TABLE.conform(
        chosen.join(totals, on="gene_id", how="left", maintain_order="left")
        .with_columns(
            total_splice_sites=pl.col("n_splice_sites"),
            rows=pl.col("rows").fill_null(0),
            file_index=pl.col("number").fill_null(1),
        )
        .with_columns(file_name=pl.format("batch_{}.parquet", pl.col("file_index").cast(pl.String).str.zfill(5)))
        .with_row_index("global_index")
    )


STEPS: Mapping[int, Step] = {0: Step(1, _from_earlier)}
"""How a dataset of each older version becomes one of the next; every entry is tested on an archived dataset."""
