"""Gene by gene beside the base model: the same bases, counted as a slow twin counts them, and as the base pass did."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.reference.load import load
from meta_spliceai.train.baseline import deltas, read_baseline, whole_gene_calls
from meta_spliceai.train.run import train
from tests.train.conftest import Inputs

KINDS = ("donor", "acceptor")


@pytest.fixture(scope="module")
def delta(run: Path) -> pl.DataFrame:
    return pl.read_csv(run / "delta_vs_baseline.csv")


@pytest.mark.rows("R2", "R12", "R18")
def test_the_base_models_calls_are_those_of_the_base_pass_whose_table_is_found_by_itself(
    delta: pl.DataFrame, inputs: Inputs
) -> None:
    passed = pl.read_csv(inputs.eval_dir / "full_splice_performance.tsv", separator="\t")
    keys = ["gene_id", "splice_type"]
    joined = delta.join(passed, on=keys, how="inner", suffix="_pass")
    assert joined.height == delta.height == 2 * 17
    for name in ("TP", "FP", "FN", "n_splice_sites"):
        assert joined[name].equals(joined[f"{name}_pass"], null_equal=True), name
    assert joined["f1_score"].equals(joined["baseline_f1_score"], null_equal=True)


@pytest.mark.rows("R12")
def test_both_models_are_counted_base_by_base_in_every_gene(delta: pl.DataFrame, run: Path, inputs: Inputs) -> None:
    found = pl.concat(pl.read_parquet(path) for path in sorted((run / "predictions").glob("part_*.parquet")))
    expected = []
    for gene in load(inputs.reference).genes.iter_rows(named=True):
        here = found.filter(
            pl.col("chrom") == gene["chrom"], pl.col("strand") == gene["strand"],
            pl.col("position").is_between(gene["start"], gene["end"]),
        )  # fmt: skip
        for kind in KINDS:
            row: dict[str, object] = {"gene_id": gene["gene_id"], "splice_type": kind}
            for arm, suffix in (("base", ""), ("meta", "_meta")):
                pairs = list(here.select(f"{arm}_{kind}", f"is_{kind}").iter_rows())
                row[f"TP{suffix}"] = sum(score >= 0.5 and true for score, true in pairs)
                row[f"FP{suffix}"] = sum(score >= 0.5 and not true for score, true in pairs)
                row[f"FN{suffix}"] = sum(score < 0.5 and true for score, true in pairs)
            expected.append(row)
    assert delta.select(list(expected[0])).to_dicts() == expected
    assert (delta["f1_score_meta"] - delta["f1_score"]).equals(delta["delta"], null_equal=True)


def test_bases_of_a_gene_may_lie_in_several_row_groups_and_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({
        "chrom": "c", "strand": "+", "position": list(range(11, 31)), "is_donor": [n % 3 == 0 for n in range(20)],
        "is_acceptor": False, "a_donor": [n / 20 for n in range(20)], "a_acceptor": 0.0,
    }).with_columns(pl.col("a_donor").cast(pl.Float32), pl.col("a_acceptor").cast(pl.Float32))  # fmt: skip
    frame[:13].write_parquet(tmp_path / "1.parquet", row_group_size=4)
    frame[13:].write_parquet(tmp_path / "2.parquet", row_group_size=3)
    genes = pl.DataFrame(
        {"gene_id": ["g", "h", "far"], "chrom": "c", "strand": "+", "start": [1, 15, 90], "end": [22, 40, 99]}
    )
    found = whole_gene_calls([tmp_path / "1.parquet", tmp_path / "2.parquet"], genes, ["a"], 0.5)
    assert found.filter(splice_type="donor").rows() == [("g", "donor", 12, 0, 2, 4), ("h", "donor", 16, 3, 7, 2)]
    rates = deltas(found, "a", "a", None)
    assert rates.filter(gene_id="h", splice_type="donor")["f1_score"].to_list() == [6 / 15]
    assert rates.filter(splice_type="acceptor")["f1_score"].to_list() == [None, None]


@pytest.mark.rows("R18")
def test_a_baseline_of_other_genes_is_refused_before_anything_is_fitted(inputs: Inputs, tmp_path: Path) -> None:
    table = tmp_path / "other.tsv"
    table.write_text("gene_id\tsplice_type\tf1_score\nENSG9\tdonor\t0.5\n")
    with pytest.raises(InputError, match="1 rows of other genes, such as ENSG9"):
        train(**inputs.options(out_dir=tmp_path / "run", baseline_tsv=table))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\tf1_score\nG1\t0.5\n", "no gene_id among gene, f1_score"),
        ("gene_id\tf1_score\nG1\t0.5\nG1\t0.6\n", "one row for each gene_id"),
        ("", "a table of the base model's performance"),
    ],
)
def test_a_table_that_is_no_baseline_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_baseline(tmp_path / "t.tsv", ["G1"])


def test_genes_that_a_baseline_lacks_stay_without_its_figure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.tsv").write_text("gene_id\tf1_score\nG1\t0.5\n")
    calls = pl.DataFrame(
        {"gene_id": ["G1", "G2"], "splice_type": "donor", **{f"a_{n}": [1, 1] for n in ("TP", "FP", "FN")}}
    )
    baseline = read_baseline(tmp_path / "t.tsv", ["G1", "G2"])
    assert "lacks 1 of 2 genes" in caplog.text
    assert deltas(calls, "a", "a", baseline)["baseline_f1_score"].to_list() == [0.5, None]
