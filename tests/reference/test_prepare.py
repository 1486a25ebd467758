import errno
import json
import os
import shutil

import polars as pl
import pytest

from meta_spliceai.errors import DiskFullError, PlanMismatchError, StoreError
from meta_spliceai.formats.bgzip import write_bgzip
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.schema.tables import GENE_TABLE, SITE_TABLE
from meta_spliceai.store import atomic
from meta_spliceai.store.tables import read_tsv
from tests.toys.tiny_genome import BUILD, LENGTHS, tiny_fasta, tiny_sequences, write_tiny_genome
from tests.toys.twobit import write_twobit


def _prepare(tiny, out, **options):
    return prepare(**{"fasta": tiny.fasta, "gtf": tiny.gtf, "build": BUILD, "out": out, **options})


def test_the_folder_holds_what_the_design_says(reference):
    names = {path.name for path in reference.path.iterdir() if not path.name.startswith(".")}
    tables = (
        "gene_features",
        "transcript_features",
        "exon_features",
        "splice_sites",
        "overlapping_genes",
        "short_gaps",
    )
    assert names == {
        "manifest.json",
        "genome.fa",
        "genome.fa.fai",
        *(f"{table}.{kind}" for table in tables for kind in ("tsv", "parquet")),
    }


def test_text_and_parquet_hold_the_same(reference):
    assert read_tsv(reference.path / "gene_features.tsv", GENE_TABLE).equals(reference.genes)
    assert read_tsv(reference.path / "splice_sites.tsv", SITE_TABLE).equals(reference.splice_sites())


def test_the_genome_is_linked_and_the_input_folder_untouched(own_tiny, tmp_path):
    before = sorted(path.name for path in own_tiny.fasta.parent.iterdir())
    reference = _prepare(own_tiny, tmp_path / "out")
    assert (tmp_path / "out" / "genome.fa").samefile(own_tiny.fasta)
    assert sorted(path.name for path in own_tiny.fasta.parent.iterdir()) == [*before, "genome.fa.fai"]
    with reference.open_genome() as genome:
        assert genome.contigs == LENGTHS


@pytest.mark.parametrize("kind", ["fa.gz", "2bit"])
def test_compressed_genomes_give_the_same_tables(reference, own_tiny, tmp_path, kind):
    fasta = tmp_path / f"genome.{kind}"
    if kind == "2bit":
        write_twobit(fasta, tiny_sequences())
    else:
        write_bgzip(fasta, [tiny_fasta().encode()])
    other = _prepare(own_tiny, tmp_path / "out", fasta=fasta)
    assert other.genome_file.name == f"genome.{kind}"
    assert other.genes.equals(reference.genes)
    assert other.splice_sites().equals(reference.splice_sites())


def test_the_manifest_says_what_was_found(reference):
    manifest = json.loads((reference.path / "manifest.json").read_text())
    assert manifest["parameters"] == {"build": BUILD, "min_intron": 20}
    assert sorted(manifest["inputs"]) == ["fasta", "gtf"]
    assert manifest["facts"]["introns"] == {
        "introns": 44,
        "unknown": 1,
        "checked": 43,
        "gt_ag": 41,
        "gc_ag": 1,
        "at_ac": 1,
        "rate": 1.0,
        "worst_genes": [],
    }
    assert (manifest["facts"]["genes"], manifest["facts"]["short_gaps"]) == (17, 1)


def test_the_summary_is_for_people(reference):
    assert reference.summary().splitlines()[1:] == [
        "genes         17 on 2 contigs",
        "transcripts   23",
        "splice sites  79",
        "introns       44; 100.0 % read GT-AG, GC-AG or AT-AC",
        "left out      0 genes, 1 gaps too short for introns",
    ]


def test_preparing_again_does_nothing(own_tiny, tmp_path):
    out = tmp_path / "out"
    first = _prepare(own_tiny, out)
    written = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != ".lock"}
    os.utime(own_tiny.fasta)
    os.utime(own_tiny.gtf)
    assert _prepare(own_tiny, out).fingerprint == first.fingerprint
    assert {path: path.stat().st_mtime_ns for path in written if path.name != "genome.fa"} == {
        path: time for path, time in written.items() if path.name != "genome.fa"
    }


