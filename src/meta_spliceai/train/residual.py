"""One boosted correction of the base model's logit.

A residual model starts from the base model's logit (as XGBoost's base margin) and learns what to add to it. Where it finds
no evidence it adds nothing, and the base model's score stands.

Three things keep it from learning noise:

- Only bases with a score of at least the *gate* are trained on and corrected. Below it lie almost all bases and almost no
  sites.
- Weights stay in units of bases, so a leaf's summed hessian, which `min_child_weight` bounds from below, is the number of
  uncertain bases it speaks for. A rare negative of weight 40 is no danger: it has a score below 0.01, so its hessian,
  40 p (1 - p), is below 0.4 and cannot make a leaf of its own.
- How many rounds of boosting are kept is decided on gene groups inside the training rows: as many as lower the loss there,
  and none where that gain is not clearly above its standard error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from meta_spliceai.features.base_scores import logit
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.split import spread

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a correction is learnt; the names are XGBoost's where it has them.

    Parameters
    ----------
    gate
        Own-channel base score from which bases are trained on and corrected.
    rounds
        Rounds of boosting at most.
    inner_folds
        Folds over the gene groups of the training rows that decide how many rounds are kept.
    evidence
        Standard errors by which these rounds must lower the loss on the inner folds; else none is kept.
    """

    gate: float = 1e-4
    max_depth: int = 5
    eta: float = 0.025
    rounds: int = 500
    subsample: float = 0.6
    colsample_bytree: float = 0.2
    min_child_weight: float = 10.0
    reg_lambda: float = 10.0
    max_bin: int = 128
    inner_folds: int = 3
    evidence: float = 1.0

    def parameters(self, seed: int) -> dict[str, Any]:
        """Parameters for XGBoost; one thread, so that sums are taken in one order and trees never depend on the machine."""
        names = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda", "max_bin")
        return {
            **{name: getattr(self, name) for name in names},
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "base_score": 0.5,
            "seed": seed,
            "nthread": 1,
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to learn one channel from.

    Parameters
    ----------
    features
        float32, shape (n, number of features); NaN where a value is missing.
    margin
        The base model's logit, shape (n,).
    label, weight
        The truth, and how many bases each row stands for, shape (n,).
    group
        Gene group of each row, shape (n,).
    """

    features: Floats
    margin: Floats
    label: BoolArray
    weight: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]

    def matrix(
        self, recipe: Recipe, rows: npt.NDArray[np.int64], like: xgboost.QuantileDMatrix | None = None
    ) -> xgboost.QuantileDMatrix:
        """Some rows as XGBoost wants them; held-out rows are cut into the bins of the training rows (`like`)."""
        return xgboost.QuantileDMatrix(
            self.features[rows],
            label=self.label[rows].astype(np.float32),
            weight=self.weight[rows],
            base_margin=self.margin[rows],
            max_bin=recipe.max_bin,
            nthread=1,
            ref=like,
        )


@dataclass(frozen=True, slots=True)
class Correction:
    """A fitted correction.

    Parameters
    ----------
    booster
        The trees; there may be none.
    rounds
        Rounds that were kept.
    gain, gain_error
        By how much these rounds lower the summed loss of the inner folds, and the standard error of that over groups.
    """

    booster: xgboost.Booster
    rounds: int
    gain: float
    gain_error: float


def base_margin(scores: Floats) -> Floats:
    """The base model's logits, shape kept; they are where a correction starts."""
    return logit(scores).astype(np.float32)


def fit_correction(examples: Examples, recipe: Recipe, *, seed: int) -> Correction:
    """Learn the correction of one channel; the same examples in the same order give the same trees on any machine.

    Parameters
    ----------
    seed
        Of the subsamples of rows and columns.
    """
    rounds, gain, error = choose_rounds(examples, recipe, seed=seed)
    everything = np.arange(examples.label.size)
    parameters = recipe.parameters(_seed(seed, "all"))
    return Correction(xgboost.train(parameters, examples.matrix(recipe, everything), rounds), rounds, gain, error)


def choose_rounds(examples: Examples, recipe: Recipe, *, seed: int) -> tuple[int, float, float]:
    """Rounds to keep, their gain on the inner folds and its standard error; 0 rounds without clear evidence."""
    inner = inner_folds(examples, recipe.inner_folds, seed)
    if inner.max() == 0:
        return 0, 0.0, 0.0
    losses = np.zeros(recipe.rounds)
    fitted = []
    for fold in range(inner.max() + 1):
        out, rest = np.flatnonzero(inner == fold), np.flatnonzero(inner != fold)
        train = examples.matrix(recipe, rest)
        history: dict[str, dict[str, list[float]]] = {}
        booster = xgboost.train(
            recipe.parameters(_seed(seed, fold)),
            train,
            recipe.rounds,
            evals=[(examples.matrix(recipe, out, like=train), "held")],
            evals_result=history,
            verbose_eval=False,
        )
        losses += np.array(history["held"]["logloss"]) * examples.weight[out].sum()
        fitted.append((booster, out))
    best = int(np.argmin(losses)) + 1
    gain, error = _gain(examples, fitted, best)
    return (best, gain, error) if gain > recipe.evidence * error else (0, gain, error)


def inner_folds(examples: Examples, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The inner fold of each row: groups spread so that each fold has about equally many true sites; shape (n,).

    There are fewer folds where fewer groups have true sites, and only fold 0 where fewer than two have.
    """
    groups, place = np.unique(examples.group, return_inverse=True)
    sites = np.bincount(place, weights=examples.label).astype(np.int64)
    count = min(folds, int((sites > 0).sum()))
    if count < 2:
        return np.zeros(examples.label.size, dtype=np.int64)
    order = [seeded_word(seed, "inner", group) for group in groups.tolist()]
    return np.array(spread(sites.tolist(), order, count), dtype=np.int64)[place]


def _gain(
    examples: Examples, fitted: list[tuple[xgboost.Booster, npt.NDArray[np.int64]]], rounds: int
) -> tuple[float, float]:
    saved = np.zeros(examples.label.size)
    for booster, out in fitted:
        margin = corrected_margin(booster, examples.features[out], examples.margin[out], rounds)
        saved[out] = _loss(examples, examples.margin[out], out) - _loss(examples, margin, out)
    _, place = np.unique(examples.group, return_inverse=True)
    by_group = np.bincount(place, weights=saved)
    return float(by_group.sum()), float(by_group.std() * np.sqrt(by_group.size))


def _loss(examples: Examples, margin: Floats, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    signed = np.where(examples.label[rows], margin, -margin).astype(np.float64)
    return examples.weight[rows] * np.logaddexp(0.0, -signed)


def corrected_margin(booster: xgboost.Booster, features: Floats, margin: Floats, rounds: int = 0) -> Floats:
    """The base model's logits plus the correction, shape (n,); of the first `rounds` rounds, 0 meaning all."""
    if features.shape[0] == 0:
        return margin
    found: Floats = booster.inplace_predict(
        features, base_margin=margin, predict_type="margin", iteration_range=(0, rounds)
    )
    return found


def load_booster(raw: bytes) -> xgboost.Booster:
    """A booster from the bytes of a .ubj file, applied by one thread.

    Raises
    ------
    ValueError
        They are no booster.
    """
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    booster.set_param({"nthread": 1})
    return booster


def _seed(seed: int, part: object) -> int:
    return seeded_word(seed, "boost", part) % 2**31


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Corrections that are applied together: the margin is the mean of theirs.

    Parameters
    ----------
    features
        The columns they read, in order.
    gate
        Own-channel base score from which they correct.
    boosters
        By site type.
    """

    features: tuple[str, ...]
    gate: float
    boosters: Mapping[str, tuple[xgboost.Booster, ...]]

    def margin(self, channel: str, features: Floats, margin: Floats) -> Floats:
        """Corrected logits of bases that reach the gate, shape (n,).

        Parameters
        ----------
        channel
            'donor' or 'acceptor'.
        features
            float32, shape (n, len(self.features)).
        margin
            The base model's logits, shape (n,).
        """
        found = [corrected_margin(booster, features, margin) for booster in self.boosters[channel]]
        mean: Floats = np.stack(found).mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean
