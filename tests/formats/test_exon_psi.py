"""Tables of the per cent spliced in of exons."""

from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.formats.exon_psi import read_exon_psi, sites_of_exons


def test_both_ends_of_an_exon_are_sites_on_their_strand_with_the_largest_psi(tmp_path: Path) -> None:
    path = tmp_path / "psi.tsv"
    path.write_text(
        "chrom\tstart\tend\tstrand\tpsi_mean\n1\t101\t150\t+\t0.2\n1\t101\t160\t+\t0.9\n1\t201\t250\t-\tNA\n1\t301\t350\t-\t0.4\n"
    )
    assert sites_of_exons(read_exon_psi(path)).rows() == [
        ("1", "+", 101, "acceptor", 0.9),
        ("1", "+", 150, "donor", 0.2),
        ("1", "+", 160, "donor", 0.9),
        ("1", "-", 301, "donor", 0.4),
        ("1", "-", 350, "acceptor", 0.4),
    ]


@pytest.mark.real_data
def test_gtex_has_used_and_unused_exons(shared: Path) -> None:
    exons = read_exon_psi(shared / "extras" / "GRCh37_gtex_exon_psi.tsv.gz")
    assert exons["psi"].is_between(0, 1).all()
    assert 0.02 < (exons["psi"] < 0.01).mean() < 0.5 < (exons.filter(pl.col("psi") >= 0.1).height / exons.height)
