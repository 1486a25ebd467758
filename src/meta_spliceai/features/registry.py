"""From names to enrichers: the built-in ones, those that read evidence, and those that other packages plug in.

A package plugs in an enricher with an entry point in the group `meta_spliceai.enrichers`. Its name is the enricher's name,
its object a function that takes two keywords and returns an `Enricher`:

    files        the paths that the user gave as `--evidence NAME=FILE`, a tuple, empty where there is none
    reference    `ReferenceFacts`: the genome's contigs and the genes
"""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.enricher import Enricher, ReferenceFacts, check_enricher
from meta_spliceai.features.evidence.expression import Expression, expression_column
from meta_spliceai.features.evidence.junctions import JUNCTION_COLUMNS, Junctions
from meta_spliceai.features.evidence.motifs import Motifs, motif_columns
from meta_spliceai.features.evidence.signal import ACCESSIBILITY, CONSERVATION, SignalLoader, possible_columns
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.enrichers import BUILT_IN
from meta_spliceai.schema.tables import dataset_table

ENTRY_POINT_GROUP = "meta_spliceai.enrichers"
EVIDENCE_INPUT = "evidence:"
"""Prefix of the names under which a manifest keeps the identities of enrichers that are not built in."""

Loader = Callable[..., Enricher]


@dataclass(frozen=True, slots=True)
class Shipped:
    """An enricher of this package that reads evidence.

    Parameters
    ----------
    meaning, needs
        What it says of a base, and from which files.
    columns
        What it may add; which of them, its files decide.
    load
        Makes it, as a plug-in's function does.
    """

    meaning: str
    needs: str
    columns: tuple[Column, ...]
    load: Loader


_SHIPPED: dict[str, Shipped] = {
    "accessibility": Shipped(
        "how open the chromatin is at a base and beside it",
        "a bigWig or BED file",
        possible_columns(ACCESSIBILITY),
        SignalLoader(ACCESSIBILITY),
    ),
    "conservation": Shipped(
        "how conserved a base and its surroundings are",
        "a bigWig or BED file",
        possible_columns(CONSERVATION),
        SignalLoader(CONSERVATION),
    ),
    "expression": Shipped(
        "how much the gene is expressed, for each column of numbers of the table",
        "a table by gene",
        (expression_column("COLUMN"),),
        Expression,
    ),
    "junctions": Shipped(
        "how many RNA-seq reads splice at a base, as donor and as acceptor",
        "STAR or BED12 files",
        JUNCTION_COLUMNS,
        Junctions.load,
    ),
    "motifs": Shipped(
        "how often each motif of a list occurs beside a base",
        "a file of motifs",
        motif_columns("NAME"),
        Motifs,
    ),
}


