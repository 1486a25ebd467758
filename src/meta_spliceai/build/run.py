"""`build`: plan -> batches -> finalise."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.build import master
from meta_spliceai.build.assembly import assemble
from meta_spliceai.build.batch import make_batch
from meta_spliceai.build.estimate import BuildEstimate, estimate_build
from meta_spliceai.build.extend import check_extension, extended_plan
from meta_spliceai.build.finish import USUAL_PAPERWORK, Paperwork, finish
from meta_spliceai.build.layout import Shard, batch_identities
from meta_spliceai.build.memory import parsed_size
from meta_spliceai.build.missing import parsed_workflow_options
from meta_spliceai.build.plan import BuildPlan, plan_build, sizes_of
from meta_spliceai.build.sampling import TrimRule
from meta_spliceai.build.select import DEFAULT_GENES, GeneRequest, Policy
from meta_spliceai.errors import InputError
from meta_spliceai.reference.genes import separated
from meta_spliceai.schema.tables import PositionIdMode
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import Folder, read_manifest

KIND = "dataset"
FORMAT_VERSION = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A finished dataset.

    Parameters
    ----------
    path, master
        The dataset folder, and the folder of Parquet files that training reads.
    rows, genes, batches
        What it holds.
    batches_made
        Batches made by this call; the others were there already.
    notes
        What a user should know about the choice of genes.
    """

    path: Path
    master: Path
    rows: int
    genes: int
    batches: int
    batches_made: int
    notes: tuple[str, ...]


def build(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    output_dir: Path = Path("train_dataset_trimmed"),
    n_genes: int = DEFAULT_GENES,
    subset_policy: Policy | None = None,
    gene_ids: Sequence[str] | None = None,
    additional_gene_ids: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    gene_types: Sequence[str] | None = None,
    batch_size: int = 1_000,
    batch_rows: int = 500_000,
    kmer_sizes: Sequence[int | str] = (6,),
    enrichers: Sequence[str] | None = None,
    evidence: Sequence[str] | None = None,
    base_models: Sequence[str] | None = None,
    hard_prob: float = 0.15,
    window: int = 75,
    easy_ratio: float = 0.5,
    seed: int = 42,
    workers: int = 1,
    memory_limit: str | None = None,
    run_workflow: bool | None = None,
    workflow_kwargs: str | None = None,
    position_id_mode: PositionIdMode | None = None,
    extend: bool = False,
    shard: str | None = None,
    no_manifest: bool = False,
    document: bool = False,
    dry_run: bool = False,
    verify: bool = False,
    overwrite: bool = False,
) -> BuildResult | BuildEstimate:
    """Build a training dataset from the artifacts of a base pass, batch by batch.

    An interrupted build resumes when it is called again: finished batches are kept. The rows and their values depend on
    no batch size, and the files' bytes on no worker count, machine or interruption.

    Parameters
    ----------
    reference
        Folder made by `reference prepare`; default: the one that `reference audit` finds.
    eval_dir
        Folder of the base pass; default: the only one in the reference folder.
    output_dir
        Where the dataset goes.
    n_genes
        How many genes a policy chooses, the additional ones among them; `all` and `custom` take no notice of it.
    subset_policy
        `error_total`, `error_fp` or `error_fn`, the genes with the most positions that the base model gets wrong;
        `random`; `all`, every gene with artifacts; `custom`, only the listed genes. Default: `custom` where genes are
        listed, else `error_total` among the genes that have artifacts.
    gene_ids
        Exactly these genes, as ids or names, whatever the policy.
    additional_gene_ids
        Genes added to the policy's choice, as ids or names.
    gene_ids_file
        A file of more such genes: one per line, or a TSV or CSV table.
    gene_col
        The column of that table that holds them.
    gene_types
        Only genes of these types.
    batch_size
        Genes per batch, hence per file.
    batch_rows
        Rows held in memory at a time.
    kmer_sizes
        Sizes of the k-mers to count around each row, 1 to 8; 6 gives 4,096 columns, 3 gives 64.
    enrichers
        What adds the features, as `enrichers list` shows them; default: all built-in ones, and those that evidence is
        given for. Keys, labels, sampling and the scores of the row's own base are there in any case.
    evidence
        Files of enrichers that read some, as NAME=FILE, such as `junctions=SJ.out.tab`; several for one name where it
        reads several. Training and prediction ask for the same files again.
    base_models
        Base models whose scores become features, the first one included; default: all of the artifacts. Means over base
        models are over these.
    hard_prob
        True negatives with a score above this are all kept.
    window
        True negatives within this many nt of a true site of their gene are all kept.
    easy_ratio
        Share of the other true negatives that is kept.
    seed
        Seed of that choice and of the random policy.
    workers
        Processes that make batches at the same time.
    memory_limit
        Memory that all processes together may need, such as 2G or 800M: fewer rows are held at a time, then fewer
        batches are made at the same time. The result is the same.
    run_workflow
        Whether the base pass may be run over genes that have no artifacts before anything is built. By default it is,
        over just those; told to, the policy `all` means all genes of the reference; told not to, the build stops and
        lists them.
    workflow_kwargs
        Options of that base pass, as a JSON object such as '{"threads": 1}'; where artifacts exist, those that they were
        made with are repeated.
    extend
        Add the chosen genes to the dataset that the folder holds; those that it has already stay as they are, file by
        file. All other options must be those that it was built with.
    shard
        Build only a share of the batches, as NUMBER/HOW_MANY, such as 1/8 to 8/8 in eight jobs with a folder each;
        `dataset merge` joins them. All genes must have artifacts before.
    position_id_mode
        What a row is: `genomic` one per base and gene, `transcript` one per transcript with a site there, `splice_aware`
        the same with the transcript's own label, `hybrid` genomic rows that list all transcripts. Default: as in the
        artifacts, which decide; `basepass positions` makes them in another mode.
    no_manifest
        Leave out gene_manifest.csv; the tools that need it say so.
    document
        Write the dataset's profile, its technical specification and a script that validates it, too.
    dry_run
        Only say what would be built: rows, time, memory and disk. Nothing is written, and no base pass is run.
    verify
        Compare the checksums of finished batches, not only their sizes and footers; damaged ones are made again.
    overwrite
        Start anew whatever the folder holds of an earlier build.

    Raises
    ------
    InputError, GeneError
        Before anything is written: options out of range, artifacts of another reference, unknown enrichers, evidence of
        another genome, unknown genes, genes without artifacts.
    PlanMismatchError
        The folder was built with other parameters or inputs.
    BusyError
        Another process is building there.
    LeakageError
        A feature changes when the annotated ends of a gene move.
    StoreError
        There is no dataset to extend, or it has patches.
    """
    rule = TrimRule(hard_prob, window, easy_ratio, seed)
    if extend:
        held = read_manifest(output_dir, KIND, FORMAT_VERSION)
        # of a dataset without k-mers, sizes say nothing
        sizes = sorted(sizes_of(kmer_sizes)) if held.parameters["kmer_sizes"] else []
        options = {**plain(rule), "batch_size": batch_size, "kmer_sizes": sizes}
        check_extension(held, options, overwrite=overwrite, shard=shard)
    if workers < 1:
        raise InputError("--workers of at least 1", f"{workers}", "give a positive number or leave the option out")
    if dry_run:
        run_workflow = False
    plan = plan_build(
        GeneRequest(
            n_genes,
            subset_policy,
            separated(gene_ids),
            separated(additional_gene_ids),
            gene_ids_file,
            gene_col,
            separated(gene_types),
            seed,
        ),
        rule,
        reference=reference,
        eval_dir=eval_dir,
        output_dir=output_dir,
        batch_size=batch_size,
        batch_rows=batch_rows,
        kmer_sizes=sizes_of(kmer_sizes),
        run_workflow=run_workflow,
        workflow_options=parsed_workflow_options(workflow_kwargs),
        position_id_mode=position_id_mode,
        enrichers=separated(enrichers),
        evidence=evidence,
        base_models=separated(base_models),
        workers=workers,
        memory_limit=None if memory_limit is None else parsed_size(memory_limit),
        shard=None if shard is None else Shard.parsed(shard),
    )
    for note in plan.choice.notes:
        log.warning("%s", note)
    if dry_run:
        return estimate_build(plan)
    return carry_out(
        plan,
        output_dir,
        verify=verify,
        overwrite=overwrite,
        extend=extend,
        paperwork=Paperwork(gene_manifest=not no_manifest, profile=document),
    )


