"""Each fold by itself, at a threshold that the other folds chose.

The threshold of a fold is the score with the best F1 on the genes of the other folds, each scored by a model that had not
seen it. No held-out gene has a say in its own threshold, and no gene is taken from the models to choose one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from meta_spliceai.evaluate.bases import Bases
from meta_spliceai.evaluate.bootstrap import FEW_GROUPS, Drawn, Wide, bootstrap, interval, multiplicities
from meta_spliceai.evaluate.calibration import calibration_of, mapped_by_fold
from meta_spliceai.evaluate.predictions import Predictions
from meta_spliceai.evaluate.ranking import average_precision, top_k_accuracy
from meta_spliceai.evaluate.tally import Counts, Scores, Tally, tally_of
from meta_spliceai.evaluate.thresholds import best_f1_cuts, fold_counts
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.workers.progress import track

Row = dict[str, Any]


def fold_rows(table: Predictions, bases: Bases, *, draws: int, seed: int) -> list[Row]:
    """Rows of `FOLD_TABLE` without the row cap, by site type, arm and fold."""
    of_group = bases.folds.of_group
    folds = [
        _Fold(name, bases.fold == name, groups, multiplicities(groups.size, draws, seeded_word(seed, "fold", name)))
        for place, name in enumerate(bases.folds.names.tolist())
        for groups in [np.flatnonzero(of_group == place)]
    ]
    rows: list[Row] = []
    with track("measuring folds", len(SITE_TYPES) * len(table.arms), "rankings") as progress:
        for kind in SITE_TYPES:
            truth = table.column(f"is_{kind}")
            reference: dict[int, tuple[float | None, Wide]] = {}
            for arm in table.arms:
                scores = table.scores(arm.name, kind)
                maps = table.description.maps.get((arm.name, kind), {})
                probability = mapped_by_fold(scores, bases.fold, maps) if maps else scores
                tally = tally_of(scores, truth, bases.group, bases.traits)
                rows += [
                    {
                        "fold": fold.name, "splice_type": kind, "arm": arm.name,
                        "groups": fold.groups.size, "bases": int(fold.inside.sum()),
                        **_ranking(tally, fold, reference, is_reference=arm is table.arms[0]), **errors,
                        **_calibration(probability[fold.inside], truth[fold.inside]),
                        "caution": "few groups" if fold.groups.size < FEW_GROUPS else "",
                    }
                    for fold, errors in zip(folds, _errors(tally, bases), strict=True)
                ]  # fmt: skip
                progress.advance(1)
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """A fold: its bases, shape (n,), its gene groups, and how often each of those is drawn, shape (draws, groups)."""

    name: int
    inside: BoolArray
    groups: Counts
    drawn: Drawn


def _ranking(tally: Tally, fold: _Fold, reference: dict[int, tuple[float | None, Wide]], *, is_reference: bool) -> Row:
    part = tally.of_groups(fold.groups)
    value, draws = average_precision(part), bootstrap(part, fold.drawn).average_precision
    base, base_draws = reference.setdefault(fold.name, (value, draws))
    compared = not is_reference and value is not None and base is not None
    return {
        **with_bounds("average_precision", value, draws),
        **with_bounds("difference", value - base if compared else None, draws - base_draws),  # type: ignore[operator]
        "top_k_accuracy": top_k_accuracy(part),
    }


def with_bounds(name: str, value: float | None, draws: Wide) -> Row:
    """A number and the ends of its interval; nothing where there is no number."""
    found = None if value is None else interval(draws)
    return {
        name: value,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }


def _errors(tally: Tally, bases: Bases) -> Iterator[Row]:
    counts = fold_counts(tally, bases.folds)
    for fold, row in enumerate(best_f1_cuts(counts).tolist()):
        hits, sites = int(counts.hits[row, fold]), int(counts.sites[fold])
        threshold = float(counts.score[row])
        yield {
            "sites": sites,
            "threshold": threshold if np.isfinite(threshold) else None,
            **errors_of(hits=hits, false=int(counts.false[row, fold]), sites=sites),
        }


def errors_of(*, hits: int, false: int, sites: int) -> Row:
    """Errors, precision, recall and F1 of some calls."""
    calls = hits + false
    return {
        "false_positives": false,
        "false_negatives": sites - hits,
        "precision": hits / calls if calls else None,
        "recall": hits / sites if sites else None,
        "f1": 2 * hits / (calls + sites) if calls + sites else None,
    }


def _calibration(probability: Scores, truth: BoolArray) -> Row:
    found = calibration_of(probability, truth)
    return {"expected_calibration_error": found.expected_calibration_error, "brier": found.brier}
