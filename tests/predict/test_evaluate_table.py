"""Anyone's table of scores, measured against the annotation by the code that measures everything else."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import polars as pl
import polars.testing
import pytest

from meta_spliceai.errors import GeneError, InputError, StoreError
from meta_spliceai.evaluate.result import TABLES, EvaluationResult, load_evaluation
from meta_spliceai.evaluate.words import plain_words
from meta_spliceai.formats import score_table
from meta_spliceai.predict.base import evaluate_base
from meta_spliceai.predict.evaluate_table import evaluate
from meta_spliceai.reference.load import load
from tests.train.conftest import scored

__all__ = ["scored"]

KEYS = ["chrom", "position", "strand"]


@pytest.fixture(scope="module")
def native(scored, tmp_path_factory):
    """The base model measured by itself, the native way."""
    out = tmp_path_factory.mktemp("native")
    evaluate_base(reference=scored.reference, eval_dir=scored.eval_dir, out_dir=out, draws=30)
    return load_evaluation(out / "evaluation")


@pytest.fixture(scope="module")
def table(native) -> pl.DataFrame:
    """Its scores as a table that anyone might write."""
    part = pl.read_parquet(native.out_dir.parent / "predictions" / "part_00001.parquet")
    return part.select(*KEYS, donor="base_donor", acceptor="base_acceptor")


def measured(scored, tmp_path: Path, frame: pl.DataFrame, name: str = "scores.tsv", **options) -> EvaluationResult:
    path = tmp_path / name
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    else:
        text = frame.write_csv(separator="," if ".csv" in name else "\t").encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return of_file(scored, tmp_path, path, **options)


def of_file(scored, tmp_path: Path, path: Path, **options) -> EvaluationResult:
    return evaluate(predictions=path, reference=scored.reference, out_dir=tmp_path / "e", draws=30, **options)


def refused(match: str, *args, error=InputError, **options) -> None:
    with pytest.raises(error, match=match):
        measured(*args, **options)
    assert not (args[1] / "e").exists()
    assert not list(args[1].glob(".e.*")), "nothing is left of what was begun"


def same_numbers(found: EvaluationResult, expected: EvaluationResult, arm: str) -> None:
    for name, declared in TABLES.items():
        frames = [
            getattr(one, name).filter(arm=own).drop("arm").filter(pl.col("stratum").is_in(["base_unseen", "base_seen"]).not_())
            if "stratum" in declared.names
            else getattr(one, name).filter(arm=own).drop("arm")
            for one, own in ((found, arm), (expected, "base"))
        ]  # fmt: skip
        pl.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.mark.parametrize("name", ["scores.tsv", "scores.csv", "scores.tsv.gz", "scores.csv.gz", "scores.parquet"])
def test_scores_that_were_exported_and_read_again_have_exactly_the_numbers_of_the_native_path(
    scored, tmp_path, table, native, name
):
    found = measured(scored, tmp_path, table, name)
    assert [arm["name"] for arm in found.about["arms"]] == ["tool"]
    same_numbers(found, native, "tool")
    assert found.about["table"]["bases_without_score"] == 0
    assert load_evaluation(found.out_dir).about["table"]["rows"] == table.height


def test_rows_in_any_order_batches_of_any_size_and_other_names_of_contigs_change_nothing(
    scored, tmp_path, table, native, monkeypatch
):
    monkeypatch.setattr(score_table, "BATCH_ROWS", 1_000)
    monkeypatch.setattr(score_table, "_BLOCK_BYTES", 20_000)
    renamed = table.sample(fraction=1, shuffle=True, seed=1).with_columns(
        chrom=pl.when(pl.col("chrom") == "chrT1").then(pl.lit("T1")).otherwise("chrom")
    )
    for name in ("scores.tsv.gz", "scores.parquet"):
        same_numbers(measured(scored, tmp_path, renamed, name), native, "tool")


def test_a_tool_is_compared_with_the_base_pass_on_the_same_bases(scored, tmp_path, table, native):
    worse = table.with_columns(donor=pl.col("donor") ** 2, acceptor=pl.col("acceptor") * pl.col("position") % 7 / 7)
    found = measured(scored, tmp_path, worse, eval_dir=scored.eval_dir)
    assert [arm["name"] for arm in found.about["arms"]] == ["base", "tool"]
    same_numbers(found, native, "base")
    assert found.ranking("base_unseen", "donor", "base") == native.ranking("base_unseen", "donor", "base")
    assert found.ranking("all", "donor", "tool")["difference"] == 0
    assert found.ranking("all", "acceptor", "tool")["difference_high"] < 0
    assert "Tool against the base model: donors, the same order; acceptors, a loss" in " ".join(plain_words(found))


def test_several_tools_are_found_by_their_columns_and_compared_with_the_one_that_is_named(scored, tmp_path, table):
    two = table.rename({"donor": "Mine_Donor_prob", "acceptor": "Mine_Acceptor_prob"}).with_columns(
        **{"2_donor": pl.lit(0.5), "2_acceptor": pl.lit(0.5), "is_donor": pl.lit(0), "is_acceptor": pl.lit(0), "lone_donor": pl.lit(3)}
    )  # fmt: skip
    found = measured(scored, tmp_path, two, against="tool_2")
    assert [arm["name"] for arm in found.about["arms"]] == ["tool_2", "mine"]
    assert found.about["reference_arm"] == "tool_2"
    assert found.ranking("all", "donor", "mine")["difference"] > 0
    assert any("Mine against tool_2: donors, a gain" in sentence for sentence in plain_words(found))


def test_columns_can_be_named(scored, tmp_path, table, native):
    odd = table.rename({"chrom": "where", "position": "at", "strand": "way", "donor": "five", "acceptor": "three"})
    options = {"tool": ["mine=five,three"], "columns": ["chrom=where", "position=at", "strand=way"]}
    same_numbers(measured(scored, tmp_path, odd, **options), native, "mine")


def test_a_header_may_be_a_comment_after_comments_with_windows_line_ends(scored, tmp_path, table, native):
    path = tmp_path / "scores.txt"
    text = "##made by mytool\n#" + table.rename({"chrom": "CHROM", "position": "POS"}).write_csv(separator="\t")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    same_numbers(of_file(scored, tmp_path, path), native, "tool")


def test_bases_without_a_score_stop_the_measurement_with_their_number_and_genes(scored, tmp_path, table):
    listed = table.filter(pl.col("donor") + pl.col("acceptor") > 0.01)
    lacking = table.height - listed.height
    refused(
        rf"none for {lacking:,} bases \(.* %\) of \d+ genes, such as (.|\n)*--missing zero", scored, tmp_path, listed
    )
    one = table.with_columns(donor=pl.when(pl.col("position") == table["position"][0]).then(None).otherwise("donor"))
    refused("none for 1 bases", scored, tmp_path, one.head(table.height))


def test_bases_without_a_score_count_as_zero_when_told_so(scored, tmp_path, table):
    cut = 0.01
    zeros = table.with_columns(pl.when(pl.col(kind) > cut).then(kind).otherwise(0.0) for kind in ("donor", "acceptor"))
    listed = zeros.filter((pl.col("donor") > 0) | (pl.col("acceptor") > 0))
    found = measured(scored, tmp_path, listed, missing="zero")
    about = found.about["table"]
    assert about["bases_without_score"] == table.height - listed.height
    expected = measured(scored, tmp_path, zeros)
    for name in TABLES:
        pl.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))
    assert any("they count as scored 0" in sentence for sentence in plain_words(found))


def test_bases_without_a_score_are_left_out_for_all_arms_when_told_so(scored, tmp_path, table):
    gene = load(scored.reference).genes.row(0, named=True)
    of_gene = (pl.col("chrom") == gene["chrom"]) & pl.col("position").is_between(gene["start"], gene["end"])
    listed = table.filter(~of_gene & (pl.col("position") % 3 > 0))
    found = measured(scored, tmp_path, listed, missing="ignore", eval_dir=scored.eval_dir)
    assert found.about["measured"]["bases"] == listed.height
    assert found.arms["bases"].unique().to_list() == [listed.height]
    assert found.about["table"]["genes_without_score"] >= 1
    assert sum(found.about["table"]["sites_without_score"].values()) > 0
    assert any("are left out for all arms, which flatters them" in sentence for sentence in plain_words(found))


def test_rows_outside_the_chosen_genes_and_on_other_contigs_are_counted(scored, tmp_path, table, caplog):
    genes = load(scored.reference).genes.filter(pl.col("chrom") == "chrT1").head(6)
    more = pl.concat([table, table.head(7).with_columns(chrom=pl.lit("chrElse"))])
    with caplog.at_level(logging.INFO, logger="meta_spliceai"):
        found = measured(scored, tmp_path, more, genes=genes["gene_id"].to_list())
    about = found.about["table"]
    elsewhere = more.filter(pl.col("chrom") != "chrT1").height
    assert about["rows_on_other_contigs"] == elsewhere
    assert about["rows_in_genes"] == found.about["measured"]["bases"]
    assert about["rows_outside_genes"] == more.height - elsewhere - about["rows_in_genes"] > 0
    assert f"{elsewhere:,} rows lie on contigs without a chosen gene, such as chr" in caplog.text
    assert f"{about['rows_outside_genes']:,} rows lie outside the chosen genes" in caplog.text


def test_a_base_that_stands_twice_is_refused_in_one_batch_or_two(scored, tmp_path, table, monkeypatch):
    doubled = pl.concat([table, table.slice(20, 1)])
    where = "{chrom}:{position}:{strand}".format(**table.row(20, named=True))
    match = rf"row {doubled.height:,}: {where.replace('+', '[+]')}, which an earlier row has, too"
    refused(match, scored, tmp_path, doubled)
    monkeypatch.setattr(score_table, "BATCH_ROWS", 1_000)
    refused(match, scored, tmp_path, doubled, name="scores.parquet")


@pytest.mark.parametrize("batch", [1 << 19, 1_000])
def test_with_gene_ids_a_base_of_two_genes_may_stand_twice_if_both_say_the_same(
    scored, tmp_path, table, native, monkeypatch, batch
):
    monkeypatch.setattr(score_table, "BATCH_ROWS", batch)
    named = table.with_columns(gene_id=pl.lit("one"))
    again = pl.concat([named, named.head(50).with_columns(gene_id=pl.lit("other"))])
    found = measured(scored, tmp_path, again, "scores.parquet")
    same_numbers(found, native, "tool")
    assert found.about["table"]["rows_repeated"] == 50
    other = pl.concat([named, named.head(1).with_columns(donor=pl.lit(0.123, pl.Float32))])
    (tmp_path / "other").mkdir()
    refused("other scores than an earlier row", scored, tmp_path / "other", other, "scores.parquet")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"donor": pl.lit(1.5)}, r"found: tool_donor 1\.5 in row 1 \("),
        ({"acceptor": pl.lit(-0.1)}, r"found: tool_acceptor -0\.1"),
        ({"position": pl.col("position") - pl.col("position").min()}, "positions that count the first base of a contig as 1"),
        ({"strand": pl.lit("1")}, r"the strand of every row as \+ or -"),
        ({"strand": pl.lit(None, pl.String)}, r"the strand of every row as \+ or -"),
        ({"chrom": pl.lit("chr77")}, r"all on other contigs: chr77; the genes are on chrT1"),
        ({"position": pl.col("position") + 10_000_000}, "all at other bases"),
        ({"donor": pl.lit("high")}, "(?s)whole positions, and probabilities as numbers.*high"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(scored, tmp_path, table, changed, match):
    refused(match, scored, tmp_path, table.with_columns(**changed))


def test_columns_that_are_missing_or_ambiguous_are_refused(scored, tmp_path, table):
    refused("no strand among chrom, position, donor", scored, tmp_path, table.drop("strand"))
    refused("none among chrom, position, strand, donor", scored, tmp_path, table.drop("acceptor"))
    refused("--tool NAME=DONOR_COLUMN,ACCEPTOR_COLUMN", scored, tmp_path, table, tool=["mine=donor"])
    refused("--columns KEY=COLUMN", scored, tmp_path, table, columns=["place=position"])
    refused("several called tool", scored, tmp_path, table.with_columns(donor_score="donor", acceptor_score="acceptor"))
    refused("--against one of tool", scored, tmp_path, table, against="base")
    refused("--missing refuse, zero, ignore", scored, tmp_path, table, missing="guess")
    refused(
        "tools that are not called as an arm", scored, tmp_path, table, tool=["base=donor,acceptor"], eval_dir=scored.eval_dir
    )  # fmt: skip


def test_files_that_cannot_be_read_are_said(scored, tmp_path, table):
    whole = gzip.compress(table.write_csv(separator="\t").encode())
    cut = tmp_path / "cut.tsv.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"(?s)readable rows in.*cut off"):
        of_file(scored, tmp_path, cut)
    refused("no rows|Empty", scored, tmp_path, table.clear())
    refused("no rows", scored, tmp_path, table.clear(), "scores.parquet")
    with pytest.raises(InputError, match="no such file"):
        of_file(scored, tmp_path, tmp_path / "nowhere.tsv")
    with pytest.raises(StoreError, match=r"a predictions folder .*\nfound: there is none"):
        evaluate(predictions=tmp_path / "nowhere", out_dir=tmp_path / "e")


def test_options_for_a_table_are_refused_beside_a_folder(scored, tmp_path, native):
    with pytest.raises(InputError, match="--against"):
        evaluate(predictions=native.out_dir.parent / "predictions", out_dir=tmp_path / "e", against="base")


def test_one_gene_alone_cannot_be_divided(scored, tmp_path, table):
    gene = load(scored.reference).genes.row(0, named=True)
    refused("gene groups", scored, tmp_path, table, genes=[gene["gene_id"]], error=GeneError)


def test_positions_that_count_from_zero_are_noticed_and_never_mended(scored, tmp_path, table, caplog):
    shifted = table.with_columns(pl.col("position") - 1).filter(pl.col("position") > 0)
    found = measured(scored, tmp_path, shifted, missing="zero")
    said = found.about["table"]["warnings"]
    assert len(said) == 1
    assert "at the bases 1 before them" in said[0]
    assert "count positions in another way" in caplog.text
    assert found.ranking("all", "donor", "tool")["average_precision"] < 0.2


def test_it_is_said_whether_anybody_knows_what_tools_were_trained_on(scored, tmp_path, table):
    unknown = " ".join(plain_words(measured(scored, tmp_path, table)))
    assert "Nobody said which chromosomes the tools were trained on" in unknown
    known = measured(scored, tmp_path, table, trained_on=["T1"])
    assert "Nobody said" not in " ".join(plain_words(known))
    share = (table["chrom"] != "chrT1").mean()
    assert known.about["measured"]["base_unseen_share"] == pytest.approx(share)


def test_memory_is_not_that_of_the_table(scored, tmp_path, table):
    """Batches of a text file hold a few rows at a time, whatever the file's size."""
    path = tmp_path / "scores.tsv"
    path.write_text(table.write_csv(separator="\t"))
    opened = score_table.open_score_table(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_table, "_BLOCK_BYTES", 10_000)
        sizes = [frame.height for frame in opened.batches()]
    assert sum(sizes) == table.height
    assert max(sizes) < 1_000
    assert np.array(sizes).size > 10
