"""Gene lists: what has artifacts, and what a strategy selects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build.strategic import GeneList, genes_list, genes_select
from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.reference.load import load
from tests.build.conftest import Passed
from tests.toys.tiny_genome import GENES

IDS = sorted(gene.gene_id for gene in GENES)


def test_G16_genes_with_artifacts_come_first_and_sorted(passed: Passed, tmp_path: Path) -> None:
    out = tmp_path / "genes.tsv"
    listed = genes_list(eval_dir=passed.eval_dir / "meta_models", out=out)
    table = pl.read_csv(out, separator="\t")
    assert table.columns == ["type", "id", "gene_id", "transcript_id"]
    assert list(listed.gene_ids) == IDS == table.filter(pl.col("type") == "gene")["id"].to_list()
    assert table["type"].rle().struct.field("value").to_list() == ["gene", "transcript"]


def test_G18_the_head_of_the_list_is_its_first_genes(passed: Passed, tmp_path: Path) -> None:
    genes_list(eval_dir=passed.eval_dir, out=tmp_path / "genes.tsv")
    head = (tmp_path / "genes.tsv").read_text().splitlines()[1:4]
    assert [line.split("\t")[1] for line in head] == IDS[:3]


def test_G17_a_sample_is_seeded_and_grows_by_adding(passed: Passed, tmp_path: Path) -> None:
    few, more = (set(genes_list(eval_dir=passed.eval_dir, n_genes=n, out=tmp_path / "g.csv").gene_ids) for n in (4, 9))
    assert len(few) == 4 and few < more
    with pytest.raises(GeneError, match=f"found: {len(IDS)}"):
        genes_list(eval_dir=passed.eval_dir, n_genes=99, out=tmp_path / "g.csv")


def select(passed: Passed, folder: Path, strategy: Any, **options: Any) -> GeneList:
    return genes_select(strategy=strategy, reference=passed.reference, output=folder / "genes.txt", **options)


def test_G20_densest_genes_come_first(passed: Passed, tmp_path: Path) -> None:
    chosen = select(passed, tmp_path, "high-density", min_density=0.1)
    genes = load(passed.reference).genes.filter(pl.col("gene_length") >= 5_000, pl.col("splice_density_per_kb") >= 0.1)
    density = dict(genes.select("gene_id", "splice_density_per_kb").iter_rows())
    assert set(chosen.gene_ids) == set(density)
    assert [density[g] for g in chosen.gene_ids] == sorted(density.values(), reverse=True)
    assert chosen.path.read_text().split() == list(chosen.gene_ids)


def test_G20_genes_with_most_errors_come_first(passed: Passed, tmp_path: Path) -> None:
    rows = open_artifacts(passed.eval_dir).candidates(IDS).filter(pl.col("pred_type").is_in(["FP", "FN"]))
    errors = dict(rows.group_by("gene_id").agg(pl.col("position").n_unique()).iter_rows())
    chosen = select(passed, tmp_path, "error-focused", count=5)
    found = [errors.get(gene_id, 0) for gene_id in chosen.gene_ids]
    assert found == sorted((errors.get(gene_id, 0) for gene_id in IDS), reverse=True)[:5]


def test_G19_meta_optimized_admits_long_dense_genes_only(passed: Passed, tmp_path: Path) -> None:
    with pytest.raises(GeneError, match="relax --min-density"):
        select(passed, tmp_path, "meta-optimized")  # the toys are shorter than 15,000 nt
    assert not (tmp_path / "genes.txt").exists()


def test_G19_meta_optimized_ranks_by_steps_and_breaks_ties_by_the_seed(
    passed: Passed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meta_spliceai.build.strategic._META_SHORTEST", 0)
    chosen = select(passed, tmp_path, "meta-optimized", min_density=0).gene_ids
    assert sorted(chosen) == IDS
    types = {gene.gene_id: gene.gene_type for gene in GENES}
    density = dict(load(passed.reference).genes.select("gene_id", "splice_density_per_kb").iter_rows())
    score = [
        (1.0 if density[g] >= 15 else 0.8 if density[g] >= 10 else 0.6 if density[g] >= 8 else 0.4)
        + {"protein_coding": 0.8, "lncRNA": 0.9}.get(types[g], 0.5)
        for g in chosen
    ]
    assert score == pytest.approx(sorted(score, reverse=True))
    assert select(passed, tmp_path, "meta-optimized", min_density=0, count=3).gene_ids == chosen[:3]
    assert select(passed, tmp_path, "meta-optimized", min_density=0, seed=7).gene_ids != chosen


def test_length_strata_take_turns(passed: Passed, tmp_path: Path) -> None:
    chosen = select(passed, tmp_path, "length-strata", ranges=["0-1500,1500-"], count=4).gene_ids
    length = dict(load(passed.reference).genes.select("gene_id", "gene_length").iter_rows())
    assert [length[gene_id] < 1500 for gene_id in chosen] == [True, False, True, False]
    assert chosen == select(passed, tmp_path, "length-strata", ranges=["0-1500", "1500-"], count=4).gene_ids
    assert chosen != select(passed, tmp_path, "length-strata", ranges=["0-1500", "1500-"], count=4, seed=7).gene_ids


def test_types_and_excluded_genes_are_left_out(passed: Passed, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("gene_id\nlinc1\n")
    both = select(passed, tmp_path, "length-strata", gene_types=["lncRNA,antisense"])
    assert set(both.gene_ids) == {"TG08.1", "TG14.2"}
    rest = select(
        passed, tmp_path, "length-strata", gene_types=["lncRNA", "antisense"], exclude_file=tmp_path / "out.txt"
    )
    assert rest.gene_ids == ("TG08.1",)


@pytest.mark.parametrize("bad", ["5000", "9-3", "a-b"])
def test_ranges_that_are_none_are_refused(passed: Passed, tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match=f"found: {bad}"):
        select(passed, tmp_path, "length-strata", ranges=[bad])
