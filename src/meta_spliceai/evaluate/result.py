"""The evaluation folder: what was measured, written whole or not at all, and read back.

metrics.json              everything of note by site type and arm, with definitions
arms.tsv                  every arm on all bases
strata.tsv                every arm on subsets
contrasts.tsv             every arm against every other
thresholds.tsv            errors at cuts chosen out of fold
calibration.tsv, calibration_summary.tsv
curves.tsv                precision-recall curves
per_group.tsv             each gene group by itself
manifest.json             what it was made from; complete only when every file is there
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import StoreError
from meta_spliceai.evaluate.strata import ALL
from meta_spliceai.evaluate.tables import (
    CALIBRATION_SUMMARY_TABLE,
    CALIBRATION_TABLE,
    CONTRAST_TABLE,
    CURVE_TABLE,
    GROUP_TABLE,
    RANKING_TABLE,
    THRESHOLD_TABLE,
)
from meta_spliceai.evaluate.words import main_table, plain_words
from meta_spliceai.schema.column import Table
from meta_spliceai.store.atomic import read_json, write_json
from meta_spliceai.store.fingerprint import fingerprint, plain
from meta_spliceai.store.folder import Folder, PartEntry, describe_file, file_is_whole, read_manifest
from meta_spliceai.store.tables import read_tsv, write_tsv

KIND, FORMAT_VERSION = "evaluation", 1
METRICS = "metrics.json"
_PART = "evaluation"

TABLES: dict[str, Table] = {
    "arms": RANKING_TABLE,
    "strata": RANKING_TABLE,
    "contrasts": CONTRAST_TABLE,
    "thresholds": THRESHOLD_TABLE,
    "calibration": CALIBRATION_TABLE,
    "calibration_summary": CALIBRATION_SUMMARY_TABLE,
    "curves": CURVE_TABLE,
    "per_group": GROUP_TABLE,
}
"""The tables by the name of their field and file."""


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Everything that was measured.

    Parameters
    ----------
    out_dir
        The evaluation folder.
    about
        What was evaluated and how: the arms (the reference arm first), sizes, bootstrap, base model, dataset,
        definitions, versions.
    arms, strata, contrasts, thresholds, calibration, calibration_summary, curves, per_group
        The tables of `TABLES`.
    """

    out_dir: Path
    about: Mapping[str, Any]
    arms: pl.DataFrame
    strata: pl.DataFrame
    contrasts: pl.DataFrame
    thresholds: pl.DataFrame
    calibration: pl.DataFrame
    calibration_summary: pl.DataFrame
    curves: pl.DataFrame
    per_group: pl.DataFrame

    def summary(self) -> str:
        """The main table and what it shows."""
        return "\n".join([main_table(self), "", *(f"- {sentence}" for sentence in plain_words(self))])

    def ranking(self, stratum: str, kind: str, arm: str) -> dict[str, Any]:
        """The row of one stratum, site type and arm."""
        frame = self.arms if stratum == ALL else self.strata
        return _row(frame, stratum=stratum, splice_type=kind, arm=arm)

    def errors(self, kind: str, arm: str) -> dict[str, Any]:
        """The row of `thresholds` of one site type and arm."""
        return _row(self.thresholds, splice_type=kind, arm=arm)


def _row(frame: pl.DataFrame, **wanted: str) -> dict[str, Any]:
    return frame.filter(pl.all_horizontal(pl.col(name) == value for name, value in wanted.items())).row(0, named=True)


def write_evaluation(result: EvaluationResult, parameters: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
    """Write the folder; an earlier evaluation in it is replaced.

    Raises
    ------
    StoreError
        The folder holds something else, another process writes to it, or the file system refuses.
    """
    with Folder.opened(
        result.out_dir, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs, overwrite=True
    ) as folder:
        rows: dict[str, int | None] = {METRICS: None}
        for name in TABLES:
            frame: pl.DataFrame = getattr(result, name)
            write_tsv(frame, folder.path / f"{name}.tsv")
            rows[f"{name}.tsv"] = frame.height
        write_json(folder.path / METRICS, metrics_of(result))
        identity = fingerprint([KIND, parameters, inputs])
        files = tuple(describe_file(folder.path, name, number) for name, number in rows.items())
        folder.record(_PART, PartEntry(identity, files))
        folder.finalise({_PART: identity}, {})


def metrics_of(result: EvaluationResult) -> dict[str, Any]:
    """The content of metrics.json: `about`, and under `results` by site type and arm what tables hold, but for curves."""
    results: dict[str, Any] = {}
    for row in result.calibration_summary.iter_rows(named=True):
        kind, arm = row["splice_type"], row["arm"]
        own = (pl.col("splice_type") == kind) & (pl.col("arm") == arm)
        results.setdefault(kind, {})[arm] = {
            "strata": {
                found.pop("stratum"): _bare(found)
                for found in pl.concat([result.arms, result.strata]).filter(own).to_dicts()
            },
            "against": {found.pop("other"): _bare(found) for found in result.contrasts.filter(own).to_dicts()},
            "thresholds": _bare(result.errors(kind, arm)),
            "calibration": _bare(row),
        }
    return {**plain(dict(result.about)), "results": results}


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("splice_type", "arm")}


def load_evaluation(folder: Path) -> EvaluationResult:
    """Read an evaluation folder.

    Raises
    ------
    StoreError
        There is none, it is not complete, or a file was changed.
    """
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    broken = [file.name for file in manifest.files() if not file_is_whole(folder, file, verify=True)]
    if broken or not manifest.complete:
        raise StoreError(
            expected=f"a complete evaluation in {folder}",
            found=f"{', '.join(broken)} damaged or changed" if broken else "one that was interrupted",
            action="run `meta-spliceai evaluate` again",
        )
    about = {name: value for name, value in read_json(folder / METRICS).items() if name != "results"}
    frames = {name: read_tsv(folder / f"{name}.tsv", table) for name, table in TABLES.items()}
    return EvaluationResult(folder, about, **frames)
