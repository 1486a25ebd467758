"""Maps from scores to probabilities that mean what they say, and how they are written down.

The kinds, by what they may bend; each was fitted on genes that neither the model nor the map is then used on:

    none         p stays p
    temperature  logit(q) = m / T                             one parameter (Guo, Pleiss, Sun and Weinberger 2017)
    platt        logit(q) = a m + c                           two (Platt 1999), m the logit of p
    beta         logit(q) = a ln p - b ln(1 - p) + c          three (Kull, Silva Filho and Flach 2017)
    isotonic     q is any function of p that never falls      as many as the data ask for (Zadrozny and Elkan 2002)

The first four are one family: `platt` is `beta` with a = b, `temperature` also has c = 0 and a = 1 / T, and `none` has a = 1.
They increase strictly, so they keep every ranking. `isotonic` has level stretches, on which bases that differed tie;
rankings are therefore always measured before calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

CalibrationKind = Literal["none", "temperature", "platt", "beta", "isotonic"]
CALIBRATION_KINDS: tuple[CalibrationKind, ...] = get_args(CalibrationKind)
PARAMETRIC: tuple[CalibrationKind, ...] = CALIBRATION_KINDS[:-1]


@dataclass(frozen=True)
class BetaMap:
    """A strictly increasing map, logit(q) = a ln p - b ln(1 - p) + c, with a, b > 0; the identity by default.

    Parameters
    ----------
    a, b, c
        Its parameters.
    kind
        Which of them were free when it was fitted.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0
    kind: CalibrationKind = "beta"

    def of_probability(self, probability: Floats) -> Floats:
        """Mapped probabilities, shape kept; 0 stays 0 and 1 stays 1."""
        p = probability.astype(np.float64)
        with np.errstate(divide="ignore"):
            return self._mapped(np.log(p), np.log1p(-p))

    def of_margin(self, margin: Floats) -> Floats:
        """Mapped probabilities of logits."""
        return self._mapped(*logs_of_margin(margin))

    def _mapped(self, log_p: Doubles, log_not_p: Doubles) -> Floats:
        margin = self.a * log_p - self.b * log_not_p + self.c
        # exp overflows to infinity for hopeless bases, and 1 / (1 + infinity) is the 0 that is meant
        with np.errstate(over="ignore"):
            return (1.0 / (1.0 + np.exp(-margin))).astype(np.float32)


@dataclass(frozen=True)
class IsotonicMap:
    """A map that never falls: straight between its points, level beyond them.

    Parameters
    ----------
    p, q
        Its points, ascending: probabilities before and after, of the same length of at least 1.
    kind
        Always isotonic.
    """

    p: tuple[float, ...]
    q: tuple[float, ...]
    kind: CalibrationKind = "isotonic"

    @cached_property
    def _points(self) -> tuple[Doubles, Doubles]:
        return np.array(self.p), np.array(self.q)

    def of_probability(self, probability: Floats) -> Floats:
        """Mapped probabilities, shape kept."""
        return np.interp(probability.astype(np.float64), *self._points).astype(np.float32)

    def of_margin(self, margin: Floats) -> Floats:
        """Mapped probabilities of logits."""
        return self.of_probability(np.exp(logs_of_margin(margin)[0]).astype(np.float32))


CalibrationMap = BetaMap | IsotonicMap
IDENTITY = BetaMap(kind="none")


def logs_of_margin(margin: npt.NDArray[np.floating]) -> tuple[Doubles, Doubles]:
    """Logarithms ln p and ln(1 - p) of logits, without cancellation."""
    wide = margin.astype(np.float64)
    return -np.logaddexp(0.0, -wide), -np.logaddexp(0.0, wide)


def map_from_json(content: Mapping[str, Any]) -> CalibrationMap:
    """The map that a JSON object describes: its fields, and others that are passed over. Without a kind it is beta.

    Raises
    ------
    ValueError, KeyError, TypeError
        It describes none, or one that falls somewhere.
    """
    kind = content.get("kind", "beta")
    if kind not in CALIBRATION_KINDS:
        raise ValueError(f"the calibration {dict(content)}")
    if kind == "isotonic":
        p, q = (tuple(map(float, content[name])) for name in ("p", "q"))
        sound = len(p) == len(q) > 0 and all(0 <= value <= 1 for value in (*p, *q))
        if not (sound and list(p) == sorted(set(p)) and list(q) == sorted(q)):
            raise ValueError(f"an isotonic calibration of {len(p)} points that is none")
        return IsotonicMap(p, q)
    a, b, c = (float(content[name]) for name in ("a", "b", "c"))
    if not (a > 0 and b > 0 and math.isfinite(a + b + c)):
        raise ValueError(f"the calibration {dict(content)}")
    return BetaMap(a, b, c, kind)
