"""What a learner is given, and what it gives back."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import InputError
from meta_spliceai.genome.labels import BoolArray

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LearningRows:
    """Rows to learn from.

    Parameters
    ----------
    features
        float32, shape (n, number of features); NaN where a value is missing.
    label, weight
        The truth, and how many bases each row stands for, shape (n,).
    start
        The base model's logit, shape (n,); None where a learner is to start from nothing.
    """

    features: Floats
    label: BoolArray
    weight: Doubles
    start: Floats | None

    def part(self, rows: Indices) -> LearningRows:
        """Some of the rows."""
        start = None if self.start is None else self.start[rows]
        return LearningRows(self.features[rows], self.label[rows], self.weight[rows], start)


class Fitted(Protocol):
    """What a learner has learnt; it needs no library that only fitting needs, and it is applied by one thread."""

    @property
    def rounds(self) -> int:
        """Trees or passes that are used; 1 where there is no such number."""

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits, shape (n,).

        Parameters
        ----------
        features
            float32, shape (n, number of features).
        start
            The base model's logits; learners that cannot start from them leave them aside.
        """

    def gains(self, width: int) -> Doubles:
        """How much each of `width` features says, in a unit of the learner's own, shape (width,)."""

    def to_bytes(self) -> bytes:
        """The content of the learner's own file, which is never a pickle."""


@runtime_checkable
class Contributing(Protocol):
    """What a learner has learnt, where it can say how much each feature moves the logit of each row."""

    def contributions(self, features: Floats) -> Doubles:
        """SHAP values (Lundberg and Lee 2017) in logits, shape (n, number of features + 1).

        The last column is the same for all rows: the mean that the features move the logit away from. Each row sums to
        what the model adds to the logit it started from, or to its own logit where it started from nothing.
        """


class Learner(Protocol):
    """A way of learning, with its hyper-parameters; a frozen dataclass whose fields they are."""

    name: ClassVar[str]
    suffix: ClassVar[str]
    """Of its files."""
    starts_from_margin: ClassVar[bool]
    """Whether it can start from the base model's logit."""
    stops_early: ClassVar[bool]
    """Whether it can choose its number of rounds on held rows."""

    def fit(self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1) -> Fitted:
        """Learn from rows; the same rows, seed and threads give the same model.

        Parameters
        ----------
        held
            Rows on which a learner that stops early chooses its number of rounds.
        """

    def with_rounds(self, rounds: int) -> Learner:
        """The same with another number of rounds; unchanged where it has none."""

    @classmethod
    def load(cls, raw: bytes) -> Fitted:
        """What `Fitted.to_bytes` gave.

        Raises
        ------
        ValueError
            The bytes are something else.
        """


@dataclass(frozen=True, slots=True)
class Range:
    """Allowed values of a hyper-parameter, from `low` to `high`, both included unless `above` excludes the low end."""

    low: float
    high: float = float("inf")
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high == float("inf"):
            return f"{'above' if self.above else 'of at least'} {self.low:g}"
        return f"{'above' if self.above else 'from'} {self.low:g} {'and at most' if self.above else 'to'} {self.high:g}"


SHARE = Range(0, 1, above=True)


def check_ranges(learner: Any, allowed: Mapping[str, Range]) -> None:
    """Refuse hyper-parameters out of range.

    Raises
    ------
    InputError
        The first of them.
    """
    for name, values in allowed.items():
        value = getattr(learner, name)
        for one in value if isinstance(value, Iterable) else (value,):
            if one not in values:
                raise InputError(
                    f"{learner.name} {name} {values}", f"{one}", "leave it out, or give a value in this range"
                )


def imported(module: str, extra: str, instead: str = "choose --model xgboost") -> Any:
    """A library that only some work needs, such as one learner; `instead` says what does without it.

    Raises
    ------
    InputError
        It is not installed; says which extra of this package brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise InputError(
            expected=f"the library {library}, which this needs",
            found=str(error),
            action=f"install it with `pip install 'meta-spliceai[{extra}]'`, or {instead}",
        ) from error


def logit_of(probability: Doubles, smallest: float = 1e-6) -> Floats:
    """Logits of probabilities, kept finite."""
    kept = np.clip(probability, smallest, 1 - smallest)
    logits: Floats = (np.log(kept) - np.log1p(-kept)).astype(np.float32)
    return logits
