"""One site type, all arms: every measure of every arm on the same bases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meta_spliceai.calibration import CalibrationMap
from meta_spliceai.evaluate import thresholds as cuts
from meta_spliceai.evaluate.bases import Bases
from meta_spliceai.evaluate.bootstrap import FEW_GROUPS, Drawn, Wide, bootstrap, bootstrap_within_folds, interval
from meta_spliceai.evaluate.calibration import calibration_of, mapped_by_fold
from meta_spliceai.evaluate.description import Arm
from meta_spliceai.evaluate.ranking import (
    average_precision,
    average_precision_within_folds,
    group_average_precision,
    precision_recall_curve,
    top_k_accuracy,
)
from meta_spliceai.evaluate.strata import FEW_SITES, STRATA, TRAITS, Stratum, without_class
from meta_spliceai.evaluate.tally import Flags, Scores, Tally, tally_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of every table, as they are found."""

    ranking: list[Row] = field(default_factory=list)
    contrasts: list[Row] = field(default_factory=list)
    thresholds: list[Row] = field(default_factory=list)
    calibration: list[Row] = field(default_factory=list)
    calibration_summary: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    per_group: list[Row] = field(default_factory=list)


_DIFFERENCE_OF = {
    "average_precision": "difference",
    "average_precision_within_folds": "within_folds_difference",
    "top_k_accuracy": "top_k_difference",
}
"""Measures of a ranking, and the column of each one's difference to the reference arm."""


@dataclass(frozen=True, slots=True, eq=False)
class _Measure:
    """One number, and the same in every draw, shape (draws,)."""

    value: float
    draws: Wide


