"""Which genes resemble one another: paralogs, pseudogenes and their parents, copies of one segment.

Exons are read as amino acids in all three frames of the gene's own strand, coding or not, and genes are compared by the
*words* of seven amino acids that they share. Genes that parted long ago still share words after most of their DNA
k-mers are gone, because the third base of a codon changes first: zinc fingers that have ten 21-mers in common have
fifty words. Seven amino acids are long enough that two unrelated genes hardly ever share one.

A word that occurs again in introns is a repeat (Alu, L1, low complexity), and one that very many genes hold says
nothing; neither links genes. Of all words those with a small hash may be kept alone (a FracMinHash sketch; Irber et
al. 2022), which estimates the number shared without bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from meta_spliceai.errors import InputError
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import merge_spans, subtract_spans
from meta_spliceai.genome.draws import GOLDEN, mixed, seeded_word
from meta_spliceai.genome.sequences import UNKNOWN, Codes, reverse_complement

Words = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]

LARGEST_WORD = 12
"""Five bits an amino acid in 64 bits."""

INTRON_BASES = 20_000_000
"""Bases of introns that are searched for repeats, at most; whole genes, drawn by a hash of their names."""

TIMES_IN_INTRONS = 2
"""A word found this often in introns, on either strand, is a repeat."""

_PIECE = 1 << 22
_STOP = 31
# amino acids of the 64 codons, first base slowest, bases in the order A, C, G, T; * is a stop
_CODE = "KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF"
_AMINO_ACID = np.array(["ACDEFGHIKLMNPQRSTVWY".find(letter) % 32 for letter in _CODE], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Similarity:
    """When two genes resemble one another.

    Parameters
    ----------
    word
        Amino acids of a word, at most 12.
    min_shared
        Words that two genes must share at least; estimated where only some words are kept.
    one_in
        One word in this many is kept; 1 compares all.
    max_genes
        A word found in more genes than this links none.

    Raises
    ------
    InputError
        Values out of range.
    """

    word: int = 7
    min_shared: int = 20
    one_in: int = 1
    max_genes: int = 200

    def __post_init__(self) -> None:
        if not 2 <= self.word <= LARGEST_WORD:
            raise InputError(
                f"--kmer from 2 to {LARGEST_WORD} amino acids", f"{self.word}", "7 tells human genes apart"
            )
        if self.one_in < 1 or self.max_genes < 2 or self.min_shared < 1:
            raise InputError(
                expected="--min-shared and one_in of at least 1, max_genes of at least 2",
                found=f"{self.min_shared}, {self.one_in}, {self.max_genes}",
                action="leave the options out, or give values in these ranges",
            )


def likeness_edges(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity) -> Pairs:
    """Pairs of genes that resemble one another, as row numbers of `genes`, shape (m, 2), each pair once.

    Parameters
    ----------
    genes
        gene_id, chrom, strand, start, end (1-based, both included).
    exons
        Exons of these genes among others: gene_id, start, end (1-based, both included).
    genome
        Where their sequence is.
    similarity
        When two genes resemble one another.
    """
    sketches = exon_sketches(genes, exons, genome, similarity)
    every = np.unique(np.concatenate(sketches)) if sketches else np.empty(0, dtype=np.uint64)
    repeats = every[times_in_introns(every, genes, exons, genome, similarity) >= TIMES_IN_INTRONS]
    return similar_pairs([np.setdiff1d(words, repeats, assume_unique=True) for words in sketches], similarity)


def exon_sketches(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity) -> list[Words]:
    """The kept words of each gene's exons, in the order of `genes`: ascending and distinct."""
    spans = _exon_spans(exons.filter(pl.col("gene_id").is_in(genes["gene_id"].to_list())), "gene_id")
    nothing = np.empty(0, dtype=np.int64)
    return [
        np.unique(
            sketched(words_of(_sense(genome, chrom, spans.get(gene_id, (nothing, nothing)), strand), similarity.word), similarity)
        )
        for gene_id, chrom, strand in genes.select("gene_id", "chrom", "strand").iter_rows()
    ]  # fmt: skip


Spans = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _exon_spans(exons: pl.DataFrame, by: str) -> dict[str, Spans]:
    """Merged exons, 0-based half-open, by a column."""
    found = exons.group_by(by).agg("start", "end")
    return {str(name): merge_spans(np.array(starts) - 1, ends) for name, starts, ends in found.iter_rows()}


