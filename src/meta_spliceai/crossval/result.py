"""What a cross-validation found: metrics.json, thresholds.json and the tables, and a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.crossval.measures import Measures, Row
from meta_spliceai.crossval.tables import FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE
from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.schema.column import Table
from meta_spliceai.store.atomic import write_json, write_text
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.tables import write_parquet, write_tsv
from meta_spliceai.train.arms import BASE, RECALIBRATED

METRICS_FILE, THRESHOLDS_FILE, SUMMARY_FILE = "metrics.json", "thresholds.json", "summary.txt"
SCOPE_FILE = "top_k_by_scope.parquet"

CAPPED = "ROW CAP: models learnt from {cap:,} of {rows:,} rows, drawn at random; this is not what a model of all rows is worth"
"""What stands in every result that a cap touched."""


@dataclass(frozen=True, slots=True)
class CrossValidationResult:
    """A finished cross-validation.

    Parameters
    ----------
    out_dir
        Its folder.
    about
        What was divided, learnt from and measured, and how.
    per_fold, pooled, top_k
        `FOLD_TABLE`, `POOLED_TABLE` and `TOP_K_TABLE`.
    """

    out_dir: Path
    about: Mapping[str, Any]
    per_fold: pl.DataFrame
    pooled: pl.DataFrame
    top_k: pl.DataFrame

    def summary(self) -> str:
        """The pooled numbers, and where everything is."""
        return "\n".join(
            [self.main_table(), "", f"tables       {self.out_dir}", f"predictions  {self.out_dir / 'predictions'}"]
        )

    def main_table(self) -> str:
        """The pooled numbers of every arm, for a terminal of 110 columns."""
        about = self.about
        lines = [
            f"{about['genes']:,} genes in {about['groups']:,} groups, {about['folds']} folds by {about['split']}, {about['objective']}; "
            f"{about['bases']:,} bases of held-out genes; calibration {about['calibration']['choice']}",
        ]
        if about["row_cap"] is not None:
            lines.append(CAPPED.format(cap=about["row_cap"], rows=about["rows"]))
        for (kind,), rows in self.pooled.group_by("splice_type", maintain_order=True):
            head = f"{f'{kind}s':<18} {'AP':>6} {'change [95 % interval]':>28} {'by fold':>15} {'F1':>6} {'ECE':>6} {'k/gene':>6} {'k/tx':>6}"
            lines += ["", head, "-" * len(head)]
            lines += [_line(row) for row in rows.iter_rows(named=True)]
        return "\n".join(
            [
                *lines,
                "",
                "AP: average precision; by fold: mean and standard deviation of the folds' own; F1 at thresholds that other",
                "folds chose; ECE: calibration error; k/gene, k/tx: top-k accuracy inside genes and transcripts",
            ]
        )


def _estimated(sampled: Mapping[str, Mapping[str, Row]], arm: str, kind: str) -> Row:
    """What sampled rows say of an arm; of the base model, what they say of it recalibrated, which keeps its ranking."""
    own = sampled.get(RECALIBRATED.name if arm == BASE.name else arm, {}).get(kind, {})
    return {f"sampled_average_precision{end}": own.get(f"average_precision{end}") for end in ("", "_standard_error")}


def _line(row: Row) -> str:
    change = ""
    if row["difference"] is not None:
        change = f"{row['difference']:+.4f}"
        if row["difference_low"] is not None:
            change += f" [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]"
    by_fold = f"{_shown(row['fold_mean'])} ± {_shown(row['fold_sd'])}"
    numbers = (row["f1"], row["expected_calibration_error"], row["top_k_per_gene"], row["top_k_per_transcript"])
    return f"{row['arm']:<18} {_shown(row['average_precision']):>6} {change:>28} {by_fold:>15} " + " ".join(
        f"{_shown(number):>6}" for number in numbers
    )


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.4f}"


def pooled_rows(
    evaluation: EvaluationResult, measures: Measures, top_k: list[Row], sampled: Mapping[str, Mapping[str, Row]]
) -> list[Row]:
    """Rows of `POOLED_TABLE` without the row cap: what `evaluate` measured, the spread of the folds, and top-k accuracy.

    Parameters
    ----------
    sampled
        By arm, then site type, what sampled rows estimate.
    """
    by_scope = {(row["scope"], row["splice_type"], row["arm"]): row for row in top_k}
    rows = []
    for ranked in evaluation.arms.iter_rows(named=True):
        kind, arm = ranked["splice_type"], ranked["arm"]
        errors = evaluation.errors(kind, arm)
        own = [row["average_precision"] for row in measures.by_fold if (row["splice_type"], row["arm"]) == (kind, arm)]
        known = [value for value in own if value is not None]
        calibration = evaluation.calibration_summary.filter(
            (pl.col("splice_type") == kind) & (pl.col("arm") == arm)
        ).row(0, named=True)
        scopes = {
            f"top_k_per_{scope}{end}": by_scope.get((scope, kind, arm), {}).get(f"accuracy{end}")
            for scope in ("gene", "transcript")
            for end in ("", "_low", "_high")
        }
        rows.append(
            {
                **{name: ranked[name] for name in POOLED_TABLE.names if name in ranked},
                **_estimated(sampled, arm, kind),
                "fold_mean": float(np.mean(known)) if known else None,
                "fold_sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
                **{name: errors[name] for name in ("false_positives", "false_negatives")},
                **measures.together[kind, arm],
                "expected_calibration_error": calibration["expected_calibration_error"],
                "brier": calibration["brier"],
                **scopes,
            }
        )
    return rows


def framed(rows: list[Row], table: Table, row_cap: int | None) -> pl.DataFrame:
    """Rows as a table, each with the row cap."""
    return pl.DataFrame([{**row, "row_cap": row_cap} for row in rows], schema=table.polars_schema())


def thresholds_of(per_fold: pl.DataFrame, about: Mapping[str, Any]) -> dict[str, Any]:
    """The content of thresholds.json: each fold's threshold by arm and site type, and which folds chose it."""
    folds = list(range(about["folds"]))
    return {
        "meaning": "the score with the best F1 on the genes of `chosen_on`, on the scale of the predictions (before "
        "calibration); no gene of `fold` had a say in it",
        **mark(about),
        "thresholds": [
            {
                **{
                    name: row[name] for name in ("arm", "splice_type", "fold", "threshold", "precision", "recall", "f1")
                },
                "chosen_on": [fold for fold in folds if fold != row["fold"]],
            }
            for row in per_fold.sort("arm", "splice_type", "fold").iter_rows(named=True)
        ],
    }


