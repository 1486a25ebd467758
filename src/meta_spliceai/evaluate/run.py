"""From a predictions table to an evaluation folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate import thresholds as cuts
from meta_spliceai.evaluate.bootstrap import (
    FEW_GROUPS,
    Interval,
    bootstrap_average_precision,
    interval,
    multiplicities,
)
from meta_spliceai.evaluate.calibration import calibration_of, mapped_by_fold
from meta_spliceai.evaluate.predictions import Arm, Predictions
from meta_spliceai.evaluate.ranking import Flags, average_precision, precision_recall_curve, top_k_accuracy
from meta_spliceai.evaluate.strata import FEW_SITES, Stratum, strata_of
from meta_spliceai.evaluate.words import DEFINITIONS, main_table, plain_words
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import software_versions
from meta_spliceai.store.tables import write_tsv
from meta_spliceai.workers.progress import track

SITE_TYPES = ("donor", "acceptor")
METRICS = "metrics.json"

__all__ = ["EvaluationResult", "evaluate", "main_table", "plain_words"]


@dataclass(frozen=True)
class EvaluationResult:
    """Everything that was measured; the content of metrics.json.

    Parameters
    ----------
    out_dir
        The evaluation folder.
    about
        What was evaluated: arms, reference arm, groups, base model, numbers of bases, draws and seed.
    ranking
        One row per stratum, site type and arm: sites, average precision, its interval, the difference to the reference arm
        and its interval, top-k accuracy.
    errors
        One row per site type and arm: false positives and negatives at cuts chosen out of fold.
    calibration, calibration_errors
        One row per site type, arm and bin; expected calibration error and Brier score per site type and arm.
    curves
        Points of the precision-recall curves.
    per_group
        Average precision per gene group, site type and arm, where the group has sites.
    """

    out_dir: Path
    about: Mapping[str, Any]
    ranking: pl.DataFrame
    errors: pl.DataFrame
    calibration: pl.DataFrame
    calibration_errors: pl.DataFrame
    curves: pl.DataFrame
    per_group: pl.DataFrame

    def summary(self) -> str:
        """The main table and what it shows."""
        return "\n".join([main_table(self), "", *(f"- {sentence}" for sentence in plain_words(self))])


def evaluate(*, predictions: Path, out_dir: Path, draws: int = 1000, seed: int = 42) -> EvaluationResult:
    """Measure every arm of a predictions table on the same bases, with paired intervals.

    Parameters
    ----------
    predictions
        Folder with part_*.parquet and predictions.json, as `train` writes it.
    out_dir
        Folder for metrics.json and the tables.
    draws
        Draws of the bootstrap over gene groups.
    seed
        Seed of the draws.

    Raises
    ------
    StoreError, SchemaError
        The predictions are missing, damaged, or count a unit twice.
    """
    if draws < 2:
        raise InputError("--draws of at least 2", f"{draws}", "1000 is a good number")
    table = Predictions(predictions)
    names, group = np.unique(table.column("group"), return_inverse=True)
    drawn = multiplicities(names.size, draws, seed)
    collected: dict[str, list[dict[str, Any]]] = {
        key: [] for key in ("ranking", "errors", "bins", "calibrated", "curves", "per_group")
    }
    with track("evaluating", 2 * len(table.arms), "arms") as progress:
        for kind in SITE_TYPES:
            truth: Flags = table.column(f"is_{kind}").astype(bool)
            strata = list(strata_of(table, truth))
            reference = _ranked(table, table.reference_arm, kind, truth, group, drawn, strata)
            base_counts = _base_counts(table, kind, truth)
            for arm in table.arms:
                measured = _ranked(table, arm.name, kind, truth, group, drawn, strata)
                collected["ranking"] += _rows(arm, kind, measured, reference)
                _measure_rest(table, arm, kind, truth, group, names, base_counts, collected)
                progress.advance(1)
    about = {
        **table.about,
        "reference_arm": table.reference_arm,
        "bases": table.bases,
        "gene_groups": int(names.size),
        "base_unseen_share": float(table.column("base_unseen").mean()),
        "few_groups": bool(names.size < FEW_GROUPS),
        "draws": draws,
        "bootstrap_seed": seed,
        "software": software_versions(),
        "definitions": DEFINITIONS,
    }
    frames = {key: pl.DataFrame(rows, infer_schema_length=None) for key, rows in collected.items()}
    result = EvaluationResult(
        out_dir, about, frames["ranking"], frames["errors"], frames["bins"], frames["calibrated"], frames["curves"], frames["per_group"]
    )  # fmt: skip
    _write(result)
    return result


@dataclass(frozen=True)
class _Measured:
    """One arm in one stratum: sites, bases, average precision, its draws, top-k; None where there are too few sites."""

    stratum: str
    meaning: str
    sites: int
    bases: int
    average_precision: float | None
    draws: npt.NDArray[np.float64] | None
    top_k: float | None


def _ranked(
    table: Predictions, arm: str, kind: str, truth: Flags, group: npt.NDArray[np.int64],
    drawn: npt.NDArray[np.float32], strata: list[Stratum],
) -> list[_Measured]:  # fmt: skip
    scores = table.scores(arm, kind)
    found = []
    for stratum in strata:
        flags, values = truth[stratum.mask], scores[stratum.mask]
        sites = int(flags.sum())
        if sites < FEW_SITES:
            found.append(_Measured(stratum.name, stratum.meaning, sites, flags.size, None, None, None))
            continue
        draws = bootstrap_average_precision(values, flags, group[stratum.mask], drawn)
        found.append(
            _Measured(
                stratum.name, stratum.meaning, sites, flags.size, average_precision(values, flags), draws,
                top_k_accuracy(values, flags),
            )
        )  # fmt: skip
    return found


def _rows(arm: Arm, kind: str, measured: list[_Measured], reference: list[_Measured]) -> list[dict[str, Any]]:
    rows = []
    for own, base in zip(measured, reference, strict=True):
        own_interval = interval(own.draws) if own.draws is not None else None
        difference = own_difference = None
        if own.average_precision is not None and base.average_precision is not None:
            difference = own.average_precision - base.average_precision
        if own.draws is not None and base.draws is not None:
            own_difference = interval(own.draws - base.draws)
        rows.append(
            {
                "stratum": own.stratum,
                "meaning": own.meaning,
                "splice_type": kind,
                "arm": arm.name,
                "sites": own.sites,
                "bases": own.bases,
                "average_precision": own.average_precision,
                **_bounds("ap", own_interval),
                "difference": difference,
                **_bounds("difference", own_difference),
                "top_k_accuracy": own.top_k,
            }
        )
    return rows


def _bounds(name: str, bounds: Interval | None) -> dict[str, float | None]:
    return {f"{name}_low": bounds.low if bounds else None, f"{name}_high": bounds.high if bounds else None}


@dataclass(frozen=True)
class _BaseCounts:
    """The reference arm's calls by fold and its errors on the other folds at its best cut there."""

    fold: npt.NDArray[np.int64]
    folds: int
    false: cuts.Counts
    misses: cuts.Counts


