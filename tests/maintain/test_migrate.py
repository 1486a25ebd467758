"""Datasets of older versions open, are converted, or say exactly what to run; positions are never guessed."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.build.run import FORMAT_VERSION
from meta_spliceai.errors import InputError, SchemaError, StoreError
from meta_spliceai.maintain.migrate import STEPS, migrate
from meta_spliceai.maintain.patch import patch
from meta_spliceai.maintain.summary import summarise
from meta_spliceai.reference.load import load
from meta_spliceai.store.folder import file_is_whole, read_manifest
from meta_spliceai.train.matrix import load_rows, open_dataset
from tests.build.conftest import Passed
from tests.maintain.conftest import rows_of
from tests.toys.tiny_genome import GENES

ARCHIVES = Path(__file__).resolve().parents[1] / "archives"
EARLIER = ARCHIVES / "dataset_v0"


def annotated() -> set[tuple[str, int, str]]:
    """(gene_id, 1-based position, type) of every site, read off the toy genes' exons."""
    found = set()
    for gene in GENES:
        for exons in gene.transcripts.values():
            for left, right in pairwise(exons):
                if right[0] - left[1] - 1 >= 20:
                    donor, acceptor = (left[1], right[0]) if gene.strand == "+" else (right[0], left[1])
                    found |= {(gene.gene_id, donor, "donor"), (gene.gene_id, acceptor, "acceptor")}
    return found