def mark(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says about a row cap; nothing where there was none."""
    cap = about["row_cap"]
    return {} if cap is None else {"row_cap": cap, "warning": CAPPED.format(cap=cap, rows=about["rows"])}


def write_result(result: CrossValidationResult, scopes: pl.DataFrame, scope_table: Table) -> dict[str, int | None]:
    """Write everything but the predictions; returns the files by name, with rows of tables."""
    out, about = result.out_dir, result.about
    files: dict[str, int | None] = {}
    for table in (FOLD_TABLE, POOLED_TABLE, TOP_K_TABLE):
        frame: pl.DataFrame = getattr(result, table.name)
        write_tsv(frame, out / f"{table.name}.tsv")
        files[f"{table.name}.tsv"] = frame.height
    write_parquet(scopes, out / SCOPE_FILE, scope_table)
    write_json(out / THRESHOLDS_FILE, plain(thresholds_of(result.per_fold, about)))
    write_json(out / METRICS_FILE, plain({**about, **mark(about), **_by_kind(result)}))
    write_text(out / SUMMARY_FILE, result.main_table() + "\n")
    return {**files, SCOPE_FILE: scopes.height, **dict.fromkeys((THRESHOLDS_FILE, METRICS_FILE, SUMMARY_FILE))}


def _by_kind(result: CrossValidationResult) -> dict[str, Any]:
    """pooled, per_fold and top_k, by site type and arm."""
    found: dict[str, Any] = {}
    for name in ("pooled", "per_fold", "top_k"):
        frame: pl.DataFrame = getattr(result, name)
        found[name] = {
            kind: frame.filter(pl.col("splice_type") == kind).drop("splice_type", "row_cap").to_dicts()
            for kind in SITE_TYPES
        }
    return found
