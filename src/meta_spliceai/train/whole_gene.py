"""Every base of genes, scored in tiles.

The bodies of the genes are merged on each strand, so that each base is scored once. A tile is read with `REACH` bases on
either side; features are computed, by the function that computed the training rows, only for the few bases that reach
the gate, and everywhere else the base model's score stands. Memory is bounded by the tile and by one gene's ranks.

A model that is conditioned on the gene sees a base once from each of the genes given whose body holds it; the margin is
the mean over these views.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.features.assemble import GeneView, compute_features, needs_gene
from meta_spliceai.features.enricher import Enricher
from meta_spliceai.features.further import mean_logits, probability_of_logit
from meta_spliceai.features.gene import GeneFacts, score_ranks
from meta_spliceai.features.stretch import Stretch
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import STRANDS, Interval, merge_spans
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.features import REACH
from meta_spliceai.train.residual import Scorer, base_margin

Floats = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

TILE = 200_000
"""Bases scored at once."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """The bases of a tile that a model corrects: 0-based `at` into the tile, ascending, and their margins (logits)."""

    at: Index
    margin: Floats


@dataclass(frozen=True, slots=True)
class Tile:
    """Consecutive bases of one strand in ascending genomic order.

    Parameters
    ----------
    interval
        Where they are.
    genes
        Rows of the genes given that lie on them, as dictionaries of `GENE_TABLE`.
    base
        The base model's scores by site type, each of shape (interval.length,).
    further
        The scores of each further base model by name, likewise; shared out where it does not tell donors from acceptors.
    mean
        The probability of the mean logit of all base models, likewise; empty where there is one base model.
    corrected
        By model name, then site type; corrections start from `start`.
    """

    interval: Interval
    genes: tuple[Mapping[str, Any], ...]
    base: Mapping[str, Floats]
    further: Mapping[str, Mapping[str, Floats]]
    mean: Mapping[str, Floats]
    corrected: Mapping[str, Mapping[str, Corrected]]

    @property
    def start(self) -> Mapping[str, Floats]:
        """Where corrections start: `mean`, or `base` where there is one base model."""
        return self.mean or self.base


def tiles_of(genes: pl.DataFrame, size: int = TILE) -> Iterator[tuple[Interval, pl.DataFrame]]:
    """The merged bodies of genes in tiles, with the genes on each.

    Parameters
    ----------
    genes
        Rows of `GENE_TABLE` in reference order.
    size
        Bases of a tile at most.
    """
    for (chrom,), on_chrom in genes.group_by("chrom", maintain_order=True):
        for strand in STRANDS:
            here = on_chrom.filter(pl.col("strand") == strand)
            starts, ends = merge_spans(here["start"].to_numpy() - 1, here["end"].to_numpy())
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                for first in range(start, end, size):
                    last = min(first + size, end)
                    yield (
                        Interval(str(chrom), first, last, strand),
                        here.filter((pl.col("start") <= last) & (pl.col("end") > first)),
                    )


def merged_length(genes: pl.DataFrame) -> int:
    """Number of bases of genes, each strand's bases counted once."""
    return sum(interval.length for interval, _ in tiles_of(genes))


def score_tiles(
    genes: pl.DataFrame,
    artifacts: Artifacts,
    genome: Genome,
    models: Mapping[str, Scorer],
    *,
    enrichers: Sequence[Enricher] = (),
    tile_size: int = TILE,
) -> Iterator[Tile]:
    """Score every base of genes, once.

    Parameters
    ----------
    genes
        Rows of `GENE_TABLE` in reference order.
    artifacts, genome
        Scores and sequence of the genes and the flanks.
    models
        The models to apply, by name.
    enrichers
        Those that add the models' features that are not built in.
    tile_size
        Bases of a tile at most; changes no score.

    Raises
    ------
    StoreError
        A base was not scored by the base pass.
    """
    ranks = _Ranks(artifacts)
    for interval, on_tile in tiles_of(genes, tile_size):
        rows = tuple(on_tile.iter_rows(named=True))
        ranks.keep_only([row["gene_id"] for row in rows])
        stretch = artifacts.stretch(genome, interval, REACH)
        step = 1 if interval.strand == "+" else -1
        inner = stretch.part(REACH, REACH + interval.length)
        base = {channel: getattr(inner, channel)[::step] for channel in SITE_TYPES}
        further = {
            name: {channel: getattr(track, channel)[::step] for channel in SITE_TYPES}
            for name, track in inner.further.items()
        }
        means = _mean_probabilities(inner)
        start = means or {channel: getattr(inner, channel) for channel in SITE_TYPES}
        mean = {channel: values[::step] for channel, values in means.items()}
        corrected = _Corrector(stretch, interval, rows, ranks, start, enrichers).corrected(models)
        yield Tile(interval, rows, base, further, mean, corrected)


@dataclass(frozen=True, slots=True)
class SeenBase:
    """One base as models see it: its features, float32 of shape (1, width), and scores of shape (1,) by site type.

    `base` holds the base model's, `start` where corrections start.
    """

    features: Floats
    base: Mapping[str, Floats]
    start: Mapping[str, Floats]


