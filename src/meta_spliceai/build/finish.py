"""What is done once every batch is there: the boundary probe, the documents, the folder's own facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from meta_spliceai.build import documents
from meta_spliceai.build.batch import COUNTED
from meta_spliceai.build.layout import LAYOUT, history
from meta_spliceai.build.master import ledger_file, master_file
from meta_spliceai.build.plan import BuildPlan
from meta_spliceai.build.probe import probe_boundaries
from meta_spliceai.build.profile import write_profile
from meta_spliceai.build.summary import Summary
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, LEDGER_TABLE
from meta_spliceai.store import atomic
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import FileEntry, Folder, PartEntry, describe_file

DOCUMENTS = "documents"
"""Name of the part that holds what the dataset says about itself."""

PROFILE = "profile"
"""Name of the part that holds the long documents."""


@dataclass(frozen=True, slots=True)
class Paperwork:
    """Which documents are wanted besides those that every dataset has.

    Parameters
    ----------
    gene_manifest
        gene_manifest.csv, which is left out on request only.
    profile
        The long documents of `profile`; once made, they are kept up to date.
    """

    gene_manifest: bool = True
    profile: bool = False


USUAL_PAPERWORK = Paperwork()


def finish(
    folder: Folder, plan: BuildPlan, identities: Mapping[str, str], paperwork: Paperwork = USUAL_PAPERWORK
) -> None:
    """Probe the features, write the documents and mark the folder complete, as far as that is not done.

    Parameters
    ----------
    identities
        Fingerprint by batch name; every one must be done.
    paperwork
        Which documents are wanted.

    Raises
    ------
    LeakageError
        A feature changes when the annotated ends of a gene move.
    """
    complete(folder, identities, plan.choice.notes, lambda: _summary(folder, plan, list(identities)), paperwork)


def complete(
    folder: Folder,
    identities: Mapping[str, str],
    notes: Sequence[str],
    summarise: Callable[[], Summary],
    paperwork: Paperwork = USUAL_PAPERWORK,
) -> None:
    """Write the documents and mark the folder complete, as far as that is not done.

    Parameters
    ----------
    identities
        Fingerprint by batch name; every one must be done.
    notes
        What a user should know about the choice of genes.
    summarise
        What the documents tell; called where they are not there yet.
    paperwork
        Which documents are wanted.
    """
    contents = {name: [file.sha256 for file in folder.manifest.parts[name].files] for name in identities}
    identity = fingerprint([documents.LAYOUT_VERSION, contents, folder.manifest.parameters, paperwork.gene_manifest])
    papers = {DOCUMENTS: identity}
    if paperwork.profile or PROFILE in folder.manifest.parts:
        papers[PROFILE] = fingerprint([PROFILE, identity])
    todo = [name for name, wanted in papers.items() if not folder.is_done(name, wanted)]
    if todo:
        summary = summarise()
        if DOCUMENTS in todo:
            files = documents.write_documents(
                folder.path, summary, _in_master(folder, identities), gene_manifest=paperwork.gene_manifest
            )
            facts = {"boundary_probe": summary.probe, "notes": list(notes), **summary.facts}
            _record(folder, DOCUMENTS, PartEntry(identity, files, facts))
        if PROFILE in todo:
            statistics = atomic.read_json(folder.path / documents.STATISTICS)
            names = write_profile(folder.path, summary, statistics)
            described = tuple(describe_file(folder.path, name) for name in names)
            _record(folder, PROFILE, PartEntry(papers[PROFILE], described))
    if not folder.manifest.complete:
        folder.finalise({**identities, **papers}, folder.manifest.parts[DOCUMENTS].facts)


def _in_master(folder: Folder, names: Iterable[str]) -> list[FileEntry]:
    """The files of `master/`, by batch."""
    return [file for name in names for file in folder.manifest.parts[name].files if file.name == master_file(name)]


def _record(folder: Folder, name: str, entry: PartEntry) -> None:
    """Record a part in place of what it was; files that it no longer has are deleted."""
    before = folder.manifest.parts.get(name)
    folder.record(name, entry)
    now = {file.name for file in entry.files}
    for file in before.files if before is not None else ():
        if file.name not in now:
            atomic.remove(folder.path / file.name)


def _summary(folder: Folder, plan: BuildPlan, names: Sequence[str]) -> Summary:
    ledger = ledger_of(folder, names)
    return Summary(
        build=plan.reference.build,
        base_model=plan.artifacts.base_model,
        base_pass={"rule": dict(plan.artifacts.rule), "flank": plan.artifacts.flank},
        inputs=folder.manifest.inputs,
        parameters=options_of(folder),
        software=folder.manifest.software,
        table=plan.table,
        genes=_gene_manifest(plan, ledger),
        ledger=ledger,
        counts=counts_of(folder, names),
        notes=(*plan.choice.notes, *history(folder.manifest.parameters)),
        probe=probe_boundaries(plan),
    )


def options_of(folder: Folder) -> dict[str, Any]:
    """The parameters that are options of `build`."""
    return {name: value for name, value in folder.manifest.parameters.items() if name not in LAYOUT}


def counts_of(folder: Folder, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows of these batches by value, by column of `COUNTED`."""
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    for name in names:
        for column, counter in counts.items():
            counter.update(folder.manifest.parts[name].facts[column])
    return {column: dict(sorted(counter.items())) for column, counter in counts.items()}


def ledger_of(folder: Folder, names: Sequence[str]) -> pl.DataFrame:
    """The ledgers of these batches, one after the other."""
    return pl.concat(
        pl.read_csv(folder.path / ledger_file(name), schema=LEDGER_TABLE.polars_schema()) for name in names
    )


def _gene_manifest(plan: BuildPlan, ledger: pl.DataFrame) -> pl.DataFrame:
    """The chosen genes as `GENE_MANIFEST_TABLE`."""
    batches = pl.DataFrame(
        [(gene_id, batch.number, f"{batch.name}.parquet") for batch in plan.batches for gene_id in batch.gene_ids],
        schema={"gene_id": pl.String, "file_index": pl.Int64, "file_name": pl.String},
        orient="row",
    )
    rows = ledger.group_by("gene_id").agg(rows=pl.col("rows_kept").sum())
    genes = (
        plan.choice.genes.join(batches, on="gene_id", how="left", maintain_order="left")
        .join(rows, on="gene_id", how="left", maintain_order="left")
        .with_columns(total_splice_sites=pl.col("n_splice_sites"))
        .with_row_index("global_index")
    )
    return GENE_MANIFEST_TABLE.conform(genes)
