"""How often motifs of the user's occur beside a base, on its strand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.features.enricher import Bases, ReferenceFacts
from meta_spliceai.features.evidence.windows import window_bounds, window_names
from meta_spliceai.features.stretch import Floats, tiles
from meta_spliceai.formats.motifs import Motif, read_motifs
from meta_spliceai.genome.sequences import Codes
from meta_spliceai.schema.column import Column
from meta_spliceai.store.fingerprint import file_sha256, fingerprint

NAME = "motifs"
WINDOWS = ((1, 50), (51, 200))
_REACH = 200


def motif_columns(name: str) -> tuple[Column, ...]:
    """The columns of a motif."""
    return tuple(
        Column(
            f"motif_{name}_{window}",
            pl.Float32,
            "feature",
            "external",
            f"occurrences of motif {name} wholly within {where} on the base's strand, overlapping ones counted",
            low=0.0,
        )
        for window, where in window_names(WINDOWS)
    )


class Motifs:
    """The enricher.

    Its columns are of origin external, for which motifs are counted is the user's knowledge, not the genome's.
    """

    name = NAME

    def __init__(self, *, files: tuple[Path, ...], reference: ReferenceFacts) -> None:
        del reference  # motifs belong to no genome
        if len(files) != 1:
            raise InputError("one file of motifs", f"{len(files)}", "put all motifs into one file")
        (self._path,) = files
        self._motifs = read_motifs(self._path)
        self.columns = tuple(column for motif in self._motifs for column in motif_columns(motif.name))

    @cached_property
    def identity(self) -> str:
        """From the file's content."""
        return fingerprint([NAME, file_sha256(self._path)])

    def compute(self, bases: Bases) -> Mapping[str, Floats]:
        """See `Enricher.compute`."""
        found = np.zeros((len(self.columns), bases.index.size), dtype=np.float32)
        for chosen in tiles(bases.index):
            index = bases.index[chosen]
            first = int(index.min()) - _REACH
            codes = bases.codes[first : int(index.max()) + _REACH + 1]
            place = 0
            for motif in self._motifs:
                before = _occurrences_before(codes, motif)
                for _, start, end in window_bounds(WINDOWS, index - first, "+"):
                    last = np.maximum(end - motif.length + 1, start)
                    found[place, chosen] = before[last] - before[start]
                    place += 1
        return dict(zip((column.name for column in self.columns), found, strict=True))


def _occurrences_before(codes: Codes, motif: Motif) -> npt.NDArray[np.int64]:
    """How many occurrences begin before each index; an occurrence needs room, so the last ones repeat. Shape (L + 1,)."""
    room = max(codes.size - motif.length + 1, 0)
    score = np.zeros(room)
    for offset, weights in enumerate(motif.weights):
        score += weights[codes[offset : offset + room]]
    before = np.zeros(codes.size + 1, dtype=np.int64)
    np.cumsum(score >= motif.threshold, out=before[1 : room + 1])
    before[room + 1 :] = before[room]
    return before
