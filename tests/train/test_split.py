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
        "chrom": ["chr1", "chr2", "3", "chrX"] * 6,
        "n_splice_sites": [(7 * n) % 13 for n in range(24)],
    }
)
GROUPS = GENES.select("gene_id", group=pl.Series([n // 2 for n in range(24)], dtype=pl.Int32))


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
    assert table.filter("test")["group"].n_unique() == 3
    assert table.filter("test")["fold"].unique().to_list() == [-1]
    assert sorted(table.filter(~pl.col("test"))["fold"].unique()) == [0, 1, 2, 3]


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


@pytest.mark.parametrize(("option", "value"), [("folds", 1), ("test_size", 1.0), ("test_size", -0.1)])
def test_options_out_of_range_are_refused(option: str, value: float) -> None:
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')}"):
        split(**{option: value})
