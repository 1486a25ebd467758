"""How much each feature moves the logits: the learners' own SHAP values, through shrinkage and the mean of fold models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meta_spliceai.explain.held_out import ChannelRows, Doubles, Floats
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.train.learners.protocol import Contributing
from meta_spliceai.train.residual import Ensemble


def gives_contributions(ensemble: Ensemble) -> bool:
    """Whether the learner of an ensemble says how much each feature moves the logit."""
    held = (correction.model for corrections in ensemble.corrections.values() for correction in corrections)
    return all(isinstance(model, Contributing) for model in held)


def contributions(ensemble: Ensemble, channel: str, features: Floats, margin: Floats) -> Doubles:
    """What each feature adds to the logit, shape (n, width + 1).

    The last column is what is added on average. A row sums to the difference between the ensemble's logit and `margin`; to
    its logit where it corrects nothing. Where a correction starts from the mean of some features instead of from `margin`,
    each of these adds its share of the way from `margin` to that mean.

    Parameters
    ----------
    features, margin
        As for `Ensemble.margin`.
    """
    total = np.zeros((features.shape[0], features.shape[1] + 1))
    corrections = ensemble.corrections[channel]
    for correction in corrections:
        assert isinstance(correction.model, Contributing)
        for column in correction.start:
            total[:, column] += (features[:, column].astype(np.float64) - margin) / len(correction.start)
        share = correction.shrinkage if correction.residual else 1.0
        if share:
            total += share * correction.model.contributions(features)
    return total / len(corrections)


def is_residual(ensemble: Ensemble, channel: str) -> bool:
    """Whether the models of an ensemble correct a logit, instead of giving their own."""
    return all(correction.residual for correction in ensemble.corrections[channel])


def summary(
    rows: ChannelRows, ensembles: Mapping[int, Ensemble], *, sample: int, seed: int
) -> tuple[int, dict[str, Doubles]]:
    """Contributions to the rows of a seeded sample of those that reach the gate, each by the models that had not seen it.

    Returns
    -------
    tuple
        Rows of the sample; and by name, shape (width,): `mean_abs`, the mean |contribution| over bases (rows weighted by
        the bases they stand for), `mean_abs_sites`, that over the true sites, and `mean`, with its sign, over bases. NaN
        where there is no such row.
    """
    draw = np.random.default_rng(seeded_word(seed, "contributions", rows.channel))
    count = min(sample, rows.start.size)
    chosen = np.sort(draw.choice(rows.start.size, count, replace=False))
    found = np.zeros((count, rows.features.shape[1]))
    for fold, ensemble in ensembles.items():
        at = np.flatnonzero(rows.fold[chosen] == fold)
        if at.size:
            found[at] = contributions(ensemble, rows.channel, rows.features[chosen[at]], rows.start[chosen[at]])[:, :-1]
    weight, label = rows.weight[chosen], rows.label[chosen]
    return count, {
        "mean_abs": _mean(np.abs(found), weight),
        "mean_abs_sites": _mean(np.abs(found[label]), weight[label]),
        "mean": _mean(found, weight),
    }


def _mean(values: Doubles, weight: Doubles) -> Doubles:
    if not weight.size:
        return np.full(values.shape[1], np.nan)
    mean: Doubles = np.average(values, axis=0, weights=weight)
    return mean
