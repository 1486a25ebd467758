"""Used against unused annotated sites, by the PSI of their exons."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.result import EvaluationResult, load_evaluation
from meta_spliceai.evaluate.run import evaluate
from tests.evaluate import toys

HEADER = "chrom\tstart\tend\tstrand\tgene_id\tpsi_mean"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toys.frame()


def psi_file(path: Path, table: pl.DataFrame) -> tuple[Path, dict[str, dict[int, float]]]:
    """A table with an exon for each site, whose PSI is low for every third, unclear for every fourth; and what it says."""
    lines, said = [HEADER], dict[str, dict[int, float]](donor={}, acceptor={})
    for kind in said:
        sites = table.filter(f"is_{kind}").select("chrom", "strand", "position")
        for number, (chrom, strand, position) in enumerate(sites.iter_rows()):
            psi = 0.001 if number % 3 == 0 else 0.05 if number % 4 == 0 else 0.9
            # far ends that are no bases of the table, so that only this one is a site
            ends = (900_000, 900_050)
            start, end = (
                (position - ends[1], position)
                if (strand == "+") == (kind == "donor")
                else (position, position + ends[0])
            )
            lines.append(f"{chrom.removeprefix('chr')}\t{max(start, 1)}\t{end}\t{strand}\tG\t{psi}")
            said[kind][position] = psi
    path.write_text("\n".join(lines) + "\n")
    return path, said


def measured(tmp_path: Path, table: pl.DataFrame, psi: Path) -> EvaluationResult:
    return evaluate(predictions=toys.write(tmp_path / "p", table), out_dir=tmp_path / "e", draws=100, psi=psi)


def test_arms_are_measured_on_used_against_unused_sites(tmp_path: Path, table: pl.DataFrame) -> None:
    path, said = psi_file(tmp_path / "psi.tsv", table)
    rows = measured(tmp_path, table, path).about["site_usage"]
    assert len(rows) == 2 * len(toys.ARMS)
    for row in rows:
        kind = row["splice_type"]
        sites = table.filter(f"is_{kind}")
        psi = sites["position"].replace_strict(said[kind], return_dtype=pl.Float64)
        clear = (psi < 0.01) | (psi >= 0.1)
        used, score = psi.filter(clear) >= 0.1, sites[f"{row['arm']}_{kind}"].filter(clear)
        assert (row["used"], row["unused"]) == (used.sum(), (~used).sum())
        assert row["auc"] == pytest.approx(roc_auc_score(used, score))
        assert row["auc_low"] < row["auc"] < row["auc_high"]
    same = next(row for row in rows if row["arm"] == "recalibrated")
    assert np.allclose([same["difference"], same["difference_low"], same["difference_high"]], 0)
    assert load_evaluation(tmp_path / "e").about["site_usage"] == rows
    assert "used against" in load_evaluation(tmp_path / "e").summary()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "\n1\t5\t9\t+\tG\t1.5\n", "1 rows with other values, first row 1"),
        (HEADER.replace("psi_mean", "psi") + "\n1\t5\t9\t+\tG\t.5\n", "psi_mean"),
        (HEADER + "\n7\t5\t9\t+\tG\t0.5\n", "same genome build"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, table: pl.DataFrame, text: str, message: str) -> None:
    path = tmp_path / "psi.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        measured(tmp_path, table, path)
    with pytest.raises(InputError, match="no such file"):
        measured(tmp_path, table, tmp_path / "absent.tsv")
