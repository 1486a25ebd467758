"""What is done once every batch is there: the boundary probe, the documents, the folder's own facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from meta_spliceai.build import documents
from meta_spliceai.build.batch import COUNTED
from meta_spliceai.build.master import ledger_file
from meta_spliceai.build.plan import BuildPlan
from meta_spliceai.build.probe import probe_boundaries
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, LEDGER_TABLE
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file

DOCUMENTS = "documents"
"""Name of the part that holds what the dataset says about itself."""


def finish(folder: Folder, plan: BuildPlan, identities: Mapping[str, str]) -> None:
    """Probe the features, write the documents and mark the folder complete, as far as that is not done.

    Parameters
    ----------
    identities
        Fingerprint by batch name; every one must be done.

    Raises
    ------
    LeakageError
        A feature changes when the annotated ends of a gene move.
    """
    contents = {name: [file.sha256 for file in folder.manifest.parts[name].files] for name in identities}
    identity = fingerprint([documents.LAYOUT_VERSION, contents, folder.manifest.parameters])
    if not folder.is_done(DOCUMENTS, identity):
        probe = probe_boundaries(plan)
        summary = _summary(folder, plan, probe)
        names = documents.write_documents(folder.path, summary)
        files = tuple(describe_file(folder.path, name, rows) for name, rows in names.items())
        folder.record(DOCUMENTS, PartEntry(identity, files, {"boundary_probe": probe, **summary.facts}))
    if not folder.manifest.complete:
        folder.finalise({**identities, DOCUMENTS: identity}, folder.manifest.parts[DOCUMENTS].facts)


def _summary(folder: Folder, plan: BuildPlan, probe: Mapping[str, Any]) -> documents.Summary:
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    for batch in plan.batches:
        facts = folder.manifest.parts[batch.name].facts
        for column, counter in counts.items():
            counter.update(facts[column])
    ledger = pl.concat(
        pl.read_csv(folder.path / ledger_file(batch.name), schema=LEDGER_TABLE.polars_schema())
        for batch in plan.batches
    )
    return documents.Summary(
        build=plan.reference.build,
        base_model=plan.artifacts.base_model,
        base_pass={"rule": dict(plan.artifacts.rule), "flank": plan.artifacts.flank},
        inputs=folder.manifest.inputs,
        parameters=folder.manifest.parameters,
        software=folder.manifest.software,
        table=plan.table,
        genes=_gene_manifest(plan, ledger),
        ledger=ledger,
        counts={column: dict(sorted(counter.items())) for column, counter in counts.items()},
        notes=plan.choice.notes,
        probe=probe,
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
