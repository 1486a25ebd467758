"""What one row group of a dataset shows: offences of its rows, and the small tables that are put together of all groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.genome.labels import NEITHER
from meta_spliceai.maintain.doubled_rows import KeysOfGroup
from meta_spliceai.maintain.runs import GeneRuns, changes
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.column import Table

UNIT = ("chrom", "strand", "position")
PLACE = ("gene_id", *UNIT)

TOLERANCE = 1e-5
"""Largest difference of a probability from what other columns say it is."""

COUNTED = ("gene_id", "splice_type", "sampling_tier")
ROWS_ARE_COUNTED = ("DS018", "DS019", "DS023")
GENES_HAVE_VALUES = ("DS020", "DS021", "DS026")
SITES_ARE_KEPT = ("DS010", "DS011", "DS016", "DS022")

_LOGIT_EDGE = 1e-7
_ALWAYS_KEPT = ("site", "called")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row group shows.

    Parameters
    ----------
    offences
        Code of the check and the offence.
    counts, values, sites
        As `row_checks.RowTally` has them, of this row group; None where no check asks.
    keys
        What finds doubled rows; None where no check asks.
    """

    offences: tuple[tuple[str, str], ...]
    counts: pl.DataFrame | None
    values: pl.DataFrame | None
    sites: pl.DataFrame | None
    keys: KeysOfGroup | None


@dataclass(frozen=True, slots=True)
class RowLook:
    """How a row group is looked at; looking changes nothing, so several may be looked at at once.

    Parameters
    ----------
    codes
        The checks that ask, whose columns are there.
    table
        The columns that are read.
    mode
        Position-id mode of the dataset.
    constant
        Columns that should have one value per gene.
    of_site
        Columns that are kept of rows labelled as sites.
    key
        What tells rows apart.
    """

    codes: Collection[str]
    table: Table
    mode: str
    constant: tuple[str, ...]
    of_site: tuple[str, ...]
    key: tuple[str, ...]

    def __call__(self, path: Path, group: int, frame: pl.DataFrame) -> Seen:
        """Look at the rows of a row group of a file."""
        where = f"{path.name}, row group {group}"
        has_runs = self._asks(GENES_HAVE_VALUES) or "DS012" in self.codes
        runs = GeneRuns.of(frame["gene_id"]) if has_runs else None
        return Seen(
            (*self._values(frame, where), *self._rules(frame, where), *self._units(frame, where)),
            self._counts(frame, path.name) if self._asks(ROWS_ARE_COUNTED) else None,
            _values_by_gene(frame, runs, self.constant) if runs is not None and self._asks(GENES_HAVE_VALUES) else None,
            self._labelled(frame) if self._asks(SITES_ARE_KEPT) else None,
            KeysOfGroup.of(path, group, frame.select(self.key), runs)
            if runs is not None and "DS012" in self.codes
            else None,
        )

    def _asks(self, codes: Collection[str]) -> bool:
        return any(code in self.codes for code in codes)

    def _values(self, frame: pl.DataFrame, where: str) -> Iterator[tuple[str, str]]:
        for problem in problems_of(frame, self.table) if self._asks(("DS007", "DS008")) else ():
            yield ("DS007" if problem.endswith(" nulls") else "DS008"), f"{problem} ({where})"

    def _rules(self, frame: pl.DataFrame, where: str) -> Iterator[tuple[str, str]]:
        """Rules that a row alone must keep."""
        rules = {code: rule.fill_null(True) for code, rule in _row_rules(self.mode).items() if code in self.codes}
        totals = frame.select(**{code: rule.sum() for code, rule in rules.items()}).rows(named=True)
        for code, total in totals[0].items() if totals else ():
            if total:
                first = frame.filter(rules[code]).row(0, named=True)
                yield code, f"{total} rows in {where}, such as {place(first)}"

    def _units(self, frame: pl.DataFrame, where: str) -> Iterator[tuple[str, str]]:
        """The rows of a base lie together, but the last base of a row group may go on in the next one."""
        if "DS027" not in self.codes:
            return
        said = pl.col("unit_rows")
        units = frame.group_by(PLACE).agg(wrong=(said != pl.len()).any())
        edges = pl.concat([frame.head(1), frame.tail(1)]).select(PLACE)
        bad = units.filter("wrong").join(edges, on=PLACE, how="anti")
        if bad.height:
            yield "DS027", f"{bad.height} bases in {where}, such as {place(bad.row(0, named=True))}"

    def _counts(self, frame: pl.DataFrame, part: str) -> pl.DataFrame:
        counted = frame.group_by(COUNTED).agg(rows=pl.len().cast(pl.Int64))
        return _compact(counted.with_columns(part=pl.lit(part)))

    def _labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows labelled as sites; a place that is not whole is told by DS007, and cannot be looked up."""
        is_labelled = (pl.col("splice_type") != NEITHER) | pl.col("is_donor") | pl.col("is_acceptor")
        return _compact(frame.filter(is_labelled).drop_nulls(PLACE).select(self.of_site))


def place(row: dict[str, object]) -> str:
    """A row's place, for a message."""
    return f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"


