"""The rows of anyone's score table, each put at its base of the genes that are measured.

Rows come in any order, so they are scattered into arrays over all bases of the genes. The arrays are files that are gone
when the work is done, and the table itself is read a batch at a time: memory holds a batch and a few bytes for each base.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.formats.score_table import ScoreTable
from meta_spliceai.genome.coordinates import STRANDS, Interval, merge_spans
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.reference.truth import Truth
from meta_spliceai.workers.progress import track

Floats = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

_CHUNK = 1 << 22
_SHIFTS = (-2, -1, 1, 2)
_FAINT, _CLEAR = 0.5, 0.2
"""Sites look shifted where a neighbour's mean score is `_CLEAR` at least, and the sites' own below `_FAINT` of that."""


@dataclass(frozen=True, slots=True)
class _Spans:
    """Merged gene bodies of one strand, 0-based half-open, and the place of the first base of each; shape (m,)."""

    starts: Index
    ends: Index
    first: Index


class GeneBases:
    """All bases of genes, each strand's once, numbered from 0.

    Parameters
    ----------
    genes
        Rows of `GENE_TABLE`.
    """

    def __init__(self, genes: pl.DataFrame) -> None:
        self.contigs: list[str] = genes["chrom"].unique(maintain_order=True).to_list()
        self._spans: dict[tuple[str, str], _Spans] = {}
        self.size = 0
        for (chrom, strand), here in genes.group_by("chrom", "strand", maintain_order=True):
            starts, ends = merge_spans(here["start"].to_numpy() - 1, here["end"].to_numpy())
            lengths = ends - starts
            self._spans[str(chrom), str(strand)] = _Spans(starts, ends, self.size + np.cumsum(lengths) - lengths)
            self.size += int(lengths.sum())

    def rows_of(self, where: Interval) -> slice:
        """The places of an interval that lies inside a gene body."""
        spans = self._spans[where.chrom, where.strand]
        span = int(np.searchsorted(spans.starts, where.start, side="right")) - 1
        first = int(spans.first[span] + where.start - spans.starts[span])
        return slice(first, first + where.length)

    def places(self, chrom: str, strand: str, position: Index) -> Index:
        """The place of each 1-based position; -1 outside the genes."""
        spans = self._spans.get((chrom, strand))
        if spans is None:
            return np.full(position.size, -1, dtype=np.int64)
        span = np.searchsorted(spans.starts, position - 1, side="right") - 1
        inside = (span >= 0) & (position - 1 < spans.ends[span])
        return np.where(inside, spans.first[span] + position - 1 - spans.starts[span], -1)

    def intervals(self) -> Iterator[tuple[Interval, slice]]:
        """The merged bodies, with their places."""
        for (chrom, strand), spans in self._spans.items():
            for start, end, first in zip(spans.starts, spans.ends, spans.first, strict=True):
                where = Interval(chrom, int(start), int(end), STRANDS[STRANDS.index(strand)])
                yield where, slice(int(first), int(first + end - start))


@dataclass(slots=True)
class RowCounts:
    """What became of a table's rows.

    Parameters
    ----------
    rows
        All of them.
    inside
        Those at bases of the genes, repeated ones included.
    outside
        Those at other bases of the reference's contigs.
    repeated
        Those that say again, for another gene, what an earlier row said of their base.
    unknown_contigs
        Rows on contigs on which no gene is measured, by the table's name of the contig.
    """

    rows: int = 0
    inside: int = 0
    outside: int = 0
    repeated: int = 0
    unknown_contigs: dict[str, int] = field(default_factory=dict)


class PlacedScores:
    """Scores of a table at the bases of genes; NaN where it has none.

    Parameters
    ----------
    table
        The table; all of it is read.
    bases
        Of the genes.
    scratch
        An empty folder for the arrays.

    Raises
    ------
    InputError
        A value that is none of its column, a base that stands twice, or a table without any base of the genes.
    """

    def __init__(self, table: ScoreTable, bases: GeneBases, scratch: Path) -> None:
        self.table, self.bases, self.counts = table, bases, RowCounts()
        self._scores = {
            f"{tool.name}_{kind}": _nans(scratch / f"{place}_{kind}.bin", bases.size)
            for place, tool in enumerate(table.tools)
            for kind in SITE_TYPES
        }
        self._listed = np.zeros(bases.size, dtype=bool)
        with track("reading scores", bases.size, "bases") as progress:
            for rows in table.batches():
                before = self.counts.inside - self.counts.repeated
                self._place(rows)
                progress.advance(self.counts.inside - self.counts.repeated - before)
        self._refuse_nothing()

    def of(self, where: Interval) -> dict[str, Floats]:
        """`{tool}_{kind}` of an interval inside a gene body, NaN where the table has none."""
        rows = self.bases.rows_of(where)
        return {name: np.array(values[rows]) for name, values in self._scores.items()}

    def lacking(self, rows: slice) -> BoolArray:
        """Which of some places lack a score of a tool and site type."""
        found = np.zeros(rows.stop - rows.start, dtype=bool)
        for values in self._scores.values():
            found |= np.isnan(values[rows])
        return found

    def count_lacking(self) -> int:
        """Bases that lack a score of a tool and site type."""
        starts = range(0, self.bases.size, _CHUNK)
        return sum(int(self.lacking(slice(at, min(at + _CHUNK, self.bases.size))).sum()) for at in starts)

    def _place(self, rows: pl.DataFrame) -> None:
        """Put the scores of a batch in their places."""
        self.counts.rows += rows.height
        matched = match_contigs(rows["chrom"].unique().to_list(), self.bases.contigs).to_genome
        for (name, strand), part in rows.group_by("chrom", "strand", maintain_order=True):
            chrom = matched.get(str(name))
            if chrom is None:
                held = self.counts.unknown_contigs
                held[str(name)] = held.get(str(name), 0) + part.height
                continue
            place = self.bases.places(chrom, str(strand), part["position"].to_numpy())
            self.counts.outside += int((place < 0).sum())
            self._scatter(part.filter(pl.Series(place >= 0)), place[place >= 0])

    def _scatter(self, rows: pl.DataFrame, place: Index) -> None:
        self.counts.inside += place.size
        order = np.argsort(place, kind="stable")
        place, rows = place[order], rows[order]
        again = self._listed[place]
        again[1:] |= place[1:] == place[:-1]
        if again.any():
            self._check_repeated(rows, place, again)
        new = ~again
        for name, values in self._scores.items():
            values[place[new]] = rows[name].filter(pl.Series(new)).fill_null(float("nan")).to_numpy()
        self._listed[place] = True

    def _check_repeated(self, rows: pl.DataFrame, place: Index, again: BoolArray) -> None:
        """A base may stand in a row for each of its genes if all of them say the same."""
        first = np.searchsorted(place, place)  # of rows sorted by place, the first one at the same base
        wrong = again.copy()
        if self.table.repeats_bases:
            self.counts.repeated += int(again.sum())
            wrong[:] = False
            for name, values in self._scores.items():
                own = rows[name].fill_null(float("nan")).to_numpy()
                said = np.where(self._listed[place], values[place], own[first])
                wrong |= again & (own != said) & ~(np.isnan(own) & np.isnan(said))
        if wrong.any():
            row = rows.row(int(np.flatnonzero(wrong)[0]), named=True)
            what = "other scores than an earlier row" if self.table.repeats_bases else "which an earlier row has, too"
            raise InputError(
                expected=f"each base (chrom, position, strand) once in {self.table.path}"
                + (", or with the same scores for each of its genes" if self.table.repeats_bases else ""),
                found=f"row {row['row']:,}: {row['chrom']}:{row['position']}:{row['strand']}, {what}",
                action="remove the rows that are too many, or join the scores of several tools into columns of one table",
            )

    def _refuse_nothing(self) -> None:
        counts = self.counts
        if counts.inside:
            return
        if counts.rows == 0:
            found = "no rows"
        elif counts.outside == 0:
            named = first_few(sorted(counts.unknown_contigs))
            found = (
                f"{counts.rows:,} rows, all on other contigs: {named}; the genes are on {first_few(self.bases.contigs)}"
            )
        else:
            found = f"{counts.rows:,} rows, all at other bases"
        raise InputError(
            expected=f"scores of bases of the chosen genes in {self.table.path}",
            found=found,
            action="check that table and reference are of the same genome build, and choose the genes that were scored with --genes",
        )


def _nans(path: Path, size: int) -> Floats:
    values: Floats = np.memmap(path, dtype=np.float32, mode="w+", shape=(size,))
    for first in range(0, size, _CHUNK):
        values[first : first + _CHUNK] = np.nan
    return values


def warn_of_shift(placed: PlacedScores, truth: Truth) -> str | None:
    """A warning where the scores stand beside the annotated sites and not at them, as in a table that counts from 0.

    It is only said: scores that were shifted to fit would be measured on a truth they had a hand in.
    """
    sums: dict[tuple[str, int], float] = {}
    sites = dict.fromkeys(SITE_TYPES, 0)
    for where, _ in placed.bases.intervals():
        scores = placed.of(where)
        for kind, flags in zip(SITE_TYPES, truth.on(where.chrom, where.strand, where.start, where.end), strict=True):
            at = np.flatnonzero(flags)
            sites[kind] += at.size
            for tool in placed.table.tools:
                name = f"{tool.name}_{kind}"
                for shift in (0, *_SHIFTS):
                    beside = at + shift
                    beside = beside[(beside >= 0) & (beside < where.length)]
                    total = float(np.nansum(scores[name][beside]))
                    sums[name, shift] = sums.get((name, shift), 0.0) + total
    for tool in placed.table.tools:
        for kind in SITE_TYPES:
            name, n = f"{tool.name}_{kind}", max(sites[kind], 1)
            best = max(_SHIFTS, key=lambda shift, name=name: sums.get((name, shift), 0.0))  # type: ignore[misc]
            own, other = sums.get((name, 0), 0.0) / n, sums.get((name, best), 0.0) / n
            if other >= _CLEAR and own < _FAINT * other:
                said = (
                    f"the {kind} scores of {tool.name} are {own:.2f} in the mean at annotated {kind}s, and {other:.2f} at the bases "
                    f"{abs(best)} {'after' if best > 0 else 'before'} them on the contig: the table seems to count positions in "
                    "another way. A donor is the last base of an exon, an acceptor the first base of the next, and positions count from 1"
                )
                log.warning("%s", said)
                return said
    return None