@dataclass(frozen=True, slots=True)
class EnricherChoice:
    """Which enrichers a dataset has, by name, and the files of those that read evidence.

    Parameters
    ----------
    built_in
        In the order of `BUILT_IN`.
    others
        Sorted.
    files
        By name.
    """

    built_in: tuple[str, ...] = BUILT_IN
    others: tuple[str, ...] = ()
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, those built in first."""
        return (*self.built_in, *self.others)


def plugged_in() -> dict[str, importlib.metadata.EntryPoint]:
    """Entry points of other packages' enrichers by name; none takes the name of one of this package's."""
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: point for point in points if point.name not in (*BUILT_IN, *_SHIPPED)}


def shipped_enrichers() -> Mapping[str, Shipped]:
    """Enrichers of this package that read evidence, by name."""
    return _SHIPPED


def enricher_names() -> list[str]:
    """Every name that `--enrichers` knows: those built in, then the others, sorted."""
    return [*BUILT_IN, *sorted({*_SHIPPED, *plugged_in()})]


def choose_enrichers(names: Sequence[str] | None, evidence: Sequence[str] | None = None) -> EnricherChoice:
    """Check names and evidence, without opening a file.

    Parameters
    ----------
    names
        Enrichers; None for all built-in ones and those that evidence is given for.
    evidence
        `NAME=FILE`, several for one name where it reads several files.

    Raises
    ------
    InputError
        An unknown name (near ones are listed), evidence that nothing reads, evidence that is missing, or no such file.
    """
    files = _files_by_name(evidence or ())
    chosen = dict.fromkeys([*BUILT_IN, *files] if names is None else names)
    known = enricher_names()
    for name in (*chosen, *files):
        if name not in known:
            raise _unknown(name, known)
    unread = [name for name in files if name not in chosen or name in BUILT_IN]
    if unread:
        raise InputError(
            expected="evidence for enrichers that are chosen and read some",
            found=f"--evidence {unread[0]}=…, which no chosen enricher reads",
            action=f"name the enricher: --enrichers … {unread[0]}" if unread[0] not in BUILT_IN else "leave it out",
        )
    without = [name for name in chosen if name in _SHIPPED and name not in files]
    if without:
        raise InputError(
            expected=f"a file for the enricher {without[0]}: {_SHIPPED[without[0]].needs}",
            found="none",
            action=f"add --evidence {without[0]}=FILE, or leave the enricher out",
        )
    others = tuple(sorted(name for name in chosen if name not in BUILT_IN))
    return EnricherChoice(tuple(name for name in BUILT_IN if name in chosen), others, files)


def load_enrichers(choice: EnricherChoice, reference: ReferenceFacts) -> tuple[Enricher, ...]:
    """The chosen enrichers that are not built in, in the order of their names.

    Parameters
    ----------
    choice
        Made by `choose_enrichers`.
    reference
        What the files must belong to.

    Raises
    ------
    InputError
        A plug-in cannot be imported, declares what cannot be, or a file cannot be used with this genome.
    """
    loaded = tuple(_load(name, choice.files.get(name, ()), reference) for name in choice.others)
    check_enrichers(loaded)
    return loaded


def check_enrichers(enrichers: Sequence[Enricher]) -> None:
    """Refuse enrichers that declare what cannot be, or columns that exist already.

    Raises
    ------
    InputError
        The first of them, and what is wrong with it.
    """
    taken = dataset_table(()).names
    for enricher in enrichers:
        check_enricher(enricher, taken)
        taken += [column.name for column in enricher.columns]


def _load(name: str, files: tuple[Path, ...], reference: ReferenceFacts) -> Enricher:
    if name in _SHIPPED:
        return _SHIPPED[name].load(files=files, reference=reference)
    point = plugged_in()[name]
    action = f"check the package that provides {point.value}"
    try:
        loader: Loader = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"a loadable enricher {name} ({point.value})", f"{type(error).__name__}: {error}", action
        ) from error
    enricher = loader(files=files, reference=reference)
    if not isinstance(enricher, Enricher) or enricher.name != name:
        raise InputError(
            expected=f"an enricher named {name} with `columns`, `identity` and `compute` from {point.value}",
            found=f"a {type(enricher).__name__} without them, or of another name",
            action=action,
        )
    return enricher


def identities_of(enrichers: Sequence[Enricher]) -> dict[str, str]:
    """What a manifest keeps among its inputs of enrichers that are not built in."""
    return {f"{EVIDENCE_INPUT}{enricher.name}": enricher.identity for enricher in enrichers}


def _files_by_name(evidence: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    files: dict[str, tuple[Path, ...]] = {}
    for item in evidence:
        name, separator, path = item.partition("=")
        if not (name and separator and path):
            raise InputError("--evidence as NAME=FILE", f"{item!r}", "give for example junctions=SJ.out.tab")
        if not Path(path).is_file():
            raise InputError(f"a file of evidence {path} for {name}", "there is none", "check the path")
        files[name] = (*files.get(name, ()), Path(path))
    return files


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        expected=f"one of the enrichers {first_few(known, len(known))}",
        found=repr(name),
        action=f"{hint}Correct the name, or install the package that provides this enricher; "
        "`meta-spliceai enrichers list` shows them",
    )
