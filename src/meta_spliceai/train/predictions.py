"""The predictions table: every base of held-out genes once, the truth, and each arm's probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.calibration import IDENTITY, CalibrationMap
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.truth import Truth
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.tables import PREDICTION_TABLE_KEYS
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.arms import BASE, BASE_MEAN, RECALIBRATED
from meta_spliceai.train.site_facts import CODING, SiteFacts, gene_classes
from meta_spliceai.train.whole_gene import Corrected, Tile
from meta_spliceai.workers.progress import current_tracker

Floats = npt.NDArray[np.float32]


def prediction_table(arms: Sequence[str]) -> Table:
    """The columns of a predictions table with these arms."""
    keys = {column.name: column for column in PREDICTION_TABLE_KEYS}
    return Table(
        "predictions",
        2,
        "every base of every held-out gene, once, by contig in the genome's order, strand and position",
        (
            *(keys[name] for name in ("chrom", "strand", "position", "group")),
            Column("fold", pl.Int8, "key", "gene", "the fold that held the base out; -1 where its gene was set aside"),
            *(keys[name] for name in ("is_donor", "is_acceptor")),
            Column("is_coding", pl.Boolean, "text", "annotation", "whether a protein_coding gene of the run covers it"),
            Column("base_unseen", pl.Boolean, "text", "gene", "whether the base model never trained on the contig"),
            Column("site_class", pl.UInt8, "text", "label", "1: a site of a canonical transcript, 2: another site, 0: none"),
            Column("gene_class", pl.UInt8, "text", "annotation", "genes of the run that cover the base: 1 protein-coding, 2 lncRNA, 3 pseudogene, 0 others only; the first that applies"),
            Column("motif", pl.UInt8, "text", "label", "introns of a site: 1 GT-AG, 2 GC-AG, 3 AT-AC, 4 another; the first that one of them reads; 0 no site"),
            Column("exon_place", pl.UInt8, "text", "label", "exon of a site: 2 first or last in all transcripts, 1 an inner one in some; 0 no site"),
            *(
                Column(f"{arm}_{kind}", pl.Float32, "call", "base_score", f"{kind} probability of arm {arm}", "probability", low=0, high=1)
                for arm in arms
                for kind in SITE_TYPES
            ),
        ),
    )  # fmt: skip


class KnownBases:
    """What is known of bases besides their scores.

    Parameters
    ----------
    reference
        Sites and transcripts.
    split
        `SPLIT_TABLE` of the genes of the run.
    """

    def __init__(self, reference: Reference, split: pl.DataFrame) -> None:
        self._truth = Truth(reference.splice_sites())
        self._facts = SiteFacts(reference)
        rows = split.iter_rows(named=True)
        self._of_gene = {row["gene_id"]: row for row in rows}

    def columns(self, tile: Tile) -> dict[str, npt.NDArray[np.generic]]:
        """The columns of a predictions table that are no scores, for the bases of a tile."""
        where = tile.interval
        is_donor, is_acceptor = self._truth.on(where.chrom, where.strand, where.start, where.end)
        group = np.zeros(where.length, dtype=np.int32)
        for gene in tile.genes:
            inside = slice(max(0, gene["start"] - 1 - where.start), gene["end"] - where.start)
            group[inside] = self._of_gene[gene["gene_id"]]["group"]
        classes = gene_classes(tile.genes, where)
        first = self._of_gene[tile.genes[0]["gene_id"]]
        return {
            "position": np.arange(where.start + 1, where.end + 1),
            "group": group,
            "fold": np.full(where.length, first["fold"], dtype=np.int8),
            "is_donor": is_donor,
            "is_acceptor": is_acceptor,
            "is_coding": classes == CODING,
            "base_unseen": np.full(where.length, not first["base_seen"]),
            "gene_class": classes,
            **self._facts.on(where),
        }


def calibrated(base: Floats, corrected: Corrected, calibration: CalibrationMap) -> Floats:
    """Probabilities of all bases of a tile: the corrected margin where there is one, else the base score, both calibrated."""
    probability = calibration.of_probability(base)
    probability[corrected.at] = calibration.of_margin(corrected.margin)
    return probability


def uncalibrated(base: Floats, corrected: Corrected) -> Floats:
    """Probabilities of all bases of a tile as the model gives them: the corrected margin where there is one, else the base score."""
    return calibrated(base, corrected, IDENTITY)


def arm_columns(tile: Tile) -> dict[str, Floats]:
    """`{arm}_donor` and `{arm}_acceptor` of the base model, of it recalibrated, and of every model of the tile.

    They are not calibrated. Each fold has a calibration of its own, fitted on the others; put through them, genes of
    different folds could no longer be ranked against one another, which a model in use, with its one map, never does to
    them. The maps are in predictions.json, and the evaluation of calibration applies them.
    """
    columns: dict[str, Floats] = {}
    for channel in SITE_TYPES:
        base = tile.base[channel]
        columns[f"{BASE.name}_{channel}"] = columns[f"{RECALIBRATED.name}_{channel}"] = base
        if tile.mean:
            columns[f"{BASE_MEAN.name}_{channel}"] = tile.mean[channel]
        for name, corrected in tile.corrected.items():
            columns[f"{name}_{channel}"] = uncalibrated(tile.start[channel], corrected[channel])
    return columns


def write_predictions(path: Path, tiles: Iterable[Tile], known: KnownBases, table: Table) -> int:
    """Write tiles as a predictions table, whole or not at all; returns the rows."""
    with TableWriter(path, table) as writer:
        for tile in tiles:
            columns = {**known.columns(tile), **arm_columns(tile)}
            frame = pl.DataFrame(columns).with_columns(
                chrom=pl.lit(tile.interval.chrom), strand=pl.lit(tile.interval.strand)
            )
            writer.append(table.conform(frame))
            current_tracker().advance(tile.interval.length)
    return writer.rows
