"""Gene groups into folds.

Which groups are set aside, and the order among groups with equally many sites, are decided by hashes of the seed and the
group's genes: the split does not change with the order of genes or with anything but the genes and the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.schema.column import Column, Table

SET_ASIDE = -1
"""The fold of genes that are set aside for the final model."""

SPLIT_TABLE = Table(
    "split",
    1,
    "one row per gene of the dataset, in reference order",
    (
        Column("gene_id", pl.String, "key", "gene", "gene identifier"),
        Column("group", pl.Int32, "key", "gene", "gene group: genes that overlap or resemble one another share it", low=0),
        Column("fold", pl.Int8, "key", "gene", "the fold that holds the gene out; -1 where it is set aside", low=SET_ASIDE),
        Column("test", pl.Boolean, "key", "gene", "whether the gene is set aside for the final model"),
        Column("base_seen", pl.Boolean, "key", "gene", "whether the base model was trained on the gene's chromosome"),
    ),
)  # fmt: skip


def plan_split(
    genes: pl.DataFrame,
    groups: pl.DataFrame,
    *,
    folds: int,
    test_size: float,
    seed: int,
    training_chromosomes: Sequence[str],
) -> pl.DataFrame:
    """Divide gene groups into folds with about equally many splice sites.

    Parameters
    ----------
    genes
        gene_id, chrom, n_splice_sites, in reference order.
    groups
        gene_id and group of each.
    folds
        Number of folds.
    test_size
        Share of the groups that is set aside: in no fold, predicted by the final model alone.
    seed
        Of all choices.
    training_chromosomes
        The base model's, with or without 'chr'.

    Returns
    -------
    DataFrame
        `SPLIT_TABLE`.

    Raises
    ------
    InputError
        Options out of range.
    GeneError
        Fewer groups than folds.
    """
    if folds < 2:
        raise InputError("--folds of at least 2", f"{folds}", "give 2 or more; 5 is usual")
    if not 0 <= test_size < 1:
        raise InputError("--test-size from 0 to below 1", f"{test_size}", "give the share of gene groups to set aside")
    rows = genes.join(groups, on="gene_id", how="left", maintain_order="left")
    by_group = rows.group_by("group").agg(pl.col("n_splice_sites").sum(), genes=pl.col("gene_id").sort().str.join(","))
    drawn = by_group.with_columns(
        draw=pl.Series([seeded_word(seed, "test", names) for names in by_group["genes"]], dtype=pl.UInt64),
        order=pl.Series([seeded_word(seed, "fold", names) for names in by_group["genes"]], dtype=pl.UInt64),
    ).sort("draw")
    aside = round(test_size * drawn.height)
    if drawn.height - aside < folds:
        raise GeneError(
            expected=f"at least {folds} gene groups for {folds} folds",
            found=f"{drawn.height} groups of {rows.height} genes" + (f", {aside} of them set aside" if aside else ""),
            action="build a dataset of more genes, or give fewer --folds",
        )
    fold_of_group = dict.fromkeys(drawn["group"].head(aside).to_list(), SET_ASIDE)
    dealt = drawn.tail(drawn.height - aside)
    placed = spread(dealt["n_splice_sites"].to_list(), dealt["order"].to_list(), folds)
    fold_of_group |= dict(zip(dealt["group"].to_list(), placed, strict=True))
    seen = {bare_chromosome(name) for name in training_chromosomes}
    return SPLIT_TABLE.conform(
        rows.with_columns(
            fold=pl.col("group").replace_strict(fold_of_group, return_dtype=pl.Int8),
            base_seen=pl.col("chrom").map_elements(lambda name: bare_chromosome(name) in seen, return_dtype=pl.Boolean),
        ).with_columns(test=pl.col("fold") == SET_ASIDE)
    )


def bare_chromosome(name: str) -> str:
    """A contig's name without 'chr'."""
    return name[3:] if name.lower().startswith("chr") else name


def spread(loads: Sequence[int], order: Sequence[int], folds: int) -> list[int]:
    """A fold for each item: the heaviest item first, each into the fold with the least load, then the fewest items.

    Parameters
    ----------
    loads
        What is to be balanced.
    order
        Decides among items of the same load.
    folds
        Number of folds.
    """
    fold_of = [0] * len(loads)
    held = [(0, 0)] * folds
    for item in sorted(range(len(loads)), key=lambda item: (-loads[item], order[item])):
        lightest = min(range(folds), key=lambda fold: (held[fold], fold))
        fold_of[item] = lightest
        held[lightest] = (held[lightest][0] + loads[item], held[lightest][1] + 1)
    return fold_of
