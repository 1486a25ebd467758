import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import InputError
from meta_spliceai.reference.load import load
from tests.toys.tiny_genome import GENES

ALT, ONEBASE, NONE = GENES[1].gene_id, GENES[11].gene_id, GENES[3].gene_id
SOME = [ALT, ONEBASE, NONE]
BASE = ["gene_id", "position"]


@pytest.fixture
def rows_of(reference, tmp_path):
    def rows(mode: str) -> pl.DataFrame:
        folder = tmp_path / mode
        run(reference=reference, base=["toy"], eval_dir=folder, genes=SOME, tn_rate=0.1, position_id_mode=mode)
        return open_artifacts(folder).candidates(SOME)

    return rows


def _site_rows(reference) -> pl.DataFrame:
    sites = load(reference).splice_sites().filter(pl.col("gene_id").is_in(SOME))
    return sites.select("gene_id", "position", "transcript_id", "splice_type").unique()


@pytest.mark.rows("W9")
def test_genomic_rows_are_one_per_base_with_the_first_transcript(reference, rows_of):
    rows = rows_of("genomic")
    assert not rows.select(BASE).is_duplicated().any()
    first = (
        _site_rows(reference)
        .group_by(BASE)
        .agg(pl.col("transcript_id").min(), pl.col("transcript_id").n_unique().alias("n"))
    )
    joined = first.join(rows, on=BASE, how="left", suffix="_row")
    assert (joined["transcript_id"] == joined["transcript_id_row"]).all()
    assert (joined["n"] == joined["transcript_count"]).all()


def test_transcript_rows_are_one_per_transcript_with_a_site_there(reference, rows_of):
    rows, genomic = rows_of("transcript"), rows_of("genomic")
    sites = rows.filter(pl.col("transcript_id").is_not_null()).select(*BASE, "transcript_id")
    expected = _site_rows(reference).select(*BASE, "transcript_id").unique()
    assert sites.sort(sites.columns).equals(expected.sort(expected.columns))
    assert rows.select(BASE).unique(maintain_order=True).equals(genomic.select(BASE))
    counted = rows.group_by(BASE).agg(
        pl.len().alias("n"), pl.col("unit_rows").first(), pl.col("transcript_count").first()
    )
    assert (counted["n"] == counted["unit_rows"]).all()
    assert counted.filter(pl.col("transcript_count") > 1).height > 0
    shared = [name for name in genomic.columns if name not in ("transcript_id", "unit_rows")]
    assert rows.unique(BASE, maintain_order=True).select(shared).equals(genomic.select(shared))


def test_splice_aware_rows_say_what_the_base_is_in_their_own_transcript(reference, rows_of):
    rows = rows_of("splice_aware")
    sites = rows.filter(pl.col("transcript_id").is_not_null()).select(*BASE, "transcript_id", "splice_type")
    expected = _site_rows(reference)
    assert sites.sort(sites.columns).equals(expected.sort(expected.columns))
    both = rows.filter((pl.col("gene_id") == ONEBASE) & pl.col("is_donor") & pl.col("is_acceptor"))
    assert both["splice_type"].sort().to_list() == ["acceptor", "donor"]
    assert both["unit_rows"].to_list() == [2, 2]


def test_hybrid_rows_are_genomic_and_list_all_transcripts(reference, rows_of):
    rows, genomic = rows_of("hybrid"), rows_of("genomic")
    assert rows.select(genomic.columns).equals(genomic)
    expected = (
        _site_rows(reference)
        .group_by(BASE)
        .agg(
            ids=pl.col("transcript_id").unique().sort().str.join(","),
            kinds=pl.col("splice_type").unique().sort().str.join(","),
        )
        .join(rows, on=BASE, how="left")
    )
    assert (expected["ids"] == expected["transcript_ids"]).all()
    assert (expected["kinds"] == expected["splice_types_observed"]).all()
    others = rows.filter(pl.col("transcript_id").is_null())
    assert others["transcript_ids"].null_count() == others.height
    assert rows["is_multi_transcript"].any()
    assert (rows["is_multi_transcript"] == (rows["transcript_count"] > 1)).all()


def test_a_gene_without_sites_has_rows_in_every_mode(rows_of):
    for mode in ("genomic", "transcript", "splice_aware", "hybrid"):
        assert rows_of(mode).filter(pl.col("gene_id") == NONE).height > 0


@pytest.mark.rows("W8", "W9")
def test_tables_as_tsv_read_back_exactly_what_parquet_holds(reference, tmp_path):
    for name in ("parquet", "tsv"):
        run(reference=reference, base=["toy"], eval_dir=tmp_path / name, genes=SOME, artifact_format=name)
    folder = tmp_path / "tsv" / "meta_models"
    assert sorted(path.name.split("_chrT")[0] for path in folder.glob("*_chunk_*.tsv")) == [
        "analysis_sequences", "splice_errors", "splice_performance", "splice_positions_enhanced",
    ]  # fmt: skip
    assert (folder / "full_splice_positions_enhanced.tsv").exists()
    assert (folder / "full_splice_errors.tsv").exists()
    ours, theirs = (open_artifacts(tmp_path / name).candidates(SOME) for name in ("tsv", "parquet"))
    assert ours.equals(theirs)
    some = ["gene_id", "position", "pred_type"]
    assert open_artifacts(tmp_path / "tsv").candidates(SOME, some).equals(theirs.select(some))
    assert open_artifacts(tmp_path / "parquet").candidates(SOME, some).equals(theirs.select(some))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position_id_mode": "exonic"}, "--position-id-mode genomic | transcript"),
        ({"artifact_format": "csv"}, "--artifact-format parquet | tsv"),
        ({"tn_sampling": "all"}, "--tn-sampling random | proximity"),
        ({"chunk_size": 0}, "--chunk-size of at least 1"),
        ({"workers": 0}, "--workers of at least 1"),
    ],
)
def test_words_and_numbers_out_of_range_are_refused(reference, tmp_path, options, message):
    with pytest.raises(InputError, match=message.replace("|", r"\|")):
        run(reference=reference, base=["toy"], eval_dir=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
