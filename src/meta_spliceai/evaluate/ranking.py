"""How well scores rank true sites before other bases. Ties count as one step, whatever their order in the file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meta_spliceai.evaluate.tally import Counts, Scores, Tally

Wide = npt.NDArray[np.float64]

CURVE_POINTS = 300


def average_precision(tally: Tally) -> float | None:
    """Sum over cuts of precision times the recall gained there; None without true sites.

    The value is that of scikit-learn's `average_precision_score`: no interpolation, and ties are one step.
    """
    if tally.sites == 0:
        return None
    hits = tally.hits()
    called = np.cumsum(hits + tally.false_calls())
    return float((hits * np.cumsum(hits) / called).sum() / tally.sites)


def top_k_accuracy(tally: Tally) -> float | None:
    """Share of true sites among the k best bases, k the number of true sites; None without any.

    Where the k-th place falls among tied bases, the expected share over their orders counts.
    """
    k = tally.sites
    if k == 0:
        return None
    hits, tied = tally.hits(), tally.false_calls(tied=True)
    between = tally.false_calls(tied=False)
    called = np.cumsum(hits + tied + between)
    at = int(np.searchsorted(called, k))
    before = int(called[at] - hits[at] - tied[at] - between[at])
    places = max(0, k - before - int(between[at]))
    return float((hits[:at].sum() + places * hits[at] / (hits[at] + tied[at])) / k)


@dataclass(frozen=True, slots=True)
class Curve:
    """Recall, precision and cut at some cuts of a ranking, best first, each of shape (points,)."""

    recall: Wide
    precision: Wide
    cut: Scores


def precision_recall_curve(tally: Tally, points: int = CURVE_POINTS) -> Curve:
    """The curve at up to `points` cuts, evenly spread over them; the first and the last are kept."""
    hits = tally.hits()
    called, hits = np.cumsum(hits + tally.false_calls()), np.cumsum(hits)
    shown = np.unique(np.linspace(0, hits.size - 1, min(points, hits.size)).round().astype(int))
    return Curve(hits[shown] / max(tally.sites, 1), hits[shown] / called[shown], tally.cuts[shown])


def group_average_precision(tally: Tally, groups: int) -> Wide:
    """Average precision of each gene group by itself, shape (groups,); NaN where a group has no site."""
    cuts = max(tally.cuts.size, 1)
    sites = np.sort(tally.site_group * cuts + tally.site_cut)
    cells = tally.cell_group * cuts + tally.cell_cut
    order = np.argsort(cells, kind="stable")
    cells, bases = cells[order], np.concatenate([[0], np.cumsum(tally.cell_bases[order])])
    group = sites // cuts
    # true sites, and other bases, of the same group that are called at the site's own cut
    hits = np.searchsorted(sites, sites, side="right") - np.searchsorted(sites, group * cuts)
    others = bases[np.searchsorted(cells, sites, side="right")] - bases[np.searchsorted(cells, group * cuts)]
    number = np.bincount(group, minlength=groups)
    precision = np.bincount(group, hits / (hits + others), minlength=groups)
    return np.where(number > 0, precision / np.maximum(number, 1), np.nan)


def average_precision_within_folds(tally: Tally, fold_of_group: Counts, folds: int) -> float | None:
    """Mean over folds of the average precision of the fold's own bases, weighted by true sites; None without any.

    Arms that are trained score each fold with another model, so pooling the folds mixes scores that do not quite mean
    the same; the difference to `average_precision` is what that costs.
    """
    if tally.sites == 0:
        return None
    by_fold = replace(tally, site_group=fold_of_group[tally.site_group], cell_group=fold_of_group[tally.cell_group])
    sites = np.bincount(by_fold.site_group, minlength=folds)
    return float(np.nansum(group_average_precision(by_fold, folds) * sites) / tally.sites)
