"""What sampled rows estimate: weighted metrics of a score, always beside the same of the base model's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.leakage import weighted_auc

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of whole genes, estimated from sampled rows.

    Parameters
    ----------
    value
        The estimate.
    standard_error
        Of the sampling alone: how far another sample of rows of the same genes would be from it.
    """

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """Steps of a ranking, best first: weights called, and called rightly, up to each; and each row's step."""

    true: Doubles
    every: Doubles
    step: npt.NDArray[np.int64]


def _ranked(score: Doubles, label: BoolArray, weight: Doubles) -> _Ranking:
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    step = np.empty(score.size, dtype=np.int64)
    step[order] = np.cumsum(last_of_tie) - last_of_tie
    true = np.cumsum(np.where(label, weight, 0.0)[order])[last_of_tie]
    return _Ranking(true, np.cumsum(weight[order])[last_of_tie], step)


def weighted_average_precision(score: Doubles, label: BoolArray, weight: Doubles) -> float | None:
    """Area under the steps of precision over recall, rows of equal score taken together; None without a true row."""
    estimate = estimated_average_precision(score, label, weight)
    return None if estimate is None else estimate.value


def estimated_average_precision(score: Doubles, label: BoolArray, weight: Doubles) -> Estimate | None:
    """Average precision of all bases, from sampled rows; None without a true row.

    The standard error is the linearised one of independent draws (Särndal, Swensson and Wretman 1992, 5.5): a row with
    weight w adds w (w - 1) times the square of what one base more at its score would change. It takes sites as all kept,
    as they are, and is a little too small where genes overlap, whose rows share a weight.

    Parameters
    ----------
    score, label, weight
        Ranking, truth, and bases each row stands for, shape (n,).
    """
    total = float(weight[label].sum())
    if total == 0:
        return None
    found = _ranked(score, label, weight)
    gained = np.diff(found.true, prepend=0.0) * found.true / found.every
    # one base more that is no site lowers the precision of its own and of every later step
    lost = np.cumsum((gained / found.every)[::-1])[::-1] / total
    variance = (_excess(weight[~label]) * lost[found.step[~label]] ** 2).sum()
    return Estimate(float(gained.sum() / total), float(np.sqrt(variance)))


def estimated_count(weight: Doubles) -> Estimate:
    """How many bases rows of these weights, shape (n,), stand for."""
    return Estimate(float(weight.sum()), float(np.sqrt(_excess(weight).sum())))


def _excess(weight: Doubles) -> Doubles:
    """What each row adds to the variance of a sum of weights."""
    return np.maximum(weight * (weight - 1.0), 0.0)


def estimates(score: Doubles, label: BoolArray, weight: Doubles, threshold: float) -> dict[str, float | None]:
    """auc_pr, auc_roc, log_loss (per base), and F1 at a threshold of probabilities, weighted."""
    called = score >= threshold
    tp, fp, fn = (float(weight[hit].sum()) for hit in (called & label, called & ~label, ~called & label))
    kept = np.clip(score, 1e-15, 1 - 1e-15)
    both = label.any() and not label.all()
    return {
        "auc_pr": weighted_average_precision(score, label, weight),
        "auc_roc": weighted_auc(score, label, weight) if both else None,
        "log_loss": float(np.average(-np.log(np.where(label, kept, 1 - kept)), weights=weight)),
        "f1_score": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
    }


def calls_by_gene(
    gene: npt.NDArray[np.str_] | pl.Series,
    label: BoolArray,
    weight: Doubles,
    scores: dict[str, Doubles],
    threshold: float,
) -> pl.DataFrame:
    """Weighted TP, FP and FN of each score by gene, in the order of the genes: gene_id, bases, `{score}_TP` …"""
    frame = pl.DataFrame({"gene_id": gene, "label": label, "weight": weight, **scores})
    counts: dict[str, pl.Expr] = {}
    for name in scores:
        called = pl.col(name) >= threshold
        hits = {"TP": called & pl.col("label"), "FP": called & ~pl.col("label"), "FN": ~called & pl.col("label")}
        counts |= {f"{name}_{kind}": pl.col("weight").filter(hit).sum() for kind, hit in hits.items()}
    return frame.group_by("gene_id", maintain_order=True).agg(bases=pl.col("weight").sum(), **counts)
