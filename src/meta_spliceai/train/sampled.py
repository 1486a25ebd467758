"""What sampled rows estimate: weighted metrics of a score, always beside the same of the base model's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.leakage import weighted_auc

Doubles = npt.NDArray[np.float64]


def weighted_average_precision(score: Doubles, label: BoolArray, weight: Doubles) -> float | None:
    """Area under the steps of precision over recall, rows of equal score taken together; None without a true row."""
    total = float(weight[label].sum())
    if total == 0:
        return None
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    true = np.cumsum(np.where(label, weight, 0.0)[order])[last_of_tie]
    every = np.cumsum(weight[order])[last_of_tie]
    return float((np.diff(true, prepend=0.0) * true / every).sum() / total)


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
