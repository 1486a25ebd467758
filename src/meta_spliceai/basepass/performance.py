"""The base model's calls per gene and site type, over every base of the gene body. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meta_spliceai.basepass.candidates import CandidateRule, GeneTruthAndScores
from meta_spliceai.genome.labels import BoolArray, tolerant_calls


def top_k_accuracy(scores: npt.NDArray[np.float32], truth: BoolArray) -> float | None:
    """Share of true bases among the k best, k the number of true bases; None where k is 0.

    Bases that tie with the k-th best count by their expected share, so the value does not depend on an order.
    """
    k = int(truth.sum())
    if k == 0:
        return None
    cut = np.partition(scores, scores.size - k)[scores.size - k]
    above, tied = scores > cut, scores == cut
    places = k - int(above.sum())
    return float((truth[above].sum() + truth[tied].mean() * places) / k)


def gene_performance(gene: GeneTruthAndScores, rule: CandidateRule) -> list[dict[str, object]]:
    """Two rows, donor and acceptor: counts and rates at the threshold, None where a rate is undefined."""
    return [
        {"splice_type": "donor", **_rates(gene.donor, gene.is_donor, rule)},
        {"splice_type": "acceptor", **_rates(gene.acceptor, gene.is_acceptor, rule)},
    ]


def _rates(scores: npt.NDArray[np.float32], truth: BoolArray, rule: CandidateRule) -> dict[str, object]:
    called, truth = tolerant_calls(scores >= rule.threshold, truth, rule.consensus_window)
    tp = int((called & truth).sum())
    fp = int((called & ~truth).sum())
    fn = int((~called & truth).sum())
    tn = truth.size - tp - fp - fn
    return {
        "TP": tp,
        "FP": fp,
        "FN": fn,
        "TN": tn,
        "n_splice_sites": tp + fn,
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "f1_score": _ratio(2 * tp, 2 * tp + fp + fn),
        "fpr": _ratio(fp, fp + tn),
        "fnr": _ratio(fn, fn + tp),
        "top_k_accuracy": top_k_accuracy(scores, truth),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
