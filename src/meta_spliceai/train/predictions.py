"""The predictions table: every base of held-out genes once, the truth, and each arm's probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.truth import Truth
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.tables import PREDICTION_TABLE_KEYS
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.arms import BASE, BASE_MEAN, RECALIBRATED
from meta_spliceai.train.calibrate import Calibration
from meta_spliceai.train.whole_gene import Corrected, Tile
from meta_spliceai.workers.progress import current_tracker

Floats = npt.NDArray[np.float32]
Calibrations = Mapping[str, Mapping[str, Calibration]]
"""By arm, then site type."""

NOT_A_SITE, CANONICAL, ALTERNATIVE = 0, 1, 2
"""Classes of sites: of a canonical transcript, or of others only; 0 everywhere if the annotation tags none canonical."""


def prediction_table(arms: Sequence[str]) -> Table:
    """The columns of a predictions table with these arms."""
    keys = {column.name: column for column in PREDICTION_TABLE_KEYS}
    return Table(
        "predictions",
        1,
        "every base of every held-out gene, once, by contig in the genome's order, strand and position",
        (
            *(keys[name] for name in ("chrom", "strand", "position", "group")),
            Column("fold", pl.Int8, "key", "gene", "the fold that held the base out; -1 where its gene was set aside"),
            *(keys[name] for name in ("is_donor", "is_acceptor")),
            Column("is_coding", pl.Boolean, "text", "annotation", "whether a protein_coding gene of the run covers it"),
            Column("base_unseen", pl.Boolean, "text", "gene", "whether the base model never trained on the contig"),
            Column("site_class", pl.UInt8, "text", "label", "1: a site of a canonical transcript, 2: another site, 0: none"),
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
        sites = reference.splice_sites()
        tagged = reference.transcripts().select("transcript_id", "is_canonical")
        self._truth = Truth(sites)
        canonical = tagged.filter(pl.col("is_canonical").fill_null(value=False))
        self._classes_known = not canonical.is_empty()
        self._canonical = Truth(sites.join(canonical, on="transcript_id", how="semi"))
        rows = split.iter_rows(named=True)
        self._of_gene = {row["gene_id"]: row for row in rows}

    def columns(self, tile: Tile) -> dict[str, npt.NDArray[np.generic]]:
        """The columns of a predictions table that are no scores, for the bases of a tile."""
        where = tile.interval
        is_donor, is_acceptor = self._truth.on(where.chrom, where.strand, where.start, where.end)
        group = np.zeros(where.length, dtype=np.int32)
        coding = np.zeros(where.length, dtype=bool)
        for gene in tile.genes:
            inside = slice(max(0, gene["start"] - 1 - where.start), gene["end"] - where.start)
            group[inside] = self._of_gene[gene["gene_id"]]["group"]
            coding[inside] |= gene["gene_type"] == "protein_coding"
        first = self._of_gene[tile.genes[0]["gene_id"]]
        return {
            "position": np.arange(where.start + 1, where.end + 1),
            "group": group,
            "fold": np.full(where.length, first["fold"], dtype=np.int8),
            "is_donor": is_donor,
            "is_acceptor": is_acceptor,
            "is_coding": coding,
            "base_unseen": np.full(where.length, not first["base_seen"]),
            "site_class": self._classes(where, is_donor | is_acceptor),
        }

    def _classes(self, where: Interval, is_site: BoolArray) -> npt.NDArray[np.uint8]:
        if not self._classes_known:
            return np.full(where.length, NOT_A_SITE, dtype=np.uint8)
        donor, acceptor = self._canonical.on(where.chrom, where.strand, where.start, where.end)
        return np.where(donor | acceptor, CANONICAL, np.where(is_site, ALTERNATIVE, NOT_A_SITE)).astype(np.uint8)


def calibrated(base: Floats, corrected: Corrected, calibration: Calibration) -> Floats:
    """Probabilities of all bases of a tile: the corrected margin where there is one, else the base score, both calibrated."""
    probability = calibration.of_probability(base)
    probability[corrected.at] = calibration.of_margin(corrected.margin)
    return probability


def uncalibrated(base: Floats, corrected: Corrected) -> Floats:
    """Probabilities of all bases of a tile as the model gives them: the corrected margin where there is one, else the base score."""
    return calibrated(base, corrected, Calibration())


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
