"""Conservation and accessibility: a number for each base (bigWig), or elements on the genome (BED).

They say the same on both strands, but for which side is upstream. Bases without a value count as 0; on a contig that the
file does not name everything is null.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.features.enricher import Bases, ReferenceFacts
from meta_spliceai.features.evidence.contigs import evidence_contigs
from meta_spliceai.features.evidence.windows import AlignedSums, Windows, aligned, window_bounds, window_names
from meta_spliceai.features.stretch import Floats, Indices, tiles
from meta_spliceai.formats import bed, bigwig
from meta_spliceai.genome.coordinates import Strand, merge_spans
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.features import REACH
from meta_spliceai.store.fingerprint import file_sha256, fingerprint


@dataclass(frozen=True, slots=True)
class Signal:
    """What is measured: prefix of its columns, a word for people, and the windows that are looked at."""

    name: str
    word: str
    windows: Windows


CONSERVATION = Signal("conservation", "conservation", ((1, 50), (51, 250)))
ACCESSIBILITY = Signal("accessibility", "accessibility of the chromatin", ((1, 200), (201, 1_000)))


def _column(name: str, meaning: str, unit: str = "", low: float | None = None, high: float | None = None) -> Column:
    return Column(name, pl.Float32, "feature", "external", meaning, unit, True, low, high)


def value_columns(signal: Signal) -> tuple[Column, ...]:
    """The columns where the file has a number for each base."""
    return (
        _column(f"{signal.name}_value", f"{signal.word} at the base, 0 where the file has no value"),
        *(
            _column(f"{signal.name}_mean_{name}", f"mean {signal.word} {where}, bases without a value counted as 0")
            for name, where in window_names(signal.windows)
        ),
    )


def element_columns(signal: Signal) -> tuple[Column, ...]:
    """The columns where the file has elements."""
    return (
        _column(f"{signal.name}_element", f"1 if the base lies in an element of {signal.word}", low=0.0, high=1.0),
        _column(f"{signal.name}_score", "largest score of the elements that hold the base, 0 where none does"),
        _column(
            f"{signal.name}_distance",
            f"distance to the nearest element on either side, 0 within one, at most {REACH}",
            "nt",
            0.0,
            float(REACH),
        ),
        *(
            _column(
                f"{signal.name}_share_{name}", f"share of the bases {where} that lie in elements", low=0.0, high=1.0
            )
            for name, where in window_names(signal.windows)
        ),
    )


def possible_columns(signal: Signal) -> tuple[Column, ...]:
    """The columns of both kinds of file."""
    return (*value_columns(signal), *element_columns(signal))


class SignalEnricher(ABC):
    """What both kinds of file have in common.

    Parameters
    ----------
    signal
        What is measured.
    path
        The file.
    columns
        What it adds.
    """

    def __init__(self, signal: Signal, path: Path, columns: tuple[Column, ...]) -> None:
        self.name, self.columns = signal.name, columns
        self._signal, self._path = signal, path

    @cached_property
    def identity(self) -> str:
        """From the file's content."""
        return fingerprint([self.name, [column.name for column in self.columns], file_sha256(self._path)])

    def compute(self, bases: Bases) -> Mapping[str, Floats]:
        """See `Enricher.compute`."""
        found = np.full((len(self.columns), bases.position.size), np.nan, dtype=np.float32)
        if self._knows(bases.chrom):
            for chosen in tiles(bases.position):
                found[:, chosen] = self._rows(bases.chrom, bases.position[chosen] - 1, bases.strand)
        return dict(zip((column.name for column in self.columns), found, strict=True))

    @abstractmethod
    def _knows(self, chrom: str) -> bool:
        """Whether the file says anything about a contig of the genome."""

    @abstractmethod
    def _rows(self, chrom: str, base: Indices, strand: Strand) -> Floats:
        """Values of the columns at 0-based bases, shape (columns, n)."""


