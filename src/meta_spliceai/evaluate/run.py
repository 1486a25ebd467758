"""From a predictions table to an evaluation folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.bases import Bases, load_bases
from meta_spliceai.evaluate.bootstrap import FEW_GROUPS, LEVEL, Drawn, multiplicities
from meta_spliceai.evaluate.fields import SCHEMA_VERSION
from meta_spliceai.evaluate.junctions import JUNCTIONS, JunctionTruth, junction_truth, measure_junctions
from meta_spliceai.evaluate.measure import KindMeasurer, Rows
from meta_spliceai.evaluate.predictions import DESCRIPTION, Predictions, check_scores, open_predictions
from meta_spliceai.evaluate.result import TABLES, EvaluationResult, write_evaluation
from meta_spliceai.evaluate.strata import ALL, FEW_SITES, STRATA, unseen_share, with_score_bins
from meta_spliceai.evaluate.usage import site_usage, usage_rows
from meta_spliceai.evaluate.words import DEFINITIONS, main_table, plain_words
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.store.fingerprint import file_sha256, fingerprint, plain
from meta_spliceai.store.folder import software_versions
from meta_spliceai.workers.progress import track

__all__ = ["EvaluationResult", "evaluate", "main_table", "plain_words"]


def evaluate(
    *,
    predictions: Path,
    out_dir: Path,
    junctions: Sequence[Path] = (),
    min_reads: int = 5,
    psi: Path | None = None,
    draws: int = 1000,
    seed: int = 42,
) -> EvaluationResult:
    """Measure every arm of a predictions table on the same bases, with paired intervals.

    Parameters
    ----------
    predictions
        Folder with part_*.parquet and predictions.json, as `train` writes it.
    out_dir
        Folder for metrics.json and the tables; an earlier evaluation in it is replaced.
    junctions
        RNA-seq junctions, a file for each sample: STAR's SJ.out.tab or the BED12 of regtools. Sites that reads support are
        then a second truth, in the genes that are expressed: the stratum `junctions`.
    min_reads
        Reads that map to one place, in all samples, from which a site is supported.
    psi
        Per cent spliced in of exons: a tab-separated table with chrom, start, end, strand and psi_mean. Says how well each
        arm's scores tell used from unused annotated sites (`site_usage` in metrics.json).
    draws
        Draws of the bootstrap over gene groups.
    seed
        Seed of the draws.

    Raises
    ------
    InputError, StoreError, SchemaError
        Before anything is measured: the predictions are missing or damaged, count a unit twice, hold a gene group in two
        folds, or hold values that are no probabilities.
    """
    check_options(draws=draws, min_reads=min_reads)
    table = open_predictions(predictions)
    check_scores(table)
    bases = load_bases(table)
    second = junction_truth(table, bases, junctions, min_reads) if junctions else None
    usage = None if psi is None else site_usage(table, psi)
    drawn = multiplicities(bases.groups, draws, seed)
    rows = _measured(table, bases, second, drawn)
    about = _about(table, bases, rows, draws, seed)
    if second is not None:
        about["strata"].append({"name": JUNCTIONS, "meaning": _meaning(second, min_reads)})
    if usage is not None:
        about["site_usage"] = usage_rows(table, bases, drawn, usage)
    result = EvaluationResult(out_dir, about, **{name: _frame(name, rows) for name in TABLES})
    inputs = {"predictions": fingerprint([file_sha256(path) for path in (table.folder / DESCRIPTION, *table.parts)])}
    parameters: dict[str, Any] = {"draws": draws, "seed": seed}
    if junctions:
        inputs["junctions"] = fingerprint([file_sha256(path) for path in junctions])
        parameters["min_reads"] = min_reads
    if psi is not None:
        inputs["psi"] = file_sha256(psi)
    write_evaluation(result, parameters, inputs)
    return result


def check_options(*, draws: int, min_reads: int) -> None:
    """Refuse options that no predictions could make good.

    Raises
    ------
    InputError
        The first of them.
    """
    if draws < 2:
        raise InputError("--draws of at least 2", f"{draws}", "1000 is a good number")
    if min_reads < 1:
        raise InputError("--min-reads of at least 1", f"{min_reads}", "5 is a good number")


def _meaning(second: JunctionTruth, min_reads: int) -> str:
    return (
        f"another truth: a site is true where at least {min_reads} reads of the junctions given support it, whatever the "
        f"annotation says; measured over the {int(second.measured.sum()):,} bases of gene groups that are expressed"
    )


def _measured(table: Predictions, bases: Bases, second: JunctionTruth | None, drawn: Drawn) -> Rows:
    rows, description = Rows(), table.description
    with track("evaluating", len(SITE_TYPES) * len(table.arms), "rankings") as progress:
        for kind in SITE_TYPES:
            binned = with_score_bins(bases.traits, table.scores(table.arms[0].name, kind))
            of_kind = replace(bases, traits=binned)
            measurer = KindMeasurer(kind, table.column(f"is_{kind}"), of_kind, description.genes, drawn, rows)
            for arm in table.arms:
                measurer.measure(arm, table.scores(arm.name, kind), description.maps.get((arm.name, kind), {}))
                progress.advance(1)
    if second is not None:
        measure_junctions(table, bases, drawn, second, rows)
    return rows


def _frame(name: str, rows: Rows) -> pl.DataFrame:
    table = TABLES[name]
    if name in ("arms", "strata"):
        found = [row for row in rows.ranking if (row["stratum"] == ALL) == (name == "arms")]
    else:
        found = getattr(rows, name)
    return pl.DataFrame(found, schema=table.polars_schema())


_PASSED_ON = ("base_model", "dataset", "build", "feature_profile", "row_cap", "calibration", "table")
"""What predictions.json says about its own making, and the evaluation repeats."""


def _about(table: Predictions, bases: Bases, rows: Rows, draws: int, seed: int) -> dict[str, Any]:
    """Everything a reader needs besides the numbers."""
    raw = table.description.raw
    whole = {row["splice_type"]: row for row in rows.ranking if row["stratum"] == ALL}
    return {
        "schema_version": SCHEMA_VERSION,
        **plain({name: raw[name] for name in _PASSED_ON if name in raw}),
        "arms": [plain(arm) for arm in table.arms],
        "reference_arm": table.arms[0].name,
        "skipped_arms": plain(raw.get("skipped_arms", [])),
        "training_seed": raw.get("seed"),
        "measured": {
            "bases": table.bases,
            "genes": table.description.gene_count,
            "gene_groups": bases.groups,
            "folds": int((bases.folds.names >= 0).sum()),
            "sites": {kind: row["sites"] for kind, row in whole.items()},
            "groups_with_sites": {kind: row["groups"] for kind, row in whole.items()},
            "base_unseen_share": unseen_share(bases.traits),
        },
        "bootstrap": {
            "draws": draws, "seed": seed, "level": LEVEL, "unit": "gene group",
            "few_groups": min(row["groups"] for row in whole.values()) < FEW_GROUPS,
        },
        "strata": [{"name": stratum.name, "meaning": stratum.meaning} for stratum in STRATA],
        "fewest_sites_measured": FEW_SITES,
        "fewest_groups_trusted": FEW_GROUPS,
        "software": software_versions(),
        "definitions": [{"word": word, "meaning": meaning} for word, meaning in DEFINITIONS.items()],
    }  # fmt: skip
