"""Each fold by itself, at a threshold that the other folds chose.

The threshold of a fold is the score with the best F1 on the genes of the other folds, each scored by a model that had not
seen it. No held-out gene has a say in its own threshold, and no gene is taken from the models to choose one.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured at thresholds out of fold.

    Parameters
    ----------
    by_fold
        Rows of `FOLD_TABLE` without the row cap, by site type, arm and fold.
    together
        By site type and arm, the columns of `POOLED_TABLE` that `evaluate` has no intervals of.
    """

    by_fold: list[Row]
    together: dict[tuple[str, str], Row]


def measure_folds(table: Predictions, bases: Bases, *, draws: int, seed: int) -> Measures:
    """Measure each arm fold by fold, and over all folds with each at its own threshold."""
    of_group = bases.folds.of_group
    folds = [
        _Fold(name, bases.fold == name, groups, multiplicities(groups.size, draws, seeded_word(seed, "fold", name)))
        for place, name in enumerate(bases.folds.names.tolist())
        for groups in [np.flatnonzero(of_group == place)]
    ]
    everything = multiplicities(bases.groups, draws, seed)
    rows: list[Row] = []
    together: dict[tuple[str, str], Row] = {}
    with track("measuring folds", len(SITE_TYPES) * len(table.arms), "rankings") as progress:
        for kind in SITE_TYPES:
            truth = table.column(f"is_{kind}")
            reference: dict[int, tuple[float | None, Wide]] = {}
            for arm in table.arms:
                scores = table.scores(arm.name, kind)
                maps = table.description.maps.get((arm.name, kind), {})
                probability = mapped_by_fold(scores, bases.fold, maps) if maps else scores
                tally = tally_of(scores, truth, bases.group, bases.traits)
                called = _called(tally, bases)
                together[kind, arm.name] = {
                    **with_bounds("top_k_accuracy", top_k_accuracy(tally), bootstrap(tally, everything).top_k_accuracy),
                    **called.rates(slice(None), everything),
                }
                rows += [
                    {
                        "fold": fold.name, "splice_type": kind, "arm": arm.name,
                        "groups": fold.groups.size, "bases": int(fold.inside.sum()),
                        **_ranking(tally, fold, reference, is_reference=arm is table.arms[0]),
                        "threshold": threshold, **called.errors(fold.groups, fold.drawn),
                        **_calibration(probability[fold.inside], truth[fold.inside]),
                        "caution": "few groups" if fold.groups.size < FEW_GROUPS else "",
                    }
                    for fold, threshold in zip(folds, called.thresholds, strict=True)
                ]  # fmt: skip
                progress.advance(1)
    return Measures(rows, together)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """A fold: its bases, shape (n,), its gene groups, and how often each of those is drawn, shape (draws, groups)."""

    name: int
    inside: BoolArray
    groups: Counts
    drawn: Drawn


def _ranking(tally: Tally, fold: _Fold, reference: dict[int, tuple[float | None, Wide]], *, is_reference: bool) -> Row:
    part = tally.of_groups(fold.groups)
    value, drawn = average_precision(part), bootstrap(part, fold.drawn)
    draws = drawn.average_precision
    base, base_draws = reference.setdefault(fold.name, (value, draws))
    compared = not is_reference and value is not None and base is not None
    return {
        **with_bounds("average_precision", value, draws),
        **with_bounds("difference", value - base if compared else None, draws - base_draws),  # type: ignore[operator]
        **with_bounds("top_k_accuracy", top_k_accuracy(part), drawn.top_k_accuracy),
    }


def with_bounds(name: str, value: float | None, draws: Wide) -> Row:
    """A number and the ends of its interval; nothing where there is no number."""
    found = None if value is None else interval(draws)
    return {
        name: value,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Calls:
    """What each gene group's bases are called at the threshold of its fold.

    Parameters
    ----------
    thresholds
        Of each fold, chosen on the others; None where it calls nothing.
    hits, false, sites
        True sites called, other bases called, and true sites, shape (groups,).
    """

    thresholds: list[float | None]
    hits: Counts
    false: Counts
    sites: Counts

    def errors(self, groups: Counts, drawn: Drawn) -> Row:
        """Sites, errors and rates of some groups, drawn as often as `drawn` says, shape (draws, groups)."""
        hits, sites = int(self.hits[groups].sum()), int(self.sites[groups].sum())
        return {
            "sites": sites,
            "false_positives": int(self.false[groups].sum()),
            "false_negatives": sites - hits,
            **self.rates(groups, drawn),
        }

    def rates(self, groups: Counts | slice, drawn: Drawn) -> Row:
        """Precision, recall and F1 of some groups with their intervals."""
        counts = np.stack([self.hits[groups], self.false[groups], self.sites[groups]]).astype(np.float64)
        hits, false, sites = counts.sum(axis=1)
        by_draw = drawn.astype(np.float64) @ counts.T
        found = rates_of(hits=int(hits), false=int(false), sites=int(sites))
        with np.errstate(invalid="ignore", divide="ignore"):
            calls = by_draw[:, 0] + by_draw[:, 1]
            draws = {
                "precision": by_draw[:, 0] / calls,
                "recall": by_draw[:, 0] / by_draw[:, 2],
                "f1": 2 * by_draw[:, 0] / (calls + by_draw[:, 2]),
            }
        return {key: value for name in draws for key, value in with_bounds(name, found[name], draws[name]).items()}


def _called(tally: Tally, bases: Bases) -> _Calls:
    """The calls of a ranking, each fold at the cut with the best F1 on the other folds."""
    counts = fold_counts(tally, bases.folds)
    rows = best_f1_cuts(counts)
    of_group = rows[bases.folds.of_group]  # the first row of the counts calls nothing, the second all at the first cut
    site = tally.site_cut < of_group[tally.site_group]
    cell = tally.cell_cut < of_group[tally.cell_group]
    thresholds = counts.score[rows].tolist()
    return _Calls(
        thresholds=[value if np.isfinite(value) else None for value in thresholds],
        hits=np.bincount(tally.site_group[site], minlength=bases.groups),
        false=np.bincount(tally.cell_group[cell], tally.cell_bases[cell], minlength=bases.groups).astype(np.int64),
        sites=np.bincount(tally.site_group, minlength=bases.groups),
    )


def rates_of(*, hits: int, false: int, sites: int) -> dict[str, float | None]:
    """Precision, recall and F1 of some calls."""
    calls = hits + false
    return {
        "precision": hits / calls if calls else None,
        "recall": hits / sites if sites else None,
        "f1": 2 * hits / (calls + sites) if calls + sites else None,
    }


def _calibration(probability: Scores, truth: BoolArray) -> Row:
    found = calibration_of(probability, truth)
    return {"expected_calibration_error": found.expected_calibration_error, "brier": found.brier}