def see_base(
    gene: Mapping[str, Any],
    position: int,
    artifacts: Artifacts,
    genome: Genome,
    names: Sequence[str],
    enrichers: Sequence[Enricher] = (),
) -> SeenBase:
    """The named features of one base, as seen from a gene.

    Parameters
    ----------
    gene
        The row of `GENE_TABLE` of a gene whose body holds the base.
    position
        1-based.
    artifacts, genome, enrichers
        As for `score_tiles`.

    Raises
    ------
    StoreError
        The base was not scored by the base pass.
    """
    where = Interval(str(gene["chrom"]), position - 1, position, gene["strand"])
    stretch = artifacts.stretch(genome, where, REACH)
    view = _Ranks(artifacts).view(gene, np.array([position])) if needs_gene(names, enrichers) else None
    inner = stretch.part(REACH, REACH + 1)
    base = {channel: getattr(inner, channel) for channel in SITE_TYPES}
    features = compute_features(names, stretch, [REACH], view, enrichers)
    return SeenBase(features, base, _mean_probabilities(inner) or base)


def _mean_probabilities(stretch: Stretch) -> dict[str, Floats]:
    """Of every base by site type, from the mean logit of all base models; nothing where there is one."""
    if not stretch.further:
        return {}
    logits = mean_logits(stretch, np.arange(stretch.length))
    return {channel: probability_of_logit(logits[f"mean_{channel}_logit"]) for channel in SITE_TYPES}


class _Ranks:
    """Ranks of all bases of the genes on the current tile, among the scores of their own gene body."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._held: dict[str, tuple[Floats, Floats]] = {}

    def keep_only(self, gene_ids: Sequence[str]) -> None:
        """Forget the other genes."""
        self._held = {gene_id: held for gene_id, held in self._held.items() if gene_id in gene_ids}

    def view(self, gene: Mapping[str, Any], position: Index) -> GeneView:
        """The bases at 1-based positions inside the gene body, as seen from the gene."""
        facts = GeneFacts.of_row(gene)
        gene_id, body = str(gene["gene_id"]), facts.body
        if gene_id not in self._held:
            scores = self._artifacts.scores(body.chrom, body.strand, body.start, body.end)
            self._held[gene_id] = (score_ranks(scores.donor), score_ranks(scores.acceptor))
        donor, acceptor = self._held[gene_id]
        at = position - 1 - body.start
        return GeneView(facts, position, donor[at], acceptor[at])


class _Corrector:
    """Applies models to the bases of one tile that reach a gate; rows are those bases in the direction of transcription."""

    def __init__(
        self,
        stretch: Stretch,
        interval: Interval,
        genes: Sequence[Mapping[str, Any]],
        ranks: _Ranks,
        start: Mapping[str, Floats],
        enrichers: Sequence[Enricher],
    ) -> None:
        self._stretch, self._interval, self._genes, self._ranks = stretch, interval, genes, ranks
        self._start, self._enrichers = start, enrichers

    def corrected(self, models: Mapping[str, Scorer]) -> dict[str, dict[str, Corrected]]:
        """By model name, then site type."""
        if not models:
            return {}
        gate = min(model.gate for model in models.values())
        index = REACH + np.flatnonzero(np.maximum(*self._start.values()) >= np.float32(gate))
        blind = sorted({name for model in models.values() for name in model.features if not self._needs_gene([name])})
        shared = dict(zip(blind, self._features(blind, index).T, strict=True))
        return {name: self._by_channel(model, index, shared) for name, model in models.items()}

    def _needs_gene(self, names: Sequence[str]) -> bool:
        return needs_gene(names, self._enrichers)

    def _features(self, names: Sequence[str], index: Index, view: GeneView | None = None) -> Floats:
        return compute_features(names, self._stretch, index, view, self._enrichers)

    def _by_channel(self, model: Scorer, index: Index, shared: Mapping[str, Floats]) -> dict[str, Corrected]:
        at = index - REACH if self._interval.strand == "+" else self._interval.length - 1 - (index - REACH)
        views = list(self._views(model, index, self._interval.start + 1 + at, shared))
        found = {}
        for channel in SITE_TYPES:
            scores = self._start[channel][index - REACH]
            own = base_margin(scores)
            total, seen = np.zeros(index.size), np.zeros(index.size)
            for rows, matrix in views:
                passing = scores[rows] >= np.float32(model.gate)
                total[rows[passing]] += model.margin(channel, matrix[passing], own[rows[passing]])
                seen[rows[passing]] += 1
            rows = np.flatnonzero(seen)
            rows = rows[np.argsort(at[rows])]
            found[channel] = Corrected(at[rows], (total[rows] / seen[rows]).astype(np.float32))
        return found

    def _views(
        self, model: Scorer, index: Index, position: Index, shared: Mapping[str, Floats]
    ) -> Iterator[tuple[Index, Floats]]:
        """Rows and their features, once for all of them, or once for each gene where the model is conditioned on it."""
        if not self._needs_gene(model.features):
            yield np.arange(index.size), _stacked([shared[name] for name in model.features], index.size)
            return
        own = [name for name in model.features if self._needs_gene([name])]
        for gene in self._genes:
            rows = np.flatnonzero((position >= gene["start"]) & (position <= gene["end"]))
            view = self._ranks.view(gene, position[rows])
            of_gene = dict(zip(own, self._features(own, index[rows], view).T, strict=True))
            columns = [of_gene[name] if name in of_gene else shared[name][rows] for name in model.features]
            yield rows, _stacked(columns, rows.size)


def _stacked(columns: Sequence[Floats], rows: int) -> Floats:
    matrix = np.empty((rows, len(columns)), dtype=np.float32)
    for place, values in enumerate(columns):
        matrix[:, place] = values
    return matrix
