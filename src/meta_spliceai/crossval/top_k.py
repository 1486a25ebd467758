"""The k best bases of each gene and of each transcript, k the number of its true sites.

The bases of a gene are those of its body, and its true sites all annotated ones there. The bases of a transcript are those
from its start to its end, introns included, but for the sites of other transcripts, which are neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.crossval.measures import Row, with_bounds
from meta_spliceai.crossval.tables import SCOPES, scope_table
from meta_spliceai.evaluate.bootstrap import Drawn
from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.ranking import top_k_accuracy
from meta_spliceai.evaluate.tally import Scores, tally_of
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.reference.load import Reference
from meta_spliceai.train.plan import TrainPlan
from meta_spliceai.workers.progress import track


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A gene or transcript.

    Parameters
    ----------
    keys
        scope, id, gene_id, group, fold.
    rows
        Its bases in the predictions.
    own
        By site type, 0-based offsets of its own sites from its start; None where all sites of its bases are its own.
    """

    keys: Row
    rows: slice
    own: dict[str, npt.NDArray[np.int64]] | None


def scopes_of(plan: TrainPlan, table: Predictions) -> list[Scope]:
    """The genes and transcripts of a run, and where their bases are in its predictions."""
    placed = plan.split.filter(pl.col("fold") >= 0).select("gene_id", "group", "fold")
    where = ("chrom", "strand", "start", "end")
    genes = plan.genes.select("gene_id", *where, scope=pl.lit(SCOPES[0]), id="gene_id")
    transcripts = plan.reference.transcripts().select("gene_id", *where, scope=pl.lit(SCOPES[1]), id="transcript_id")
    spans = pl.concat([genes, transcripts]).join(placed, on="gene_id", how="inner", maintain_order="left")
    own = _own_sites(plan.reference)
    scopes = []
    for row in _with_first_rows(spans, table).iter_rows(named=True):
        keys = {name: row[name] for name in ("scope", "id", "gene_id", "group", "fold")}
        sites = None
        if row["scope"] == SCOPES[1]:
            sites = {kind: own.get((row["id"], kind), np.empty(0, np.int64)) - row["start"] for kind in SITE_TYPES}
        first = row["first"]
        scopes.append(Scope(keys, slice(first, first + row["end"] - row["start"] + 1), sites))
    return scopes


def _own_sites(reference: Reference) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    found = reference.splice_sites().group_by("transcript_id", "splice_type", maintain_order=True).agg("position")
    return {
        (transcript, kind): np.array(positions, dtype=np.int64) for transcript, kind, positions in found.iter_rows()
    }


def _with_first_rows(spans: pl.DataFrame, table: Predictions) -> pl.DataFrame:
    """The spans with `first`, the row of the predictions that holds their first base; a span's bases follow each other there."""
    starts = spans.select("chrom", "strand", position=pl.col("start")).unique()
    found, done = [], 0
    for frame in table.batches(["chrom", "strand", "position"]):
        numbered = frame.with_columns(first=pl.int_range(done, done + frame.height, dtype=pl.Int64))
        found.append(numbered.join(starts, on=["chrom", "strand", "position"], how="semi"))
        done += frame.height
    return spans.join(
        pl.concat(found).rename({"position": "start"}),
        on=["chrom", "strand", "start"],
        how="inner",
        maintain_order="left",
    )


def accuracies(plan: TrainPlan, table: Predictions) -> pl.DataFrame:
    """`scope_table`: the genes and transcripts that have true sites."""
    scopes = scopes_of(plan, table)
    frames = []
    with track("ranking inside genes", len(SITE_TYPES) * len(table.arms), "rankings") as progress:
        for kind in SITE_TYPES:
            truth = table.column(f"is_{kind}")
            k = [_sites(scope, kind, truth) for scope in scopes]
            columns: dict[str, Any] = {"splice_type": [kind] * len(scopes), "k": k}
            for arm in table.arms:
                columns[arm.name] = list(_of_scopes(scopes, kind, truth, table.scores(arm.name, kind)))
                progress.advance(1)
            frames.append(
                pl.DataFrame([scope.keys for scope in scopes]).with_columns(pl.DataFrame(columns).get_columns())
            )
    return scope_table([arm.name for arm in table.arms]).conform(pl.concat(frames).filter(pl.col("k") > 0))


def _sites(scope: Scope, kind: str, truth: BoolArray) -> int:
    return int(truth[scope.rows].sum()) if scope.own is None else scope.own[kind].size


def _of_scopes(scopes: list[Scope], kind: str, truth: BoolArray, scores: Scores) -> Iterator[float | None]:
    for scope in scopes:
        true = truth[scope.rows]
        if scope.own is None:
            yield accuracy_within(scores[scope.rows], true, true)
        else:
            own = np.zeros(true.size, dtype=bool)
            own[scope.own[kind]] = True
            yield accuracy_within(scores[scope.rows], own, true)


def accuracy_within(scores: Scores, own: BoolArray, true: BoolArray) -> float | None:
    """Top-k accuracy of the bases of a scope; None without sites of its own.

    Parameters
    ----------
    scores, own, true
        Of the bases, whether each is a site of the scope, and whether of anything; shape (n,).
    """
    if not own.any():
        return None
    # k sites reach the score of the worst of them, so no base below it has one of the first k places
    kept = (own | ~true) & (scores >= scores[own].min())
    alike = np.zeros(int(kept.sum()), dtype=np.int32)
    return top_k_accuracy(tally_of(scores[kept], own[kept], alike, alike.astype(np.uint16)))


def top_k_rows(accuracy: pl.DataFrame, arms: list[str], group_names: npt.NDArray[np.int32], drawn: Drawn) -> list[Row]:
    """Rows of `TOP_K_TABLE` without the row cap; the first arm is the reference.

    Parameters
    ----------
    accuracy
        From `accuracies`.
    group_names, drawn
        The gene groups, ascending, and how often each is drawn.
    """
    rows: list[Row] = []
    for (scope, kind), part in accuracy.group_by("scope", "splice_type", maintain_order=True):
        place = np.searchsorted(group_names, part["group"].to_numpy())
        number = drawn.astype(np.float64) @ np.bincount(place, minlength=group_names.size)
        values = {arm: part[arm].to_numpy() for arm in arms}
        for arm in arms:
            gained = values[arm] - values[arms[0]]
            rows.append(
                {
                    "scope": scope, "splice_type": kind, "arm": arm, "scopes": part.height,
                    **with_bounds("accuracy", float(values[arm].mean()), _drawn_means(values[arm], place, drawn, number)),
                    **with_bounds(
                        "difference", None if arm == arms[0] else float(gained.mean()), _drawn_means(gained, place, drawn, number)
                    ),
                }
            )  # fmt: skip
    return rows


def _drawn_means(
    values: npt.NDArray[np.float64], place: npt.NDArray[np.int64], drawn: Drawn, number: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        means: npt.NDArray[np.float64] = (
            drawn.astype(np.float64) @ np.bincount(place, values, minlength=drawn.shape[1]) / number
        )
    return means
