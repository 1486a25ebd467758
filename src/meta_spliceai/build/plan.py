"""From options to a plan: everything is checked here, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import META_MODELS
from meta_spliceai.build.batch import BatchPlan, bases_per_row
from meta_spliceai.build.layout import Shard, batches_of, shard_parameters, trim_rule
from meta_spliceai.build.memory import MemoryPlan, plan_memory
from meta_spliceai.build.missing import PassOnDemand
from meta_spliceai.build.sampling import TrimRule
from meta_spliceai.build.select import GeneChoice, GeneRequest, select_genes
from meta_spliceai.errors import GeneError, InputError, PlanMismatchError, first_few
from meta_spliceai.features.enricher import Enricher, ReferenceFacts
from meta_spliceai.features.registry import choose_enrichers, identities_of, load_enrichers
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import column_as_json
from meta_spliceai.schema.tables import BASE_MODELS, ENRICHED_COLUMNS, ENRICHERS, PositionIdMode, dataset_table_of
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import MANIFEST, Manifest, differences

LARGEST_K = 8
"""With k = 8 a row has 65,536 k-mer columns, a hundred times the bases of its window."""

_GENES_NAMED_IN_A_COMMAND = 5
_COUNTED_COLUMNS = ("gene_id", "position", "pred_type")


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """A checked plan.

    Parameters
    ----------
    reference, artifacts
        What the dataset is made from.
    choice
        The genes.
    table
        The dataset's columns.
    parameters
        Everything that decides the content of the folder, for its manifest.
    batches
        By their numbers.
    memory
        Rows held at a time, processes at the same time, and the memory that they need.
    enrichers
        Those that are not built in.
    """

    reference: Reference
    artifacts: Artifacts
    choice: GeneChoice
    table: Table
    parameters: dict[str, Any]
    batches: tuple[BatchPlan, ...]
    memory: MemoryPlan
    enrichers: tuple[Enricher, ...] = ()

    @property
    def inputs(self) -> dict[str, str]:
        """Content fingerprints of what the dataset is made from."""
        made_from = {"reference": self.reference.fingerprint, "base_pass": self.artifacts.fingerprint}
        return {**made_from, **identities_of(self.enrichers)}

    def with_parameters(self, parameters: Mapping[str, Any]) -> BuildPlan:
        """The same options for other genes, or for the same genes in other batches."""
        batches = batches_of(parameters)
        order = pl.Series([gene_id for batch in batches for gene_id in batch.gene_ids], dtype=pl.String)
        genes = order.to_frame("gene_id").join(self.reference.genes, on="gene_id", how="left", maintain_order="left")
        template = self.batches[0]
        return dataclasses.replace(
            self,
            choice=dataclasses.replace(self.choice, genes=genes.select(self.reference.genes.columns)),
            parameters=dict(parameters),
            batches=tuple(dataclasses.replace(template, number=b.number, gene_ids=b.gene_ids) for b in batches),
        )


def plan_build(
    request: GeneRequest,
    rule: TrimRule,
    *,
    reference: Path | None,
    eval_dir: Path | None,
    output_dir: Path,
    batch_size: int,
    batch_rows: int,
    kmer_sizes: Sequence[int],
    run_workflow: bool | None,
    workflow_options: Mapping[str, Any],
    workers: int,
    memory_limit: int | None,
    position_id_mode: PositionIdMode | None = None,
    enrichers: Sequence[str] | None = None,
    evidence: Sequence[str] | None = None,
    base_models: Sequence[str] | None = None,
    shard: Shard | None = None,
) -> BuildPlan:
    """Choose the genes, run the base pass over those that have no artifacts, and cut them into batches.

    Raises
    ------
    InputError
        Sizes out of range, unknown enrichers, unusable evidence, artifacts that belong to another reference, a shard
        that holds no batch, or that the base pass should be run for.
    GeneError
        Unknown genes, none left, or genes without artifacts.
    """
    if shard is not None:
        run_workflow = _never_for_a_shard(run_workflow)
    chosen = choose_enrichers(enrichers, evidence)
    sizes = _checked_kmer_sizes(kmer_sizes) if "kmer" in chosen.built_in else ()
    for option, value in (("--batch-size", batch_size), ("--batch-rows", batch_rows)):
        if value < 1:
            raise InputError(f"{option} of at least 1", f"{value}", "give a positive number or leave the option out")
    loaded = load_reference(reference)
    others = load_enrichers(chosen, ReferenceFacts.of(loaded))
    folder = _eval_dir(loaded, eval_dir, workflow_options, run_workflow)
    base_pass = PassOnDemand(loaded, folder, workflow_options, allowed=run_workflow is not False)
    held = None if run_workflow else base_pass.available
    available = loaded.genes["gene_id"].to_list() if held is None else held
    choice = select_genes(
        loaded,
        request,
        available,
        lambda genes, calls: count_errors(base_pass.complete(genes), loaded, genes, calls),
    )
    base_pass.complete(choice.gene_ids)
    artifacts = artifacts_of(loaded, folder, base_models)
    _check_mode(artifacts, position_id_mode)
    check_covered(artifacts, loaded, choice.gene_ids)
    parameters = {
        "subset_policy": choice.policy,
        "n_genes": len(choice.gene_ids) if choice.policy in ("all", "custom") else request.n_genes,
        "gene_types": sorted(set(request.gene_types or ())),
        "gene_ids": list(choice.gene_ids),
        "batch_size": batch_size,
        "kmer_sizes": list(sizes),
        "further_bases": plain(artifacts.further_bases),
        **({} if base_models is None else {BASE_MODELS: artifacts.base_names}),
        "position_id_mode": artifacts.position_id_mode,
        ENRICHERS: list(chosen.names),
        **(
            {ENRICHED_COLUMNS: {one.name: [column_as_json(c) for c in one.columns] for one in others}} if others else {}
        ),
        "hard_prob": rule.hard_prob,
        "window": rule.window,
        "easy_ratio": rule.easy_ratio,
        "seed": rule.seed,
    }
    table = dataset_table_of(parameters)
    longest = loaded.genes.filter(pl.col("gene_id").is_in(choice.gene_ids))["gene_length"].max() or 0
    memory = plan_memory(
        memory_limit,
        table=table,
        kmer_sizes=sizes,
        batch_rows=batch_rows,
        workers=min(workers, -(-len(choice.gene_ids) // batch_size)),
        rows_of_largest_gene=int(str(longest)) // bases_per_row(artifacts),
    )
    batches = tuple(
        BatchPlan(
            number=batch.number,
            gene_ids=batch.gene_ids,
            reference=loaded.path,
            eval_dir=artifacts.path,
            folder=output_dir,
            rule=rule,
            kmer_sizes=sizes,
            batch_rows=memory.rows,
            enrichers=chosen,
            base_models=None if base_models is None else tuple(artifacts.base_names),
        )
        for batch in batches_of(parameters)
    )
    plan = BuildPlan(loaded, artifacts, choice, table, parameters, batches, memory, others)
    return plan if shard is None else plan.with_parameters(shard_parameters(parameters, shard))


def plan_held(manifest: Manifest, *, reference: Path | None, eval_dir: Path | None, output_dir: Path) -> BuildPlan:
    """The plan of a dataset whose batches are all there, from what its manifest says.

    Raises
    ------
    PlanMismatchError
        The reference or the base pass is not the one that the dataset is made from.
    """
    loaded = load_reference(reference)
    parameters = dict(manifest.parameters)
    artifacts = artifacts_of(loaded, eval_dir, parameters.get(BASE_MODELS))
    choice = GeneChoice(parameters["subset_policy"], loaded.genes.clear(), ())
    template = BatchPlan(
        number=0,
        gene_ids=(),
        reference=loaded.path,
        eval_dir=artifacts.path,
        folder=output_dir,
        rule=trim_rule(parameters),
        kmer_sizes=tuple(parameters["kmer_sizes"]),
        batch_rows=1,
    )
    table = dataset_table_of(parameters)
    plan = BuildPlan(loaded, artifacts, choice, table, parameters, (template,), MemoryPlan(1, 1, 0))
    found = differences(manifest, parameters, plan.inputs)
    if found:
        raise PlanMismatchError(
            expected="the reference and the base pass that the dataset is made from",
            found="; ".join(found),
            action="give them with --reference and --eval-dir, or run the build command again; finished batches are kept",
        )
    return plan.with_parameters(parameters)


def _never_for_a_shard(run_workflow: bool | None) -> bool:
    """Shards are built at the same time, and each would run the same base pass."""
    if run_workflow:
        raise InputError(
            expected="a shard to be built from artifacts that are there",
            found="--run-workflow",
            action="run `meta-spliceai basepass run` over the genes first, once, then build the shards",
        )
    return False


def _check_mode(artifacts: Artifacts, wanted: PositionIdMode | None) -> None:
    if wanted is not None and wanted != artifacts.position_id_mode:
        raise InputError(
            expected=f"artifacts in the position-id mode {wanted} at {artifacts.path}",
            found=f"the mode {artifacts.position_id_mode}",
            action=f"run `meta-spliceai basepass positions --position-id-mode {wanted}`: no base is scored again",
        )


def sizes_of(values: Sequence[int | str]) -> list[int]:
    """Sizes of k-mers from numbers, or texts of numbers with commas or spaces between them; 0 means none.

    Raises
    ------
    InputError
        Something that is no whole number.
    """
    texts = [item for value in values for item in str(value).replace(",", " ").split()]
    if not all(text.isdecimal() for text in texts):
        raise InputError("whole numbers for --kmer-sizes", " ".join(texts), "give for example --kmer-sizes 3,5")
    return [int(text) for text in texts if int(text)]


def _checked_kmer_sizes(kmer_sizes: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(sorted(kmer_sizes))
    if any(not 1 <= k <= LARGEST_K for k in sizes) or len(set(sizes)) < len(sizes):
        raise InputError(
            expected=f"different k-mer sizes from 1 to {LARGEST_K}",
            found=", ".join(map(str, kmer_sizes)),
            action="give for example --kmer-sizes 3, or --kmer-sizes 3 5",
        )
    return sizes


def _eval_dir(
    reference: Reference, eval_dir: Path | None, workflow_options: Mapping[str, Any], run_workflow: bool | None
) -> Path:
    """The folder of the base pass: the one given, the only one in the reference folder, or the one that will be made."""
    if eval_dir is not None:
        return eval_dir.parent if eval_dir.name == META_MODELS else eval_dir
    if run_workflow is not False and not _base_passes(reference.path):
        first = str(next(iter(workflow_options.get("base", ("spliceai",)))))
        return reference.path / f"{first.partition('=')[0]}_eval"
    return _only_base_pass(reference.path)


def artifacts_of(reference: Reference, eval_dir: Path | None, base_models: Sequence[str] | None = None) -> Artifacts:
    """The base pass in `eval_dir`, or the only one in the reference folder; with some of its base models only.

    Raises
    ------
    InputError
        None or several there, one that was run on another reference, or one without these base models.
    """
    artifacts = open_artifacts(eval_dir or _only_base_pass(reference.path))
    if artifacts.reference_fingerprint != reference.fingerprint:
        raise InputError(
            expected=f"artifacts made with the reference {reference.path} ({reference.fingerprint[:12]})",
            found=f"{artifacts.path} was made with another one ({artifacts.reference_fingerprint[:12]})",
            action="give the reference of that base pass, or run the base pass on this reference",
        )
    return artifacts.with_bases(base_models)


def _base_passes(reference: Path) -> list[Path]:
    """Folders in a reference that hold positions; those of further base models hold scores only."""
    passes = sorted(path.parent.parent for path in reference.glob(f"*_eval/{META_MODELS}/{MANIFEST}"))
    return [path for path in passes if open_artifacts(path).genes]


def _only_base_pass(reference: Path) -> Path:
    found = _base_passes(reference)
    if len(found) != 1:
        raise InputError(
            expected=f"one base pass in {reference}",
            found=f"{len(found)}: {first_few([path.name for path in found])}" if found else "none",
            action="choose one with --eval-dir" if found else "run `meta-spliceai basepass run` first",
        )
    return found[0]


def check_covered(artifacts: Artifacts, reference: Reference, gene_ids: Iterable[str]) -> None:
    """Raise a `GeneError` that names the genes without artifacts and the command that makes them."""
    held = artifacts.genes
    missing = [gene_id for gene_id in gene_ids if gene_id not in held]
    if not missing:
        return
    listed = missing if len(missing) <= _GENES_NAMED_IN_A_COMMAND else ["..."]
    command = [
        "meta-spliceai basepass run",
        f"--reference {reference.path} --eval-dir {artifacts.path} --genes",
        *listed,
    ]
    raise GeneError(
        expected=f"artifacts of every chosen gene in {artifacts.path}",
        found=f"none for {len(missing)} genes: {first_few(missing)}",
        action=f"run `{' '.join(command)}` first (what is there is kept), or choose among the genes that have artifacts",
    )


def count_errors(
    artifacts: Artifacts, reference: Reference, gene_ids: Sequence[str], pred_types: Sequence[str]
) -> dict[str, int]:
    """Number of distinct positions of each gene with one of `pred_types`; genes without any are left out."""
    check_covered(artifacts, reference, gene_ids)
    counts: dict[str, int] = {}
    for of_chunk in artifacts.by_chunk(gene_ids):
        rows = artifacts.candidates(of_chunk, _COUNTED_COLUMNS)
        wrong = rows.filter(pl.col("pred_type").is_in(pred_types))
        counts.update(wrong.group_by("gene_id").agg(pl.col("position").n_unique()).iter_rows())
    return counts
