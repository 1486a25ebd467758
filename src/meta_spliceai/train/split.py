"""Gene groups into folds and sides.

Which groups are set aside, and the order among groups with equally many sites, are decided by hashes of the seed and the
group's genes: the split does not change with the order of genes or with anything but the genes and the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.formats.contigs import common_name
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.train.groups import overlap_groups

SET_ASIDE, LEFT_OUT = -1, -2
"""Folds of genes that are set aside for the final model, and of genes that are used nowhere."""

SIDES = ("train", "valid", "test", "left_out")

Scheme = Literal["family", "gene", "chromosome"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

CHROMOSOME_PRESETS: dict[str, tuple[str, ...]] = {"spliceai": ("1", "3", "5", "7", "9")}
"""Contigs that a base model's authors kept for testing, by the name under which an option takes them."""

SPLIT_TABLE = Table(
    "split",
    2,
    "one row per gene, in reference order",
    (
        Column("gene_id", pl.String, "key", "gene", "gene identifier"),
        Column("gene_name", pl.String, "key", "gene", "gene symbol"),
        Column("chrom", pl.String, "key", "gene", "contig"),
        Column("group", pl.Int32, "key", "gene", "gene group: genes that overlap or resemble one another share it, or, split by gene, only those that overlap", low=0),
        Column("family", pl.Int32, "key", "gene", "gene family: genes that resemble one another share it, directly or through others", low=0),
        Column("side", pl.String, "key", "gene", "train, valid, test (set aside for the final model), or left_out: of a family that the other side holds", choices=SIDES),
        Column("fold", pl.Int8, "key", "gene", "the fold that holds the gene out, train and valid together; -1 in the test side, -2 where it is left out", low=LEFT_OUT),
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
    scheme: Scheme = "family",
    valid_size: float = 0.0,
    test_chromosomes: Sequence[str] = (),
) -> pl.DataFrame:
    """Divide gene groups into folds with about equally many splice sites.

    Parameters
    ----------
    genes
        gene_id, gene_name, chrom, start, end, n_splice_sites, in reference order.
    groups
        gene_id, group and family of each.
    folds
        Number of folds.
    test_size, valid_size
        Shares of the units that are set aside (in no fold, predicted by the final model alone), and that are marked for
        learners which take one validation set.
    seed
        Of all choices.
    training_chromosomes
        The base model's, by any of their names.
    scheme
        The unit: a group, a gene with those that overlap it, or a contig.
    test_chromosomes
        Contigs that are set aside, instead of a share. A gene elsewhere whose group has a gene on them is left out.

    Returns
    -------
    DataFrame
        `SPLIT_TABLE`.

    Raises
    ------
    InputError
        Options out of range, or contigs without genes.
    GeneError
        Fewer units than folds.
    """
    _check_options(folds, test_size, valid_size, scheme, test_chromosomes)
    rows = genes.join(groups, on="gene_id", how="left", maintain_order="left")
    if scheme == "gene":
        rows = rows.with_columns(group=overlap_groups(rows))
    rows = rows.with_columns(unit=pl.col("chrom" if scheme == "chromosome" else "group").rank("dense"))
    on_test = _on_contigs(rows, test_chromosomes)
    rows = rows.with_columns(fold=pl.when(on_test).then(pl.lit(SET_ASIDE, pl.Int8)), side=pl.lit("train"))
    rows = _without_relatives(rows, on_test)
    open_rows = rows.filter(pl.col("fold").is_null())
    units = _dealt(open_rows, folds=folds, test_size=test_size, valid_size=valid_size, seed=seed)
    # contigs are dealt whole, so a group may now lie in several folds
    rows = _without_strays(rows.join(units, on="unit", how="left", maintain_order="left").with_columns(
        fold=pl.coalesce("fold", "unit_fold"), is_valid=pl.col("is_valid").fill_null(value=False)
    ))  # fmt: skip
    sided = rows.with_columns(
            side=pl.when(pl.col("fold") == LEFT_OUT).then(pl.lit("left_out"))
            .when(pl.col("fold") == SET_ASIDE).then(pl.lit("test"))
            .when(pl.col("is_valid")).then(pl.lit("valid"))
            .otherwise(pl.lit("train")),
    )  # fmt: skip
    return SPLIT_TABLE.conform(marked_seen(sided, training_chromosomes))


def marked_seen(genes: pl.DataFrame, training_chromosomes: Sequence[str]) -> pl.DataFrame:
    """Genes with `base_seen`: whether their contig is, by any of its names, one the base model was trained on."""
    seen = {common_name(name) for name in training_chromosomes}
    return genes.with_columns(
        base_seen=pl.col("chrom").is_in([name for name in genes["chrom"].unique() if common_name(name) in seen])
    )


def _check_options(
    folds: int, test_size: float, valid_size: float, scheme: str, test_chromosomes: Sequence[str]
) -> None:
    if folds < 2:
        raise InputError("--folds of at least 2", f"{folds}", "give 2 or more; 5 is usual")
    if not 0 <= test_size < 1:
        raise InputError("--test-size from 0 to below 1", f"{test_size}", "give the share of gene groups to set aside")
    if not 0 <= valid_size < 1 - test_size:
        raise InputError("--valid-size from 0 to below 1 - test size", f"{valid_size}", "give a smaller share")
    if scheme not in SCHEMES:
        raise InputError(f"--scheme {', '.join(SCHEMES)}", f"{scheme}", "choose one of them")
    if test_size and test_chromosomes:
        raise InputError(
            "--test-size or --chromosomes-test",
            f"both: {test_size} and {', '.join(test_chromosomes)}",
            "leave one of them out",
        )


def _on_contigs(rows: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Which genes lie on the named contigs, or on those of a preset."""
    wanted = {common_name(one) for name in names for one in CHROMOSOME_PRESETS.get(name, (name,))}
    held = {name: common_name(name) for name in rows["chrom"].unique().sort()}
    without = sorted(
        name
        for name in names
        if not any(common_name(one) in held.values() for one in CHROMOSOME_PRESETS.get(name, (name,)))
    )
    if without:
        raise InputError(
            expected=f"contigs that hold some of the genes: {first_few(list(held), 30)}; or {', '.join(CHROMOSOME_PRESETS)}",
            found=f"none of the genes lies on {first_few(without)}",
            action="choose others with --chromosomes-test",
        )
    return rows["chrom"].is_in([name for name, common in held.items() if common in wanted])


def _without_relatives(rows: pl.DataFrame, on_test: pl.Series) -> pl.DataFrame:
    """The genes of groups that the test side holds are left out elsewhere."""
    held = rows.filter(on_test)["group"].unique()
    relative = pl.col("fold").is_null() & pl.col("group").is_in(held.to_list())
    return rows.with_columns(fold=pl.when(relative).then(pl.lit(LEFT_OUT, pl.Int8)).otherwise("fold"))


def _dealt(rows: pl.DataFrame, *, folds: int, test_size: float, valid_size: float, seed: int) -> pl.DataFrame:
    """unit, unit_fold and is_valid of the units of genes that have no fold yet."""
    units = rows.group_by("unit").agg(pl.col("n_splice_sites").sum(), genes=pl.col("gene_id").sort().str.join(","))
    drawn = units.with_columns(
        draw=pl.Series([seeded_word(seed, "test", names) for names in units["genes"]], dtype=pl.UInt64),
        order=pl.Series([seeded_word(seed, "fold", names) for names in units["genes"]], dtype=pl.UInt64),
    ).sort("draw")
    aside, valid = round(test_size * drawn.height), round(valid_size * drawn.height)
    if drawn.height - aside < folds:
        raise GeneError(
            expected=f"at least {folds} gene groups for {folds} folds",
            found=f"{drawn.height} groups of {rows.height} genes" + (f", {aside} of them set aside" if aside else ""),
            action="take more genes, or give fewer --folds",
        )
    dealt = drawn.tail(drawn.height - aside)
    placed = spread(dealt["n_splice_sites"].to_list(), dealt["order"].to_list(), folds)
    place = pl.int_range(pl.len())
    return drawn.select(
        "unit",
        unit_fold=pl.Series([SET_ASIDE] * aside + placed, dtype=pl.Int8),
        is_valid=(place >= aside) & (place < aside + valid),
    )


def _without_strays(rows: pl.DataFrame) -> pl.DataFrame:
    """A group that lies in several folds keeps its genes in the test side, else in the fold with most of its sites."""
    by_fold = (
        rows.filter(pl.col("fold") != LEFT_OUT)
        .group_by("group", "fold")
        .agg(pl.col("n_splice_sites").sum())
        .sort(pl.col("fold") != SET_ASIDE, pl.col("n_splice_sites"), "fold", descending=[False, True, False])
        .group_by("group", maintain_order=True)
        .agg(kept=pl.col("fold").first())
    )
    placed = rows.join(by_fold, on="group", how="left", maintain_order="left")
    stray = pl.col("fold") != pl.col("kept")
    return placed.with_columns(fold=pl.when(stray).then(pl.lit(LEFT_OUT, pl.Int8)).otherwise("fold"))


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