def _sense(genome: Genome, chrom: str, spans: Spans, strand: str) -> Codes:
    """Stretches of a contig in the direction of transcription, an unknown base after each, so that no word spans two."""
    gap = np.array([UNKNOWN], dtype=np.uint8)
    pieces = [
        piece
        for start, end in zip(spans[0].tolist(), spans[1].tolist(), strict=True)
        for piece in (genome.codes(chrom, start, end), gap)
    ]
    codes = np.concatenate(pieces or [gap])
    return codes if strand == "+" else reverse_complement(codes)


def words_of(codes: Codes, length: int) -> Words:
    """Words of `length` amino acids that begin at each base, in order; none that holds a stop or an unknown base."""
    count = codes.size - 3 * length + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    known = codes < UNKNOWN
    letters = (codes & 3).astype(np.uint8)
    codon = (letters[:-2] << 4) | (letters[1:-1] << 2) | letters[2:]
    amino_acid = np.where(known[:-2] & known[1:-1] & known[2:], _AMINO_ACID[codon], np.uint8(_STOP))
    words, broken = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=bool)
    for place in range(length):
        here = amino_acid[3 * place : 3 * place + count]
        broken |= here == _STOP
        words = (words << np.uint64(5)) | here
    return words[~broken]


def sketched(words: Words, similarity: Similarity) -> Words:
    """The words that are kept: those whose hash is small enough."""
    if similarity.one_in == 1:
        return words
    # mixed, so that what is kept says nothing about the sequence
    return words[mixed(words + GOLDEN) <= np.uint64((2**64 - 1) // similarity.one_in)]


def times_in_introns(
    words: Words, genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity
) -> npt.NDArray[np.int64]:
    """How often each of the ascending `words` occurs in introns of genes, on either strand; same shape."""
    times = np.zeros(words.size, dtype=np.int64)
    if words.size == 0:
        return times
    for codes in _introns(genes, exons, genome):
        for read in (codes, reverse_complement(codes)):
            found = sketched(words_of(read, similarity.word), similarity)
            place = np.minimum(np.searchsorted(words, found), words.size - 1)
            times += np.bincount(place[words[place] == found], minlength=words.size)
    return times


def _introns(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome) -> Iterator[Codes]:
    """What no exon of any gene covers in the bodies of genes, a few million bases at a time, up to `INTRON_BASES`."""
    order = pl.Series([seeded_word("introns", gene_id) for gene_id in genes["gene_id"]], dtype=pl.UInt64)
    drawn = genes.with_columns(order=order, length=pl.col("end") - pl.col("start") + 1).sort("order")
    drawn = drawn.filter(pl.col("length").cum_sum() - pl.col("length") < INTRON_BASES)
    covered = _exon_spans(exons, "chrom")
    gap = np.array([UNKNOWN], dtype=np.uint8)
    for (chrom,), here in drawn.group_by("chrom", maintain_order=True):
        held = covered.get(str(chrom), (np.empty(0, np.int64), np.empty(0, np.int64)))
        starts, ends = subtract_spans(here["start"].to_numpy() - 1, here["end"].to_numpy(), *held)
        waiting: list[Codes] = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            waiting += [genome.codes(str(chrom), start, end), gap]
            if sum(codes.size for codes in waiting[::2]) >= _PIECE:
                yield np.concatenate(waiting)
                waiting = []
        if waiting:
            yield np.concatenate(waiting)


def similar_pairs(sketches: list[Words], similarity: Similarity) -> Pairs:
    """Pairs of sketches that share enough words, shape (m, 2), each pair once.

    The sketches become a sparse matrix of genes by words; its product with its own transpose counts the shared words of
    exactly those pairs that share any.
    """
    sizes = np.array([words.size for words in sketches], dtype=np.int64)
    every = np.concatenate(sketches) if sketches else np.empty(0, dtype=np.uint64)
    _, word, holders = np.unique(every, return_inverse=True, return_counts=True)
    gene = np.repeat(np.arange(sizes.size), sizes)
    linking = (holders[word] > 1) & (holders[word] <= similarity.max_genes)
    shape = (sizes.size, holders.size)
    held = sparse.csr_matrix((np.ones(int(linking.sum()), np.int32), (gene[linking], word[linking])), shape=shape)
    shared = sparse.triu(held @ held.T, k=1).tocoo()
    alike = shared.data * similarity.one_in >= similarity.min_shared
    return np.stack([shared.row[alike], shared.col[alike]], axis=1).astype(np.int64)
