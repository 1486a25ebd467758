"""Features added to rows by hand, by the functions that a build uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.errors import InputError
from meta_spliceai.features.assemble import GeneView, compute_features, needs_gene
from meta_spliceai.features.enricher import Enricher, ReferenceFacts
from meta_spliceai.features.gene import GeneFacts, score_ranks
from meta_spliceai.features.registry import check_enrichers, choose_enrichers, load_enrichers
from meta_spliceai.features.stretch import Place, Stretch, stretch_index
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.reference.genes import resolve_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.enrichers import FAMILIES, constant_features
from meta_spliceai.schema.features import REACH
from meta_spliceai.schema.tables import dataset_table

_FROM_SCORES = frozenset(family.name for family in FAMILIES if "scores" in family.needs)


def apply_feature_enrichers(
    rows: pl.DataFrame,
    *,
    enrichers: Sequence[str | Enricher] | None = None,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] | None = None,
    kmer_sizes: Sequence[int] = (6,),
) -> pl.DataFrame:
    """Add to rows what enrichers know of their bases, the same values that `build` gives them.

    Parameters
    ----------
    rows
        gene_id and position (1-based, within the gene), in any order; other columns are kept, those of the same name as a
        new one are replaced.
    enrichers
        Names, or objects of your own; default: all built-in ones, and those that evidence is given for.
    reference
        A prepared reference; default: the one that `reference audit` finds.
    eval_dir
        A base pass over the genes, for enrichers that need scores; default: the only one in the reference folder.
    evidence
        Files of enrichers that read some, as NAME=FILE.
    kmer_sizes
        Sizes of the k-mers that `kmer` counts.

    Raises
    ------
    InputError
        Unknown enrichers, unusable evidence, or positions outside their gene.
    GeneError
        Unknown genes, or genes without artifacts.
    """
    names = None if enrichers is None else [one for one in enrichers if isinstance(one, str)]
    own = [one for one in enrichers or () if not isinstance(one, str)]
    chosen = choose_enrichers(names, evidence)
    loaded = load_reference(reference)
    genes = _genes_of(rows, loaded)
    artifacts = None
    if not _FROM_SCORES.isdisjoint(chosen.built_in):
        artifacts = artifacts_of(loaded, eval_dir)
        check_covered(artifacts, loaded, genes["gene_id"].to_list())
    others = (*load_enrichers(chosen, ReferenceFacts.of(loaded)), *own)
    check_enrichers(others)
    with loaded.open_genome() as genome:
        columns = _columns(chosen.built_in, others, tuple(kmer_sizes), artifacts)
        added = np.empty((rows.height, len(columns)), dtype=np.float32, order="F")
        for gene in genes.iter_rows(named=True):
            at = np.flatnonzero((rows["gene_id"] == gene["gene_id"]).to_numpy())
            position = rows["position"].to_numpy()[at].astype(np.int64)
            source = _Source(artifacts, genome, GeneFacts.of_row(gene))
            added[at] = source.features([column.name for column in columns], position, others)
    series = [pl.Series(c.name, added[:, n]).fill_nan(None).cast(c.dtype) for n, c in enumerate(columns)]
    return rows.with_columns(series)


def _columns(
    built_in: Sequence[str], others: Sequence[Enricher], kmer_sizes: tuple[int, ...], artifacts: Artifacts | None
) -> list[Column]:
    """What is added, in the order of a dataset; the scores of the row's own base only where there are scores."""
    further = artifacts.further_bases if artifacts else ()
    enriched = [column for one in others for column in one.columns]
    table = dataset_table(kmer_sizes, further, enrichers=built_in, enriched=enriched)
    left_out = constant_features() if artifacts is None else set()
    return [column for column in table.with_role("feature") if column.name not in left_out]


def _genes_of(rows: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    missing = [name for name in ("gene_id", "position") if name not in rows.columns]
    if missing or rows.select(pl.any_horizontal(pl.col("gene_id", "position").is_null()).any()).item():
        found = f"no column {missing[0]}" if missing else "nulls among them"
        raise InputError("rows with gene_id and position", found, "name the gene and the position of each row")
    resolve_genes(reference, rows["gene_id"].unique(maintain_order=True).to_list())
    genes = reference.genes.filter(pl.col("gene_id").is_in(rows["gene_id"].unique().to_list()))
    placed = rows.select("gene_id", "position").join(genes, on="gene_id", how="left")
    outside = placed.filter(~pl.col("position").is_between("start", "end").fill_null(value=False))
    if outside.height:
        first = outside.row(0, named=True)
        raise InputError(
            expected="positions within the body of the row's gene",
            found=f"{outside.height} outside, such as {first['position']} of {first['gene_id']}",
            action="give 1-based genomic positions, and gene ids as the reference has them",
        )
    return genes


class _Source:
    """What is known of the bases of one gene."""

    def __init__(self, artifacts: Artifacts | None, genome: Genome, gene: GeneFacts) -> None:
        self._artifacts, self._genome, self._gene = artifacts, genome, gene

    def features(self, names: Sequence[str], position: np.ndarray, enrichers: Sequence[Enricher]) -> np.ndarray:
        """Float32 of shape (n, len(names))."""
        body = self._gene.body
        view = GeneView(self._gene, position, *self._ranks(position)) if needs_gene(names, enrichers) else None
        return compute_features(names, self._stretch(body), stretch_index(body, position, REACH), view, enrichers)

    def _stretch(self, body: Interval) -> Stretch:
        if self._artifacts is not None:
            return self._artifacts.stretch(self._genome, body, REACH)
        start, end = body.start - REACH, body.end + REACH
        silent = np.zeros(end - start, dtype=np.float32)  # no feature that is asked for reads a score
        place = Place(body.chrom, body.strand, start if body.strand == "+" else end - 1)
        codes = self._genome.codes(body.chrom, start, end)
        return Stretch.from_ascending(body.strand, codes, silent, silent, silent, place=place)

    def _ranks(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        body = self._gene.body
        if self._artifacts is None:
            return np.zeros(position.size, np.float32), np.zeros(position.size, np.float32)
        scores = self._artifacts.scores(body.chrom, body.strand, body.start, body.end)
        at = position - 1 - body.start
        return score_ranks(scores.donor)[at], score_ranks(scores.acceptor)[at]
