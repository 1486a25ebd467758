"""One boosted correction of the base model's logit.

A residual model starts from the base model's logit (as XGBoost's base margin) and learns what to add to it. Where it finds
no evidence it adds nothing, and the base model's score stands.

Three things keep it from learning noise:

- Only bases with a score of at least the *gate* are trained on and corrected. Below it lie almost all bases and almost no
  sites.
- Weights stay in units of bases, so a leaf's summed hessian, which `min_child_weight` bounds from below, is the number of
  uncertain bases it speaks for. A rare negative of weight 40 is no danger: it has a score below 0.01, so its hessian,
  40 p (1 - p), is below 0.4 and cannot make a leaf of its own.
- The correction is shrunk by what it proves to be worth on gene groups inside the training rows: each inner fold is
  corrected by a model of the others, and the shrinkage is the coefficient, between 0 and 1, with which these corrections
  best explain the labels beside a recalibrated base logit. Without evidence it is near 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from meta_spliceai.errors import InputError
from meta_spliceai.features.base_scores import logit
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.calibrate import SMALLEST_SLOPE
from meta_spliceai.train.logistic import fit_logistic
from meta_spliceai.train.split import spread

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_SHRINKAGE = "shrinkage"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a correction is learnt; the names are XGBoost's where it has them.

    Parameters
    ----------
    gate
        Own-channel base score from which bases are trained on and corrected.
    max_depth
        Depth of a tree.
    eta
        Share of a tree that is added.
    rounds
        Trees.
    subsample
        Share of the rows that a tree is grown on.
    colsample_bytree
        Share of the features that a tree may use.
    min_child_weight
        Uncertain bases (summed hessian) that a leaf must speak for.
    reg_lambda
        Uncertain bases by which a leaf's value is drawn towards 0.
    max_bin
        Bins of a feature.
    inner_folds
        Folds over the gene groups of the training rows that decide how far corrections are shrunk.

    Raises
    ------
    InputError
        Values out of range.
    """

    gate: float = 1e-4
    max_depth: int = 5
    eta: float = 0.025
    rounds: int = 250
    subsample: float = 0.6
    colsample_bytree: float = 0.2
    min_child_weight: float = 10.0
    reg_lambda: float = 10.0
    max_bin: int = 128
    inner_folds: int = 3

    def __post_init__(self) -> None:
        lowest = {"max_depth": 1, "rounds": 0, "min_child_weight": 0, "reg_lambda": 0, "max_bin": 2, "inner_folds": 2}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise InputError(f"recipe {name} of at least {low}", f"{getattr(self, name)}", "leave the option out")
        for name in ("eta", "subsample", "colsample_bytree"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"recipe {name} above 0 and at most 1", f"{getattr(self, name)}", "give a share")
        if not 0 <= self.gate < 1:
            raise InputError("recipe gate from 0 to below 1", f"{self.gate}", "give a probability; 0.0001 is usual")

    def parameters(self, seed: int) -> dict[str, Any]:
        """Parameters for XGBoost; one thread, so that sums are taken in one order and trees never depend on the machine."""
        names = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda", "max_bin")
        return {
            **{name: getattr(self, name) for name in names},
            "objective": "binary:logistic",
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
    group: Indices

    def train(self, recipe: Recipe, rows: Indices, seed: int) -> xgboost.Booster:
        """Boost the base model's logits of some rows."""
        matrix = xgboost.QuantileDMatrix(
            self.features[rows],
            label=self.label[rows].astype(np.float32),
            weight=self.weight[rows],
            base_margin=self.margin[rows],
            max_bin=recipe.max_bin,
            nthread=1,
        )
        return xgboost.train(recipe.parameters(seed), matrix, recipe.rounds)


@dataclass(frozen=True, slots=True)
class Correction:
    """A fitted correction: `shrinkage`, from 0 to 1, times what the trees of `booster` add to the base model's logit."""

    booster: xgboost.Booster
    shrinkage: float

    def margin(self, features: Floats, margin: Floats) -> Floats:
        """Corrected logits, shape (n,).

        Parameters
        ----------
        features
            float32, shape (n, number of features).
        margin
            The base model's logits, shape (n,).
        """
        if self.shrinkage == 0 or margin.size == 0:
            return margin
        boosted = self.booster.inplace_predict(features, base_margin=margin, predict_type="margin")
        corrected: Floats = margin + np.float32(self.shrinkage) * (boosted - margin)
        return corrected

    def to_bytes(self) -> bytes:
        """The booster as .ubj with the shrinkage among its attributes."""
        self.booster.set_attr(**{_SHRINKAGE: repr(self.shrinkage)})
        return bytes(self.booster.save_raw("ubj"))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Correction:
        """What `to_bytes` gave; it is applied by one thread.

        Raises
        ------
        ValueError
            The bytes are something else.
        """
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(raw))
        except xgboost.core.XGBoostError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        booster.set_param({"nthread": 1})
        shrinkage = booster.attr(_SHRINKAGE)
        if shrinkage is None:
            raise ValueError("a booster without a shrinkage")
        return cls(booster, float(shrinkage))


def base_margin(scores: Floats) -> Floats:
    """The base model's logits, shape kept; they are where a correction starts."""
    return logit(scores).astype(np.float32)


def fit_correction(examples: Examples, recipe: Recipe, *, seed: int) -> Correction:
    """Learn the correction of one channel; the same examples in the same order give the same trees on any machine.

    Parameters
    ----------
    seed
        Of the inner folds and of the subsamples of rows and columns.
    """
    worth = shrinkage_of(examples, inner_corrections(examples, recipe, seed=seed))
    used = recipe if worth > 0 else replace(recipe, rounds=0)
    booster = examples.train(used, np.arange(examples.label.size), _seed(seed, "all"))
    return Correction(booster, worth)


def inner_corrections(examples: Examples, recipe: Recipe, *, seed: int) -> Floats:
    """What models of the other inner folds add to each row's logit, shape (n,); zeros where there is one inner fold only."""
    inner = inner_folds(examples, recipe.inner_folds, seed)
    added = np.zeros_like(examples.margin)
    for fold in range(inner.max() + 1 if inner.max() else 0):
        out, rest = np.flatnonzero(inner == fold), np.flatnonzero(inner != fold)
        model = Correction(examples.train(recipe, rest, _seed(seed, fold)), 1.0)
        added[out] = model.margin(examples.features[out], examples.margin[out]) - examples.margin[out]
    return added


def shrinkage_of(examples: Examples, added: Floats) -> float:
    """The share of `added` that the labels bear out.

    The weighted likelihood of the labels is maximised over a, c and d >= 0 in logit(p) = a margin + d added + c, with a
    weak prior for a = 1, c = 0; the share is d / a, at most 1. As a and c are free, a correction gets no credit for what
    a recalibration would do as well.
    """
    if not added.any():
        return 0.0
    margin, more = examples.margin.astype(np.float64), added.astype(np.float64)
    a, d, _ = fit_logistic(
        (margin, more, np.ones_like(margin)),
        examples.label,
        examples.weight,
        start=(1.0, 0.0, 0.0),
        prior=(1.0, 0.0, 1.0),
        lowest=(SMALLEST_SLOPE, 0.0, -np.inf),
    ).tolist()
    return float(min(1.0, d / a))


def inner_folds(examples: Examples, folds: int, seed: int) -> Indices:
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
    corrections
        By site type.
    """

    features: tuple[str, ...]
    gate: float
    corrections: Mapping[str, tuple[Correction, ...]]

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
        found = [correction.margin(features, margin) for correction in self.corrections[channel]]
        mean: Floats = np.stack(found).mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean
