"""Duplicates go, views stay, probabilities stay right, and the new dataset agrees with itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.build.run import build
from meta_spliceai.errors import InputError, PlanMismatchError, StoreError
from meta_spliceai.genome.draws import draws
from meta_spliceai.maintain import dedup as module
from meta_spliceai.maintain.dedup import dedup
from meta_spliceai.maintain.merged_units import UnionProbability
from meta_spliceai.maintain.summary import summarise
from meta_spliceai.reference.load import load
from meta_spliceai.store.folder import file_is_whole, read_manifest
from meta_spliceai.train.matrix import load_rows, open_dataset
from tests.build.conftest import Passed
from tests.build.kill_driver import contents
from tests.maintain.conftest import change_part, copied, copy_part, rows_of
from tests.toys.tiny_genome import GENES

UNIT = ["chrom", "position", "strand"]


def test_T7_a_good_dataset_has_no_duplicates_and_its_views_stay(good: Path, tmp_path: Path) -> None:
    result = dedup(good, dst=tmp_path / "d")
    assert (result.rows_removed, result.origins.height, result.conflicts) == (0, 0, 0)
    rows = rows_of(good)
    assert rows_of(tmp_path / "d").equals(rows)
    assert result.shared_units == rows.filter(pl.struct(UNIT).is_duplicated()).select(UNIT).unique().height > 0
    assert "other views, kept" in result.summary()


def test_T7_a_part_copied_twice_goes_across_files_and_is_explained(good: Path, dataset: Path, tmp_path: Path) -> None:
    before = pl.read_parquet(dataset / "master/batch_00002.parquet").height
    copy_part(dataset, 2, 9)
    result = dedup(dataset / "master", dst=tmp_path / "d")
    assert result.rows_removed == before
    assert result.origins["reason"].to_list() == ["a part copied twice"]
    assert "batch_00009, kept in batch_00002" in result.origins["examples"][0]
    assert rows_of(tmp_path / "d").equals(rows_of(good))
    assert pl.read_parquet(tmp_path / "d/master/batch_00009.parquet").is_empty()


def test_T7_a_copy_in_the_master_folder_that_no_manifest_names_goes_too(good: Path, dataset: Path) -> None:
    shutil.copy(dataset / "master/batch_00001.parquet", dataset / "master/copy.parquet")
    before = contents(dataset)
    result = dedup(dataset, inplace=True)
    assert result.origins["reason"].to_list() == ["a part copied twice"]
    del before["master/copy.parquet"]
    assert contents(dataset) == before  # the dataset's own files were whole
    assert pl.read_parquet(dataset / "master").equals(rows_of(good))


def test_in_place_a_dataset_without_duplicates_is_left_alone(dataset: Path) -> None:
    before = contents(dataset)
    assert dedup(dataset, inplace=True).rows_removed == 0
    assert contents(dataset) == before


def test_rows_that_no_part_of_the_dataset_holds_are_never_dropped(dataset: Path, tmp_path: Path) -> None:
    other = pl.read_parquet(dataset / "master/batch_00001.parquet").with_columns(pl.col("score") / 2)
    shutil.copy(dataset / "master/batch_00001.parquet", dataset / "master/copy.parquet")
    from meta_spliceai.store.tables import write_parquet

    write_parquet(other, dataset / "master/copy.parquet", open_dataset(dataset).table)
    for subset in (None, ["gene_id", "position"], UNIT):
        with pytest.raises(StoreError, match=r"rows that are nowhere else in copy\.parquet"):
            dedup(dataset, inplace=True, subset_cols=subset)
    assert (dataset / "master/copy.parquet").exists()


def test_T7_rows_written_twice_in_one_part_and_genes_in_two_parts_are_told_apart(dataset: Path, tmp_path: Path) -> None:
    first = pl.read_parquet(dataset / "master/batch_00001.parquet")
    gene = first.filter(pl.col("gene_id") == "TG01.1").head(7)
    change_part(dataset, 1, lambda rows: pl.concat([rows, rows.head(3)]))
    change_part(dataset, 3, lambda rows: pl.concat([rows, gene]))
    result = dedup(dataset, dst=tmp_path / "d")
    assert dict(result.origins.select("reason", "rows").iter_rows()) == {
        "the same gene in two parts": 7,
        "twice in one part": 3,
    }
    assert result.rows_before - result.rows_after == 10


def test_rows_of_one_gene_and_base_with_other_values_stay_and_are_counted(dataset: Path, tmp_path: Path) -> None:
    change_part(
        dataset, 1, lambda rows: pl.concat([rows, rows.head(2).with_columns(gc_content=pl.lit(0.5, pl.Float32))])
    )
    result = dedup(dataset, dst=tmp_path / "d")
    assert (result.rows_removed, result.conflicts) == (0, 4)
    assert "other values" in result.summary()


def test_documents_ledger_and_manifest_of_the_new_dataset_are_true(dataset: Path, tmp_path: Path) -> None:
    ledger_before = pl.read_csv(dataset / "sampling_ledger.csv")
    copy_part(dataset, 1, 9)
    dedup(dataset, dst=tmp_path / "d")
    new, rows = tmp_path / "d", rows_of(tmp_path / "d")
    manifest = read_manifest(new, "dataset", 1)
    assert manifest.complete
    assert manifest.facts["rows"] == rows.height
    assert all(file_is_whole(new, file, verify=True) for file in manifest.files())
    genes = pl.read_csv(new / "gene_manifest.csv")
    assert dict(genes.select("gene_id", "rows").filter(pl.col("rows") > 0).iter_rows()) == dict(
        rows.group_by("gene_id").len().iter_rows()
    )
    assert pl.read_csv(new / "sampling_ledger.csv").equals(ledger_before)
    card = (new / "README.md").read_text()
    assert card.startswith(f"# {rows.height:,} rows of 17 genes")
    assert "`dataset dedup` removed" in (new / "BUILD_INFO.md").read_text()
    assert "made in code, no terms" in card


def test_the_files_of_the_master_folder_are_those_of_the_batches(dataset: Path, tmp_path: Path) -> None:
    dedup(dataset, dst=tmp_path / "d")
    for path in (tmp_path / "d/master").iterdir():
        assert path.samefile(tmp_path / "d" / path.name.replace(".parquet", "_trim.parquet"))


def test_a_build_does_not_undo_a_deduplication_by_accident(dataset: Path, passed: Passed) -> None:
    copy_part(dataset, 1, 9)
    dedup(dataset, inplace=True)
    with pytest.raises(PlanMismatchError, match="maintenance"):
        build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=dataset, kmer_sizes=(1,), batch_size=5)


# ---- rows of different genes -----------------------------------------------------------------------------------------


def test_T7_merging_units_counts_what_is_lost_by_gene(good: Path, tmp_path: Path) -> None:
    rows = rows_of(good)
    result = dedup(good, dst=tmp_path / "d", subset_cols=UNIT)
    merged = rows_of(tmp_path / "d")
    assert merged.height == rows.select(UNIT).unique().height
    assert not merged.select(UNIT).is_duplicated().any()
    assert result.origins["reason"].to_list() == ["genes that overlap"]
    assert result.lost["rows"].sum() == result.rows_removed == rows.height - merged.height
    assert result.lost["gene_id"].to_list() == ["TG06.1"]
    ledger = pl.read_csv(tmp_path / "d/sampling_ledger.csv")
    assert ledger["rows_kept"].sum() == merged.height
    assert (ledger["rows_seen"] == ledger["rows_kept"] + ledger["rows_dropped"]).all()


def test_the_probability_of_a_merged_row_is_that_of_the_union(good: Path, tmp_path: Path) -> None:
    """By hand: TG05 (22,001-26,000) and TG06 (25,001-29,000) overlap; a row there could be drawn in either."""
    rate, ratio = 0.3, 0.5
    dedup(good, dst=tmp_path / "d", subset_cols=UNIT)
    merged = rows_of(tmp_path / "d").filter(pl.col("chrom") == "chrT1", pl.col("strand") == "+")
    sites = {
        g: rows_of(good).filter(pl.col("gene_id") == g, pl.col("splice_type") != "neither")["position"].to_list()
        for g in ("TG05.1", "TG06.1")
    }
    shared = merged.filter(pl.col("position").is_between(25_001, 26_000))
    background = shared.filter(
        pl.max_horizontal("donor_score", "acceptor_score") < 0.01,
        pl.col("splice_type") == "neither",
        pl.col("pred_type") == "TN",
    )
    assert background.height > 50
    for row in background.iter_rows(named=True):
        missed = 1.0
        for own in sites.values():
            near = any(abs(row["position"] - site) <= 75 for site in own)
            missed *= 1 - rate * (1 if near else ratio)
        assert row["inclusion_probability"] == pytest.approx(1 - missed)
    alone = merged.filter(pl.col("position").is_between(22_001, 25_000))
    before = rows_of(good).filter(pl.col("gene_id") == "TG05.1", pl.col("position") <= 25_000)
    assert np.allclose(alone["inclusion_probability"], before["inclusion_probability"])


def test_weights_with_union_probabilities_estimate_the_bases_without_bias() -> None:
    """Three genes draw the same 20,000 bases: weighted by 1/P, a base drawn anywhere counts once on average."""
    n, window, ratio, rate = 20_000, 75, 0.5, 0.3
    genes = pl.DataFrame(
        {"gene_id": ["a", "b", "c"], "chrom": "1", "strand": "+", "start": [1, 1, 5_001], "end": [n, n, n]}
    )
    sites = pl.DataFrame({"gene_id": ["a", "a", "b"], "position": [1_000, 3_000, 3_000]})
    position = np.arange(1, n + 1)
    drawn = []
    for gene in genes.iter_rows(named=True):
        own = sites.filter(pl.col("gene_id") == gene["gene_id"])["position"].to_list()
        near = np.zeros(n, dtype=bool)
        for site in own:
            near |= np.abs(position - site) <= window
        inside = (position >= gene["start"]) & (position <= gene["end"])
        p = np.where(near, rate, rate * ratio)
        kept = inside & (draws(7, "test", gene["gene_id"], position) < p)
        tier = np.where(near, "neighbourhood", "easy")[kept]
        drawn.append(
            pl.DataFrame(
                {
                    "chrom": "1",
                    "strand": "+",
                    "position": position[kept],
                    "sampling_tier": tier,
                    "inclusion_probability": p[kept],
                }
            )
        )
    merged = pl.concat(drawn).unique(["position"], keep="first", maintain_order=True)
    union = UnionProbability(genes, sites, window=window, easy_ratio=ratio)
    probability = union.of(merged)
    assert (1 / probability).sum() == pytest.approx(n, rel=0.02)
    # the same union whichever gene's row was kept
    other = pl.concat(drawn[::-1]).unique(["position"], keep="first", maintain_order=True)
    joined = merged.with_columns(p=probability).join(other.with_columns(q=union.of(other)), on="position")
    assert np.allclose(joined["p"], joined["q"])


def test_training_weighs_a_merged_row_as_one_base(good: Path, passed: Passed, tmp_path: Path) -> None:
    genes = load(passed.reference).genes
    dedup(good, dst=tmp_path / "d", subset_cols=UNIT)
    before, after = (load_rows(open_dataset(path), ["score"], genes, 1e-4) for path in (good, tmp_path / "d"))
    bases = rows_of(good).select(UNIT).unique().height
    assert after.weight.size == bases
    assert summarise(tmp_path / "d").body_bases == len(
        {(g.chrom, g.strand, base) for g in GENES for base in range(g.start, g.end + 1)}
    )
    assert after.weight.sum() == pytest.approx(before.weight.sum(), rel=0.02)
    assert np.allclose(after.weight, 1 / rows_of(tmp_path / "d")["inclusion_probability"].to_numpy())


def test_merging_within_a_gene_leaves_probabilities_alone(dataset: Path, tmp_path: Path) -> None:
    before = rows_of(dataset)
    change_part(
        dataset, 1, lambda rows: pl.concat([rows, rows.head(2).with_columns(gc_content=pl.lit(0.5, pl.Float32))])
    )
    result = dedup(dataset, dst=tmp_path / "d", subset_cols=["gene_id", "position"])
    assert result.rows_removed == 2
    assert rows_of(tmp_path / "d").equals(before)


@pytest.mark.parametrize("columns", [["chrom"], ["chrom", "position"], ["splice_type", "gene_id"]])
def test_rows_of_different_bases_are_never_merged(good: Path, tmp_path: Path, columns: list[str]) -> None:
    with pytest.raises(InputError, match="tell bases apart"):
        dedup(good, dst=tmp_path / "d", subset_cols=columns)
    assert not (tmp_path / "d").exists()


def test_unknown_columns_and_contradicting_options_are_refused(good: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown: nonsense"):
        dedup(good, dst=tmp_path / "d", subset_cols=["nonsense"])
    with pytest.raises(InputError, match="found: both"):
        dedup(good, dst=tmp_path / "d", inplace=True)
    with pytest.raises(InputError, match="the dataset itself"):
        dedup(good, dst=good)


# ---- interruptions ---------------------------------------------------------------------------------------------------

_KILLED = """
import os, sys
from pathlib import Path
from meta_spliceai.store import atomic, staged
from meta_spliceai.maintain import dedup as module
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
replace = Path.replace
def counted(self, target):
    count()
    return replace(self, target)
