"""One learnt correction of the base model's logit.

A residual model starts from the base model's logit (as XGBoost's base margin), or from the mean of several base models' (see
`start`), and learns what to add to it. Where it finds no evidence it adds nothing, and that logit stands. Of a learner that cannot start from a logit, the difference
between its own logit and the base model's is the correction.

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

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import InputError
from meta_spliceai.features.base_scores import logit
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.train.calibrate import SMALLEST_SLOPE
from meta_spliceai.train.classes import OUTPUTS, ClassLearner, Objective
from meta_spliceai.train.learners.protocol import Fitted, Learner, LearningRows
from meta_spliceai.train.learners.spec import settings_of
from meta_spliceai.train.learners.xgboost_learner import XGBoost
from meta_spliceai.train.logistic import fit_logistic
from meta_spliceai.train.split import spread
from meta_spliceai.train.start import best_mean, mean_of

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What surrounds the learner of a correction.

    Parameters
    ----------
    gate
        Own-channel base score from which bases are trained on and corrected.
    inner_folds
        Folds over the gene groups of the training rows that decide how far corrections are shrunk.

    Raises
    ------
    InputError
        Values out of range.
    """

    gate: float = 1e-4
    inner_folds: int = 3

    def __post_init__(self) -> None:
        if self.inner_folds < 2:
            raise InputError("recipe inner_folds of at least 2", f"{self.inner_folds}", "leave the option out")
        if not 0 <= self.gate < 1:
            raise InputError("recipe gate from 0 to below 1", f"{self.gate}", "give a probability; 0.0001 is usual")