def _base_counts(table: Predictions, kind: str, truth: Flags) -> _BaseCounts:
    names, fold = np.unique(table.column("fold"), return_inverse=True)
    counts = cuts.fold_counts(table.scores(table.reference_arm, kind), truth, fold, names.size)
    if counts.score.size == 0:
        return _BaseCounts(fold, names.size, counts.sites, counts.sites)
    false, misses = cuts.errors_of_others(counts, cuts.best_f1_cuts(counts))
    return _BaseCounts(fold, names.size, false, misses)


def _measure_rest(
    table: Predictions, arm: Arm, kind: str, truth: Flags, group: npt.NDArray[np.int64],
    names: npt.NDArray[np.int64], base: _BaseCounts, collected: dict[str, list[dict[str, Any]]],
) -> None:  # fmt: skip
    """Errors, calibration, curve and per-group average precision of one arm."""
    if not truth.any():
        return
    scores = table.scores(arm.name, kind)
    key = {"splice_type": kind, "arm": arm.name}
    collected["errors"].append({**key, **_errors(scores, truth, base, table.bases)})
    maps = table.calibration_maps(arm.name, kind)
    calibrated = calibration_of(mapped_by_fold(scores, table.column("fold"), maps) if maps else scores, truth)
    collected["bins"] += [{**key, "bin": place, **plain(item)} for place, item in enumerate(calibrated.bins)]
    collected["calibrated"].append(
        {**key, "expected_calibration_error": calibrated.expected_calibration_error, "brier": calibrated.brier}
    )
    recall, precision, cut = precision_recall_curve(scores, truth)
    collected["curves"] += [
        {**key, "recall": float(r), "precision": float(p), "cut": float(c)} for r, p, c in zip(recall, precision, cut, strict=True)
    ]  # fmt: skip
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(names.size + 1))
    for place, name in enumerate(names.tolist()):
        rows = order[bounds[place] : bounds[place + 1]]
        value = average_precision(scores[rows], truth[rows])
        if value is not None:
            collected["per_group"].append(
                {**key, "group": name, "sites": int(truth[rows].sum()), "average_precision": value}
            )


def _errors(scores: npt.NDArray[np.float32], truth: Flags, base: _BaseCounts, bases: int) -> dict[str, Any]:
    counts = cuts.fold_counts(scores, truth, base.fold, base.folds)
    at_f1 = cuts.errors_at(counts, cuts.best_f1_cuts(counts))
    at_misses = cuts.errors_at(counts, cuts.cuts_within_misses(counts, base.misses))
    at_false = cuts.errors_at(counts, cuts.cuts_within_false_calls(counts, base.false))
    return {
        "sites": int(truth.sum()),
        "cut": float(np.mean(at_f1.cuts)),
        "false_positives": at_f1.false_positives,
        "false_negatives": at_f1.false_negatives,
        "false_positives_per_mb": 1e6 * at_f1.false_positives / bases,
        "false_positives_at_base_misses": at_misses.false_positives,
        "false_negatives_at_base_misses": at_misses.false_negatives,
        "false_negatives_at_base_false_calls": at_false.false_negatives,
        "false_positives_at_base_false_calls": at_false.false_positives,
    }


def _write(result: EvaluationResult) -> None:
    tables = {
        "ranking": result.ranking,
        "errors": result.errors,
        "calibration": result.calibration,
        "calibration_errors": result.calibration_errors,
        "curves": result.curves,
        "per_group": result.per_group,
    }
    for name, frame in tables.items():
        write_tsv(frame, result.out_dir / f"{name}.tsv")
    write_json(
        result.out_dir / METRICS,
        {**plain(dict(result.about)), **{name: frame.to_dicts() for name, frame in tables.items()}},
    )
