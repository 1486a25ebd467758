"""`ablation`: what each family of features adds, measured on whole held-out genes.

ablation.tsv   each arm of `train --ablation` against the whole model and against the base model, with paired intervals
ablation.json  the same, with what was measured
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.result import EvaluationResult, load_evaluation
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.explain.tables import ABLATION_TABLE
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.folder import MANIFEST
from meta_spliceai.store.tables import write_tsv
from meta_spliceai.train.arms import ARM_OF_PROFILE
from meta_spliceai.train.parts import PREDICTIONS

TABLE_FILE, JSON_FILE = "ablation.tsv", "ablation.json"
_CHANGES = ("without", "only")


@dataclass(frozen=True, slots=True)
class AblationResult:
    """What each family adds: `ABLATION_TABLE`, in the file `path`."""

    path: Path
    table: pl.DataFrame

    def summary(self) -> str:
        """A table for each site type, the family that matters most first."""
        lines = []
        width = max(map(len, self.table["arm"]))
        for (kind,), rows in self.table.group_by("splice_type", maintain_order=True):
            lines.append(f"{kind}s: average precision, difference to the whole model, difference to the base model")
            for row in rows.iter_rows(named=True):
                shown = "  ".join(
                    _interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ("to_full", "to_base")
                )
                precision = "–" if row["average_precision"] is None else f"{row['average_precision']:.4f}"
                lines.append(f"  {row['arm']:<{width}}  {precision}  {shown}")
        return "\n".join([*lines, "", f"table  {self.path}"])


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return f"{'–':>26}" if value is None or low is None or high is None else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


def ablation(*, run_dir: Path, draws: int = 1000, seed: int = 42) -> AblationResult:
    """Make the table of a run of `train --ablation`: what ranking loses without each family, and what each can do alone.

    The differences are those of the evaluation on whole held-out genes, with its paired intervals.

    Parameters
    ----------
    run_dir
        Folder of the training run; its evaluation is made where there is none yet.
    draws
        Draws of that evaluation's bootstrap.
    seed
        Seed of these draws.

    Raises
    ------
    StoreError
        There are no predictions, or the evaluation is damaged.
    InputError
        The run has no arms of an ablation.
    """
    folder = run_dir / "evaluation"
    if not (folder / MANIFEST).exists():
        evaluate(predictions=run_dir / PREDICTIONS, out_dir=folder, draws=draws, seed=seed)
    result = load_evaluation(folder)
    table = ablation_table(result)
    write_tsv(table, run_dir / TABLE_FILE)
    about = {name: result.about[name] for name in ("measured", "bootstrap", "reference_arm", "software")}
    write_json(run_dir / JSON_FILE, {**about, "whole_model": _full(result), "arms": table.to_dicts()})
    return AblationResult(run_dir / TABLE_FILE, table)


def ablation_table(result: EvaluationResult) -> pl.DataFrame:
    """`ABLATION_TABLE` of an evaluation: by site type the whole model, then the arms by what they lose.

    Raises
    ------
    InputError
        It has no arms of an ablation.
    """
    full = _full(result)
    named = {arm["name"]: _change_of(arm["name"]) for arm in result.about["arms"]}
    ablated = {name: change for name, change in named.items() if change is not None}
    if not ablated:
        raise InputError(
            expected="an evaluation of a run with arms of an ablation",
            found=f"the arms {', '.join(named)} in {result.out_dir}",
            action="run `meta-spliceai train --ablation` into another folder, then this again",
        )
    differences = ("difference", "difference_low", "difference_high")
    ends = ("", "_low", "_high")
    to_full = result.contrasts.filter(other=full).select(
        "splice_type",
        "arm",
        *(pl.col(name).alias(f"to_full{end}") for name, end in zip(differences, ends, strict=True)),
    )
    rows = (
        result.arms.filter(pl.col("arm").is_in([full, *ablated]))
        .join(to_full, on=["splice_type", "arm"], how="left", maintain_order="left")
        .with_columns(
            change=pl.col("arm").replace_strict({full: "whole", **{n: c[0] for n, c in ablated.items()}}),
            of=pl.col("arm").replace_strict({full: "", **{n: c[1] for n, c in ablated.items()}}),
            **{f"to_base{end}": pl.col(name) for name, end in zip(differences, ends, strict=True)},
        )
    )
    order = [
        pl.col("splice_type").cast(pl.Enum(["donor", "acceptor"])),
        pl.col("change").cast(pl.Enum(["whole", *_CHANGES])),
        pl.when(pl.col("change") == "only").then(-pl.col("to_full")).otherwise(pl.col("to_full")),
        pl.col("arm"),
    ]
    return ABLATION_TABLE.conform(rows.sort(order, nulls_last=True))


def _full(result: EvaluationResult) -> str:
    profile: Any = result.about["feature_profile"]
    return ARM_OF_PROFILE[profile].name


def _change_of(arm: str) -> tuple[str, str] | None:
    change, _, of = arm.partition("_")
    return (change, of) if change in _CHANGES else None