Path.replace = counted
module.dedup(Path(sys.argv[1]), inplace=True)
"""


def test_killed_in_place_at_any_moment_the_dataset_is_the_old_or_the_new_one(dataset: Path, tmp_path: Path) -> None:
    copy_part(dataset, 1, 9)
    old = rows_of(dataset)
    dedup(dataset, dst=tmp_path / "expected")
    new = rows_of(tmp_path / "expected")
    outcomes = set()
    for moment in range(0, 60, 9):
        victim = copied(dataset, tmp_path / f"victim{moment}")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(victim), str(moment)], capture_output=True, env=environment
        )
        if done.returncode == 0:
            break
        try:
            seen = rows_of(victim)
        except StoreError as error:
            assert "run the same command again" in error.action
            outcomes.add("between")
        else:
            assert seen.equals(old) or seen.equals(new)
            outcomes.add("old" if seen.equals(old) else "new")
        dedup(victim, inplace=True)
        assert rows_of(victim).equals(new)
        shutil.rmtree(victim)
    assert {"old", "between"} <= outcomes


def test_interrupted_beside_the_dataset_it_resumes(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from meta_spliceai.maintain import rewrite

    copy_part(dataset, 1, 9)
    whole = rewrite._write_part
    made = []

    def fail_at_three(folder, plan, name, *rest):
        made.append(name)
        if len(made) == 3:
            raise RuntimeError("power cut")
        return whole(folder, plan, name, *rest)

    monkeypatch.setattr(rewrite, "_write_part", fail_at_three)
    with pytest.raises(RuntimeError):
        dedup(dataset, dst=tmp_path / "d")
    with pytest.raises(StoreError, match="not completed"):
        open_dataset(tmp_path / "d")
    dedup(dataset, dst=tmp_path / "d")
    assert made == ["batch_00001", "batch_00002", "batch_00003", "batch_00003", "batch_00004", "batch_00009"]


def test_a_dataset_that_changes_meanwhile_is_left_alone(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_dataset(dataset)
    copy_part(dataset, 1, 9)
    monkeypatch.setattr(module, "open_to_change", lambda _: opened)
    before = contents(dataset)
    with pytest.raises(StoreError, match="another process changed it"):
        dedup(dataset, inplace=True)
    assert contents(dataset) == before


def test_what_else_lies_in_the_folder_stays(dataset: Path) -> None:
    (dataset / "notes.txt").write_text("mine")
    copy_part(dataset, 1, 9)
    dedup(dataset, inplace=True)
    assert (dataset / "notes.txt").read_text() == "mine"
    assert not [path.name for path in dataset.iterdir() if path.name.startswith(".stag")]
