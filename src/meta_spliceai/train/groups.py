"""Gene groups: genes that overlap on the genome or resemble one another, directly or through others.

A model that trained on a gene has all but seen its overlapping neighbour and its paralog, so groups, never genes, are
divided into folds. Likeness is the share of the smaller gene's exonic k-mers that the larger one holds (containment).
Only k-mers with a small hash are compared (a FracMinHash sketch; Irber et al. 2022), which estimates that share without
bias. k-mers that very many genes hold are repeats, and link nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from meta_spliceai.errors import InputError
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import merge_spans
from meta_spliceai.genome.draws import GOLDEN, mixed
from meta_spliceai.genome.sequences import UNKNOWN, Codes

Words = npt.NDArray[np.uint64]

_LARGEST_K = 31
"""Two bits a base in 64 bits, and one to spare."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """When two genes resemble one another.

    Parameters
    ----------
    k
        Length of the k-mers, at most 31; a k-mer and its reverse complement count as the same.
    one_in
        One k-mer in this many is kept in a sketch; 1 compares all.
    containment
        Share of the smaller sketch that the larger must hold; 0.1 of 21-mers is about 90 % identity of sequence.
    min_shared
        k-mers they must share at least, so that one Alu element, in which two genes have some 50 in common, links
        nothing; estimated from the sketches.
    max_genes
        A k-mer found in more genes than this is a repeat and ignored.

    Raises
    ------
    InputError
        Values out of range.
    """

    k: int = 21
    one_in: int = 4
    containment: float = 0.1
    min_shared: int = 100
    max_genes: int = 200

    def __post_init__(self) -> None:
        if not 1 <= self.k <= _LARGEST_K:
            raise InputError(f"similarity k from 1 to {_LARGEST_K}", f"{self.k}", "21 tells human genes apart")
        if self.one_in < 1 or self.max_genes < 2 or self.min_shared < 1 or not 0 < self.containment <= 1:
            raise InputError(
                expected="similarity one_in and min_shared of at least 1, max_genes of at least 2, containment above 0 and at most 1",
                found=f"{self.one_in}, {self.min_shared}, {self.max_genes}, {self.containment}",
                action="leave the options out, or give values in these ranges",
            )


def gene_groups(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity) -> pl.DataFrame:
    """The group of each gene.

    Parameters
    ----------
    genes
        gene_id, chrom, start, end (1-based, both included), in reference order.
    exons
        Exons of these genes among others: gene_id, start, end (1-based, both included).
    genome
        Where their sequence is.
    similarity
        When two genes resemble one another.

    Returns
    -------
    DataFrame
        gene_id, group: numbered from 0 in the order of their first genes.
    """
    sketches = exon_sketches(genes, exons, genome, similarity)
    edges = np.concatenate([overlap_edges(genes), similarity_edges(sketches, similarity)])
    return genes.select("gene_id", group=pl.Series(components(genes.height, edges), dtype=pl.Int32))


def components(size: int, edges: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Connected components of a graph with vertices 0 to size - 1, numbered by their first vertex.

    Parameters
    ----------
    edges
        Pairs of vertices, shape (m, 2).
    """
    graph = sparse.coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, first, of_vertex = np.unique(label, return_index=True, return_inverse=True)
    number = np.empty(first.size, dtype=np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    return number[of_vertex]


def overlap_edges(genes: pl.DataFrame) -> npt.NDArray[np.int64]:
    """An edge from each gene that overlaps an earlier one, on either strand, to its predecessor in start order; shape (m, 2).

    A gene that begins before everything to its left has ended shares a base with one of those, and they are a chain, so
    the edge to the predecessor gives the same components as the edge to the overlapping gene.
    """
    chained = (
        genes.select("chrom", "start", "end")
        .with_row_index("gene")
        .sort("chrom", "start", "end", "gene")
        .with_columns(
            before=pl.col("gene").shift(1).over("chrom"), reached=pl.col("end").cum_max().shift(1).over("chrom")
        )
        .filter(pl.col("start") <= pl.col("reached"))
    )
    return chained.select("gene", "before").to_numpy().astype(np.int64)


def exon_sketches(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity) -> list[Words]:
    """The sketch of each gene's exons, in the order of `genes`: ascending distinct hashes."""
    spans = {
        gene_id: merge_spans(np.array(starts) - 1, ends)
        for gene_id, starts, ends in exons.filter(pl.col("gene_id").is_in(genes["gene_id"].to_list()))
        .group_by("gene_id")
        .agg("start", "end")
        .iter_rows()
    }
    gap = np.array([UNKNOWN], dtype=np.uint8)  # no k-mer spans two exons
    sketches = []
    for gene_id, chrom in genes.select("gene_id", "chrom").iter_rows():
        starts, ends = spans.get(gene_id, (np.empty(0, np.int64), np.empty(0, np.int64)))
        pieces = [
            piece
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            for piece in (genome.codes(chrom, start, end), gap)
        ]
        sketches.append(sketch(np.concatenate(pieces or [gap]), similarity))
    return sketches


def sketch(codes: Codes, similarity: Similarity) -> Words:
    """Distinct hashes of the canonical k-mers of a sequence that are small enough to be kept, ascending."""
    words = canonical_kmers(codes, similarity.k)
    # mixed, so that the order of hashes says nothing about the sequence
    hashes = mixed(words + GOLDEN)
    return np.unique(hashes[hashes <= np.uint64((2**64 - 1) // similarity.one_in)])


def canonical_kmers(codes: Codes, k: int) -> Words:
    """The smaller of each k-mer and its reverse complement as a number, in order; k-mers with unknown bases are left out."""
    count = codes.size - k + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    forward, backward = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.uint64)
    unknown = np.zeros(count, dtype=bool)
    for place in range(k):
        base = codes[place : place + count]
        unknown |= base == UNKNOWN
        letter = (base & 3).astype(np.uint64)
        forward = (forward << np.uint64(2)) | letter
        backward |= (np.uint64(3) - letter) << np.uint64(2 * place)
    return np.minimum(forward, backward)[~unknown]


def similarity_edges(sketches: list[Words], similarity: Similarity) -> npt.NDArray[np.int64]:
    """Pairs of genes whose sketches resemble one another, shape (m, 2), each once.

    The sketches become a sparse matrix of genes by k-mers; its product with its own transpose counts the shared k-mers
    of exactly those pairs that share any.
    """
    sizes = np.array([words.size for words in sketches])
    every = np.concatenate(sketches) if sketches else np.empty(0, dtype=np.uint64)
    _, kmer, holders = np.unique(every, return_inverse=True, return_counts=True)
    gene = np.repeat(np.arange(sizes.size), sizes)
    linking = (holders[kmer] > 1) & (holders[kmer] <= similarity.max_genes)
    repeated = np.bincount(gene[holders[kmer] > similarity.max_genes], minlength=sizes.size)
    shape = (sizes.size, holders.size)
    held = sparse.csr_matrix((np.ones(int(linking.sum()), np.int32), (gene[linking], kmer[linking])), shape=shape)
    shared = sparse.triu(held @ held.T, k=1).tocoo()
    informative = sizes - repeated
    smaller = np.minimum(informative[shared.row], informative[shared.col])
    enough = shared.data * similarity.one_in >= similarity.min_shared
    alike = enough & (shared.data >= similarity.containment * smaller)
    return np.stack([shared.row[alike], shared.col[alike]], axis=1).astype(np.int64)
