"""What is known of the kept rows besides the base scores: their sequence, their gene, its annotation.

Windows are cut out of the genome around the rows of each gene and strung together, so that one call computes the
sequence features of a whole block of genes: no window reaches beyond its own piece.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.features.enricher import Bases, Enricher, enriched, sees_genes
from meta_spliceai.features.gene import GeneFacts, gene_features
from meta_spliceai.features.sequence import sequence_features
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.sequences import Codes, reverse_complement
from meta_spliceai.schema.enrichers import BUILT_IN
from meta_spliceai.schema.features import ANNOTATION_FEATURES, GENE_FEATURES, SEQUENCE_REACH

_FROM_SEQUENCE = ("sequence", "kmer")


@dataclass(frozen=True, slots=True)
class RowWindows:
    """Pieces of genome in the direction of transcription, strung together, and where each row's base lies in them.

    Parameters
    ----------
    codes
        uint8, shape (bases,).
    index
        int64, shape (rows,): at least `SEQUENCE_REACH` bases of the row's own piece lie on either side.
    """

    codes: Codes
    index: npt.NDArray[np.int64]


def row_windows(rows: pl.DataFrame, genome: Genome) -> RowWindows:
    """Cut the genome around rows (gene_id, chrom, strand, position), one piece per gene.

    Positions beyond a contig's end have code 4.
    """
    pieces: list[Codes] = []
    index = np.empty(rows.height, dtype=np.int64)
    length = 0
    for first, frame in _by_gene(rows.select("gene_id", "chrom", "strand", "position")):
        base = frame["position"].to_numpy() - 1
        start, end = int(base.min()) - SEQUENCE_REACH, int(base.max()) + 1 + SEQUENCE_REACH
        codes = genome.codes(frame["chrom"][0], start, end)
        plus = frame["strand"][0] == "+"
        pieces.append(codes if plus else reverse_complement(codes))
        index[first : first + frame.height] = length + (base - start if plus else end - 1 - base)
        length += codes.size
    return RowWindows(np.concatenate(pieces), index)


def add_features(
    rows: pl.DataFrame,
    genes: Mapping[str, Mapping[str, Any]],
    genome: Genome,
    kmer_sizes: tuple[int, ...],
    *,
    built_in: Collection[str] = BUILT_IN,
    enrichers: Sequence[Enricher] = (),
) -> pl.DataFrame:
    """Add the columns of the dataset that the artifacts do not hold.

    Parameters
    ----------
    rows
        Kept candidate rows, at least one, those of a gene together.
    genes
        Row of the gene table by gene id.
    genome
        The reference's genome.
    kmer_sizes
        Sizes of the k-mers to count.
    built_in
        The built-in enrichers of the dataset. What is known of a gene costs nothing and is there in any case.
    enrichers
        The others.
    """
    from_sequence = not set(_FROM_SEQUENCE).isdisjoint(built_in)
    windows = row_windows(rows, genome) if from_sequence or enrichers else None
    sequence = {}
    if windows is not None and from_sequence:
        sequence = sequence_features(windows.codes, windows.index, kmer_sizes)
    return rows.with_columns(
        *(pl.Series(name, values) for name, values in sequence.items()),
        *_gene_columns(rows, genes),
        *(_enriched_columns(rows, genes, windows, enrichers) if windows is not None and enrichers else ()),
    )


def _enriched_columns(
    rows: pl.DataFrame, genes: Mapping[str, Mapping[str, Any]], windows: RowWindows, enrichers: Sequence[Enricher]
) -> Iterator[pl.Series]:
    """The columns of enrichers that are not built in; what is not known is null."""
    held = {
        column.name: np.empty(rows.height, dtype=np.float32) for enricher in enrichers for column in enricher.columns
    }
    for first, frame in _by_gene(rows.select("gene_id", "chrom", "strand", "position")):
        here = slice(first, first + frame.height)
        gene = GeneFacts.of_row(genes[frame["gene_id"][0]])
        position = frame["position"].to_numpy()
        for enricher in enrichers:
            seen = gene if sees_genes(enricher) else None
            bases = Bases(gene.body.chrom, gene.body.strand, position, windows.codes, windows.index[here], seen)
            for name, values in enriched(enricher, bases).items():
                held[name][here] = values
    for name, values in held.items():
        yield pl.Series(name, values).fill_nan(None)


def _gene_columns(rows: pl.DataFrame, genes: Mapping[str, Mapping[str, Any]]) -> Iterator[pl.Series]:
    """What is known of the rows' genes, filled gene by gene into whole columns: a frame for each gene would cost more."""
    columns = (*GENE_FEATURES, *ANNOTATION_FEATURES)
    held = {column.name: np.empty(rows.height, dtype=np.float32) for column in columns}
    position, donor, acceptor = (
        rows[name].to_numpy() for name in ("position", "donor_rank_in_gene", "acceptor_rank_in_gene")
    )
    runs = rows["gene_id"].rle().struct.unnest()
    first = 0
    for gene_id, length in runs.select("value", "len").iter_rows():
        here = slice(first, first + length)
        facts = GeneFacts.of_row(genes[gene_id])
        for name, values in gene_features(facts, position[here], donor[here], acceptor[here]).items():
            held[name][here] = values
        for name, value in facts.annotation.items():
            held[name][here] = value
        first += length
    for name, values in held.items():
        yield pl.Series(name, values)
    types = pl.Series([genes[gene_id]["gene_type"] for gene_id in runs["value"]], dtype=pl.String)
    yield types.gather(np.repeat(np.arange(runs.height), runs["len"].to_numpy())).alias("gene_type")


def _by_gene(rows: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of each gene with the number of the first one; the rows of a gene lie together. No data is copied."""
    first = 0
    for length in rows["gene_id"].rle().struct.field("len").to_list():
        yield first, rows.slice(first, length)
        first += length
