"""Gene groups: genes that overlap on the genome or resemble one another, directly or through others.

A model that trained on a gene has all but seen its overlapping neighbour and its paralog, so groups, never genes, are
divided into folds. A *family* is what likeness alone joins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from meta_spliceai.formats.fasta import Genome
from meta_spliceai.train.likeness import Similarity, likeness_edges


def gene_groups(genes: pl.DataFrame, exons: pl.DataFrame, genome: Genome, similarity: Similarity) -> pl.DataFrame:
    """The group and the family of each gene.

    Parameters
    ----------
    genes
        gene_id, chrom, strand, start, end (1-based, both included), in reference order.
    exons
        Exons of these genes among others: gene_id, chrom, start, end (1-based, both included).
    genome
        Where their sequence is.
    similarity
        When two genes resemble one another.

    Returns
    -------
    DataFrame
        gene_id, group, family: each numbered from 0 in the order of first genes.
    """
    alike = likeness_edges(genes, exons, genome, similarity)
    both = np.concatenate([overlap_edges(genes), alike])
    return genes.select("gene_id", group=_numbered(genes, both), family=_numbered(genes, alike))


def overlap_groups(genes: pl.DataFrame) -> pl.Series:
    """The group of each gene where nothing but overlap joins them, numbered as in `gene_groups`."""
    return _numbered(genes, overlap_edges(genes))


def _numbered(genes: pl.DataFrame, edges: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(components(genes.height, edges), dtype=pl.Int32)


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