class BigWigSignal(SignalEnricher):
    """A number for each base, read from the file when it is asked for."""

    def __init__(self, signal: Signal, path: Path, contigs: Mapping[str, int]) -> None:
        super().__init__(signal, path, value_columns(signal))
        self._file = bigwig.BigWig(path)
        lengths = {name: np.array([length]) for name, length in self._file.contigs.items()}
        named = evidence_contigs(path, lengths, contigs, whole=True)
        self._names = {genomic: own for own, genomic in named.items()}

    def _knows(self, chrom: str) -> bool:
        return chrom in self._names

    def _rows(self, chrom: str, base: Indices, strand: Strand) -> Floats:
        farthest = max(far for _, far in self._signal.windows)
        first, last = aligned(int(base.min()) - farthest, int(base.max()) + farthest + 1)
        values = np.zeros(last - first)
        read = self._file.values(self._names[chrom], max(first, 0), last)
        values[max(-first, 0) :] = np.nan_to_num(read, nan=0.0, posinf=0.0, neginf=0.0)
        sums = AlignedSums(values, first)
        rows = [values[base - first]]
        for _, start, end in window_bounds(self._signal.windows, base, strand):
            rows.append(sums.sums(start, end) / (end - start))
        return np.stack(rows).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Elements:
    """The elements of a contig: merged spans, and disjoint pieces with the largest score at their bases.

    Parameters
    ----------
    starts, ends
        0-based half-open, ascending, disjoint.
    covered
        Bases in spans before each start and, at the end, all of them.
    edges, scores
        From `edges[i]` on the largest score is `scores[i]`; 0 outside elements.
    """

    starts: Indices
    ends: Indices
    covered: Indices
    edges: Indices
    scores: Floats

    @classmethod
    def of(cls, frame: pl.DataFrame) -> _Elements:
        start, end = (frame[name].to_numpy().astype(np.int64) for name in ("start", "end"))
        starts, ends = merge_spans(start, end)
        covered = np.concatenate(([0], np.cumsum(ends - starts)))
        edges = np.unique(np.concatenate((start, end)))
        first, last = np.searchsorted(edges, start), np.searchsorted(edges, end)
        piece = np.repeat(first - np.concatenate(([0], np.cumsum(last - first)[:-1])), last - first)
        piece += np.arange(piece.size)  # the numbers first to last - 1 of each element, one after another
        scores = np.full(edges.size, -np.inf, dtype=np.float32)
        np.maximum.at(scores, piece, np.repeat(frame["score"].to_numpy(), last - first))
        return cls(starts, ends, covered, edges, np.where(np.isinf(scores), np.float32(0), scores))

    def before(self, base: Indices) -> Indices:
        """How many bases of elements lie before 0-based bases."""
        span = np.searchsorted(self.starts, base, side="right")
        beyond = np.where(span > 0, np.maximum(self.ends[span - 1] - base, 0), 0)
        return self.covered[span] - beyond

    def distance(self, base: Indices) -> Indices:
        """Bases to the nearest element; 0 within one, `REACH` at most."""
        span = np.searchsorted(self.starts, base, side="right")
        left = np.where(span > 0, base - self.ends[span - 1] + 1, REACH)
        right = np.where(span < self.starts.size, self.starts[np.minimum(span, self.starts.size - 1)] - base, REACH)
        return np.clip(np.minimum(left, right), 0, REACH)

    def score(self, base: Indices) -> Floats:
        """The largest score at the bases."""
        piece = np.searchsorted(self.edges, base, side="right") - 1
        return np.where(piece >= 0, self.scores[piece], np.float32(0))


class ElementSignal(SignalEnricher):
    """Elements on the genome, held in memory."""

    def __init__(self, signal: Signal, path: Path, contigs: Mapping[str, int]) -> None:
        super().__init__(signal, path, element_columns(signal))
        elements = bed.read_elements(path)
        by_contig = {str(chrom): rows for (chrom,), rows in elements.partition_by("chrom", as_dict=True).items()}
        named = evidence_contigs(path, {name: rows["end"].to_numpy() for name, rows in by_contig.items()}, contigs)
        self._elements = {genomic: _Elements.of(by_contig[own]) for own, genomic in named.items()}

    def _knows(self, chrom: str) -> bool:
        return chrom in self._elements

    def _rows(self, chrom: str, base: Indices, strand: Strand) -> Floats:
        elements = self._elements[chrom]
        distance = elements.distance(base)
        rows: list[np.ndarray] = [distance == 0, elements.score(base), distance]
        for _, start, end in window_bounds(self._signal.windows, base, strand):
            rows.append((elements.before(end) - elements.before(start)) / (end - start))
        return np.stack(rows).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SignalLoader:
    """Makes the enricher of a signal from one bigWig or BED file."""

    signal: Signal

    def __call__(self, *, files: tuple[Path, ...], reference: ReferenceFacts) -> SignalEnricher:
        """See `features.registry`.

        Raises
        ------
        InputError
            Several files, or a file of neither kind.
        GuardError
            The file is of another genome.
        """
        if len(files) != 1:
            raise InputError(f"one file for {self.signal.name}", f"{len(files)}", "give one bigWig or BED file")
        (path,) = files
        if path.name.lower().endswith(bigwig.SUFFIXES):
            return BigWigSignal(self.signal, path, reference.contigs)
        if path.name.lower().endswith(bed.SUFFIXES):
            return ElementSignal(self.signal, path, reference.contigs)
        raise InputError(
            expected=f"a bigWig or BED file for {self.signal.name}, by its name",
            found=f"{path.name}",
            action=f"give a file whose name ends in one of {', '.join((*bigwig.SUFFIXES, *bed.SUFFIXES))}",
        )
