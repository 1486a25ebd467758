"""Which enrichers there are, and what each of them adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from meta_spliceai.errors import MetaSpliceAIError
from meta_spliceai.features.enricher import ReferenceFacts
from meta_spliceai.features.registry import EnricherChoice, load_enrichers, plugged_in, shipped_enrichers
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.enrichers import FAMILIES, family_columns

Kind = Literal["built-in", "evidence", "plug-in"]

_PATTERN = "{k}mer_{sequence}"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column that an enricher adds; for `kmer`, the pattern of its names."""

    name: str
    role: str
    origin: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ListedEnricher:
    """An enricher: what it says of a base, what it needs, and what it adds; no columns where only its files tell them."""

    name: str
    kind: Kind
    meaning: str
    needs: str
    columns: tuple[AddedColumn, ...]

    def lines(self, *, every: bool) -> list[str]:
        """What the list shows of it."""
        origins = ", ".join(dict.fromkeys(column.origin for column in self.columns)) or "?"
        head = f"{self.name:<15}{self.kind:<10}{origins:<18}{self.needs:<23}{self.meaning}"
        if every:
            return [head, *(f"    {c.name:<38}{c.role:<9}{c.origin:<12}{c.meaning}" for c in self.columns)]
        shown = [column.name for column in self.columns[:_SHOWN]]
        more = [f"and {len(self.columns) - _SHOWN} more"] if len(self.columns) > _SHOWN else []
        return [head, f"    {', '.join([*shown, *more])}"] if shown else [head]


@dataclass(frozen=True, slots=True)
class EnricherList:
    """All enrichers that can be named."""

    enrichers: tuple[ListedEnricher, ...]
    every_column: bool

    def summary(self) -> str:
        """A table."""
        head = f"{'name':<15}{'kind':<10}{'origins':<18}{'needs':<23}what it says of a base"
        return "\n".join([head, *(line for one in self.enrichers for line in one.lines(every=self.every_column))])


def list_enrichers(*, columns: bool = False) -> EnricherList:
    """Show the enrichers that `build --enrichers` knows, with the columns they add, their roles and their origins.

    Parameters
    ----------
    columns
        Show every column with its meaning, not only the first few names.
    """
    built_in = [
        ListedEnricher(family.name, "built-in", family.meaning, family.needs, _added(_of_family(family.name)))
        for family in FAMILIES
    ]
    evidence = [
        ListedEnricher(name, "evidence", one.meaning, one.needs, _added(one.columns))
        for name, one in sorted(shipped_enrichers().items())
    ]
    return EnricherList((*built_in, *evidence, *(_plugged_in(name) for name in sorted(plugged_in()))), columns)


def _of_family(name: str) -> Sequence[Column]:
    if name != "kmer":
        return family_columns(name)
    (first, *_) = family_columns(name, (1,))
    return [Column(_PATTERN, first.dtype, first.role, first.origin, "occurrences of the k-mer in the sequence window")]


def _added(columns: Sequence[Column]) -> tuple[AddedColumn, ...]:
    return tuple(AddedColumn(c.name, c.role, c.origin, c.meaning) for c in columns)


def _plugged_in(name: str) -> ListedEnricher:
    provided = f"from {plugged_in()[name].value}"
    try:
        (enricher,) = load_enrichers(EnricherChoice((), (name,)), ReferenceFacts({}, ()))
    except MetaSpliceAIError as error:
        return ListedEnricher(name, "plug-in", f"{provided}: {error.found}", "?", ())
    return ListedEnricher(name, "plug-in", provided, "", _added(enricher.columns))
