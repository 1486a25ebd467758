"""The builder as a whole, on the tiny genome."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.build import run as run_module
from meta_spliceai.build.batch import check_sites, gene_groups, make_batch
from meta_spliceai.build.run import build
from meta_spliceai.errors import StoreError
from meta_spliceai.reference.load import load
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, dataset_table
from meta_spliceai.store.folder import read_manifest
from tests.build.conftest import Passed, pass_over, rows_of
from tests.build.kill_driver import contents
from tests.oracles.build_oracles import count_kmers_slowly, trim_slowly, window_of
from tests.toys.tiny_genome import GENES, tiny_sequences

KMERS = (1, 3)


def built(passed: Passed, folder: Path, **options: Any) -> Path:
    build(
        reference=passed.reference,
        eval_dir=passed.eval_dir,
        output_dir=folder,
        **{"kmer_sizes": KMERS, "batch_size": 5, **options},
    )
    return folder


@pytest.fixture(scope="module")
def dataset(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(passed, tmp_path_factory.mktemp("dataset"))


@pytest.mark.rows("B16", "B17", "B22")
def test_every_file_holds_the_declared_table(dataset: Path) -> None:
    table = dataset_table(KMERS)
    for path in (dataset / "master").iterdir():
        check_frame(pl.read_parquet(path), table, source=path.name)
    assert json.loads((dataset / "schema.json").read_text())["columns"][0]["name"] == "gene_id"


def test_rows_are_in_reference_order_and_by_position(dataset: Path, passed: Passed) -> None:
    rows = rows_of(dataset)
    order = load(passed.reference).genes["gene_id"].to_list()
    assert rows["gene_id"].unique(maintain_order=True).to_list() == [g for g in order if g in set(rows["gene_id"])]
    place = pl.col("gene_id").replace_strict({g: n for n, g in enumerate(order)}, return_dtype=pl.Int64)
    keys = rows.select(place, "position")
    assert keys.equals(keys.sort("gene_id", "position"))
    assert not keys.is_duplicated().any()


def test_rows_are_those_of_the_slow_twin(dataset: Path, passed: Passed) -> None:
    candidates = open_artifacts(passed.eval_dir).candidates(["TG03.1", "TG05.1"])
    expected = trim_slowly(candidates.to_dicts(), hard_prob=0.15, window=75, easy_ratio=0.5, seed=42)
    rows = rows_of(dataset).filter(pl.col("gene_id").is_in(["TG03.1", "TG05.1"]))
    shared = [name for name in candidates.columns if name in rows.columns]
    assert rows.select(shared).to_dicts() == [{name: row[name] for name in shared} for row in expected]


def test_every_true_site_of_every_gene_is_a_row(dataset: Path, passed: Passed) -> None:
    sites = load(passed.reference).splice_sites().select("gene_id", "position", "splice_type").unique()
    rows = rows_of(dataset).filter(pl.col("sampling_tier") == "site")
    assert sites.join(rows, on=["gene_id", "position"], how="anti").is_empty()
    flagged = sites.join(rows, on=["gene_id", "position"]).filter(
        ~pl.when(pl.col("splice_type") == "donor").then("is_donor").otherwise("is_acceptor")
    )
    assert flagged.is_empty()


def test_sequence_features_are_those_of_the_slow_twin(dataset: Path) -> None:
    sequences = tiny_sequences()
    rows = rows_of(dataset).sample(150, seed=1)
    edges = rows_of(dataset).filter(pl.col("gene_id").is_in(["TG01.1", "TG13.1", "TG09.1"])).sample(50, seed=1)
    for row in pl.concat([rows, edges]).iter_rows(named=True):
        window = window_of(sequences[row["chrom"]], row["position"], row["strand"], 250, 249)
        window = "".join(base if base in "ACGT" else "N" for base in window)
        for k in KMERS:
            counts = count_kmers_slowly(window, k)
            found = {name: row[name] for name in row if name.startswith(f"{k}mer_") and row[name]}
            assert found == counts, (row["gene_id"], row["position"])
        assert row["sequence_length"] == 500 - window.count("N")
        assert row["donor_motif_gt"] == (window[251:253] == "GT")
        assert row["acceptor_motif_ag"] == (window[248:250] == "AG")


def test_gene_features_follow_the_direction_of_transcription(dataset: Path) -> None:
    rows = rows_of(dataset)
    for gene in GENES:
        own = rows.filter(pl.col("gene_id") == gene.gene_id)
        position = own["position"].to_numpy()
        to_start = position - gene.start if gene.strand == "+" else gene.end - position
        assert np.array_equal(own["gene_distance_to_start"].to_numpy(), to_start)
        assert set(own["gene_length"]) <= {gene.end - gene.start + 1}
        assert set(own["num_transcripts"]) <= {len(gene.transcripts)}
        assert set(own["gene_type"]) <= {gene.gene_type}


@pytest.mark.rows("B1")
def test_rows_and_values_do_not_depend_on_the_batch_size(dataset: Path, passed: Passed, tmp_path: Path) -> None:
    other = built(passed, tmp_path / "d", batch_size=50)
    assert len(list((other / "master").iterdir())) == 1
    assert rows_of(other).equals(rows_of(dataset))


@pytest.mark.rows("D5", "B2")
def test_bytes_do_not_depend_on_workers_or_rows_held(dataset: Path, passed: Passed, tmp_path: Path) -> None:
    two = built(passed, tmp_path / "two", workers=2)
    few = built(passed, tmp_path / "few", batch_rows=700)
    assert contents(two) == contents(dataset)
    assert contents(few) == contents(dataset)


def test_another_seed_keeps_other_easy_rows_and_the_same_others(dataset: Path, passed: Passed, tmp_path: Path) -> None:
    other = rows_of(built(passed, tmp_path / "d", seed=7))
    rows = rows_of(dataset)
    tiers = [frame.filter(pl.col("sampling_tier") != "easy") for frame in (rows, other)]
    assert tiers[0].equals(tiers[1])
    assert not rows.equals(other)


def test_weighted_rows_estimate_the_bases_of_the_genes(dataset: Path) -> None:
    bases = sum(gene.end - gene.start + 1 for gene in GENES)
    assert (1 / rows_of(dataset)["inclusion_probability"]).sum() == pytest.approx(bases, rel=0.03)


@pytest.mark.rows("B25", "M1", "M2", "M5")
def test_the_gene_manifest_has_the_promised_columns_and_says_where_each_gene_is(dataset: Path) -> None:
    manifest = pl.read_csv(dataset / "gene_manifest.csv", schema_overrides=GENE_MANIFEST_TABLE.polars_schema())
    promised = (
        "global_index,gene_id,gene_name,gene_type,chrom,strand,gene_length,start,end,total_splice_sites,donor_sites,"
        "acceptor_sites,splice_density_per_kb,file_index,file_name"
    )
    assert manifest.columns[:15] == promised.split(",")
    check_frame(manifest, GENE_MANIFEST_TABLE, source="gene_manifest.csv")
    assert manifest["global_index"].to_list() == list(range(len(GENES)))
    for row in manifest.iter_rows(named=True):
        held = pl.read_parquet(dataset / "master" / row["file_name"]).filter(pl.col("gene_id") == row["gene_id"])
        assert held.height == row["rows"]
        assert row["file_name"] == f"batch_{row['file_index']:05d}.parquet"
    alternative = manifest.row(by_predicate=pl.col("gene_id") == "TG02.3", named=True)
    assert (alternative["donor_sites"], alternative["acceptor_sites"], alternative["total_splice_sites"]) == (5, 5, 10)


@pytest.mark.rows("B25")
def test_the_ledger_adds_up_to_the_genes_and_to_the_rows(dataset: Path) -> None:
    ledger = pl.read_csv(dataset / "sampling_ledger.csv")
    assert ledger["rows_seen"].sum() == sum(gene.end - gene.start + 1 for gene in GENES)
    assert ledger["rows_kept"].sum() == rows_of(dataset).height
    assert ledger.filter(pl.col("sampling_tier").is_in(["site", "called"]))["rows_dropped"].sum() == 0


def test_the_manifest_holds_parameters_inputs_facts_and_every_checksum(dataset: Path, passed: Passed) -> None:
    manifest = read_manifest(dataset, "dataset", 1)
    assert manifest.complete
    assert manifest.parameters["gene_ids"] == [gene.gene_id for gene in GENES]
    assert {"kmer_sizes", "hard_prob", "window", "easy_ratio", "seed", "batch_size"} <= set(manifest.parameters)
    assert manifest.inputs == {
        "reference": load(passed.reference).fingerprint,
        "base_pass": open_artifacts(passed.eval_dir).fingerprint,
    }
    assert manifest.facts["rows"] == rows_of(dataset).height
    assert manifest.facts["genes"] == len(GENES)
    probe = manifest.facts["boundary_probe"]
    assert (len(probe["genes"]), probe["changed"]) == (5, [])
    assert probe["features_checked"] > 150
    for file in manifest.files():
        assert hashlib.sha256((dataset / file.name).read_bytes()).hexdigest() == file.sha256
    named = {file.name for file in manifest.files()}
    assert set(contents(dataset)) == named | {"manifest.json"}


@pytest.mark.rows("B16", "B17", "B19")
def test_master_files_are_links_to_finished_batches(dataset: Path) -> None:
    for path in (dataset / "master").iterdir():
        assert path.samefile(dataset / path.name.replace(".parquet", "_trim.parquet"))


@pytest.mark.rows("B32")
def test_the_documents_count_the_contents_and_name_no_path(dataset: Path, passed: Passed) -> None:
    rows = rows_of(dataset)
    card, info = (dataset / "README.md").read_text(), (dataset / "BUILD_INFO.md").read_text()
    assert card.startswith(f"# {rows.height:,} rows of {len(GENES)} genes: splice sites on tiny1")
    assert f"| donor | {rows.filter(pl.col('splice_type') == 'donor').height} |" in card
    assert "made in code, no terms" in card
    for name, count in rows["pred_type"].value_counts().iter_rows():
        assert f"| {name} | {count:,} |" in info
    assert "| --easy-ratio | 0.5 |" in info
    assert "Changed: none." in info
    assert str(passed.reference.parent) not in card + info + (dataset / "manifest.json").read_text()


@pytest.fixture(scope="module")
def silent(passed: Passed) -> Passed:
    """A base pass that calls nothing and draws next to no true negative: genes without sites have no rows to keep."""
    return pass_over(passed.reference.parent, eval_dir=passed.reference.parent / "silent", threshold=1.0, tn_rate=1e-9)


KEEP_NO_NEGATIVE = {"hard_prob": 1.0, "easy_ratio": 0.0}


@pytest.mark.rows("B24")
def test_a_batch_without_rows_is_an_empty_part_with_the_whole_schema(silent: Passed, tmp_path: Path) -> None:
    folder = built(silent, tmp_path / "d", gene_ids=["ONEEXON", "LEFT"], batch_size=1, **KEEP_NO_NEGATIVE)
    assert pl.read_parquet(folder / "master" / "batch_00001.parquet").equals(dataset_table(KMERS).empty())
    assert set(rows_of(folder)["gene_id"]) == {"TG05.1"}
    assert pl.read_csv(folder / "gene_manifest.csv")["rows"].to_list()[0] == 0


@pytest.mark.rows("B24")
def test_a_dataset_of_no_rows_at_all_is_still_described(silent: Passed, tmp_path: Path) -> None:
    folder = built(silent, tmp_path / "d", gene_ids=["ONEEXON"], kmer_sizes=(), **KEEP_NO_NEGATIVE)
    assert (folder / "README.md").read_text().startswith("# 0 rows of 1 genes")
    assert read_manifest(folder, "dataset", 1).facts["rows"] == 0


@pytest.mark.rows("B21")
def test_the_master_folder_grows_batch_by_batch(
    passed: Passed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_three(plan: Any) -> Any:
        if plan.number == 3:
            raise RuntimeError("power cut")
        return make_batch(plan)

    monkeypatch.setattr(run_module, "make_batch", fail_at_three)
    with pytest.raises(RuntimeError, match="power cut"):
        built(passed, tmp_path / "d")
    assert sorted(path.name for path in (tmp_path / "d/master").iterdir()) == [
        "batch_00001.parquet",
        "batch_00002.parquet",
    ]
    assert rows_of(tmp_path / "d").height > 0
    assert not read_manifest(tmp_path / "d", "dataset", 1).complete


def test_all_words_of_a_large_k_have_a_column(passed: Passed, tmp_path: Path) -> None:
    rows = rows_of(built(passed, tmp_path / "d", gene_ids=["TG13.1"], kmer_sizes=(5,)))
    words = rows.select(pl.col("^5mer_.*$").cast(pl.Int64))
    assert words.width == 1024
    assert words.select(pl.sum_horizontal(pl.all())).to_series().max() == 496


def test_a_site_that_is_no_candidate_stops_the_build(passed: Passed) -> None:
    genes = load(passed.reference).genes
    rows = open_artifacts(passed.eval_dir).candidates(genes["gene_id"].to_list())
    check_sites(rows, genes)
    lost = rows.filter((pl.col("gene_id") != "TG06.1") | (pl.col("position") != 25_200))
    with pytest.raises(StoreError, match=r"sites missing in 1 genes: TG06\.1"):
        check_sites(lost, genes)


def test_groups_of_genes_hold_at_most_the_given_bases() -> None:
    genes = pl.DataFrame({"gene_id": list("abcde"), "gene_length": [4, 6, 11, 1, 2]})
    assert [group["gene_id"].to_list() for group in gene_groups(genes, 10)] == [["a", "b"], ["c"], ["d", "e"]]
    assert [group.height for group in gene_groups(genes, 1)] == [1] * 5


@pytest.mark.rows("B3")
def test_lists_take_spaces_or_commas(passed: Passed, tmp_path: Path) -> None:
    listed = built(passed, tmp_path / "d", gene_ids=["TG02.3,TG05.1", "TG17.1"])
    assert set(rows_of(listed)["gene_id"]) == {"TG02.3", "TG05.1", "TG17.1"}
