"""`dataset merge`: datasets that were built apart become one.

Shards of one plan give the bytes of a build in one go. Datasets of other gene lists are joined batch by batch, in the order
in which they are named. Batches are hard-linked, or copied where that is impossible; only batches with genes that an earlier
dataset has already are written anew. Sources are only read.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from meta_spliceai.build import master
from meta_spliceai.build.assembly import assemble
from meta_spliceai.build.batch import COUNTED, FinishedBatch
from meta_spliceai.build.finish import complete, counts_of, ledger_of, options_of
from meta_spliceai.build.layout import batch_identities, history
from meta_spliceai.build.merge_plan import JoinedBatch, MergePlan, OnDuplicate, plan_merge
from meta_spliceai.build.merge_sources import Source, dataset_folder, missing_batches, open_sources
from meta_spliceai.build.plan import plan_held
from meta_spliceai.build.run import FORMAT_VERSION, KIND, carry_out
from meta_spliceai.build.summary import Summary
from meta_spliceai.errors import InputError, StoreError, first_few
from meta_spliceai.schema.tables import LEDGER_TABLE, dataset_table_of
from meta_spliceai.store.atomic import link_or_copy, write_bytes
from meta_spliceai.store.folder import Folder, describe_file, file_is_whole, read_manifest
from meta_spliceai.store.tables import TableWriter


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A merged dataset, or what it would be.

    Parameters
    ----------
    path
        Its folder.
    rows, genes, batches
        What it holds.
    batches_linked, batches_rewritten
        Batches taken as they are, and batches written anew without the genes that an earlier dataset has.
    genes_left_out
        Genes that an earlier dataset has, once for each later dataset that has them too.
    rows_left_out
        Rows that the later datasets have of them.
    dry_run
        Nothing was written.
    """

    path: Path
    rows: int
    genes: int
    batches: int
    batches_linked: int
    batches_rewritten: int
    genes_left_out: tuple[str, ...]
    rows_left_out: int
    dry_run: bool

    def summary(self) -> str:
        """What a person wants to know."""
        verb = "would hold" if self.dry_run else "holds"
        lines = [f"{self.path} {verb} {self.rows:,} rows of {self.genes:,} genes in {self.batches:,} batches"]
        lines += [f"  {self.batches_linked:,} taken as they are, {self.batches_rewritten:,} written anew"]
        if self.genes_left_out:
            lines.append(
                f"  left out, because an earlier dataset has them: {self.rows_left_out:,} rows of "
                f"{len(self.genes_left_out):,} genes: {first_few(self.genes_left_out)}"
            )
        return "\n".join(lines)


def merge(
    datasets: Sequence[Path],
    *,
    output_dir: Path | None = None,
    on_duplicate: OnDuplicate = "refuse",
    reference: Path | None = None,
    eval_dir: Path | None = None,
    dry_run: bool = False,
    verify: bool = False,
    overwrite: bool = False,
) -> MergeResult:
    """Join datasets that were built apart, or finish one whose build was interrupted.

    All shards of a plan (`build --shard`) give the same bytes as one build. Other datasets must have been built with the
    same options, reference and base pass; their batches are numbered in the order in which they are named. The sources are
    only read. An interrupted merge resumes when it is called again.

    Parameters
    ----------
    datasets
        Folders of finished datasets. One folder, without --output-dir: a build that was interrupted; it is finished where
        all batches are there, else what is missing is listed.
    output_dir
        Where the merged dataset goes.
    on_duplicate
        What becomes of genes that several datasets have: `refuse` names them, `first` keeps the rows of the dataset that
        is named first.
    reference
        Only to finish an interrupted build: the folder made by `reference prepare`; default: the one that
        `reference audit` finds.
    eval_dir
        Only to finish an interrupted build: the folder of the base pass; default: the only one in the reference folder.
    dry_run
        Say what would be done, and write nothing.
    verify
        Compare the checksums of the sources' files, not only their sizes and footers.
    overwrite
        Start anew whatever the output folder holds of an earlier dataset.

    Raises
    ------
    InputError
        No datasets, one named twice, or an output folder that is one of them.
    GeneError
        Several datasets have the same genes; they are named.
    PlanMismatchError
        The datasets were built with other options, or from other references or base passes; the differences are listed.
    StoreError
        A dataset or a shard is missing, not finished, damaged, or was changed after it was built.
    """
    if not datasets:
        raise InputError("datasets to merge", "none", "name the folders of at least two")
    if output_dir is None:
        return _finished(datasets, reference=reference, eval_dir=eval_dir, dry_run=dry_run, verify=verify)
    if output_dir.resolve() in {dataset_folder(path).resolve() for path in datasets}:
        raise InputError(
            "--output-dir to be another folder", f"one of the datasets, {output_dir}", "choose another one"
        )
    plan = plan_merge(open_sources(datasets, verify=verify), output_dir, on_duplicate)
    if not dry_run:
        _carry_out(plan, output_dir, overwrite=overwrite)
    linked = sum(batch.is_whole for batch in plan.batches)
    return MergeResult(
        path=output_dir,
        rows=int(plan.genes["rows"].sum()),
        genes=plan.genes.height,
        batches=len(plan.batches),
        batches_linked=linked,
        batches_rewritten=len(plan.batches) - linked,
        genes_left_out=plan.left_out,
        rows_left_out=plan.rows_left_out,
        dry_run=dry_run,
    )


# ---- carrying it out -------------------------------------------------------------------------------------------------


