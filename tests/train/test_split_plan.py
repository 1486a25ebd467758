"""Saved splits: the command that makes them, and training that uses them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import GeneError, InputError, SchemaError
from meta_spliceai.evaluate.bases import load_bases
from meta_spliceai.evaluate.predictions import open_predictions
from meta_spliceai.reference.load import load
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train.run import train
from meta_spliceai.train.split import SPLIT_TABLE
from meta_spliceai.train.split_file import read_split, split_of, write_split
from meta_spliceai.train.split_plan import split_plan
from tests.train.conftest import Inputs


@pytest.fixture(scope="module")
def saved(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("split") / "split.tsv"
    split_plan(reference=inputs.reference, eval_dir=inputs.eval_dir, folds=3, valid_size=0.2, out=out)
    return out


def rewritten(saved: Path, out: Path, change: pl.Expr, made: dict[str, object] | None = None) -> Path:
    found = read_split(saved)
    write_split(out, SPLIT_TABLE.conform(found.table.with_columns(change)), found.made if made is None else made)
    return out


def accepted(path: Path, inputs: Inputs) -> pl.DataFrame:
    genes = load(inputs.reference).genes
    return split_of(read_split(path), genes, genes["gene_id"], path)


def test_a_saved_split_says_how_it_was_made_and_is_read_back(saved: Path, inputs: Inputs) -> None:
    first, _, table = saved.read_text().partition("\n")
    made = json.loads(first.removeprefix("# meta-spliceai split: "))
    assert (made["scheme"], made["folds"], made["build"]) == ("family", 3, "tiny1")
    assert made["training_chromosomes"] == ["T2"]
    assert table.splitlines()[0].split("\t") == SPLIT_TABLE.names
    assert accepted(saved, inputs)["gene_id"].to_list() == load(inputs.reference).genes["gene_id"].to_list()


def test_the_summary_shows_sides_folds_and_the_largest_groups(inputs: Inputs, tmp_path: Path) -> None:
    result = split_plan(
        reference=inputs.reference, training_chromosomes=["T2"], chromosomes_test=["chrT2"], folds=2, out=tmp_path / "s.tsv"
    )  # fmt: skip
    assert result.parts.select("side", "fold").rows()[0] == ("test", -1)
    test = result.parts.row(0, named=True)
    assert test["genes"] == test["base_seen"] == load(inputs.reference).genes.filter(chrom="chrT2").height
    assert "largest" in result.summary()
    assert "train --split" in result.summary()
    assert result.parts["genes"].sum() == result.genes


def test_chromosomes_come_from_the_base_pass_or_the_option(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--eval-dir or --training-chromosomes"):
        split_plan(eval_dir=inputs.eval_dir, training_chromosomes=["1"], out=tmp_path / "s.tsv")


def test_training_follows_a_saved_split(
    saved: Path, inputs: Inputs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = rewritten(
        saved,
        tmp_path / "split.tsv",
        # one gene is set aside and another left out
        pl.when(gene_id="TG01.1").then(-1).when(gene_id="TG04.1").then(-2).otherwise("fold").alias("fold"),
    )
    with caplog.at_level(logging.WARNING, "meta_spliceai"):
        result = train(**inputs.options(out_dir=tmp_path / "run", split=str(chosen), arms=["meta"]))
    assert "only base-unseen genes can support a claim" in caplog.text
    used = read_tsv(tmp_path / "run" / "split.tsv", SPLIT_TABLE)
    assert used.select("gene_id", "fold").equals(read_split(chosen).table.select("gene_id", "fold"))
    assert result.folds == 3
    evaluated = open_predictions(result.predictions)
    assert load_bases(evaluated).folds.names.tolist() == [-1, 0, 1, 2]
    trained = json.loads((result.model / "model.json").read_text())["training_genes"]
    assert not {"TG01.1", "TG04.1"} & set(trained)
    assert evaluated.description.gene_count == used.height - 1


def test_training_chromosomes_that_are_no_contigs_are_refused(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one by one"):
        split_plan(reference=inputs.reference, training_chromosomes=["chrT1,chrT2"], out=tmp_path / "s.tsv")
    split_plan(reference=inputs.reference, training_chromosomes=["chrT1", "chrZ"], folds=2, out=tmp_path / "s.tsv")
    seen = read_split(tmp_path / "s.tsv").table.filter("base_seen")["chrom"].unique().to_list()
    assert seen == ["chrT1"]


def test_training_divides_chromosomes_whole(inputs: Inputs, tmp_path: Path) -> None:
    options = inputs.options(
        out_dir=tmp_path / "run", split="chromosome", arms=(), feature_profile="base_only", folds=2
    )
    train(**options)
    used = read_tsv(tmp_path / "run" / "split.tsv", SPLIT_TABLE)
    assert used["chrom"].n_unique() > 1
    assert (
        used.filter(pl.col("fold") >= 0).group_by("chrom").agg(pl.col("fold").n_unique())["fold"].to_list()
        == [1] * used.filter(pl.col("fold") >= 0)["chrom"].n_unique()
    )


def test_one_split_takes_no_saved_folds(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--split gene with one split"):
        train(**inputs.options(out_dir=tmp_path / "run", split="gene", single_split=True))
    assert not (tmp_path / "run").exists()


def test_a_family_on_two_sides_is_refused_by_name(saved: Path, inputs: Inputs, tmp_path: Path) -> None:
    table = read_split(saved).table
    folds = dict(table.select("fold", "gene_id").iter_rows())
    one, other = folds[0], folds[1]
    family = pl.when(pl.col("gene_id").is_in([one, other])).then(0).otherwise(pl.int_range(1, pl.len() + 1))
    mixed = rewritten(saved, tmp_path / "mixed.tsv", family.alias("family"))
    names = table.filter(pl.col("gene_id").is_in([one, other]))["gene_name"].to_list()
    with pytest.raises(SchemaError, match="genes of one family on one side") as caught:
        accepted(mixed, inputs)
    assert all(name in caught.value.found for name in names)
    assert "fold 1" in caught.value.found
    by_gene = rewritten(mixed, tmp_path / "by_gene.tsv", family.alias("family"), {"scheme": "gene"})
    assert accepted(by_gene, inputs).height == table.height  # whoever asked for it gets it, with a warning
    left_out = pl.when(gene_id=one).then(-2).otherwise("fold").alias("fold")
    assert accepted(rewritten(mixed, tmp_path / "out.tsv", left_out), inputs).height == table.height


def test_overlapping_genes_in_two_folds_are_refused(saved: Path, inputs: Inputs, tmp_path: Path) -> None:
    alone = [pl.int_range(pl.len()).alias(name) for name in ("group", "family")]
    found = read_split(saved)
    scattered = found.table.with_columns(*alone, fold=pl.int_range(pl.len()) % 3)
    write_split(tmp_path / "s.tsv", SPLIT_TABLE.conform(scattered), found.made)
    with pytest.raises(SchemaError, match="genes that overlap on one side"):
        accepted(tmp_path / "s.tsv", inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.tail(-1), "1 missing: TG01.1"),
        (lambda table: pl.concat([table, table.head(1)]), "1 named twice: TG01.1"),
        (lambda table: table.with_columns(gene_id=pl.col("gene_id").replace("TG01.1", "NONE")), "1 unknown: NONE"),
    ],
)
def test_missing_doubled_and_unknown_genes_are_refused(
    saved: Path, inputs: Inputs, tmp_path: Path, change: object, message: str
) -> None:
    found = read_split(saved)
    write_split(tmp_path / "s.tsv", change(found.table), found.made)  # type: ignore[operator]
    with pytest.raises(GeneError, match=message):
        accepted(tmp_path / "s.tsv", inputs)


def test_a_split_without_two_folds_is_refused(saved: Path, inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="at least two folds"):
        accepted(rewritten(saved, tmp_path / "s.tsv", pl.lit(0).alias("fold")), inputs)
    with pytest.raises(SchemaError, match="at least two folds"):
        accepted(rewritten(saved, tmp_path / "t.tsv", (pl.col("fold") * 2).alias("fold")), inputs)


def test_what_is_no_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_split(tmp_path / "absent.tsv")
    (tmp_path / "text.tsv").write_text("gene_id\tfold\nG1\tone\n")
    with pytest.raises(InputError, match=r"a split as|columns"):
        read_split(tmp_path / "text.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="a split as"):
        read_split(tmp_path / "bytes.tsv")