def _values_by_gene(frame: pl.DataFrame, runs: GeneRuns, constant: tuple[str, ...]) -> pl.DataFrame:
    """One line per gene: its first constant values, its first and last position, and which values vary in it.

    Rows of a gene lie together, so only where a value or the gene changes from one row to the next is looked at.
    """
    names = ["chrom", "strand", *constant]
    changed = changes([frame[name] for name in names])
    changed[runs.starts] = True
    first = (
        frame.filter(pl.Series(changed))
        .group_by("gene_id", maintain_order=True)
        .agg(
            pl.col(names).first(),
            varying=pl.concat_str(
                [pl.when(pl.col(name).n_unique() > 1).then(pl.lit(name)) for name in names],
                separator=",",
                ignore_nulls=True,
            ),
        )
    )
    spans = runs.spans(frame["position"]).group_by("gene_id").agg(pl.col("lowest").min(), pl.col("highest").max())
    return _compact(first.join(spans, on="gene_id", how="left", nulls_equal=True))


def _compact(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without hold on the text of the row group that it was taken from."""
    return frame.with_columns(pl.col(pl.String).cast(pl.Categorical))


def _row_rules(mode: str) -> dict[str, pl.Expr]:
    """Offending rows, by code."""
    is_site = pl.col("splice_type") != NEITHER
    other_flag = ((pl.col("splice_type") == "donor") & ~pl.col("is_donor")) | (
        (pl.col("splice_type") == "acceptor") & ~pl.col("is_acceptor")
    )
    other_label = is_site != (pl.col("is_donor") | pl.col("is_acceptor"))
    other_call = ((pl.col("pred_type") == "TN") & is_site) | ((pl.col("pred_type") == "FN") & ~is_site)
    donor, acceptor = pl.col("donor_score"), pl.col("acceptor_score")
    inclusion, tier = pl.col("inclusion_probability"), pl.col("sampling_tier")
    # a few comparisons of text take a third of the time of `is_in`
    always_kept = pl.any_horizontal(tier == name for name in _ALWAYS_KEPT)
    return {
        # in splice_aware the label is that of the row's own transcript, the flags are those of all
        "DS009": other_flag if mode == "splice_aware" else other_label | other_flag | other_call,
        "DS013": ((donor + acceptor + pl.col("neither_score") - 1).abs() > TOLERANCE) & (donor + acceptor <= 1),
        "DS014": ((pl.col("score") - pl.max_horizontal(donor, acceptor)).abs() > TOLERANCE)
        | _other_logit("donor")
        | _other_logit("acceptor"),
        "DS017": inclusion.is_nan() | (inclusion <= 0) | (inclusion > 1) | (always_kept & (inclusion != 1)),
    }


def _other_logit(channel: str) -> pl.Expr:
    # near 1 a float32 probability determines its logit only roughly, so probabilities are compared
    p = pl.col(f"{channel}_score").clip(_LOGIT_EDGE, 1 - _LOGIT_EDGE)
    return (1 / (1 + (-pl.col(f"{channel}_logit")).exp()) - p).abs() > TOLERANCE