def _carry_out(plan: MergePlan, output_dir: Path, *, overwrite: bool) -> None:
    with Folder.opened(
        output_dir,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=plan.parameters,
        inputs=plan.inputs,
        software=_software(plan.sources),
        overwrite=overwrite,
    ) as folder:
        identities = batch_identities(plan.parameters, plan.inputs)
        made = assemble(folder, plan.batches, identities, join_batch, title="merging")
        complete(folder, identities, plan.notes, lambda: _summary(folder, plan, list(identities)))
        folder.log("merge", datasets=len(plan.sources), batches=len(identities), batches_made=made)


def _software(sources: Sequence[Source]) -> dict[str, str]:
    """Versions that the sources were made with; several of a package are listed."""
    packages = dict.fromkeys(package for source in sources for package in source.manifest.software)
    return {
        package: ", ".join(sorted({s.manifest.software[package] for s in sources if package in s.manifest.software}))
        for package in packages
    }


def join_batch(batch: JoinedBatch) -> FinishedBatch:
    """Take a source's batch over into the merged dataset.

    Raises
    ------
    StoreError
        The source changed meanwhile.
    """
    return _linked(batch) if batch.is_whole else _without_genes_of_others(batch)


def _linked(batch: JoinedBatch) -> FinishedBatch:
    new_names = {
        master.trim_file(batch.held_as): master.trim_file(batch.name),
        master.master_file(batch.held_as): master.master_file(batch.name),
        master.ledger_file(batch.held_as): master.ledger_file(batch.name),
    }
    for held, new in new_names.items():
        if held != master.master_file(batch.held_as):
            link_or_copy(batch.source / held, batch.folder / new)
    master.link(batch.folder, batch.name)
    files = tuple(dataclasses.replace(file, name=new_names[file.name]) for file in batch.entry.files)
    if not all(file_is_whole(batch.folder, file) for file in files):
        raise StoreError(
            expected=f"{batch.held_as} of {batch.source} as it was when the merge began",
            found="another size or footer",
            action="wait until nothing writes to that dataset, then run the same command again",
        )
    return FinishedBatch(files, dict(batch.entry.facts))


def _without_genes_of_others(batch: JoinedBatch) -> FinishedBatch:
    """Only the rows of the batch's genes: the bytes of a batch that was built of just these genes."""
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    own = pl.col("gene_id").is_in(list(batch.gene_ids))
    with TableWriter(batch.folder / master.trim_file(batch.name), batch.table) as writer:
        held = pq.ParquetFile(batch.source / master.trim_file(batch.held_as))
        for group in range(held.num_row_groups):
            rows = pl.DataFrame(held.read_row_group(group)).filter(own)
            writer.append(rows)
            for column, counter in counts.items():
                counter.update({str(value): n for value, n in rows[column].value_counts().iter_rows()})
    ledger = pl.read_csv(batch.source / master.ledger_file(batch.held_as), schema=LEDGER_TABLE.polars_schema())
    kept = ledger.filter(own)
    write_bytes(batch.folder / master.ledger_file(batch.name), kept.write_csv().encode())
    master.link(batch.folder, batch.name)
    files = (
        describe_file(batch.folder, master.trim_file(batch.name), writer.rows),
        describe_file(batch.folder, master.master_file(batch.name), writer.rows),
        describe_file(batch.folder, master.ledger_file(batch.name), kept.height),
    )
    return FinishedBatch(files, {"rows": writer.rows, **{column: dict(n) for column, n in counts.items()}})


def _summary(folder: Folder, plan: MergePlan, names: Sequence[str]) -> Summary:
    facts = plan.sources[0].manifest.facts
    return Summary(
        build=facts["build"],
        base_model=facts["base_model"],
        base_pass=facts["base_pass"],
        inputs=folder.manifest.inputs,
        parameters=options_of(folder),
        software=folder.manifest.software,
        table=dataset_table_of(plan.parameters),
        genes=plan.genes,
        ledger=ledger_of(folder, names),
        counts=counts_of(folder, names),
        notes=(*plan.notes, *history(plan.parameters)),
        probe=_probe(plan.sources),
    )


def _probe(sources: Sequence[Source]) -> dict[str, Any]:
    """What the boundary probes of the sources found, together; shards of a plan all say the same."""
    found = [source.manifest.facts["boundary_probe"] for source in sources]
    return {
        "genes": list(dict.fromkeys(gene_id for probe in found for gene_id in probe["genes"])),
        "features_checked": min(probe["features_checked"] for probe in found),
        "changed": sorted({name for probe in found for name in probe["changed"]}),
    }


# ---- one interrupted build -------------------------------------------------------------------------------------------


def _finished(
    datasets: Sequence[Path], *, reference: Path | None, eval_dir: Path | None, dry_run: bool, verify: bool
) -> MergeResult:
    """Finish the interrupted build in a folder, if all batches are there."""
    if len(datasets) > 1:
        raise InputError("a folder for the merged dataset", "none", "name it with --output-dir")
    folder = dataset_folder(datasets[0])
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    if "maintenance" in manifest.parameters:
        raise StoreError(
            f"a dataset of a build in {folder}", "one that was changed afterwards", "nothing is left to do there"
        )
    missing = missing_batches(folder, manifest, verify=verify)
    identities = batch_identities(manifest.parameters, manifest.inputs)
    if missing:
        raise StoreError(
            expected=f"all {len(identities)} batches of {folder}",
            found=f"{len(missing)} missing or damaged: {first_few(missing, 20)}",
            action="run the command that made the folder again; finished batches are kept",
        )
    if not manifest.complete and not dry_run:
        carry_out(plan_held(manifest, reference=reference, eval_dir=eval_dir, output_dir=folder), folder)
    rows = sum(int(manifest.parts[name].facts["rows"]) for name in identities)
    genes, batches = len(manifest.parameters["gene_ids"]), len(identities)
    return MergeResult(folder, rows, genes, batches, batches, 0, (), 0, dry_run)
