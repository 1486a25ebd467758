"""Consecutive bases with their scores, read in the direction of transcription."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from meta_spliceai.genome.coordinates import Interval, Strand
from meta_spliceai.genome.sequences import Codes, reverse_complement

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
RowChoice = slice | Indices

TILE_BASES = 1 << 15
"""Bases whose rows are computed together: the temporaries of one tile fit the processor's cache."""


@dataclass(frozen=True, slots=True)
class Track:
    """Scores of a further base model over the bases of a stretch, in its direction.

    Parameters
    ----------
    donor, acceptor, spread
        As in `Stretch`. Where the model does not tell donors from acceptors, its mean site probability is shared out.
    channels
        The model's own channels where they are others, float32, each of shape (L,).
    usage_donor, usage_acceptor
        Its mean usage, shared out in the same way; None where it has none.
    """

    donor: Floats
    acceptor: Floats
    spread: Floats
    channels: Mapping[str, Floats] = field(default_factory=dict)
    usage_donor: Floats | None = None
    usage_acceptor: Floats | None = None

    def map(self, change: Callable[[Floats], Floats]) -> Self:
        """The same with every array changed."""
        return type(self)(
            change(self.donor),
            change(self.acceptor),
            change(self.spread),
            {name: change(values) for name, values in self.channels.items()},
            None if self.usage_donor is None else change(self.usage_donor),
            None if self.usage_acceptor is None else change(self.usage_acceptor),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stretch lies on the genome.

    Parameters
    ----------
    chrom, strand
        Its contig and strand.
    first
        0-based coordinate of its first base in the direction of transcription; it may lie beyond the contig.
    """

    chrom: str
    strand: Strand
    first: int

    def positions(self, index: Indices) -> Indices:
        """1-based positions of the bases at 0-based indices into the stretch, shape kept."""
        return self.first + 1 + (index if self.strand == "+" else -index)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive bases of one strand, in the direction of transcription.

    Parameters
    ----------
    codes
        uint8, shape (L,); 4 where the base is unknown or beyond the contig.
    donor, acceptor
        Probabilities, float32, shape (L,); 0 beyond the contig.
    spread
        Disagreement within the ensemble, float32, shape (L,); 0 beyond the contig.
    further
        Scores of further base models, by name.
    place
        Where it lies, for enrichers that look things up by position; None where it lies nowhere.
    """

    codes: Codes
    donor: Floats
    acceptor: Floats
    spread: Floats
    further: Mapping[str, Track] = field(default_factory=dict)
    place: Place | None = None

    def __post_init__(self) -> None:
        shapes = {"donor": self.donor.shape, "acceptor": self.acceptor.shape, "spread": self.spread.shape}
        shapes |= {name: track.donor.shape for name, track in self.further.items()}
        if self.codes.ndim != 1 or any(shape != self.codes.shape for shape in shapes.values()):
            raise ValueError(f"codes and scores of a stretch differ in shape: codes {self.codes.shape}, {shapes}")

    @property
    def length(self) -> int:
        """Number of bases."""
        return self.codes.size

    def part(self, start: int, end: int) -> Self:
        """The bases `[start, end)` of the stretch, 0-based half-open; nothing is copied."""
        some = slice(start, end)
        further = {name: track.map(lambda values: values[some]) for name, track in self.further.items()}
        scores = (self.donor[some], self.acceptor[some], self.spread[some])
        place = self.place
        if place is not None:
            place = dataclasses.replace(place, first=place.first + (start if place.strand == "+" else -start))
        return type(self)(self.codes[some], *scores, further, place)

    def seen_by(self, name: str) -> Self:
        """The same bases with the scores of a further base model in the place of the first one's."""
        track = self.further[name]
        return dataclasses.replace(self, donor=track.donor, acceptor=track.acceptor, spread=track.spread, further={})

    @classmethod
    def from_ascending(
        cls,
        strand: Strand,
        codes: Codes,
        donor: Floats,
        acceptor: Floats,
        spread: Floats,
        further: Mapping[str, Track] | None = None,
        place: Place | None = None,
    ) -> Self:
        """Make a stretch from plus-strand codes and from scores in ascending genomic order."""
        tracks = further or {}
        if strand == "+":
            return cls(codes, donor, acceptor, spread, tracks, place)
        turned = {name: track.map(lambda values: values[::-1]) for name, track in tracks.items()}
        return cls(reverse_complement(codes), donor[::-1], acceptor[::-1], spread[::-1], turned, place)


def stretch_index(interval: Interval, positions: npt.ArrayLike, flank: int) -> Indices:
    """Where bases lie in a stretch that covers an interval and `flank` bases on either side of it.

    Parameters
    ----------
    interval
        0-based half-open, with its strand; the stretch starts `flank` bases before its first base in the direction of
        transcription, even where that is beyond the contig.
    positions
        1-based genomic coordinates, shape (n,).

    Returns
    -------
    int64, shape (n,)
        0-based indices into the stretch.
    """
    base = np.asarray(positions, dtype=np.int64) - 1
    return flank + (base - interval.start if interval.strand == "+" else interval.end - 1 - base)


def require_reach(index: Indices, before: int, after: int, length: int) -> None:
    """Raise ValueError unless `before` and `after` bases lie on the two sides of every index of a stretch."""
    if index.size and (int(index.min()) < before or int(index.max()) + after >= length):
        raise ValueError(
            f"rows need {before} bases before and {after} after them: indices {index.min()} to {index.max()} "
            f"of a stretch of {length} bases do not have them"
        )


def tiles(index: Indices) -> Iterator[RowChoice]:
    """Group rows whose bases lie near one another, so that memory is bounded for any stretch and any rows.

    Yields
    ------
    The rows (not the bases) of one tile of `TILE_BASES` bases: a slice where they are consecutive, else their numbers.
    """
    tile = index // TILE_BASES
    order = np.argsort(tile, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(tile[order])) + 1):
        if rows.size and int(rows[-1]) - int(rows[0]) + 1 == rows.size:
            yield slice(int(rows[0]), int(rows[-1]) + 1)
        elif rows.size:
            yield rows
