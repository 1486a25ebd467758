"""Scores as files for other tools: the same numbers, at the places each format means."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.basepass import export as module
from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.export import export
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import GeneError, InputError, StoreError
from meta_spliceai.formats.bigwig import BigWig
from meta_spliceai.genome.coordinates import STRANDS, Interval

WORDS = {"+": "plus", "-": "minus"}


@pytest.fixture(scope="module")
def chunked(reference: Path, tmp_path_factory) -> Path:
    """A pass in chunks of two genes, whose flanks overlap."""
    with pytest.MonkeyPatch.context() as patch:
        from meta_spliceai.basemodel import registry
        from tests.toys.toy_base_model import ToyBaseModel

        patch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
        return run(
            reference=reference, base=["toy"], eval_dir=tmp_path_factory.mktemp("c") / "e", chunk_size=2
        ).eval_dir


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 7_001)


def dense(eval_dir: Path) -> pl.DataFrame:
    """The slow obvious twin: every scored base of every score file, each once, sorted."""
    files = sorted((eval_dir / "meta_models").glob("scores_*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files]).unique().sort("chrom", "position", "strand")


def test_chunks_overlap_so_that_a_base_could_be_written_twice(chunked: Path):
    files = sorted((chunked / "meta_models").glob("scores_*.parquet"))
    assert sum(pl.read_parquet(file).height for file in files) > dense(chunked).height


def test_imported_reads_the_same_numbers_again(chunked: Path, tmp_path: Path):
    result = export(eval_dir=chunked, out=tmp_path / "tracks")
    assert sorted(path.name for path in result.files) == sorted(
        f"toy.{channel}.{word}.bw" for channel in ("donor", "acceptor", "spread") for word in WORDS.values()
    )
    model = load_base_model("imported", weights=tmp_path / "tracks")
    assert (model.info.name, model.info.training_chromosomes) == ("toy", ("T2",))
    artifacts = open_artifacts(chunked)
    rows = dense(chunked)
    assert (result.bases, result.values) == (rows.height, 3 * rows.height)
    seen = 0
    for chrom, strand in rows.select("chrom", "strand").unique().iter_rows():
        places = rows.filter((pl.col("chrom") == chrom) & (pl.col("strand") == strand))["position"].to_numpy() - 1
        for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            interval = Interval(chrom, int(part[0]), int(part[-1]) + 1, strand)
            stored = artifacts.scores(chrom, strand, interval.start, interval.end)
            for name, values in model.scores_of(interval).by_channel.items():
                np.testing.assert_array_equal(values, stored[name])
            seen += part.size
    assert seen == rows.height


def test_another_library_reads_the_tracks(chunked: Path, tmp_path: Path):
    py_big_wig = pytest.importorskip("pyBigWig", reason="no second bigWig library here")
    export(eval_dir=chunked, out=tmp_path)
    for strand in STRANDS:
        rows = dense(chunked).filter(pl.col("strand") == strand)
        with py_big_wig.open(str(tmp_path / f"toy.donor.{WORDS[strand]}.bw")) as track:
            assert track.chroms() == {"chrT1": 60_000, "chrT2": 30_000}
            for chrom, part in rows.partition_by("chrom", as_dict=True).items():
                values = np.float32(track.values(chrom[0], 0, track.chroms(chrom[0])))
                np.testing.assert_array_equal(values[part["position"].to_numpy() - 1], part["donor"].to_numpy())
                assert np.isfinite(values).sum() == part.height


def test_bed_lines_are_single_bases_with_scores_of_a_thousand(chunked: Path, tmp_path: Path):
    result = export(eval_dir=chunked, out=tmp_path / "x.bed", format="bed", threshold=0.2)
    lines = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines()]
    expected = [
        [
            row["chrom"],
            str(row["position"] - 1),
            str(row["position"]),
            name,
            str(round(1000 * row[name])),
            row["strand"],
        ]
        for row in dense(chunked).iter_rows(named=True)
        for name in ("acceptor", "donor")
        if row[name] >= np.float32(0.2)
    ]
    assert lines == expected
    assert len(lines) == result.values > 20
    assert {line[3] for line in lines} == {"donor", "acceptor"}
    assert all((left[0], int(left[1])) <= (right[0], int(right[1])) for left, right in pairwise(lines))


@pytest.mark.parametrize("threshold", [0.05, 0])
def test_a_table_holds_positions_and_all_channels(chunked: Path, tmp_path: Path, threshold):
    export(eval_dir=chunked, out=tmp_path / "x.tsv.gz", format="tsv", threshold=threshold)
    text = gzip.decompress((tmp_path / "x.tsv.gz").read_bytes())
    floats = dict.fromkeys(("donor", "acceptor", "spread"), pl.Float32)
    rows = pl.read_csv(text, separator="\t", schema_overrides=floats)
    expected = dense(chunked).filter(pl.max_horizontal("donor", "acceptor") >= threshold)
    columns = ["chrom", "position", "strand", "donor", "acceptor", "spread"]
    assert rows.columns == columns
    assert rows.rows() == expected.select(columns).rows()


def test_plain_and_compressed_tables_hold_the_same(chunked: Path, tmp_path: Path):
    for name in ("x.tsv", "x.tsv.gz"):
        export(eval_dir=chunked, out=tmp_path / name, format="tsv")
    assert gzip.decompress((tmp_path / "x.tsv.gz").read_bytes()) == (tmp_path / "x.tsv").read_bytes()


def test_chosen_genes_come_with_their_scored_flanks(chunked: Path, reference: Path, tmp_path: Path):
    genes = pl.read_parquet(reference / "gene_features.parquet")
    gene = genes.filter(pl.col("chrom") == "chrT2").row(0, named=True)
    export(
        eval_dir=chunked,
        out=tmp_path / "x.tsv",
        format="tsv",
        threshold=0,
        reference=reference,
        genes=[gene["gene_id"]],
    )
    rows = pl.read_csv(tmp_path / "x.tsv", separator="\t")
    assert rows["strand"].unique().to_list() == [gene["strand"]]
    assert rows["position"].min() == max(1, gene["start"] - 5_000)
    assert rows["position"].max() == min(30_000, gene["end"] + 5_000)
    assert rows.height == rows["position"].max() - rows["position"].min() + 1


def test_chosen_contigs_alone_are_written_under_the_names_asked_for(chunked: Path, tmp_path: Path):
    for style, name in (("as-is", "chrT2"), ("ucsc", "chrT2"), ("ensembl", "T2")):
        export(eval_dir=chunked, out=tmp_path / style, chromosomes=["T2"], chrom_names=style)
        assert BigWig(tmp_path / style / "toy.donor.plus.bw").contigs == {name: 30_000}
    with pytest.raises(InputError, match="found: chr9"):
        export(eval_dir=chunked, out=tmp_path / "x", chromosomes=["chr9"])


def test_nothing_is_overwritten_unasked(chunked: Path, tmp_path: Path):
    path = tmp_path / "x.bed"
    path.write_text("mine")
    with pytest.raises(StoreError, match=r"x\.bed.*\n.*--overwrite"):
        export(eval_dir=chunked, out=path, format="bed")
    assert path.read_text() == "mine"
    export(eval_dir=chunked, out=path, format="bed", overwrite=True)
    assert path.read_text().startswith("chrT1\t")
    (tmp_path / "toy.spread.minus.bw").write_text("mine")
    with pytest.raises(StoreError, match=r"toy\.spread\.minus\.bw"):
        export(eval_dir=chunked, out=tmp_path)
    assert not (tmp_path / "toy.donor.plus.bw").exists()


def test_bad_requests_are_refused_before_anything_is_written(chunked: Path, reference: Path, tmp_path: Path):
    with pytest.raises(InputError, match="threshold from 0 to 1"):
        export(eval_dir=chunked, out=tmp_path / "x", format="bed", threshold=5)
    with pytest.raises(StoreError):
        export(eval_dir=tmp_path, out=tmp_path / "x")
    genes = pl.read_parquet(reference / "gene_features.parquet")["gene_id"].to_list()
    some = run(reference=reference, base=["toy"], eval_dir=tmp_path / "some", genes=genes[:1]).eval_dir
    with pytest.raises(GeneError, match=genes[-1]):
        export(eval_dir=some, out=tmp_path / "x", reference=reference, genes=[genes[0], genes[-1]])
    assert not (tmp_path / "x").exists()
