"""Used against unused annotated sites: does a score tell which sites of the annotation are ever spliced?

Per cent spliced in (PSI) says so for exons. A model trained on an annotation is taught that all of its sites are alike,
so this is where it can fall behind the model it corrects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.bases import Bases
from meta_spliceai.evaluate.bootstrap import Drawn, interval
from meta_spliceai.evaluate.measure import Row
from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.tally import Flags, Scores
from meta_spliceai.formats.contigs import common_names
from meta_spliceai.formats.exon_psi import read_exon_psi, sites_of_exons
from meta_spliceai.genome.labels import SITE_TYPES

UNUSED_BELOW, USED_FROM = 0.01, 0.1
"""Mean PSI below which a site is unused, and from which it is used; sites between are left out."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SiteUsage:
    """Annotated sites of one type whose use is known.

    Parameters
    ----------
    at
        Their places among the bases of a predictions table, shape (m,).
    used
        Whether they are used, shape (m,).
    """

    at: Places
    used: Flags


def site_usage(predictions: Predictions, path: Path) -> dict[str, SiteUsage]:
    """Read PSI and find its sites among the annotated ones of a table, by site type.

    Raises
    ------
    InputError
        A file that cannot be used, or that lacks used or unused sites of the table.
    """
    sites = sites_of_exons(read_exon_psi(path))
    sites = sites.with_columns(chrom=common_names(sites["chrom"]))
    found: dict[str, list[pl.DataFrame]] = {kind: [] for kind in SITE_TYPES}
    done = 0
    for frame in predictions.batches(["chrom", "strand", "position", *(f"is_{kind}" for kind in SITE_TYPES)]):
        named = frame.with_row_index("at", offset=done).with_columns(chrom=common_names(frame["chrom"]))
        for kind in SITE_TYPES:
            own = sites.filter(splice_type=kind).drop("splice_type")
            true = named.filter(f"is_{kind}")
            found[kind].append(
                true.join(own, on=["chrom", "strand", "position"], maintain_order="left").select("at", "psi")
            )
        done += frame.height
    usage = {kind: _known(pl.concat(frames)) for kind, frames in found.items()}
    for kind, one in usage.items():
        if not one.used.any() or one.used.all():
            raise InputError(
                expected=f"used and unused {kind}s of the predictions in {path} (mean PSI from {USED_FROM}, and below {UNUSED_BELOW})",
                found=f"{int(one.used.sum())} used and {int((~one.used).sum())} unused ones",
                action="check that the PSI is of the same genome build, or evaluate more genes",
            )
    return usage


def _known(sites: pl.DataFrame) -> SiteUsage:
    clear = sites.filter((pl.col("psi") < UNUSED_BELOW) | (pl.col("psi") >= USED_FROM))
    return SiteUsage(clear["at"].to_numpy().astype(np.int64), (clear["psi"] >= USED_FROM).to_numpy())


def usage_rows(table: Predictions, bases: Bases, drawn: Drawn, usage: dict[str, SiteUsage]) -> list[Row]:
    """AUC of every arm with its interval, and its difference to the reference arm's, by site type."""
    rows: list[Row] = []
    for kind, sites in usage.items():
        group = bases.group[sites.at]
        reference: npt.NDArray[np.float64] | None = None
        for arm in table.arms:
            scores = table.scores(arm.name, kind)[sites.at]
            own = _auc_of_draws(scores, sites.used, drawn[:, group])
            row: Row = {
                "splice_type": kind, "arm": arm.name, "used": int(sites.used.sum()), "unused": int((~sites.used).sum()),
                "auc": float(own[0]), **_bounds("auc", own),
            }  # fmt: skip
            if reference is not None:
                row |= {"difference": float((own - reference)[0]), **_bounds("difference", own - reference)}
            reference = own if reference is None else reference
            rows.append(row)
    return rows


def _bounds(name: str, values: npt.NDArray[np.float64]) -> Row:
    found = interval(values[1:])
    return {f"{name}_low": found.low if found else None, f"{name}_high": found.high if found else None}


def _auc_of_draws(scores: Scores, used: Flags, times: Drawn) -> npt.NDArray[np.float64]:
    """AUC, ties counting half, of all sites and then of each draw, in which site j counts `times[draw, j]` times."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    found = np.empty(len(times) + 1)
    for place, weight in enumerate([np.ones(scores.size), *times]):
        sorted_weight = weight[order].astype(np.float64)
        true = np.add.reduceat(np.where(used[order], sorted_weight, 0.0), starts)
        false = np.add.reduceat(np.where(used[order], 0.0, sorted_weight), starts)
        pairs = true.sum() * false.sum()
        found[place] = (true * (np.cumsum(false) - false / 2)).sum() / pairs if pairs else np.nan
    return found
