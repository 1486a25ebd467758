"""One batch of genes, end to end: candidates -> trimmed rows -> features -> files.

Rows are trimmed before anything is computed for them. Genes are read in groups and features are computed in blocks, so
that memory is bounded by `batch_rows` and never by the batch. Groups and blocks leave no trace in the files: a row
depends on its gene and position alone, and row groups are cut by the writer.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.build.columns import add_features
from meta_spliceai.build.master import batch_name, ledger_file, link, master_file, trim_file
from meta_spliceai.build.memory import rows_per_block
from meta_spliceai.build.sampling import TrimRule, trim
from meta_spliceai.errors import StoreError, first_few
from meta_spliceai.features.enricher import Enricher, ReferenceFacts
from meta_spliceai.features.registry import EnricherChoice, load_enrichers
from meta_spliceai.reference.load import load
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.store.folder import FileEntry, describe_file
from meta_spliceai.store.tables import TableWriter

COUNTED = ("splice_type", "pred_type", "sampling_tier", "inclusion_probability")
"""Columns whose values are counted in every batch."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_OTHER_CANDIDATES = 0.05
"""Share of a gene body, at most and roughly, that the base pass keeps besides its random share."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Everything that decides the content of one batch, and where it goes.

    Parameters
    ----------
    number
        Counted from 1, in reference order.
    gene_ids
        The batch's genes, in reference order.
    reference, eval_dir, folder
        The prepared reference, the base pass, and the dataset folder.
    rule
        How true negatives are trimmed.
    kmer_sizes
        Sizes of the k-mers counted around each row.
    batch_rows
        Rows held in memory at a time; it changes no byte of the result.
    enrichers
        What adds the features.
    base_models
        Names of the base models whose scores become columns; default: all of the base pass.
    """

    number: int
    gene_ids: tuple[str, ...]
    reference: Path
    eval_dir: Path
    folder: Path
    rule: TrimRule
    kmer_sizes: tuple[int, ...]
    batch_rows: int
    enrichers: EnricherChoice = field(default_factory=EnricherChoice)
    base_models: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """`batch_00001` and so on: the name of the part."""
        return batch_name(self.number)


@dataclass(frozen=True, slots=True)
class FinishedBatch:
    """The files of a batch, and its counts: rows, and rows by value of each column of `COUNTED`."""

    files: tuple[FileEntry, ...]
    facts: dict[str, Any]


def make_batch(plan: BatchPlan) -> FinishedBatch:
    """Write the files of one batch and put it into the master folder; a module-level function, so workers can run it."""
    reference = load(plan.reference)
    artifacts = open_artifacts(plan.eval_dir).with_bases(plan.base_models)
    genes = reference.genes.filter(pl.col("gene_id").is_in(plan.gene_ids))
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    ledgers = []
    with ExitStack() as opened:
        genome = opened.enter_context(reference.open_genome())
        enrichers = load_enrichers(plan.enrichers, ReferenceFacts.of(reference))
        table = table_of(plan, artifacts, enrichers)
        writer = opened.enter_context(TableWriter(plan.folder / trim_file(plan.name), table))
        groups = gene_groups(genes, plan.batch_rows * bases_per_row(artifacts))
        for group, candidates in one_ahead((g, partial(artifacts.candidates, g["gene_id"].to_list())) for g in groups):
            check_sites(candidates, group)
            trimmed = trim(candidates, group, plan.rule)
            ledgers.append(trimmed.ledger)
            for column, counter in counts.items():
                counter.update({str(value): n for value, n in trimmed.rows[column].value_counts().iter_rows()})
            by_id = {str(gene["gene_id"]): gene for gene in group.iter_rows(named=True)}
            for block in trimmed.rows.iter_slices(rows_per_block(plan.batch_rows, plan.kmer_sizes)):
                with_features = add_features(
                    block, by_id, genome, plan.kmer_sizes, built_in=plan.enrichers.built_in, enrichers=enrichers
                )
                writer.append(table.conform(with_features))
    write_bytes(plan.folder / ledger_file(plan.name), pl.concat(ledgers).write_csv().encode())
    link(plan.folder, plan.name)
    trimmed_file = describe_file(plan.folder, trim_file(plan.name), writer.rows)
    files = (
        trimmed_file,
        dataclasses.replace(trimmed_file, name=master_file(plan.name)),  # a link to it, or a copy
        describe_file(plan.folder, ledger_file(plan.name), sum(ledger.height for ledger in ledgers)),
    )
    return FinishedBatch(files, {"rows": writer.rows, **{column: dict(n) for column, n in counts.items()}})


def table_of(plan: BatchPlan, artifacts: Artifacts, enrichers: Sequence[Enricher]) -> Table:
    """The columns of a batch's files."""
    return dataset_table(
        plan.kmer_sizes,
        artifacts.further_bases,
        artifacts.position_id_mode,
        enrichers=plan.enrichers.built_in,
        enriched=[column for enricher in enrichers for column in enricher.columns],
    )


def one_ahead(work: Iterable[tuple[Item, Callable[[], Result]]]) -> Iterator[tuple[Item, Result]]:
    """Each item with the result of its call; the next call runs in a thread while this result is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        for item, call in work:
            waiting.append((item, thread.submit(call)))
            if len(waiting) > 1:
                held, future = waiting.popleft()
                yield held, future.result()
        while waiting:
            held, future = waiting.popleft()
            yield held, future.result()


def check_sites(candidates: pl.DataFrame, genes: pl.DataFrame) -> None:
    """Every annotated site of every gene must be a candidate row, or sites would be dropped without being counted.

    Raises
    ------
    StoreError
        Names the genes whose sites are missing.
    """
    own = candidates.filter(pl.col("transcript_id").is_not_null())
    found = own.group_by("gene_id").agg(found=pl.col("position").n_unique())
    short = genes.join(found, on="gene_id", how="left", maintain_order="left").filter(
        pl.col("found").fill_null(0) < pl.col("n_splice_sites")
    )
    if short.height:
        raise StoreError(
            expected="every annotated splice site of a gene among its candidate rows",
            found=f"sites missing in {short.height} genes: {first_few(short['gene_id'].to_list())}",
            action="the artifacts are not those of this annotation: run the base pass again with --overwrite",
        )


def gene_groups(genes: pl.DataFrame, bases: int) -> Iterator[pl.DataFrame]:
    """Consecutive genes with bodies of at most `bases` nt together; a longer gene is alone."""
    first = total = 0
    for row, length in enumerate(genes["gene_length"].to_list()):
        if total and total + length > bases:
            yield genes.slice(first, row - first)
            first, total = row, 0
        total += length
    yield genes.slice(first)


def bases_per_row(artifacts: Artifacts) -> int:
    """About how many bases of a gene body give one candidate row, rounded down."""
    rule = artifacts.rule
    share = 1.0 if rule["tn_sampling"] == "none" else float(rule["tn_rate"])
    return int(1 / min(1.0, share + _OTHER_CANDIDATES))