def carry_out(
    plan: BuildPlan,
    output_dir: Path,
    *,
    verify: bool = False,
    overwrite: bool = False,
    extend: bool = False,
    paperwork: Paperwork = USUAL_PAPERWORK,
) -> BuildResult:
    """Make what is missing of a planned dataset and finish it.

    Parameters
    ----------
    plan, output_dir
        What is built, and where.
    verify, overwrite, extend
        As the options of `build`.
    paperwork
        Which documents are wanted.

    Raises
    ------
    PlanMismatchError, BusyError, LeakageError, StoreError
        As `build`.
    """
    with _opened(plan, output_dir, overwrite=overwrite, extend=extend) as (folder, wanted):
        identities = batch_identities(wanted.parameters, wanted.inputs)
        made = assemble(
            folder,
            wanted.batches,
            identities,
            make_batch,
            title="building",
            workers=wanted.memory.workers,
            verify=verify,
        )
        finish(folder, wanted, identities, paperwork)
        rows = int(folder.manifest.facts["rows"])
        folder.log("build", batches=len(identities), batches_made=made, rows=rows, workers=wanted.memory.workers)
    return BuildResult(
        path=output_dir,
        master=output_dir / master.MASTER,
        rows=rows,
        genes=len(wanted.choice.gene_ids),
        batches=len(wanted.batches),
        batches_made=made,
        notes=wanted.choice.notes,
    )


@contextmanager
def _opened(plan: BuildPlan, output_dir: Path, *, overwrite: bool, extend: bool) -> Iterator[tuple[Folder, BuildPlan]]:
    """The locked folder, and the plan for all that it shall hold; an extension is written down before it is begun."""
    if not extend:
        with Folder.opened(
            output_dir,
            kind=KIND,
            format_version=FORMAT_VERSION,
            parameters=plan.parameters,
            inputs=plan.inputs,
            overwrite=overwrite,
        ) as folder:
            yield folder, plan
        return
    with Folder.existing(output_dir, kind=KIND, format_version=FORMAT_VERSION) as folder:
        held = folder.manifest
        wanted = extended_plan(plan, held)
        before, after = len(held.parameters["gene_ids"]), len(wanted.choice.gene_ids)
        log.info("%s genes are there, %s are added", f"{before:,}", f"{after - before:,}")
        if after > before:
            folder.amend(dataclasses.replace(held, parameters=wanted.parameters, complete=False))
        yield folder, wanted
