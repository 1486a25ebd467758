"""A second truth: sites that RNA-seq junctions support, in genes that the sample expresses.

The annotation calls sites true that a tissue never uses, and misses some that it does. Reads of one sample know nothing of
genes that it hardly expresses, so only gene groups with enough supported sites are measured, and all of their bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.bases import Bases
from meta_spliceai.evaluate.bootstrap import Drawn
from meta_spliceai.evaluate.measure import KindMeasurer, Rows
from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.strata import ALL, JUNCTIONS
from meta_spliceai.evaluate.tally import Flags
from meta_spliceai.formats.contigs import common_names
from meta_spliceai.formats.junctions import read_junctions, sites_of_junctions
from meta_spliceai.genome.labels import SITE_TYPES

EXPRESSED_SITES = 2
"""Supported sites that a gene group needs to count as expressed."""


@dataclass(frozen=True, slots=True, eq=False)
class JunctionTruth:
    """What junctions say of the bases of a predictions table.

    Parameters
    ----------
    supported
        By site type, whether reads support each base as a site, shape (n,).
    measured
        Whether each base belongs to a gene group that is expressed, shape (n,).
    """

    supported: dict[str, Flags]
    measured: Flags


def junction_truth(predictions: Predictions, bases: Bases, files: Sequence[Path], min_reads: int) -> JunctionTruth:
    """Read junctions, one file for each sample, and find their sites among the bases of a table.

    Raises
    ------
    InputError
        A file that holds no junctions, or junctions of which none lies in an expressed gene group of the table.
    """
    sites = sites_of_junctions(read_junctions(files)).filter(pl.col("reads") >= min_reads)
    keyed = sites.with_columns(chrom=common_names(sites["chrom"])).select(
        "chrom", "strand", "position", "splice_type", known=True
    )
    supported = {kind: np.zeros(predictions.bases, dtype=bool) for kind in SITE_TYPES}
    done = 0
    for frame in predictions.batches(["chrom", "strand", "position"]):
        named = frame.with_columns(chrom=common_names(frame["chrom"]))
        for kind in SITE_TYPES:
            own = keyed.filter(splice_type=kind).drop("splice_type")
            found = named.join(own, on=["chrom", "strand", "position"], how="left", maintain_order="left")
            supported[kind][done : done + frame.height] = found["known"].fill_null(value=False).to_numpy()
        done += frame.height
    of_group = sum(np.bincount(bases.group[flags], minlength=bases.groups) for flags in supported.values())
    expressed = np.asarray(of_group) >= EXPRESSED_SITES
    if not expressed.any():
        raise InputError(
            expected=f"junctions with at least {min_reads} reads at {EXPRESSED_SITES} sites of some gene group of the predictions",
            found=f"{sites.height:,} supported sites, and no such group",
            action="check that the junctions are of the same genome build, or give a lower --min-reads",
        )
    return JunctionTruth(supported, expressed[bases.group])


def measure_junctions(table: Predictions, bases: Bases, drawn: Drawn, truth: JunctionTruth, rows: Rows) -> None:
    """Add every arm's ranking of the supported sites to `rows`, as the stratum `junctions`."""
    at = truth.measured
    own = replace(bases, group=bases.group[at], traits=bases.traits[at])
    for kind in SITE_TYPES:
        found = Rows()
        measurer = KindMeasurer(kind, truth.supported[kind][at], own, table.description.genes, drawn, found)
        for arm in table.arms:
            measurer.measure(arm, table.scores(arm.name, kind)[at], {})
        rows.ranking.extend({**row, "stratum": JUNCTIONS} for row in found.ranking if row["stratum"] == ALL)