@pytest.fixture(scope="module")
def migrated(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated") / "dataset"
    migrate(EARLIER, dst=folder, reference=passed.reference)
    return folder


def test_there_is_an_archive_for_every_version_that_was_ever_in_use() -> None:
    assert {f"dataset_v{version}" for version in (*STEPS, FORMAT_VERSION)} == {
        path.name for path in ARCHIVES.glob("dataset_v*")
    }


def test_the_archived_dataset_of_todays_version_opens_as_it_is() -> None:
    opened = open_dataset(ARCHIVES / "dataset_v1")
    assert opened.gene_ids == ["TG05.1", "TG13.1"]
    assert all(file_is_whole(opened.path, file, verify=True) for file in opened.manifest.files())
    result = migrate(ARCHIVES / "dataset_v1")
    assert result.from_version == result.to_version == FORMAT_VERSION
    assert "nothing to do" in result.summary()


def test_sites_of_the_earlier_implementation_become_the_annotated_bases(migrated: Path) -> None:
    rows = rows_of(migrated)
    sites = rows.filter(pl.col("transcript_id").is_not_null()).select("gene_id", "position", "splice_type")
    twice = {("TG12.1", 56_500, "acceptor")}  # an exon of one base is labelled as the donor it also is
    assert set(sites.iter_rows()) == annotated() - twice
    both = rows.filter(pl.col("position") == 56_500)
    assert set(both.select("is_donor", "is_acceptor").iter_rows()) == {(True, True)}


def test_what_cannot_be_converted_is_counted_and_named(passed: Passed, tmp_path: Path) -> None:
    before = pl.concat(pl.read_parquet(path) for path in sorted((EARLIER / "master").iterdir()))
    result = migrate(EARLIER, dst=tmp_path / "d", reference=passed.reference)
    neither = before.filter(pl.col("splice_type") == "neither").height
    assert (result.rows_before, result.rows) == (before.height, before.height - neither)
    text = result.summary()
    assert f"left out: {neither:,} rows that are no site" in text
    assert "sites named by their intron base" in text
    assert {"donor_score", "gc_content", "missing_transcript_feats"} <= set(result.dropped_columns)
    assert "genes.txt" in text


def test_a_converted_dataset_is_a_dataset_but_not_one_to_train_on(migrated: Path, passed: Passed) -> None:
    manifest = read_manifest(migrated, "dataset", FORMAT_VERSION)
    assert manifest.complete
    assert all(file_is_whole(migrated, file, verify=True) for file in manifest.files())
    summary = summarise(migrated)
    assert (summary.bases, summary.genes) == (None, 17)
    assert set(summary.labels["splice_type"]) == {"donor", "acceptor"}
    with pytest.raises(SchemaError, match="converted from one that does not say"):
        load_rows(open_dataset(migrated), [], load(passed.reference).genes, 0.0)


def test_the_structure_of_genes_can_be_filled_in_again(migrated: Path, passed: Passed, tmp_path: Path) -> None:
    copy = tmp_path / "d"
    shutil.copytree(migrated, copy)
    patch(copy, kind="structural", reference=passed.reference)
    rows = rows_of(copy)
    lengths = {gene.gene_id: gene.end - gene.start + 1 for gene in GENES}
    assert dict(rows.select("gene_id", "gene_length").unique().iter_rows()).items() <= lengths.items()


def rewritten(folder: Path, change: pl.Expr | list[pl.Expr]) -> Path:
    (folder / "master").mkdir(parents=True)
    for path in sorted((EARLIER / "master").iterdir()):
        pl.read_parquet(path).with_columns(change).write_parquet(folder / "master" / path.name)
    return folder


def test_genomic_positions_on_the_exons_side_keep_every_row(migrated: Path, passed: Passed, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    rows = rows_of(migrated).select("gene_id", "chrom", "strand", "position", label="splice_type")
    others = rows.head(5).with_columns(position=pl.col("position") + 30, label=pl.lit(None, dtype=pl.String))
    pl.concat([rows, others]).write_parquet(tmp_path / "old/part-0.parquet")
    result = migrate(tmp_path / "old", dst=tmp_path / "new", reference=passed.reference)
    assert result.rows == rows.height + 5
    assert "1-based genomic positions, sites named by their exon base" in result.summary()


@pytest.mark.parametrize("shift", [3, -2, 100])
def test_positions_that_no_convention_explains_are_refused(passed: Passed, tmp_path: Path, shift: int) -> None:
    moved = [pl.col("position") + shift, pl.col("true_position") + shift]
    old = rewritten(tmp_path / "old", moved)
    with pytest.raises(InputError, match="positions are never guessed"):
        migrate(old, dst=tmp_path / "new", reference=passed.reference)
    assert not (tmp_path / "new").exists()


def test_genes_that_the_reference_lacks_are_named(passed: Passed, tmp_path: Path) -> None:
    strange = pl.when(pl.col("gene_id") == "TG17.1").then(pl.lit("XX")).otherwise("gene_id").alias("gene_id")
    old = rewritten(tmp_path / "old", strange)
    result = migrate(old, dst=tmp_path / "new", reference=passed.reference)
    assert "of 1 genes that the reference lacks (XX)" in result.summary()
    everything = rewritten(tmp_path / "all", pl.lit("XX").alias("gene_id"))
    with pytest.raises(InputError, match="none of them, but XX"):
        migrate(everything, dst=tmp_path / "none", reference=passed.reference)


def test_a_label_that_is_a_number_is_refused(passed: Passed, tmp_path: Path) -> None:
    old = rewritten(tmp_path / "old", (pl.col("splice_type") == "donor").cast(pl.Int64).alias("splice_type"))
    with pytest.raises(SchemaError, match="which number means what"):
        migrate(old, dst=tmp_path / "new", reference=passed.reference)


def test_reading_a_dataset_of_the_earlier_implementation_says_what_to_run() -> None:
    with pytest.raises(StoreError, match=r"dataset migrate .*dataset_v0 --reference"):
        open_dataset(EARLIER)


def test_a_reference_is_asked_for_where_it_is_needed() -> None:
    with pytest.raises(InputError, match="--reference"):
        migrate(EARLIER)


def test_datasets_of_newer_versions_and_other_folders_say_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(ARCHIVES / "dataset_v1", tmp_path / "newer")
    manifest = json.loads((tmp_path / "newer/manifest.json").read_text())
    (tmp_path / "newer/manifest.json").write_text(json.dumps({**manifest, "format_version": FORMAT_VERSION + 1}))
    for command in (migrate, open_dataset):
        with pytest.raises(StoreError, match="newer version of meta-spliceai"):
            command(tmp_path / "newer")
    (tmp_path / "newer/manifest.json").write_text(json.dumps({**manifest, "format_version": 0}))
    with pytest.raises(StoreError, match="dataset migrate"):
        open_dataset(tmp_path / "newer")
    with pytest.raises(StoreError, match="no such folder"):
        migrate(tmp_path / "none")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/manifest.json").write_text('{"kind": "reference", "format_version": 1}')
    with pytest.raises(StoreError, match="found: reference"):
        migrate(tmp_path / "other")


def test_a_dataset_that_lost_its_manifest_is_not_taken_for_an_earlier_one(
    dataset: Path, passed: Passed, tmp_path: Path
) -> None:
    (dataset / "manifest.json").unlink()
    with pytest.raises(StoreError, match="it was lost") as error:
        migrate(dataset, dst=tmp_path / "new", reference=passed.reference)
    assert "BUILD_INFO.md" in error.value.action
    assert not (tmp_path / "new").exists()
