"""Evidence against its slow twins, on both strands; contigs, builds and files that cannot be used."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.errors import GuardError, InputError
from meta_spliceai.features.enricher import Bases, Enricher, ReferenceFacts, check_enricher, enriched
from meta_spliceai.features.evidence.motifs import WINDOWS as MOTIF_WINDOWS
from meta_spliceai.features.evidence.signal import ACCESSIBILITY, CONSERVATION
from meta_spliceai.features.gene import GeneFacts
from meta_spliceai.features.registry import EnricherChoice, load_enrichers, shipped_enrichers
from meta_spliceai.formats.bigwig import write_bigwig
from meta_spliceai.formats.motifs import read_motifs
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sequences import decode
from tests.features.test_gene import ANNOTATION
from tests.oracles import evidence_oracles as slow

LENGTHS = {"chr1": 40_000, "chr2": 9_000}
REFERENCE = ReferenceFacts(LENGTHS, ["ENSG01.4", "ENSG02.1", "G3"])
CODES = np.zeros(600, dtype=np.uint8)


def loaded(name: str, *files: Path, reference: ReferenceFacts = REFERENCE) -> Enricher:
    (enricher,) = load_enrichers(EnricherChoice((), (name,), {name: files}), reference)
    return enricher


def bases(chrom: str, strand: Any, position: Any) -> Bases:
    positions = np.asarray(position, dtype=np.int64)
    return Bases(chrom, strand, positions, CODES, np.full(positions.size, 300))


def assert_same(enricher: Enricher, asked: Bases, expected: list[dict[str, float]]) -> None:
    """Every column of every base; float32 of the exact sums may differ in the last bit."""
    found = enriched(enricher, asked)
    for name in [column.name for column in enricher.columns]:
        wanted = np.array([row[name] for row in expected], dtype=np.float32)
        np.testing.assert_allclose(found[name], wanted, rtol=2e-7, atol=0, err_msg=name)
    assert [set(row) for row in expected] == [set(found)] * len(expected)
    for some in (slice(None, None, 3), slice(None, None, -1)):
        part = Bases(asked.chrom, asked.strand, asked.position[some], asked.codes, asked.index[some])
        for name, values in enriched(enricher, part).items():
            assert values.tobytes() == found[name][some].tobytes(), "a value depends on its own base only"


@pytest.mark.rows("F19")
@pytest.mark.parametrize("name", ["conservation", "accessibility"])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_values_of_bigwig_are_those_of_the_slow_twin(tmp_path: Path, name: str, strand: str) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=3_000).astype(np.float32)
    pieces = [("chr1", 0, values[:700]), ("chr1", 1_500, values[700:2_000]), ("chr1", 39_000, values[2_000:])]
    write_bigwig(tmp_path / "x.bw", LENGTHS, pieces)
    held = {start + n + 1: float(v) for _, start, part in pieces for n, v in enumerate(part)}
    positions = np.concatenate([[1, 40_000], rng.integers(1, 4_000, 60), rng.integers(37_500, 40_001, 40)])
    signal = CONSERVATION if name == "conservation" else ACCESSIBILITY
    expected = [slow.value_features(name, held, signal.windows, strand, p) for p in positions.tolist()]
    enricher = loaded(name, tmp_path / "x.bw")
    assert_same(enricher, bases("chr1", strand, positions), expected)


@pytest.mark.rows("F19")
@pytest.mark.parametrize("name", ["conservation", "accessibility"])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_elements_are_those_of_the_slow_twin(tmp_path: Path, name: str, strand: str) -> None:
    rng = np.random.default_rng(2)
    starts = rng.integers(0, 8_000, 60)
    elements = [(int(s) + 1, int(s) + int(n), round(float(x), 3)) for s, n, x in zip(
        starts, rng.integers(1, 120, 60), rng.normal(size=60), strict=True
    )]  # fmt: skip
    text = "".join(f"1\t{first - 1}\t{last}\te\t{score}\t.\n" for first, last, score in elements)
    with gzip.open(tmp_path / "x.bed.gz", "wt") as file:
        file.write(text)
    positions = np.concatenate([[1, 40_000], rng.integers(1, 14_000, 120)])
    signal = CONSERVATION if name == "conservation" else ACCESSIBILITY
    expected = [slow.element_features(name, elements, signal.windows, strand, p) for p in positions.tolist()]
    enricher = loaded(name, tmp_path / "x.bed.gz")
    assert_same(enricher, bases("chr1", strand, positions), expected)
    assert {row[f"{name}_distance"] for row in expected} >= {0, 5_000}
    nowhere = enriched(enricher, bases("chr2", strand, [5]))
    assert all(np.isnan(values).all() for values in nowhere.values()), "the file does not name chr2"


def junction_files(folder: Path, junctions: list[slow.Junction]) -> list[Path]:
    """One STAR file for each sample."""
    files = []
    for sample in sorted({junction[-1] for junction in junctions}):
        rows = [
            f"1\t{first}\t{last}\t{'12'['+-'.index(strand)]}\t1\t1\t{reads}\t{multi}\t20\n"
            for strand, first, last, reads, multi, own in junctions
            if own == sample
        ]
        files.append(folder / f"{sample}.SJ.out.tab")
        files[-1].write_text("".join(rows))
    return files


@pytest.mark.rows("F19")
@pytest.mark.parametrize("strand", ["+", "-"])
def test_junctions_are_those_of_the_slow_twin(tmp_path: Path, strand: str) -> None:
    rng = np.random.default_rng(3)
    edges = rng.integers(100, 600, (80, 2))
    junctions = [
        ("+-"[n % 2], int(a) // 10 * 10, int(a) // 10 * 10 + int(b), n, n % 5, n % 3) for n, (a, b) in enumerate(edges)
    ]
    positions = np.arange(80, 1_300)
    expected = [slow.junction_features(junctions, strand, p) for p in positions.tolist()]
    enricher = loaded("junctions", *junction_files(tmp_path, junctions))
    assert_same(enricher, bases("chr1", strand, positions), expected)
    assert max(row["junction_donor_samples"] for row in expected) > 1
    assert max(row["junction_acceptor_reads"] for row in expected) > 0
    assert np.isnan(enriched(enricher, bases("chr2", strand, [100]))["junction_donor_reads"]).all()


def test_regtools_junctions_say_the_same_as_stars(tmp_path: Path) -> None:
    (tmp_path / "a.tab").write_text("chr1\t101\t200\t1\t1\t1\t7\t0\t30\nchr1\t301\t400\t2\t1\t1\t4\t0\t30\n")
    (tmp_path / "b.bed").write_text(
        "1\t80\t240\tJ\t7\t+\t80\t240\t0\t2\t20,40\t0,120\n1\t290\t410\tJ\t4\t-\t290\t410\t0\t2\t10,10\t0,110\n"
    )
    one, other = loaded("junctions", tmp_path / "a.tab"), loaded("junctions", tmp_path / "b.bed")
    for strand in "+-":
        asked = bases("chr1", strand, np.arange(90, 410))
        found = enriched(one, asked)
        assert sum(values.sum() for values in found.values()) > 0
        for name, values in enriched(other, asked).items():
            np.testing.assert_array_equal(values, found[name])


MATRIX = [[0.9, 0.05, 0.05, 0.0], [0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 0.25, 0.25], [0.1, 0.7, 0.1, 0.1]]


def meme(name: str, matrix: list[list[float]]) -> str:
    rows = "\n".join(" ".join(map(str, row)) for row in matrix)
    head = f"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF {name}\n"
    return f"{head}letter-probability matrix: alength= 4 w= {len(matrix)} nsites= 20 E= 0\n{rows}\n"


@pytest.mark.rows("F19")
def test_motifs_are_those_of_the_slow_twin(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# words\nGAAR\nPoly-Y tract\tyyyy\nlong\tNNNNNNNNNN\nUUU\n")
    (tmp_path / "x.meme").write_text(meme("SRSF1 (x)", MATRIX))
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 4, 3_000).astype(np.uint8)
    codes[rng.random(3_000) < 0.02] = 4
    index = np.sort(rng.choice(np.arange(250, 2_750), 150, replace=False))
    asked = Bases("chr1", "-", 10_000 - index, codes, index)
    text = decode(codes)
    words = {"gaar": "GAAR", "poly_y_tract": "YYYY", "long": "NNNNNNNNNN", "ttt": "TTT"}
    expected = [
        {k: v for name, word in words.items() for k, v in slow.word_counts(name, word, text, i, MOTIF_WINDOWS).items()}
        for i in index.tolist()
    ]
    for row in expected:  # N allows every known base
        assert row["motif_long_up_1_50"] <= 41
    assert_same(loaded("motifs", tmp_path / "words.txt"), asked, expected)
    matrices = [slow.matrix_counts("srsf1", MATRIX, text, i, MOTIF_WINDOWS) for i in index.tolist()]
    assert max(max(row.values()) for row in matrices) > 1
    assert_same(loaded("motifs", tmp_path / "x.meme"), asked, matrices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found: none"),
        ("GAAX\n", "line 1: 'GAAX'"),
        ("A\tGAA\nA\tGAG\n", "several motifs named a"),
        ("G" * 51 + "\n", "51 bases"),
        ("--\tGAA\n", "without letters"),
        (meme("M", MATRIX).replace("0.9", "0.5"), "line 7: .* instead of four probabilities"),
        (meme("M", MATRIX).replace("w= 4", "w= 5"), "motif M without a whole matrix"),
        (meme("M", MATRIX).replace("MOTIF M", ""), "a matrix without a name"),
    ],
)
def test_what_is_no_motif_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(InputError, match=message):
        read_motifs(tmp_path / "file")


def gene(gene_id: str) -> GeneFacts:
    return GeneFacts(Interval("chr1", 0, 1_000, "+"), "lncRNA", 0, ANNOTATION, gene_id)


@pytest.mark.rows("F19")
def test_expression_is_that_of_the_gene_whatever_the_version_of_its_id(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("gene_id\tname\tTPM brain\tTPM.heart\nENSG01.9\tA\t2.5\tNA\nG3\tB\t0\t7\n")
    enricher = loaded("expression", tmp_path / "x.tsv")
    assert [(c.name, c.origin) for c in enricher.columns] == [
        ("expression_tpm_brain", "gene"), ("expression_tpm_heart", "gene"),
    ]  # fmt: skip
    for gene_id, expected in (("ENSG01.4", [2.5, np.nan]), ("G3", [0, 7]), ("ENSG02.1", [np.nan, np.nan])):
        found = enriched(enricher, Bases("chr1", "+", np.array([5, 6]), CODES, np.array([300, 301]), gene(gene_id)))
        np.testing.assert_array_equal(np.stack(list(found.values())), np.array([expected, expected], np.float32).T)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\tx\nA\t1\n", "the columns gene, x"),
        ("gene_id\tx\nG3\ta\n", "no column of numbers"),
        ("gene_id\tx\nG3\tinf\n", "infinite"),
        ("gene_id\tx\nG3\t1\nG3\t2\n", "several rows of G3"),
        ("gene_id\tx\nQ1\t1\n", "none; it has Q1"),
        ("gene_id\tx y\tx.y\nG3\t1\t2\n", "several columns that become expression_x_y"),
    ],
)
def test_what_is_no_table_of_expression_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(InputError, match=message):
        loaded("expression", tmp_path / "file")


STAR = "{}\t{}\t{}\t1\t1\t1\t7\t0\t30\n"


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("junctions", "x.tab", STAR.format("chr7", 10, 20), "chr7"),
        ("junctions", "x.tab", STAR.format("2", 10, 9_000), "1 of 1 rows beyond, up to 9,001"),
        ("conservation", "x.bed", "chr1\t39990\t40001\n", "another build"),
        ("conservation", "x.bed", "chrUn\t1\t2\n", "made with this genome"),
        ("conservation", "x.bed", "chr1\t1\t2\n1\t5\t6\n", "one name for each contig"),
        ("conservation", "x.bed", "chr1\t9\t2\n", "line 1"),
        ("conservation", "x.bed", "chr1\t1\t2\ta\tb\n", "line 1"),
        ("accessibility", "x.txt", "chr1\t1\t2\n", "by its name"),
        ("accessibility", "x.bw", "no bigWig", "a whole bigWig file"),
    ],
)
def test_files_of_other_genomes_and_kinds_are_refused(
    tmp_path: Path, name: str, file: str, text: str, message: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=message):
        loaded(name, tmp_path / file)


def test_a_bigwig_of_another_build_is_refused(tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", {"chr1": 39_999}, [("chr1", 0, np.ones(9, np.float32))])
    with pytest.raises(GuardError, match="a contig of 39,999"):
        loaded("conservation", tmp_path / "x.bw")


def test_scores_of_bed_come_from_the_column_that_has_them(tmp_path: Path) -> None:
    texts = {
        "three": "chr1\t1\t2\n",
        "names": "chr1\t1\t2\ta\n",
        "graph": "chr1\t1\t2\t0.5\n",
        "five": "chr1\t1\t2\ta\t7\n",
    }
    found = {}
    for name, text in texts.items():
        (tmp_path / f"{name}.bed").write_text(f"track name=x\n{text}")
        enricher = loaded("conservation", tmp_path / f"{name}.bed")
        found[name] = float(enriched(enricher, bases("chr1", "+", [2]))["conservation_score"][0])
    assert found == {"three": 1, "names": 1, "graph": 0.5, "five": 7}


def test_no_bases_are_no_values(tmp_path: Path) -> None:
    (tmp_path / "x.bed").write_text("chr1\t1\t2\n")
    (tmp_path / "words.txt").write_text("GAAR\n")
    for name, file in (("conservation", "x.bed"), ("motifs", "words.txt")):
        found = enriched(loaded(name, tmp_path / file), bases("chr1", "-", []))
        assert {values.shape for values in found.values()} == {(0,)}


def test_identities_follow_the_content_and_not_the_path(tmp_path: Path) -> None:
    for name, text in (("a", "GAAR"), ("b", "GAAR"), ("c", "GAAC")):
        (tmp_path / name).write_text(text)
    one, same, other = (loaded("motifs", tmp_path / name).identity for name in "abc")
    assert one == same != other


def test_every_shipped_enricher_declares_what_may_be() -> None:
    for name, shipped in shipped_enrichers().items():
        columns = {column.name: column for column in shipped.columns}.values()
        toy = type("Toy", (), {"name": name, "identity": "", "columns": tuple(columns), "compute": None})()
        check_enricher(toy, [])


def real_reference(shared: Path, build: str) -> ReferenceFacts:
    lines = (shared / build / "genome.fa.gz.fai").read_text().splitlines()
    return ReferenceFacts({line.split("\t")[0]: int(line.split("\t")[1]) for line in lines}, [])


def exons_of(shared: Path, build: str, chrom: str) -> pl.DataFrame:
    """Start and end (1-based) and strand of the annotated exons of a contig."""
    names = ["chrom", "source", "kind", "start", "end", "score", "strand", "phase", "attributes"]
    rows = pl.read_csv(
        shared / build / "annotation.gtf.gz", separator="\t", has_header=False, comment_prefix="#", new_columns=names,
        infer_schema=False,
    )  # fmt: skip
    exons = rows.filter((pl.col("chrom") == chrom) & (pl.col("kind") == "exon"))
    return exons.select(pl.col("start", "end").cast(pl.Int64), "strand")


@pytest.mark.real_data
@pytest.mark.rows("F19")
def test_gerp_elements_of_chr1_are_denser_at_exons(shared: Path) -> None:
    path = shared / "extras" / "GRCh37_chr1_gerp_elements.bed.gz"
    enricher = loaded("conservation", path, reference=real_reference(shared, "GRCh37"))
    rows = pl.read_csv(path, separator="\t", has_header=False, new_columns=["chrom", "start", "end", "score"])
    elements = [(s + 1, e, x) for s, e, x in rows.select("start", "end", "score").iter_rows()]
    rng = np.random.default_rng(0)
    starts = rows["start"].sample(20, seed=1).to_list()
    positions = np.concatenate([starts, np.array(starts) + 1, rng.integers(1, 5_200_000, 20)])
    for strand in "+-":
        expected = [
            slow.element_features("conservation", elements, CONSERVATION.windows, strand, p) for p in positions.tolist()
        ]
        assert_same(enricher, bases("chr1", strand, positions), expected)
    inside = exons_of(shared, "GRCh37", "chr1")["start"].to_numpy() + 5
    at_exons, anywhere = (
        float(enriched(enricher, bases("chr1", "+", places))["conservation_element"].mean())
        for places in (inside, rng.integers(1, 5_200_000, 20_000))
    )
    assert at_exons > 5 * anywhere


@pytest.mark.real_data
@pytest.mark.parametrize(("build", "fits"), [("GRCh37", False), ("GRCh38", True)])
def test_junctions_of_another_build_are_refused_by_the_bases_beside_the_introns(
    shared: Path, tmp_path: Path, build: str, fits: bool
) -> None:
    for suffix in ("", ".fai", ".gzi"):
        (tmp_path / f"genome.fa.gz{suffix}").symlink_to(shared / build / f"genome.fa.gz{suffix}")
    facts = ReferenceFacts(real_reference(shared, build).contigs, [], tmp_path / "genome.fa.gz")
    file = shared / "extras" / "GRCh38_chr1_GM12878_SJ.out.tab.gz"
    if fits:
        assert loaded("junctions", file, reference=facts).columns
    else:
        with pytest.raises(GuardError, match="made with another build"):
            loaded("junctions", file, reference=facts)


@pytest.mark.real_data
@pytest.mark.rows("F19")
@pytest.mark.parametrize(
    ("file", "build", "chrom"),
    [
        ("GRCh37_chr22_20-21M_junctions.bed.gz", "GRCh37", "chr22"),
        ("GRCh38_chr1_GM12878_SJ.out.tab.gz", "GRCh38", "chr1"),
    ],
)
def test_real_junctions_support_the_annotated_sites_and_not_their_neighbours(
    shared: Path, file: str, build: str, chrom: str
) -> None:
    enricher = loaded("junctions", shared / "extras" / file, reference=real_reference(shared, build))
    exons = exons_of(shared, build, chrom)
    for strand in "+-":
        own = exons.filter(pl.col("strand") == strand)
        starts, ends = (own[name].unique().to_numpy() for name in ("start", "end"))
        sites = {"donor": ends, "acceptor": starts} if strand == "+" else {"donor": starts, "acceptor": ends}
        for kind, positions in sites.items():
            supported = [
                int((enriched(enricher, bases(chrom, strand, positions + moved))[f"junction_{kind}_reads"] > 0).sum())
                for moved in (-1, 0, 1)
            ]
            assert supported[1] > 10 * max(supported[0], supported[2], 1) or supported[1] > 5 > max(supported[::2])
            other = {"+": "-", "-": "+"}[strand]
            wrong = enriched(enricher, bases(chrom, other, positions))[f"junction_{kind}_reads"]
            assert int((wrong > 0).sum()) < supported[1] / 5
