"""Sites that RNA-seq junctions support, as a second truth."""

from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.result import EvaluationResult, load_evaluation
from meta_spliceai.evaluate.run import evaluate
from tests.evaluate import toys

READS = 7
EXPRESSED = tuple(range(16))
"""Gene groups that have junctions."""


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toys.frame()


def star_file(path: Path, table: pl.DataFrame, reads: int = READS) -> Path:
    """A junction from each donor of the expressed groups to the next acceptor, in STAR's columns, with other contig names."""
    lines = []
    for (group,), bases in table.filter(pl.col("group").is_in(EXPRESSED)).group_by("group", maintain_order=True):
        assert isinstance(group, int)
        chrom, strand = bases["chrom"][0].removeprefix("chr"), bases["strand"][0]
        ends = {kind: bases.filter(f"is_{kind}")["position"].sort().to_list() for kind in ("donor", "acceptor")}
        left, right = ("donor", "acceptor") if strand == "+" else ("acceptor", "donor")
        for here in ends[left]:
            beyond = [there for there in ends[right] if there > here + 1]
            if beyond:
                number = 1 if strand == "+" else 2
                lines.append(f"{chrom}\t{here + 1}\t{beyond[0] - 1}\t{number}\t1\t1\t{reads}\t0\t30")
    path.write_text("\n".join(lines) + "\n")
    return path


def sites(path: Path, table: pl.DataFrame, kind: str) -> pl.Series:
    """The slow way: whether each base of the table is an end of a junction of the file."""
    found = set()
    for line in path.read_text().splitlines():
        chrom, first, last, number = line.split("\t")[:4]
        strand = "+" if number == "1" else "-"
        position = int(first) - 1 if (strand == "+") == (kind == "donor") else int(last) + 1
        found.add((f"chr{chrom}", strand, position))
    return pl.Series([key in found for key in table.select("chrom", "strand", "position").iter_rows()])


def measured(tmp_path: Path, table: pl.DataFrame, **options: object) -> EvaluationResult:
    return evaluate(
        predictions=toys.write(tmp_path / "p", table), out_dir=tmp_path / "e", draws=50, **options,
    )  # type: ignore[arg-type]  # fmt: skip


def test_supported_sites_are_the_truth_over_all_bases_of_expressed_groups(tmp_path: Path, table: pl.DataFrame) -> None:
    junctions = star_file(tmp_path / "SJ.out.tab", table)
    result = measured(tmp_path, table, junctions=[junctions])
    inside = table["group"].is_in(EXPRESSED)
    for kind in ("donor", "acceptor"):
        truth = sites(junctions, table, kind).filter(inside)
        for arm in ("base", "meta"):
            row = result.ranking("junctions", kind, arm)
            assert (row["sites"], row["bases"], row["groups"]) == (truth.sum(), truth.len(), len(EXPRESSED))
            expected = average_precision_score(truth, table[f"{arm}_{kind}"].filter(inside))
            assert row["average_precision"] == pytest.approx(expected)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert load_evaluation(tmp_path / "e").about["strata"][-1]["name"] == "junctions"


def test_everything_else_is_measured_as_without_junctions(tmp_path: Path, table: pl.DataFrame) -> None:
    without = measured(tmp_path, table)
    beside = measured(tmp_path, table, junctions=[star_file(tmp_path / "SJ.out.tab", table)])
    assert beside.arms.equals(without.arms)
    assert beside.strata.filter(pl.col("stratum") != "junctions").equals(without.strata)


def test_too_few_reads_and_other_places_are_refused(tmp_path: Path, table: pl.DataFrame) -> None:
    few = star_file(tmp_path / "SJ.out.tab", table, reads=READS)
    with pytest.raises(InputError, match="lower --min-reads"):
        measured(tmp_path, table, junctions=[few], min_reads=100 * READS)
    few.write_text(few.read_text().replace("\t", "7\t", 1).splitlines()[0] + "\n")
    with pytest.raises(InputError, match="same genome build"):
        measured(tmp_path, table, junctions=[few])
    with pytest.raises(InputError, match="--min-reads of at least 1"):
        measured(tmp_path, table, min_reads=0)
