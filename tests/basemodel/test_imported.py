"""Scores that exist already: each kind of file, each way it can be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basemodel.protocol import BaseModel, PositionedScores, Scores
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.basepass.score_files import ScoreFile, write_scores
from meta_spliceai.basepass.scoring import score_interval
from meta_spliceai.errors import InputError, ModelError
from meta_spliceai.formats.bigwig import write_bigwig
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.formats.openspliceai_bed import FILE_NAMES
from meta_spliceai.genome.coordinates import STRANDS, Interval

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "openspliceai_bed"
START, LENGTH = 100, 400
CONTIGS = {"chr1": 1_000}


def truth(channel: str, strand: str) -> np.ndarray:
    """Scores of chr1:101-500."""
    return np.random.default_rng([len(channel), ord(strand)]).random(LENGTH).astype(np.float32) / 2


def write_bigwigs(folder: Path, prefix: str = "", suffix: str = "bw", channels=("donor", "acceptor")) -> None:
    for channel in channels:
        for strand, word in (("+", "plus"), ("-", "minus")):
            path = folder / f"{prefix}{channel}.{word}.{suffix}"
            write_bigwig(path, CONTIGS, [("chr1", START, truth(channel, strand))])


def table(strands=STRANDS) -> pl.DataFrame:
    parts = [
        pl.DataFrame(
            {
                "chrom": ["chr1"] * LENGTH,
                "strand": [strand] * LENGTH,
                "position": np.arange(START + 1, START + LENGTH + 1),
                "donor": truth("donor", strand),
                "acceptor": truth("acceptor", strand),
            }
        )
        for strand in strands
    ]
    return pl.concat(parts)


def load(folder: Path, **description) -> PositionedScores:
    if description:
        (folder / "description.json").write_text(json.dumps(description))
    model = load_base_model("imported", weights=folder)
    assert isinstance(model, PositionedScores)
    assert not isinstance(model, BaseModel)
    return model


def inner(strand: str, chrom: str = "chr1") -> Interval:
    return Interval(chrom, START + 50, START + 350, strand)


def assert_right(scores: Scores, strand: str) -> None:
    np.testing.assert_array_equal(scores.donor, truth("donor", strand)[50:350])
    np.testing.assert_array_equal(scores.acceptor, truth("acceptor", strand)[50:350])
    assert scores.channels == ("donor", "acceptor", "spread")
    assert all(values.dtype == np.float32 for values in scores.by_channel.values())


def write_parquet_rows(folder: Path) -> None:
    table().write_parquet(folder / "mine.parquet", row_group_size=50)


@pytest.fixture(params=["bigwig", "prefixed", "parquet", "shuffled"])
def folder(request, tmp_path: Path) -> Path:
    if request.param == "bigwig":
        write_bigwigs(tmp_path)
    elif request.param == "prefixed":
        write_bigwigs(tmp_path, prefix="some.model.", suffix="bigWig")
    elif request.param == "parquet":
        write_parquet_rows(tmp_path)
    else:
        rows = table().sample(fraction=1, shuffle=True, seed=1)
        rows[:300].write_parquet(tmp_path / "a.parquet", row_group_size=90)
        rows[250:].write_parquet(tmp_path / "b.parquet", statistics=False)  # 50 rows stand in both
    return tmp_path


@pytest.mark.parametrize("strand", STRANDS)
@pytest.mark.parametrize("chrom", ["chr1", "1", "NC_000001.10"])
def test_each_kind_gives_the_scores_of_the_asked_bases(folder: Path, strand, chrom):
    assert_right(load(folder).scores_of(inner(strand, chrom)), strand)


@pytest.mark.parametrize("chrom", ["chr1", "chr2"])
def test_a_base_without_a_score_is_named_unless_it_means_zero(folder: Path, chrom):
    first = START + LENGTH + 1 if chrom == "chr1" else START + LENGTH - 9
    interval = Interval(chrom, START + LENGTH - 10, START + LENGTH + 10, "-")
    with pytest.raises(ModelError, match=rf"none at {chrom}:{first}\(-\)") as refused:
        load(folder).scores_of(interval)
    assert ("the files hold contigs chr1" in refused.value.found) == (chrom == "chr2")
    scores = load(folder, missing="zero").scores_of(interval)
    assert scores.donor.size == 20
    assert not scores.donor[10:].any()
    assert scores.donor[:10].all() == (chrom == "chr1")


def test_a_place_beyond_the_contig_has_no_score(tmp_path: Path):
    write_bigwigs(tmp_path)
    with pytest.raises(ModelError, match=r"none at chr1:1001\(\+\)"):
        load(tmp_path).scores_of(Interval("chr1", 1_000, 1_010, "+"))


def test_without_a_description_it_is_said_what_is_not_known(folder: Path, caplog):
    info = load(folder).info
    assert (info.name, info.training_chromosomes, info.training_build) == ("imported", (), "not known")
    assert info.context == 0
    assert "trained on is not known" in caplog.text


def test_the_description_says_what_the_scores_are(tmp_path: Path, caplog):
    write_parquet_rows(tmp_path)
    said = {"name": "mine", "training_build": "GRCh38", "training_chromosomes": ["chr2", "X"], "licence": "CC0"}
    info = load(tmp_path, **said).info
    assert (info.name, info.training_build, info.training_chromosomes) == ("mine", "GRCh38", ("2", "X"))
    assert info.licence == "CC0"
    assert not caplog.text


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"nmae": "x"}, r"found: nmae"),
        ({"name": "My Scores"}, "small letters"),
        ({"licence": 3}, "a text as licence"),
        ({"training_chromosomes": "2"}, "list of names"),
        ({"missing": "nothing"}, "missing as one of refuse, zero"),
    ],
)
def test_a_description_that_is_not_understood_is_refused(tmp_path: Path, said, message):
    write_parquet_rows(tmp_path)
    with pytest.raises(ModelError, match=message):
        load(tmp_path, **said)


def test_the_fingerprint_is_of_the_content(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    write_parquet_rows(first)
    shutil.copytree(first, second)
    assert load(first).info.weights_fingerprint == load(second).info.weights_fingerprint
    table().with_columns(donor=pl.col("donor") / 2).write_parquet(second / "mine.parquet")
    assert load(first).info.weights_fingerprint != load(second).info.weights_fingerprint
    assert load(first).info.weights_fingerprint != load(first, missing="zero").info.weights_fingerprint


def test_our_own_score_files_are_read_with_their_spread(tmp_path: Path):
    scores = [Scores.typed(*(truth(name, strand) for name in ("donor", "acceptor", "spread"))) for strand in STRANDS]
    path = tmp_path / "scores_chr1_chunk_1_9.parquet"
    pieces = [(strand, START, one) for strand, one in zip(STRANDS, scores, strict=True)]
    write_scores(path, "chr1", ("donor", "acceptor"), pieces)
    (tmp_path / "analysis_sequences_chr1_chunk_1_9.parquet").write_bytes(b"another table")
    read = load(tmp_path).scores_of(inner("-"))
    stored = ScoreFile(path).rows(LENGTH + 50, LENGTH + 350)
    np.testing.assert_array_equal(np.stack(list(read.by_channel.values())), stored)


def test_scores_per_tissue_come_with_their_names(tmp_path: Path):
    write_bigwigs(tmp_path, channels=("site_liver", "usage_liver", "site_brain", "spread"))
    model = load(tmp_path)
    assert model.info.channels == ("site_brain", "site_liver", "usage_liver")
    np.testing.assert_array_equal(model.scores_of(inner("+"))["usage_liver"], truth("usage_liver", "+")[50:350])
    np.testing.assert_array_equal(model.scores_of(inner("+")).spread, truth("spread", "+")[50:350])


@pytest.mark.parametrize(
    ("value", "message"), [(1.5, r"1\.5 at chr1:161\(\+\)"), (-0.25, r"-0\.25 at"), (np.nan, r"NaN at chr1:161\(\+\)")]
)
def test_what_is_no_probability_is_refused(tmp_path: Path, value, message):
    rows = table().with_columns(
        donor=pl.when((pl.col("position") == 161) & (pl.col("strand") == "+")).then(value).otherwise("donor")
    )
    rows.write_parquet(tmp_path / "mine.parquet")
    model = load(tmp_path, missing="zero")
    with pytest.raises(ModelError, match=message):
        model.scores_of(inner("+"))
    assert_right(model.scores_of(inner("-")), "-")


def test_an_empty_score_is_a_missing_one(tmp_path: Path):
    rows = table().with_columns(acceptor=pl.when(pl.col("position") != 200).then("acceptor"))
    rows.write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ModelError, match=r"an? acceptor score .*\nfound: none at chr1:200\(-\)"):
        load(tmp_path).scores_of(inner("-"))


def test_two_scores_for_a_base_are_refused(tmp_path: Path):
    write_parquet_rows(tmp_path)
    table()[70:80].with_columns(acceptor=pl.lit(0.5, pl.Float32)).write_parquet(tmp_path / "more.parquet")
    with pytest.raises(ModelError, match=r"two different scores at chr1:171\(\+\)"):
        load(tmp_path).scores_of(inner("+"))


def test_positions_that_count_from_0_are_refused(tmp_path: Path):
    table().with_columns(position=pl.col("position") - START - 1).write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ModelError, match="1-based positions"):
        load(tmp_path)


def test_strands_and_scores_of_another_kind_are_refused(tmp_path: Path):
    words = pl.when(pl.col("strand") == "+").then(1).otherwise(-1)
    table().with_columns(strand=words).write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ModelError, match="strands \\+ and - in"):
        load(tmp_path)
    table().with_columns(donor=pl.lit("high")).write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(InputError, match=r"mine\.parquet"):
        load(tmp_path).scores_of(inner("+"))


def test_contigs_may_be_numbers(tmp_path: Path):
    table().with_columns(chrom=pl.lit(1)).write_parquet(tmp_path / "mine.parquet")
    assert_right(load(tmp_path).scores_of(inner("-")), "-")


def test_a_contig_that_no_file_knows_is_said_once_where_it_counts_as_zero(folder: Path, caplog):
    model = load(folder, missing="zero", training_chromosomes=["2"])
    for _ in range(2):
        model.scores_of(Interval("chr9", 5, 10, "+"))
    assert caplog.messages == [
        "imported: the files hold nothing on contig chr9, so all of it counts as 0; they hold chr1"
    ]


def test_only_row_groups_that_may_hold_a_base_are_read(tmp_path: Path, monkeypatch):
    write_parquet_rows(tmp_path)
    model = load(tmp_path)
    read = []
    original = type(model._source._files[0]).read_row_group
    monkeypatch.setattr(
        type(model._source._files[0]),
        "read_row_group",
        lambda self, group, **kwargs: read.append(group) or original(self, group, **kwargs),
    )
    model.scores_of(Interval("chr1", START + 70, START + 75, "+"))
    assert read == [1]


def test_a_folder_without_one_whole_set_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="none was given"):
        load_base_model("imported")
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "none")
    with pytest.raises(ModelError, match="found: neither"):
        load(tmp_path)
    write_bigwigs(tmp_path)
    (tmp_path / "acceptor.minus.bw").rename(tmp_path / "kept")
    with pytest.raises(ModelError, match=r"no acceptor\.minus\.bw"):
        load(tmp_path)
    (tmp_path / "kept").rename(tmp_path / "acceptor.bw")
    with pytest.raises(ModelError, match=r"found: acceptor\.bw"):
        load(tmp_path)
    (tmp_path / "acceptor.bw").rename(tmp_path / "acceptor.minus.bw")
    write_parquet_rows(tmp_path)
    with pytest.raises(ModelError, match="bigWig and Parquet"):
        load(tmp_path)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path):
    (tmp_path / "mine.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"a whole Parquet file .*mine\.parquet"):
        load(tmp_path)
    table().drop("acceptor").write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ModelError, match="no acceptor scores"):
        load(tmp_path)
    table().drop("strand").write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ModelError, match="found: no strand"):
        load(tmp_path)


class TestOpenSpliceAIBed:
    """Real output of `openspliceai predict`, kept in tests/golden."""

    @pytest.mark.parametrize(
        ("strand", "site", "exon_edge", "score"),
        [
            ("+", "acceptor", 897_009, 0.997931),  # first base of an exon of KLHL17; the file lists 897,008
            ("+", "donor", 897_130, None),
            ("-", "donor", 1_141_765, 0.836784),  # last base of an exon of TNFRSF18
            ("-", "acceptor", 1_139_348, None),
        ],
    )
    def test_scores_peak_on_the_edges_of_exons(self, strand, site, exon_edge, score):
        around = load(GOLDEN).scores_of(Interval("chr1", exon_edge - 11, exon_edge + 10, strand))[site]
        assert around.argmax() == 10
        assert around[10] > 0.5
        if score is not None:
            assert around[10] == np.float32(score)

    def test_a_base_that_is_not_listed_is_zero(self):
        scores = load(GOLDEN).scores_of(Interval("1", 0, 50, "+"))
        assert not scores.donor.any()
        assert not scores.spread.any()

    def test_a_base_outside_the_regions_can_be_refused(self, tmp_path: Path):
        for name in FILE_NAMES.values():
            shutil.copy(GOLDEN / name, tmp_path)
        model = load(tmp_path, missing="refuse")
        assert model.scores_of(Interval("chr1", 895_763, 901_299, "+")).donor.max() > 0.9
        with pytest.raises(ModelError, match=r"none at chr1:901300\(\+\)"):
            model.scores_of(Interval("chr1", 901_290, 901_310, "+"))

    @pytest.mark.real_data
    @pytest.mark.parametrize(
        ("start", "end", "strand"), [(895_963, 901_099, "+"), (1_138_887, 1_141_972, "-"), (1_141_972, 1_142_500, "-")]
    )
    def test_agrees_with_the_models_scores_at_our_positions(self, shared: Path, start, end, strand):
        interval = Interval("chr1", start, end, strand)
        model = load_base_model("openspliceai_400nt", weights=shared / "weights" / "openspliceai-mane" / "400nt")
        with open_genome(shared / "GRCh37" / "genome.fa.gz") as genome:
            computed = score_interval(model, genome, interval)
        imported = load(GOLDEN).scores_of(interval)
        for site in FILE_NAMES:
            expected = np.where(computed[site] > 0.001, computed[site], 0)
            clear = abs(computed[site] - 0.001) > 1e-6  # rounding decides on which side of the threshold a score lies
            np.testing.assert_allclose(imported[site][clear], expected[clear], rtol=0, atol=2e-6)

    @pytest.mark.parametrize(
        "row",
        [
            "GENE\t5\t6\tGENE_Donor\t0.500000\t+\tabsolute_coordinates",
            "chr1\t5\t7\tGENE chr1:1-100(+)_Donor\t0.5\t+",
            "chr1\t5\t6\tGENE chr1:1-100(+)_Donor\t0.5\t.",
            "chr1\t5\t6\tGENE_Donor\t0.5\t+",
        ],
    )
    def test_rows_of_another_kind_are_refused(self, tmp_path: Path, row):
        for name in FILE_NAMES.values():
            shutil.copy(GOLDEN / name, tmp_path)
        (tmp_path / FILE_NAMES["donor"]).write_text(row + "\n")
        with pytest.raises(InputError, match="donor_predictions"):
            load(tmp_path)

    def test_one_file_alone_is_refused(self, tmp_path: Path):
        shutil.copy(GOLDEN / FILE_NAMES["donor"], tmp_path)
        with pytest.raises(ModelError, match=r"no acceptor_predictions\.bed"):
            load(tmp_path)
