"""Likeness of genes: words of amino acids, repeats, and families of real genes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.formats.fasta import Genome, open_genome
from meta_spliceai.genome.sequences import decode, encode, reverse_complement
from meta_spliceai.train.groups import gene_groups
from meta_spliceai.train.likeness import (
    Similarity,
    exon_sketches,
    likeness_edges,
    similar_pairs,
    sketched,
    times_in_introns,
    words_of,
)
from tests.oracles.training_oracles import words_slowly

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
NO_EXONS = pl.DataFrame(schema={"gene_id": pl.String, "chrom": pl.String, "start": pl.Int64, "end": pl.Int64})


def letters(rng: np.random.Generator, length: int) -> str:
    return decode(rng.integers(0, 4, length, dtype=np.uint8))


def spelled(words: np.ndarray, length: int) -> set[str]:
    return {"".join(AMINO_ACIDS[(int(word) >> 5 * (length - 1 - n)) & 31] for n in range(length)) for word in words}


def genes_of(spans: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    rows = [
        {"gene_id": f"G{n}", "chrom": chrom, "strand": strand, "start": start, "end": end}
        for n, (chrom, strand, start, end) in enumerate(spans)
    ]
    return pl.DataFrame(rows)


def exons_of(spans: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame([{"gene_id": g, "chrom": c, "start": start, "end": end} for g, c, start, end in spans])


def test_words_are_those_of_the_slow_twin() -> None:
    text = letters(np.random.default_rng(1), 190) + "N" + letters(np.random.default_rng(2), 160)
    for length in (2, 5, 7, 12):
        found = words_of(encode(text), length)
        assert spelled(found, length) == words_slowly(text, length)
    assert words_of(encode(text[:20]), 7).size == 0


def test_a_change_of_third_bases_leaves_words_that_dna_has_lost() -> None:
    protein = np.random.default_rng(3).choice(list("AGPTV"), 60)
    first_two = dict(zip("AGPTV", ["GC", "GG", "CC", "AC", "GT"], strict=True))
    one, other = ("".join(first_two[letter] + third for letter in protein) for third in "AC")
    assert not {one[at : at + 21] for at in range(160)} & {other[at : at + 21] for at in range(160)}
    shared = set(words_of(encode(one), 7)) & set(words_of(encode(other), 7))
    assert len(shared) >= 50


def test_a_sketch_estimates_the_number_of_shared_words() -> None:
    rng = np.random.default_rng(4)
    common = letters(rng, 9_000)
    rule = Similarity(one_in=4)
    one, other = (np.unique(words_of(encode(common + letters(rng, 9_000)), 7)) for _ in range(2))
    kept = [sketched(words, rule) for words in (one, other)]
    exact = np.intersect1d(one, other).size
    assert np.intersect1d(*kept).size * 4 == pytest.approx(exact, rel=0.1)
    assert similar_pairs(kept, Similarity(one_in=4, min_shared=int(0.8 * exact))).tolist() == [[0, 1]]
    assert similar_pairs(kept, Similarity(one_in=4, min_shared=int(1.2 * exact))).tolist() == []


def test_pairs_are_those_that_share_enough_words() -> None:
    rng = np.random.default_rng(5)
    family = letters(rng, 900)
    texts = [letters(rng, 500), family, family[:300] + letters(rng, 900), letters(rng, 400) + family[600:], "ACGT" * 30]
    words = [np.unique(words_of(encode(text), 7)) for text in texts]
    slowly = [words_slowly(text, 7) for text in texts]
    for least in (20, 60, 120):
        expected = [[a, b] for a in range(5) for b in range(a + 1, 5) if len(slowly[a] & slowly[b]) >= least]
        assert sorted(similar_pairs(words, Similarity(min_shared=least)).tolist()) == expected


def test_a_word_that_very_many_genes_hold_links_none() -> None:
    words = np.unique(words_of(encode(letters(np.random.default_rng(6), 400)), 7))
    assert len(similar_pairs([words] * 5, Similarity())) == 10
    assert len(similar_pairs([words] * 5, Similarity(max_genes=4))) == 0
    assert similar_pairs([], Similarity()).shape == (0, 2)


def test_genes_on_either_strand_are_read_in_the_direction_of_transcription(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    exon, filler = letters(rng, 300), [letters(rng, 400) for _ in range(4)]
    flipped = decode(reverse_complement(encode(exon)))
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">c1\n{filler[0]}{exon}{filler[1]}\n>c2\n{filler[2]}{flipped}{filler[3]}\n")
    genes = genes_of([("c1", "+", 1, 200), ("c1", "+", 350, 750), ("c2", "-", 401, 700), ("c2", "+", 690, 1_000)])
    exons = exons_of([("G0", "c1", 1, 150), ("G1", "c1", 401, 700), ("G2", "c2", 401, 700), ("G3", "c2", 800, 900)])
    with open_genome(fasta) as genome:
        one, paralog = exon_sketches(genes, exons, genome, Similarity())[1:3]
        np.testing.assert_array_equal(one, paralog)
        groups = gene_groups(genes, exons, genome, Similarity())
    assert groups["group"].to_list() == [0, 1, 1, 1]  # G3 overlaps the paralog
    assert groups["family"].to_list() == [0, 1, 1, 2]


def test_a_word_that_occurs_again_in_introns_links_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    repeat = letters(rng, 300)
    exon = [letters(rng, 200) + repeat for _ in range(2)]
    flipped = decode(reverse_complement(encode(repeat)))
    spacer = letters(rng, 100)
    fasta = tmp_path / "genome.fa"

    def edges(intron: str) -> list[list[int]]:
        tail = letters(np.random.default_rng(9), 700 - len(intron))
        fasta.write_text(f">c1\n{exon[0]}{intron}{tail}\n>c2\n{exon[1]}\n")
        fasta.with_suffix(".fa.fai").unlink(missing_ok=True)
        genes = genes_of([("c1", "+", 1, 1_200), ("c2", "+", 1, 500)])
        exons = exons_of([("G0", "c1", 1, 500), ("G1", "c2", 1, 500)])
        with open_genome(fasta) as genome:
            return likeness_edges(genes, exons, genome, Similarity()).tolist()

    assert edges("") == edges(spacer + repeat) == [[0, 1]]
    assert edges(repeat + flipped) == []  # the same repeat twice, once on the other strand


def test_exons_of_any_gene_are_no_introns(tmp_path: Path) -> None:
    text = letters(np.random.default_rng(10), 600)
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">c1\n{text}\n")
    genes = genes_of([("c1", "+", 1, 600)])
    words = np.unique(words_of(encode(text), 7))
    with open_genome(fasta) as genome:
        covered = exons_of([("G0", "c1", 1, 100), ("other", "c1", 101, 600)])
        assert times_in_introns(words, genes, covered, genome, Similarity()).sum() == 0
        bare = exons_of([("G0", "c1", 1, 10)])
        assert times_in_introns(words, genes, bare, genome, Similarity()).sum() >= words.size - 10


def test_a_gene_without_exons_resembles_none(tmp_path: Path) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">c1\n" + "ACGT" * 50 + "\n")
    genes = genes_of([("c1", "+", 1, 100)])
    with open_genome(fasta) as genome:
        assert likeness_edges(genes, NO_EXONS, genome, Similarity()).shape == (0, 2)


@pytest.mark.parametrize("options", [{"word": 13}, {"word": 1}, {"one_in": 0}, {"min_shared": 0}, {"max_genes": 1}])
def test_a_rule_out_of_range_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"of at least 1|--kmer"):
        Similarity(**options)


@pytest.fixture(scope="module")
def human(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, Genome]]:
    from meta_spliceai.formats.annotation import read_annotation

    annotation = read_annotation(shared / "GRCh37" / "annotation.gtf.gz")
    folder = tmp_path_factory.mktemp("human")
    for suffix in ("", ".fai", ".gzi"):
        (folder / f"genome.fa.gz{suffix}").symlink_to(shared / "GRCh37" / f"genome.fa.gz{suffix}")
    with open_genome(folder / "genome.fa.gz") as genome:
        yield (
            annotation.genes.with_columns(pl.col("start") + 1),
            annotation.exons.with_columns(pl.col("start") + 1),
            genome,
        )


@pytest.mark.real_data
def test_known_families_stay_together_and_unrelated_genes_apart(
    human: tuple[pl.DataFrame, pl.DataFrame, Genome],
) -> None:
    genes, exons, genome = human
    named = genes.join(gene_groups(genes, exons, genome, Similarity()), on="gene_id", maintain_order="left")
    family = dict(named.select("gene_name", "family").iter_rows())

    def members(*names: str) -> set[int]:
        return {family[name] for name in names}

    assert len(members(*(f"HLA-{letter}" for letter in "ABCFGHJKU"))) == 1  # class I and its pseudogenes
    assert len(members(*(name for name in family if name.startswith("ZNF") and name[3].isdigit()))) == 1
    assert len(members("MICA", "MICB", "MICD", "MICE", "MICG")) == 1  # pseudogenes with their parents
    assert len(members("C4A", "C4B")) == len(members("HSPA1A", "HSPA1B", "HSPA1L")) == 1
    assert len(members("SIRPA", "SIRPB1", "SIRPB3P", "SIRPD", "SIRPG")) == 1
    assert len(members("KRT18P1", "KRT18P5")) == len(members("CDK11A", "CDK11B")) == 1
    assert len(members("HLA-A", "ZNF57", "MICA", "C4A", "HSPA1A", "SIRPA", "CDK11A", "OR2J1", "OR4F5", "STK11")) == 10
    sizes = named["family"].value_counts()["count"].sort(descending=True).to_list()
    assert sizes[:3] == [29, 13, 9]
    assert named["family"].n_unique() == 580
    groups = named["group"].value_counts()["count"].sort(descending=True).to_list()
    assert groups[0] < 0.13 * named.height  # overlap and likeness make a chain of genes on chromosome 1
    assert groups[1] <= 16
