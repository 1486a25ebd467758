"""The plan of a merge: which batch of which dataset becomes which batch of the merged one. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from meta_spliceai.build import master
from meta_spliceai.build.layout import CHOICE_OF_GENES, LAYOUT, MERGED, layout_parameters, whole_plan
from meta_spliceai.build.merge_sources import Source, shards_of_one_plan
from meta_spliceai.errors import GeneError, first_few
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, dataset_table_of
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import PartEntry

OnDuplicate = Literal["refuse", "first"]


@dataclass(frozen=True, slots=True)
class JoinedBatch:
    """A batch of the merged dataset, and the batch of a source that it comes from.

    Parameters
    ----------
    number, gene_ids
        Its number and genes in the merged dataset.
    source, entry
        The source's folder, and the entry of the batch in its manifest.
    held_as
        Name of the batch in the source.
    is_whole
        Whether all genes of the source's batch are kept, hence its files.
    folder, table
        Where it goes, and its columns.
    """

    number: int
    gene_ids: tuple[str, ...]
    source: Path
    entry: PartEntry
    held_as: str
    is_whole: bool
    folder: Path
    table: Table

    @property
    def name(self) -> str:
        """`batch_00001` and so on: the name of the part."""
        return master.batch_name(self.number)


@dataclass(frozen=True, slots=True)
class MergePlan:
    """A checked plan.

    Parameters
    ----------
    sources
        In the order given.
    parameters
        Of the merged dataset.
    batches
        By their numbers.
    genes
        Its `GENE_MANIFEST_TABLE`.
    notes
        What a user should know about the choice of genes.
    left_out
        Ids of genes that an earlier source has, once for each source that has them too.
    rows_left_out
        Their rows.
    """

    sources: tuple[Source, ...]
    parameters: dict[str, Any]
    batches: tuple[JoinedBatch, ...]
    genes: pl.DataFrame
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    rows_left_out: int

    @property
    def inputs(self) -> Mapping[str, str]:
        """What the rows were made from."""
        return self.sources[0].manifest.inputs


def plan_merge(sources: Sequence[Source], output_dir: Path, on_duplicate: OnDuplicate) -> MergePlan:
    """Which batch of which source becomes which batch; nothing is written.

    Raises
    ------
    GeneError
        Several sources have the same genes, and that is to be refused.
    InputError, PlanMismatchError, StoreError
        As `shards_of_one_plan`.
    """
    first_of: dict[str, Path] = {}
    for source in sources:
        for gene_id in source.parameters["gene_ids"]:
            first_of.setdefault(gene_id, source.path)
    left_out = {
        source.path: [g for g in source.parameters["gene_ids"] if first_of[g] != source.path] for source in sources
    }
    in_several = sorted({gene_id for genes in left_out.values() for gene_id in genes})
    as_shards = shards_of_one_plan(sources)
    if in_several and on_duplicate == "refuse":
        raise GeneError(
            expected="each gene in one of the datasets",
            found=f"{len(in_several):,} in several: {first_few(in_several, 20)}",
            action="add --on-duplicate first to keep the rows of the dataset named first, or leave a dataset out",
        )
    batches = _joined_batches(sources, left_out, output_dir, renumbered=not as_shards)
    return MergePlan(
        sources=tuple(sources),
        parameters=whole_plan(sources[0].parameters) if as_shards else _joined_parameters(sources, batches, left_out),
        batches=batches,
        genes=_joined_genes(sources, batches),
        notes=tuple(sources[0].manifest.facts.get("notes", ())) if as_shards else (),
        left_out=tuple(gene_id for genes in left_out.values() for gene_id in genes),
        rows_left_out=sum(
            int(source.genes.filter(pl.col("gene_id").is_in(left_out[source.path]))["rows"].sum()) for source in sources
        ),
    )


def _joined_batches(
    sources: Sequence[Source], left_out: Mapping[Path, Sequence[str]], output_dir: Path, *, renumbered: bool
) -> tuple[JoinedBatch, ...]:
    table = dataset_table_of(sources[0].parameters)
    joined: list[JoinedBatch] = []
    for source in sources:
        gone = set(left_out[source.path])
        for batch in source.batches:
            own = tuple(gene_id for gene_id in batch.gene_ids if gene_id not in gone)
            if own:
                joined.append(
                    JoinedBatch(
                        number=len(joined) + 1 if renumbered else batch.number,
                        gene_ids=own,
                        source=source.path,
                        entry=source.manifest.parts[batch.name],
                        held_as=batch.name,
                        is_whole=len(own) == len(batch.gene_ids),
                        folder=output_dir,
                        table=table,
                    )
                )
    return tuple(sorted(joined, key=lambda batch: batch.number))


def _joined_parameters(
    sources: Sequence[Source], batches: Sequence[JoinedBatch], left_out: Mapping[Path, Sequence[str]]
) -> dict[str, Any]:
    first = sources[0].parameters
    gene_ids = [gene_id for batch in batches for gene_id in batch.gene_ids]
    types = [source.parameters["gene_types"] for source in sources]
    choices = [
        {
            **{name: source.parameters[name] for name in sorted(CHOICE_OF_GENES - {"gene_ids"})},
            "genes": len(source.parameters["gene_ids"]) - len(left_out[source.path]),
            "left_out": len(left_out[source.path]),
        }
        for source in sources
    ]
    parameters = {
        **{name: value for name, value in first.items() if name not in LAYOUT},
        **layout_parameters([len(batch.gene_ids) for batch in batches], int(first["batch_size"])),
        "gene_ids": gene_ids,
        "n_genes": len(gene_ids),
        "subset_policy": "custom",
        "gene_types": sorted({kind for kinds in types for kind in kinds}) if all(types) else [],
        MERGED: choices,
    }
    joined: dict[str, Any] = plain(parameters)
    return joined


def _joined_genes(sources: Sequence[Source], batches: Sequence[JoinedBatch]) -> pl.DataFrame:
    where = pl.DataFrame(
        [
            (gene_id, str(batch.source), batch.number, f"{batch.name}.parquet")
            for batch in batches
            for gene_id in batch.gene_ids
        ],
        schema={"gene_id": pl.String, "source": pl.String, "file_index": pl.Int64, "file_name": pl.String},
        orient="row",
    )
    held = pl.concat(
        source.genes.drop("global_index", "file_index", "file_name").with_columns(source=pl.lit(str(source.path)))
        for source in sources
    )
    joined = where.join(held, on=["gene_id", "source"], how="left", maintain_order="left")
    return GENE_MANIFEST_TABLE.conform(joined.with_row_index("global_index"))