def test_a_damaged_table_is_made_again(own_tiny, tmp_path):
    out = tmp_path / "out"
    before = _prepare(own_tiny, out)
    (out / "splice_sites.parquet").write_bytes(b"PAR1")
    assert _prepare(own_tiny, out).splice_sites().height == before.splice_sites().height


def test_other_files_or_options_are_refused_without_overwrite(own_tiny, tmp_path):
    out = tmp_path / "out"
    first = _prepare(own_tiny, out)
    with pytest.raises(PlanMismatchError, match="parameter build: on disk tiny1, now tiny2"):
        _prepare(own_tiny, out, build="tiny2")
    with pytest.raises(PlanMismatchError, match="parameter min_intron: on disk 20, now 5"):
        _prepare(own_tiny, out, min_intron=5)
    assert load(out).fingerprint == first.fingerprint
    second = _prepare(own_tiny, out, min_intron=5, overwrite=True)
    assert second.fingerprint != first.fingerprint
    assert second.splice_sites().filter(pl.col("gene_id") == "TG11.1").height == 4


def test_a_failed_check_leaves_a_finished_reference_alone(own_tiny, tmp_path):
    out = tmp_path / "out"
    first = _prepare(own_tiny, out)
    own_tiny.gtf.write_text(own_tiny.gtf.read_text().replace("chrT", "scaffold_"))
    with pytest.raises(Exception, match="contigs of the annotation"):
        _prepare(own_tiny, out, overwrite=True)
    assert load(out).fingerprint == first.fingerprint


def test_identity_is_content_and_options(reference, tmp_path):
    other = write_tiny_genome(tmp_path / "elsewhere")
    assert _prepare(other, tmp_path / "out").fingerprint == reference.fingerprint
    assert _prepare(other, tmp_path / "out2", build="other").fingerprint != reference.fingerprint


def test_the_order_of_the_annotations_rows_changes_nothing(reference, own_tiny, tmp_path):
    rows = [row for row in own_tiny.gtf.read_text().splitlines() if not row.startswith("#")]
    own_tiny.gtf.write_text("\n".join(reversed(rows)) + "\n")
    assert _prepare(own_tiny, tmp_path / "out").fingerprint == reference.fingerprint


@pytest.mark.parametrize("write", range(8))
def test_a_full_disk_stops_with_one_message_and_the_next_run_finishes(
    own_tiny, tmp_path, monkeypatch, reference, write
):
    replace, seen = atomic._replace, []

    def fails_once(aside, path):
        seen.append(path)
        if len(seen) == write + 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(aside, path)

    monkeypatch.setattr(atomic, "_replace", fails_once)
    out = tmp_path / "out"
    with pytest.raises(DiskFullError, match="refused more bytes"):
        _prepare(own_tiny, out)
    with pytest.raises(StoreError):
        load(out)
    monkeypatch.undo()
    assert _prepare(own_tiny, out).fingerprint == reference.fingerprint
    assert not list(out.glob(".*.tmp"))


def test_a_genome_that_was_changed_or_removed_since_is_noticed(own_tiny, tmp_path):
    reference = _prepare(own_tiny, tmp_path / "out")
    genome = tmp_path / "out" / "genome.fa"
    content = genome.read_bytes()
    genome.unlink()
    with pytest.raises(StoreError, match="found: no file"):
        reference.open_genome()
    genome.write_bytes(content[:-7])
    with pytest.raises(StoreError, match=r"found: a file of 96,\d{3} bytes"):
        reference.open_genome()


def test_an_unfinished_or_damaged_reference_is_not_loaded(own_tiny, tmp_path):
    out = tmp_path / "out"
    _prepare(own_tiny, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "complete": False}))
    with pytest.raises(StoreError, match="its preparation was interrupted"):
        load(out)
    (out / "manifest.json").write_text(json.dumps({**manifest, "parts": {}}))
    with pytest.raises(StoreError, match="it lacks 'genome'"):
        load(out)
    (out / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(out / "gene_features.tsv", out / "gene_features.parquet")
    with pytest.raises(StoreError, match="a readable Parquet file"):
        load(out)