_Ranked = Mapping[str, _Measure]
"""One arm in one stratum: the measures of `_DIFFERENCE_OF`."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What later arms are compared with; None in `ranked` where a stratum has too few sites."""

    arm: Arm
    ranked: tuple[_Ranked | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A stratum of one site type: how many sites, bases and groups with sites it holds, and which traits it keeps."""

    stratum: Stratum
    sites: int
    bases: int
    groups: int
    keeps: bytes


class KindMeasurer:
    """Measures arms on one site type; the first arm is the reference.

    Parameters
    ----------
    kind
        The site type.
    truth
        Whether each base is a true site of this type, shape (n,).
    bases
        What else is known of the bases.
    genes
        Gene names by group.
    drawn
        From `multiplicities`, the same for every arm.
    rows
        Where everything found is added.
    """

    def __init__(
        self, kind: str, truth: Flags, bases: Bases, genes: Mapping[int, tuple[str, ...]], drawn: Drawn, rows: Rows
    ) -> None:
        self._kind, self._truth, self._bases = kind, truth, bases
        self._genes, self._drawn, self._rows = genes, drawn, rows
        self._parts = _parts_of(truth, bases)
        self._group_sites = np.bincount(bases.group[truth], minlength=bases.groups)
        self._group_bases = np.bincount(bases.group, minlength=bases.groups)
        self._budget: cuts.Budget | None = None
        self._before: list[_Measured] = []

    def measure(self, arm: Arm, scores: Scores, maps: Mapping[int, CalibrationMap]) -> None:
        """Measure one arm.

        Parameters
        ----------
        scores
            Its scores, from 0 to 1, shape (n,): what ranks the bases.
        maps
            By fold, what makes probabilities of them; empty where they are probabilities.
        """
        tally = tally_of(scores, self._truth, self._bases.group, self._bases.traits)
        probability = mapped_by_fold(scores, self._bases.fold, maps) if maps else scores
        measured = _Measured(arm, self._ranked(tally))
        reference = self._before[0] if self._before else measured
        self._rows.ranking.extend(self._ranking_rows(measured, reference))
        self._rows.contrasts.extend(self._contrast_rows(measured))
        self._rows.thresholds.append(self._threshold_row(arm, tally, probability))
        self._add_calibration(arm, probability)
        self._add_curve(arm, tally)
        self._rows.per_group.extend(self._group_rows(arm, tally))
        self._before.append(measured)

    def _key(self, arm: Arm) -> Row:
        return {"splice_type": self._kind, "arm": arm.name}

    def _ranked(self, tally: Tally) -> tuple[_Ranked | None, ...]:
        """The arm in every stratum; strata that keep the same bases are measured once."""
        known: dict[bytes, _Ranked | None] = {}
        for part in self._parts:
            if part.keeps not in known:
                known[part.keeps] = self._ranked_within(tally.within(part.stratum))
        return tuple(known[part.keeps] for part in self._parts)

    def _ranked_within(self, tally: Tally) -> _Ranked | None:
        folds = self._bases.folds
        pooled, top_k = average_precision(tally), top_k_accuracy(tally)
        by_fold = average_precision_within_folds(tally, folds.of_group, folds.names.size)
        if tally.sites < FEW_SITES or pooled is None or by_fold is None or top_k is None:
            return None
        draws = bootstrap(tally, self._drawn)
        return {
            "average_precision": _Measure(pooled, draws.average_precision),
            "average_precision_within_folds": _Measure(
                by_fold, bootstrap_within_folds(tally, self._drawn, folds.of_group)
            ),
            "top_k_accuracy": _Measure(top_k, draws.top_k_accuracy),
        }

    def _ranking_rows(self, measured: _Measured, reference: _Measured) -> Iterator[Row]:
        for part, own, base in zip(self._parts, measured.ranked, reference.ranked, strict=True):
            yield {
                "stratum": part.stratum.name, **self._key(measured.arm),
                "sites": part.sites, "bases": part.bases, "groups": part.groups,
                **_ranking_numbers(own, None if measured is reference else base),
                "caution": "too few sites" if own is None else "few groups" if part.groups < FEW_GROUPS else "",
            }  # fmt: skip

    def _contrast_rows(self, measured: _Measured) -> Iterator[Row]:
        own = measured.ranked[0]
        for other in self._before:
            base = other.ranked[0]
            if own is not None and base is not None:
                difference = _difference("difference", own["average_precision"], base["average_precision"])
                yield {**self._key(measured.arm), "other": other.arm.name, **difference}

    def _threshold_row(self, arm: Arm, tally: Tally, probability: Scores) -> Row:
        folds = self._bases.folds
        counts = cuts.fold_counts(tally, folds)
        if self._budget is None:
            self._budget = cuts.budget_of(counts)
        at_f1 = cuts.errors_at(counts, cuts.best_f1_cuts(counts))
        at_misses = cuts.errors_at(counts, cuts.cuts_within_misses(counts, self._budget.misses))
        at_false = cuts.errors_at(counts, cuts.cuts_within_false_calls(counts, self._budget.false_calls))
        called = probability >= cuts.HALF
        hits = tally.sites - at_f1.false_negatives
        return {
            **self._key(arm),
            "sites": tally.sites,
            "out_of_fold": folds.out_of_fold,
            "lowest_cut": _finite(at_f1.lowest),
            "highest_cut": _finite(at_f1.highest),
            "false_positives": at_f1.false_positives,
            "false_negatives": at_f1.false_negatives,
            "precision": _ratio(hits, hits + at_f1.false_positives),
            "recall": _ratio(hits, tally.sites),
            "false_positives_per_mb": 1e6 * at_f1.false_positives / probability.size,
            "false_positives_at_reference_misses": at_misses.false_positives,
            "false_negatives_at_reference_misses": at_misses.false_negatives,
            "false_negatives_at_reference_false_calls": at_false.false_negatives,
            "false_positives_at_reference_false_calls": at_false.false_positives,
            "false_positives_at_half": int((called & ~self._truth).sum()),
            "false_negatives_at_half": int((~called & self._truth).sum()),
        }

    def _add_calibration(self, arm: Arm, probability: Scores) -> None:
        found = calibration_of(probability, self._truth)
        for bins, items in found.bins.items():
            for place, item in enumerate(items):
                self._rows.calibration.append(
                    {
                        **self._key(arm), "bins": bins, "bin": place, "bases": item.bases, "sites": item.sites,
                        "predicted": item.predicted, "observed": item.observed,
                        "observed_low": item.low, "observed_high": item.high,
                    }
                )  # fmt: skip
        self._rows.calibration_summary.append(
            {
                **self._key(arm),
                "expected_calibration_error": found.expected_calibration_error,
                "brier": found.brier,
                "predicted_sites": found.predicted_sites,
                "sites": int(self._truth.sum()),
            }
        )

    def _add_curve(self, arm: Arm, tally: Tally) -> None:
        curve = precision_recall_curve(tally)
        points = zip(curve.recall.tolist(), curve.precision.tolist(), curve.cut.tolist(), strict=True)
        self._rows.curves.extend(
            {**self._key(arm), "recall": recall, "precision": precision, "cut": cut}
            for recall, precision, cut in points
        )

    def _group_rows(self, arm: Arm, tally: Tally) -> Iterator[Row]:
        values = group_average_precision(tally, self._bases.groups)
        folds = self._bases.folds
        for place, group in enumerate(self._bases.group_names.tolist()):
            yield {
                "group": group, "genes": " ".join(self._genes[group]), **self._key(arm),
                "fold": int(folds.names[folds.of_group[place]]),
                "bases": int(self._group_bases[place]), "sites": int(self._group_sites[place]),
                "average_precision": _finite(float(values[place])),
            }  # fmt: skip


def _parts_of(truth: Flags, bases: Bases) -> tuple[_Part, ...]:
    """The strata of one site type with their sizes."""
    others = np.bincount(without_class(bases.traits[~truth]), minlength=TRAITS)
    # true sites by (traits, group), as far as they occur
    cells, counts = np.unique(
        bases.traits[truth].astype(np.int64) * bases.groups + bases.group[truth], return_counts=True
    )
    traits, group = np.divmod(cells, bases.groups)
    sites = np.bincount(traits, counts, minlength=TRAITS).astype(np.int64)
    parts = []
    for stratum in STRATA:
        # strata that agree on the traits that occur hold the same bases
        keeps = np.concatenate([stratum.sites[sites > 0], stratum.others[others > 0]]).tobytes()
        inside = int(sites[stratum.sites].sum())
        groups = int(np.unique(group[stratum.sites[traits]]).size)
        parts.append(_Part(stratum, inside, inside + int(others[stratum.others].sum()), groups, keeps))
    return tuple(parts)


def _ranking_numbers(own: _Ranked | None, base: _Ranked | None) -> Row:
    """Measures with their intervals; `base` is None for the reference arm itself, which has no differences."""
    row: Row = {}
    for measure, difference in _DIFFERENCE_OF.items():
        found = own[measure] if own else None
        row[measure] = found.value if found else None
        row |= _difference(difference, found, base[measure] if base else None)
    whole = own["average_precision"].draws if own else None
    row["draws"] = None if whole is None else int(np.isfinite(whole).sum())
    return row | _bounds("average_precision", whole)


def _difference(name: str, own: _Measure | None, base: _Measure | None) -> Row:
    if own is None or base is None:
        return {name: None, **_bounds(name, None)}
    return {name: own.value - base.value, **_bounds(name, own.draws - base.draws)}


def _bounds(name: str, draws: Wide | None) -> Row:
    bounds = None if draws is None else interval(draws)
    return {f"{name}_low": bounds.low if bounds else None, f"{name}_high": bounds.high if bounds else None}


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
