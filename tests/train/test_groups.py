"""Gene groups: overlap on either strand, likeness of exons, and chains of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.errors import InputError
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sequences import decode, encode, reverse_complement
from meta_spliceai.train.groups import (
    Similarity,
    canonical_kmers,
    components,
    exon_sketches,
    gene_groups,
    overlap_edges,
    similarity_edges,
    sketch,
)
from tests.oracles.training_oracles import alike_slowly, components_slowly, kmers_slowly, overlap

ALL_KMERS = Similarity(one_in=1)


def genes_of(spans: list[tuple[str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"gene_id": f"G{n}", "chrom": c, "start": start, "end": end} for n, (c, start, end) in enumerate(spans)]
    )


def letters(rng: np.random.Generator, length: int) -> str:
    return decode(rng.integers(0, 4, length, dtype=np.uint8))


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 40), st.integers(0, 12)), min_size=1, max_size=14))
@settings(max_examples=60, deadline=None)
def test_overlapping_genes_are_those_of_the_slow_twin(bodies: list[tuple[str, int, int]]) -> None:
    genes = genes_of([(chrom, start, start + length) for chrom, start, length in bodies])
    rows = genes.to_dicts()
    expected = components_slowly(len(rows), lambda one, other: overlap(rows[one], rows[other]))
    assert components(len(rows), overlap_edges(genes)).tolist() == expected


def test_touching_genes_do_not_overlap() -> None:
    assert overlap_edges(genes_of([("A", 1, 10), ("A", 11, 20)])).shape == (0, 2)


def test_genes_are_numbered_in_the_order_of_their_first_members() -> None:
    assert components(5, np.array([[3, 1], [4, 0]])).tolist() == [0, 1, 2, 1, 0]


def test_kmers_are_those_of_the_slow_twin_on_either_strand() -> None:
    text = letters(np.random.default_rng(1), 90) + "N" + letters(np.random.default_rng(2), 60)
    codes = encode(text)
    found = canonical_kmers(codes, 21)
    assert len(set(found.tolist())) == len(kmers_slowly(text, 21))
    assert sorted(found.tolist()) == sorted(canonical_kmers(reverse_complement(codes), 21).tolist())
    assert canonical_kmers(codes[:20], 21).size == 0


def test_similar_genes_are_those_of_the_slow_twin() -> None:
    rng = np.random.default_rng(3)
    family = letters(rng, 600)
    texts = [letters(rng, 500), family, family[:250] + letters(rng, 900), letters(rng, 400) + family[300:], "ACGT" * 30]
    rule = Similarity(one_in=1, containment=0.3, min_shared=50)
    sets = [kmers_slowly(text, 21) for text in texts]
    expected = [
        [one, other]
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if alike_slowly(sets[one], sets[other], 0.3, 50)
    ]
    found = similarity_edges([sketch(encode(text), rule) for text in texts], rule)
    assert expected == [[1, 2], [1, 3]]
    assert sorted(found.tolist()) == expected


def test_a_sketch_estimates_the_containment_of_all_kmers() -> None:
    rng = np.random.default_rng(4)
    shared = letters(rng, 4_000)
    one, other = (encode(shared + letters(rng, 6_000)) for _ in range(2))
    small = [sketch(codes, Similarity(one_in=4)) for codes in (one, other)]
    share = np.isin(small[0], small[1]).mean()
    assert share == pytest.approx(0.4, abs=0.05)
    assert similarity_edges(small, Similarity(one_in=4, containment=0.3)).tolist() == [[0, 1]]
    assert similarity_edges(small, Similarity(one_in=4, containment=0.5)).tolist() == []


def test_a_kmer_that_very_many_genes_hold_links_none() -> None:
    repeat = encode(letters(np.random.default_rng(5), 300))
    sketches = [sketch(repeat, ALL_KMERS)] * 5
    assert len(similarity_edges(sketches, ALL_KMERS)) == 10
    assert len(similarity_edges(sketches, Similarity(one_in=1, max_genes=4))) == 0


def test_a_paralog_on_the_other_strand_of_another_contig_joins_the_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    exon, filler = letters(rng, 300), [letters(rng, 400) for _ in range(4)]
    fasta = tmp_path / "genome.fa"
    flipped = decode(reverse_complement(encode(exon)))
    fasta.write_text(f">c1\n{filler[0]}{exon}{filler[1]}\n>c2\n{filler[2]}{flipped}{filler[3]}\n")
    genes = genes_of([("c1", 1, 200), ("c1", 350, 750), ("c2", 401, 700), ("c2", 690, 1_000)])
    exons = pl.DataFrame(
        {"gene_id": ["G0", "G1", "G2", "G3"], "start": [1, 401, 401, 800], "end": [150, 700, 700, 900]}
    )
    with open_genome(fasta) as genome:
        groups = gene_groups(genes, exons, genome, ALL_KMERS)
    assert groups.to_dict(as_series=False) == {"gene_id": ["G0", "G1", "G2", "G3"], "group": [0, 1, 1, 1]}


def test_a_gene_without_exons_is_alone(tmp_path: Path) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">c1\n" + "ACGT" * 50 + "\n")
    no_exons = pl.DataFrame(schema={"gene_id": pl.String, "start": pl.Int64, "end": pl.Int64})
    with open_genome(fasta) as genome:
        sketches = exon_sketches(genes_of([("c1", 1, 100)]), no_exons, genome, ALL_KMERS)
    assert [words.size for words in sketches] == [0]
    assert similarity_edges(sketches, ALL_KMERS).shape == (0, 2)


@pytest.mark.parametrize("options", [{"k": 32}, {"one_in": 0}, {"containment": 0.0}, {"max_genes": 1}])
def test_a_rule_of_similarity_out_of_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="similarity"):
        Similarity(**options)  # type: ignore[arg-type]


@pytest.mark.real_data
def test_class_one_hla_genes_stay_together(shared: Path, tmp_path: Path) -> None:
    from meta_spliceai.formats.annotation import read_annotation

    annotation = read_annotation(shared / "GRCh37" / "annotation.gtf.gz")
    genes = annotation.genes.filter(pl.col("gene_name").str.starts_with("HLA-")).with_columns(pl.col("start") + 1)
    exons = annotation.exons.with_columns(pl.col("start") + 1)
    for suffix in ("", ".fai", ".gzi"):
        (tmp_path / f"genome.fa.gz{suffix}").symlink_to(shared / "GRCh37" / f"genome.fa.gz{suffix}")
    with open_genome(tmp_path / "genome.fa.gz") as genome:
        groups = genes.join(gene_groups(genes, exons, genome, Similarity()), on="gene_id")
    of_name = dict(groups.select("gene_name", "group").iter_rows())
    assert len({of_name[f"HLA-{letter}"] for letter in "ABCFG"}) == 1
