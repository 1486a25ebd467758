"""Groups into folds."""

from __future__ import annotations

import polars as pl
import pytest

from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.schema.check import check_frame
from meta_spliceai.train.split import SPLIT_TABLE, plan_split, spread

GENES = pl.DataFrame(
    {
        "gene_id": [f"G{n:02d}" for n in range(24)],
        "gene_name": [f"NAME{n}" for n in range(24)],
        "chrom": ["chr1", "chr2", "3", "chrX"] * 6,
        "start": [1_000 * n + 1 for n in range(24)],
        "end": [1_000 * n + 500 for n in range(24)],
        "n_splice_sites": [(7 * n) % 13 for n in range(24)],
    }
)
GROUPS = GENES.select(
    "gene_id",
    group=pl.Series([n // 2 for n in range(24)], dtype=pl.Int32),
    family=pl.Series([n // 2 for n in range(24)], dtype=pl.Int32),
)
"""Each group has one gene on chr1 and one on chr2, or one on 3 and one on chrX."""


def split(genes: pl.DataFrame = GENES, groups: pl.DataFrame = GROUPS, **options: object) -> pl.DataFrame:
    given = {"folds": 4, "test_size": 0.0, "seed": 42, "training_chromosomes": ["2", "X"], **options}
    return plan_split(genes, groups, **given)  # type: ignore[arg-type]


def test_a_group_is_never_divided() -> None:
    table = check_frame(split(test_size=0.25), SPLIT_TABLE, source="split")
    assert table.group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 12
    assert table["gene_id"].to_list() == GENES["gene_id"].to_list()


def test_folds_hold_about_equally_many_sites() -> None:
    sites = split().join(GENES, on="gene_id").group_by("fold").agg(pl.col("n_splice_sites").sum()).sort("fold")
    assert sites["fold"].to_list() == [0, 1, 2, 3]
    assert sites["n_splice_sites"].max() - sites["n_splice_sites"].min() <= 5  # type: ignore[operator]


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_genes() -> None:
    shuffled = GENES.sample(fraction=1.0, shuffle=True, seed=3)
    once, again = split(test_size=0.25), split(shuffled, test_size=0.25).sort("gene_id")
    assert once.equals(again)
    assert not once.equals(split(test_size=0.25, seed=43))


def test_a_share_of_the_groups_is_set_aside() -> None:
    table = split(test_size=0.25)
    assert table.filter(side="test")["group"].n_unique() == 3
    assert table.filter(side="test")["fold"].unique().to_list() == [-1]
    assert sorted(table.filter(side="train")["fold"].unique()) == [0, 1, 2, 3]


def test_another_share_is_marked_for_validation_and_stays_in_the_folds() -> None:
    table = split(test_size=0.25, valid_size=0.25)
    assert {side: rows["group"].n_unique() for (side,), rows in table.group_by("side")} == {
        "test": 3, "valid": 3, "train": 6,
    }  # fmt: skip
    assert table.drop("side").equals(split(test_size=0.25).drop("side"))
    assert table.group_by("group").agg(pl.col("side").n_unique())["side"].max() == 1


def test_genes_like_those_of_test_contigs_are_left_out() -> None:
    table = split(test_chromosomes=["1"])
    assert set(table.filter(side="test")["chrom"]) == {"chr1"}
    assert set(table.filter(side="left_out")["chrom"]) == {"chr2"}
    assert set(table.filter(side="train")["chrom"]) == {"3", "chrX"}
    assert dict(table.select("side", "fold").filter(side="left_out").unique().iter_rows()) == {"left_out": -2}


def test_a_preset_names_the_contigs_that_authors_kept() -> None:
    moved = GENES.with_columns(pl.col("chrom").replace({"chr2": "chr9", "3": "4"}))
    assert set(split(moved, test_chromosomes=["spliceai"]).filter(side="test")["chrom"]) == {"chr1", "chr9"}
    with pytest.raises(InputError, match="none of the genes lies on 8"):
        split(test_chromosomes=["1", "8"])


def test_whole_contigs_are_dealt_and_groups_on_several_keep_one_fold() -> None:
    table = split(scheme="chromosome")
    used = table.filter(pl.col("side") != "left_out")
    assert used.group_by("chrom").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * used["chrom"].n_unique()
    assert used.group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 12
    assert used.height == 12  # of each group, which lies on two contigs, one gene
    kept = used.join(GENES, on="gene_id").join(GROUPS.select("gene_id", twin="group"), on="gene_id")
    most = GENES.join(GROUPS, on="gene_id").group_by("group").agg(pl.col("n_splice_sites").max())
    compared = kept.join(most, left_on="twin", right_on="group", suffix="_most")
    assert (compared["n_splice_sites"] == compared["n_splice_sites_most"]).all()


def test_contigs_can_be_set_aside_by_share() -> None:
    table = split(scheme="chromosome", folds=2, test_size=0.25)
    assert table.filter(side="test")["chrom"].n_unique() == 1
    assert table.filter(side="test").height == 6  # the test side keeps its genes, the other side gives way


def test_split_by_gene_keeps_only_overlapping_genes_together() -> None:
    close = GENES.with_columns(chrom=pl.lit("chr1"), start=pl.col("start").replace(3_001, 2_400))
    table = split(close, scheme="gene")
    assert table["group"].n_unique() == 23
    assert table.filter(pl.col("gene_id").is_in(["G02", "G03"]))["fold"].n_unique() == 1
    assert table.group_by("family").agg(pl.col("fold").n_unique())["fold"].max() == 2


def test_chromosomes_of_the_base_models_training_are_marked_with_or_without_chr() -> None:
    table = split(training_chromosomes=["chr3", "2"])
    assert table["base_seen"].to_list() == [False, True, True, False] * 6


def test_the_heaviest_goes_first_and_each_to_the_lightest() -> None:
    assert spread([5, 1, 4, 3], [0, 0, 0, 0], 2) == [0, 0, 1, 1]
    assert spread([0, 0, 0], [2, 1, 0], 3) == [2, 1, 0]


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(GeneError, match="at least 5 gene groups for 5 folds") as caught:
        split(GENES.head(1), GROUPS.head(1), folds=5)
    assert caught.value.found == "1 groups of 1 genes"
    with pytest.raises(GeneError, match="12 groups of 24 genes, 9 of them set aside"):
        split(test_size=0.75)


def test_a_share_and_contigs_to_set_aside_exclude_one_another() -> None:
    with pytest.raises(InputError, match="--test-size or --chromosomes-test"):
        split(test_size=0.2, test_chromosomes=["1"])


@pytest.mark.parametrize(
    ("option", "value"),
    [("folds", 1), ("test_size", 1.0), ("test_size", -0.1), ("valid_size", 1.0), ("scheme", "gender")],
)
def test_options_out_of_range_are_refused(option: str, value: object) -> None:
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')}"):
        split(**{option: value})