@dataclass(frozen=True, slots=True)
class Method:
    """How each model is learnt.

    Parameters
    ----------
    learner
        What learns.
    recipe
        What surrounds it.
    base_margin
        Whether it corrects the base model's logit (residual form); otherwise it starts from nothing, and its score stands
        alone.
    early_stopping
        Whether the learner's number of rounds is chosen on the inner folds.
    weighted
        Whether a row counts as the bases it stands for; otherwise as one.
    objective
        Corrections of each site type, or classes at once; see `classes`.

    Raises
    ------
    InputError
        Early stopping with a learner that has no rounds, or an objective that the learner or the other options cannot serve.
    """

    learner: Learner = field(default_factory=XGBoost)
    recipe: Recipe = field(default_factory=Recipe)
    base_margin: bool = True
    early_stopping: bool = False
    weighted: bool = True
    objective: Objective = "corrections"

    def __post_init__(self) -> None:
        if self.early_stopping and not self.learner.stops_early:
            raise InputError(
                expected="a boosted learner for --early-stopping",
                found=f"--model {self.learner.name}",
                action="leave --early-stopping out, or choose xgboost, lightgbm or catboost",
            )
        self._check_objective()

    def _check_objective(self) -> None:
        if self.objective not in OUTPUTS:
            raise InputError(f"--objective {', '.join(OUTPUTS)}", f"{self.objective!r}", "choose one of them")
        if self.objective != "corrections" and self.base_margin:
            raise InputError(
                expected=f"models that start from nothing with --objective {self.objective}",
                found="--base-margin",
                action="leave --base-margin out, or choose --objective corrections",
            )
        if self.objective == "multiclass" and not isinstance(self.learner, ClassLearner):
            raise InputError(
                expected="a learner with a softmax over classes for --objective multiclass",
                found=f"--model {self.learner.name}",
                action="choose --model xgboost, or --objective sigmoid, which every learner serves",
            )
        if self.objective == "multiclass" and self.early_stopping:
            raise InputError(
                expected="a fixed number of rounds with --objective multiclass",
                found="--early-stopping",
                action="leave it out, or choose --objective sigmoid",
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The models that an arm has in each fold."""
        return OUTPUTS[self.objective]

    def parameters(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "learner": settings_of(self.learner),
            **asdict(self.recipe),
            "base_margin": self.base_margin,
            "early_stopping": self.early_stopping,
            "weights": "inverse_inclusion" if self.weighted else "none",
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

    def rows(self, places: Indices, method: Method) -> LearningRows:
        """Some of them as a method's learner wants them."""
        return LearningRows(
            self.features[places],
            self.label[places],
            self.weight[places] if method.weighted else np.ones(places.size),
            self.margin[places] if method.base_margin and method.learner.starts_from_margin else None,
        )


@dataclass(frozen=True, slots=True)
class NothingLearnt:
    """The model of a correction that corrects nothing."""

    rounds: ClassVar[int] = 0

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """The logits it starts from; see `Fitted`."""
        return np.zeros(features.shape[0], dtype=np.float32) if start is None else start

    def gains(self, width: int) -> npt.NDArray[np.float64]:
        """Nothing of any feature."""
        return np.zeros(width)

    def to_bytes(self) -> bytes:
        """An empty file."""
        return b""


@dataclass(frozen=True, slots=True)
class Correction:
    """A fitted correction: `shrinkage`, from 0 to 1, times what `model` makes of the logit it starts from.

    Without `residual` it corrects nothing: the model's own logit stands.

    Parameters
    ----------
    model
        What was learnt.
    shrinkage, residual
        See above.
    start
        Columns of the features whose mean it starts from; where there are none, from the logit given.
    """

    model: Fitted
    shrinkage: float
    residual: bool = True
    start: tuple[int, ...] = ()

    def starting(self, features: Floats, margin: Floats) -> Floats:
        """The logits that it starts from, shape (n,); parameters as for `margin`."""
        return mean_of(features, self.start) if self.start else margin

    def margin(self, features: Floats, margin: Floats) -> Floats:
        """Corrected logits, shape (n,).

        Parameters
        ----------
        features
            float32, shape (n, number of features).
        margin
            The mean logit of all base models, shape (n,).
        """
        if margin.size == 0:
            return margin
        start = self.starting(features, margin)
        if self.residual and self.shrinkage == 0:
            return start
        if not self.residual:
            return self.model.margin(features, None)
        own = self.model.margin(features, start)
        corrected: Floats = start + np.float32(self.shrinkage) * (own - start)
        return corrected


def base_margin(scores: Floats) -> Floats:
    """The base model's logits, shape kept; they are where a correction starts."""
    return logit(scores).astype(np.float32)


def chosen_start(examples: Examples, logits: Sequence[int], method: Method) -> tuple[int, ...]:
    """The columns whose mean is the best untrained score of the examples; none where there is nothing to choose."""
    if len(logits) < 2:
        return ()
    weight = examples.weight if method.weighted else np.ones(examples.label.size)
    return best_mean(examples.features, logits, examples.label, weight)


def fit_correction(examples: Examples, method: Method, *, seed: int, logits: Sequence[int] = ()) -> Correction:
    """Learn the correction of one channel; the same examples in the same order give the same model on any machine.

    Parameters
    ----------
    seed
        Of the inner folds and of the subsamples of rows and columns.
    logits
        Columns of the base models' logits; the correction starts from the mean of those of them that rank best.
    """
    start = chosen_start(examples, logits, method) if method.base_margin else ()
    if start:
        fitted = fit_correction(replace(examples, margin=mean_of(examples.features, start)), method, seed=seed)
        return replace(fitted, start=start)
    everything = np.arange(examples.label.size)
    if not method.base_margin and not method.early_stopping:
        model = method.learner.fit(examples.rows(everything, method), seed=_seed(seed, "all"))
        return Correction(model, 1.0, residual=False)
    added, rounds = inner_corrections(examples, method, seed=seed)
    worth = shrinkage_of(examples, added) if method.base_margin else 1.0
    learner = method.learner.with_rounds(rounds) if rounds else method.learner
    if worth == 0:
        learner = learner.with_rounds(0)  # it is never applied
    model = learner.fit(examples.rows(everything, method), seed=_seed(seed, "all"))
    return Correction(model, worth, method.base_margin)


def inner_corrections(examples: Examples, method: Method, *, seed: int) -> tuple[Floats, int]:
    """What models of the other inner folds add to each row's logit, shape (n,), and the rounds that served them best.

    They add 0 where there is one inner fold only. The rounds are the median over the inner folds, each of which stops on
    the rows it holds out; 0 where nothing was to be stopped.
    """
    inner = inner_folds(examples, method.recipe.inner_folds, seed)
    added = np.zeros_like(examples.margin)
    rounds = []
    for fold in range(inner.max() + 1 if inner.max() else 0):
        out, rest = np.flatnonzero(inner == fold), np.flatnonzero(inner != fold)
        model = method.learner.fit(
            examples.rows(rest, method),
            seed=_seed(seed, fold),
            held=examples.rows(out, method) if method.early_stopping else None,
        )
        rounds.append(model.rounds)
        applied = Correction(model, 1.0, method.base_margin)
        added[out] = applied.margin(examples.features[out], examples.margin[out]) - examples.margin[out]
    return added, int(np.median(rounds)) if rounds and method.early_stopping else 0


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


class Scorer(Protocol):
    """What scores the bases that reach a gate: an `Ensemble` of corrections, or a `ClassModel`."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it reads, in order."""

    @property
    def gate(self) -> float:
        """Own-channel base score from which it scores."""

    def margin(self, channel: str, features: Floats, margin: Floats) -> Floats:
        """Logits of bases that reach the gate, shape (n,); see `Ensemble`."""


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
