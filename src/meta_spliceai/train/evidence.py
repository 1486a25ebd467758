"""Enrichers that a dataset or a model was made with, loaded again for whole genes.

A model that learnt from junction reads or conservation needs them at every base it is applied to. It remembers which
enrichers it needs and what identified them; paths it does not, for files move.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.enricher import Enricher, ReferenceFacts
from meta_spliceai.features.registry import EVIDENCE_INPUT, choose_enrichers, load_enrichers, shipped_enrichers
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.describe import column_as_json, column_from_json
from meta_spliceai.schema.tables import enriched_columns
from meta_spliceai.store.folder import Manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NeededEnricher:
    """An enricher that is not built in, as a dataset or a model remembers it.

    Parameters
    ----------
    name, identity
        Its name, and its identity when it was used.
    columns
        Those of its columns that are read.
    """

    name: str
    identity: str
    columns: tuple[Column, ...]

    def described(self) -> dict[str, Any]:
        """As plain values."""
        columns = [column_as_json(column) for column in self.columns]
        return {"name": self.name, "identity": self.identity, "columns": columns}

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> NeededEnricher:
        """What `described` made plain."""
        return cls(described["name"], described["identity"], tuple(map(column_from_json, described["columns"])))


def needed_by_dataset(manifest: Manifest, names: Collection[str]) -> tuple[NeededEnricher, ...]:
    """The enrichers of a dataset that add any of the named columns, each with those of them that it adds."""
    of_enricher = {
        enricher: tuple(column for column in columns if column.name in names)
        for enricher, columns in enriched_columns(manifest.parameters).items()
    }
    return tuple(
        NeededEnricher(enricher, manifest.inputs[f"{EVIDENCE_INPUT}{enricher}"], columns)
        for enricher, columns in of_enricher.items()
        if columns
    )


def load_needed(
    needed: Sequence[NeededEnricher], evidence: Sequence[str], reference: Reference, *, exactly: bool = False
) -> tuple[Enricher, ...]:
    """Load enrichers again.

    Parameters
    ----------
    needed
        What is needed.
    evidence
        `NAME=FILE` for each that reads files.
    reference
        What the files must belong to.
    exactly
        Refuse other files than those that were used; otherwise they are said in the log, and used.

    Raises
    ------
    InputError
        Evidence is missing, not needed, unusable, or gives other columns; with `exactly`, other files.
    """
    names = [one.name for one in needed]
    given = {item.partition("=")[0] for item in evidence}
    missing = [name for name in names if name in shipped_enrichers() and name not in given]
    unread = sorted(given - set(names))
    if unread:
        raise InputError(
            expected=f"evidence that is needed here: {first_few(names) or 'none'}",
            found=f"--evidence {unread[0]}=…",
            action="leave it out",
        )
    if missing:
        options = " ".join(f"{name}=FILE" for name in missing)
        raise InputError(
            expected=f"the evidence of the enrichers {first_few(names)}, which the model learnt from",
            found=f"none for {first_few(missing)}",
            action=f"add --evidence {options}, the files that the dataset was built with",
        )
    loaded = load_enrichers(choose_enrichers(names, evidence), ReferenceFacts.of(reference))
    for enricher, one in zip(loaded, sorted(needed, key=lambda held: held.name), strict=True):
        _check_same(enricher, one, exactly=exactly)
    return loaded


def _check_same(enricher: Enricher, needed: NeededEnricher, *, exactly: bool) -> None:
    held = {column.name: (column.role, column.origin) for column in enricher.columns}
    lacking = [c.name for c in needed.columns if held.get(c.name) != (c.role, c.origin)]
    if lacking:
        raise InputError(
            expected=f"columns of enricher {needed.name} as in training",
            found=f"no {first_few(lacking)} from what was given now",
            action="give the kind of evidence that the dataset was built with",
        )
    if enricher.identity == needed.identity:
        return
    if exactly:
        raise InputError(
            expected=f"the evidence for {needed.name} that the dataset was built with ({needed.identity[:12]})",
            found=f"other content ({enricher.identity[:12]})",
            action="give the files that the dataset was built with, or build it again with these",
        )
    log.warning(
        "the evidence for %s is not what the model learnt from (%s, now %s): features mean the same only where both are "
        "of one kind and depth",
        needed.name, needed.identity[:12], enricher.identity[:12],
    )  # fmt: skip
