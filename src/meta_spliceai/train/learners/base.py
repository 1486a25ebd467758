"""What all learners share: another number of rounds, and the way back from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self


class Settings:
    """The hyper-parameters of a learner; each learner is a frozen dataclass of them."""

    __slots__ = ()

    rounds_field: ClassVar[str | None]
    """The hyper-parameter that is its number of rounds, if any."""
    fewest_rounds: ClassVar[int] = 1
    fitted: ClassVar[type[Any]]
    """What it makes."""

    def with_rounds(self, rounds: int) -> Self:
        """The same with another number of rounds, at least as many as the library allows; see `Learner`."""
        if self.rounds_field is None:
            return self
        changed: Self = replace(self, **{self.rounds_field: max(self.fewest_rounds, rounds)})  # type: ignore[type-var]
        return changed

    @classmethod
    def load(cls, raw: bytes) -> Any:
        """What `Fitted.to_bytes` gave; `ValueError` for anything else."""
        return cls.fitted.load(raw)
