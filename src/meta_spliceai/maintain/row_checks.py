"""What one pass over a dataset's rows finds, by code of the check, and the small tables that later checks compare.

The pass reads only the columns that the chosen checks need, row group by row group. What it keeps grows with the genes
and true sites of a dataset, never with its rows: at most `MOST_SITES` rows that are labelled as sites, a few lines per
gene and row group, and one offence per check and row group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from meta_spliceai.errors import first_few
from meta_spliceai.genome.labels import NEITHER
from meta_spliceai.maintain.doubled_rows import DoubledRows
from meta_spliceai.maintain.findings import NotApplicableError
from meta_spliceai.maintain.light_reading import light_row_groups
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.enrichers import OWN_SCORES
from meta_spliceai.schema.features import ANNOTATION_FEATURES
from meta_spliceai.train.matrix import DatasetFolder

UNIT = ("chrom", "strand", "position")
CONSTANT = (
    "gene_type",
    "gene_length",
    "gene_is_protein_coding",
    "num_overlaps",
    *(c.name for c in ANNOTATION_FEATURES),
)
"""Columns that have one value per gene."""

PLACE = ("gene_id", *UNIT)
FURTHER_KEYS = {"transcript": ("transcript_id",), "splice_aware": ("transcript_id", "splice_type")}
"""What else tells rows apart, by position-id modes in which a site has a row for each transcript of its gene."""

TOLERANCE = 1e-5
"""Largest difference of a probability from what other columns say it is."""

MOST_SITES = 4_000_000
"""Rows labelled as sites that are kept for the checks against genome and annotation; a genome has under a million sites."""

_LOGIT_EDGE = 1e-7
_ALWAYS_KEPT = ("site", "called")
_LABELS = ("splice_type", "is_donor", "is_acceptor")
_COUNTED = ("gene_id", "splice_type", "sampling_tier")
_SITES = ("DS010", "DS011", "DS016", "DS022")
_COUNTS = ("DS018", "DS019", "DS023")
_VALUES = ("DS020", "DS021", "DS026")


def light_columns(table: Table) -> list[str]:
    """The columns that are no features, the scores of the row's own base, and what is constant within a gene."""
    few = {*OWN_SCORES, *CONSTANT}
    return [column.name for column in table if column.role != "feature" or column.name in few]


def needed_columns(table: Table, codes: Collection[str], mode: str) -> dict[str, tuple[str, ...]]:
    """The columns that each of the checks looks at, whether or not the dataset has them."""
    light = tuple(light_columns(table))
    key = (*PLACE, *FURTHER_KEYS.get(mode, ()))
    counts = dict.fromkeys(_COUNTS, _COUNTED)
    sites = dict.fromkeys(_SITES, (*dict.fromkeys((*key, *_LABELS)),))
    constant = tuple(name for name in CONSTANT if name in table.names)
    values = dict.fromkeys(_VALUES, ("gene_id", "chrom", "strand", "position", *constant))
    by_code: dict[str, tuple[str, ...]] = {
        "DS007": light,
        "DS008": light,
        "DS009": (*PLACE, *_LABELS, "pred_type"),
        "DS012": key,
        "DS013": (*PLACE, "donor_score", "acceptor_score", "neither_score"),
        "DS014": (*PLACE, "donor_score", "acceptor_score", "score", "donor_logit", "acceptor_logit"),
        "DS017": (*PLACE, "sampling_tier", "inclusion_probability"),
        "DS027": (*key, "unit_rows"),
        **counts,
        **sites,
        **values,
    }
    return {code: names for code, names in by_code.items() if code in codes}


class RowTally:
    """Offences and sums of all rows of a dataset, read once, row group by row group.

    Parameters
    ----------
    dataset
        The dataset.
    codes
        The checks that will ask; only what they need is read.

    Attributes
    ----------
    columns
        What was read.
    problems
        Offences by code.
    lacking
        By code, the columns that the dataset has not.
    counts
        Rows by part (the file's name), gene_id, splice_type and sampling_tier.
    values
        By gene and row group: the first values of what should be constant in the gene, the lowest and highest position,
        and `varying`, the names of what is not constant, separated by commas.
    sites
        Place and flags of the rows labelled as sites, the first `MOST_SITES` of them.
    """

    def __init__(self, dataset: DatasetFolder, codes: Collection[str]) -> None:
        self.problems: dict[str, list[str]] = {}
        self.mode = str(dataset.manifest.parameters.get("position_id_mode", "genomic"))
        held = set(dataset.table.names)
        needed = needed_columns(dataset.table, codes, self.mode)
        if "DS012" in needed and "position_id_mode" not in dataset.manifest.parameters:
            # earlier datasets have a row for each transcript and type of a site, and do not say so
            needed["DS012"] = tuple(name for name in (*PLACE, *FURTHER_KEYS["splice_aware"]) if name in held)
        self.lacking = {
            code: [n for n in names if n not in held] for code, names in needed.items() if not held.issuperset(names)
        }
        self._asked = {code for code in needed if code not in self.lacking}
        names = {name for code in self._asked for name in needed[code]}
        self.columns = [name for name in dataset.table.names if name in names]
        self._light = dataset.table.part(self.columns)
        self.constant = [name for name in CONSTANT if name in held]
        self._of_site = list(dict.fromkeys((*PLACE, *FURTHER_KEYS.get(self.mode, ()), *_LABELS)))
        self._counts: list[pl.DataFrame] = []
        self._values: list[pl.DataFrame] = []
        self._sites: list[pl.DataFrame] = []
        self.rows_of_sites = 0
        doubled = DoubledRows(needed["DS012"]) if "DS012" in self._asked else None
        for path, group, frame in light_row_groups(dataset, self.columns) if self.columns else ():
            where = f"{path.name}, row group {group}"
            self._look_at_values(frame, where)
            self._look_at_rows(frame, where)
            self._look_at_units(frame, where)
            self._gather(frame, path.name)
            if doubled is not None:
                doubled.add(path, group, frame)
        if doubled is not None:
            self.problems["DS012"] = list(doubled.found(dataset))
        self.counts = _together(self._counts)
        self.values = _together(self._values)
        self.sites = _together(self._sites)

    def of(self, code: str) -> Iterator[str]:
        """The offences of one check."""
        self.require(code)
        yield from self.problems.get(code, ())

    def require(self, code: str) -> None:
        """Raise `NotApplicableError` where the dataset has not the columns that a check needs."""
        if code in self.lacking:
            raise NotApplicableError(f"the dataset has no {first_few(self.lacking[code])}")

    def _note(self, code: str, offence: str) -> None:
        self.problems.setdefault(code, []).append(offence)

    def _look_at_values(self, frame: pl.DataFrame, where: str) -> None:
        if not self._asked & {"DS007", "DS008"}:
            return
        for problem in problems_of(frame, self._light):
            self._note("DS007" if problem.endswith(" nulls") else "DS008", f"{problem} ({where})")

    def _look_at_rows(self, frame: pl.DataFrame, where: str) -> None:
        """Rules that a row alone must keep."""
        rules = {code: rule.fill_null(True) for code, rule in _row_rules(self.mode).items() if code in self._asked}
        if not rules:
            return
        totals = frame.select(**{code: rule.sum() for code, rule in rules.items()}).row(0, named=True)
        for code, total in totals.items():
            if total:
                first = frame.filter(rules[code]).row(0, named=True)
                self._note(code, f"{total} rows in {where}, such as {place(first)}")

    def _look_at_units(self, frame: pl.DataFrame, where: str) -> None:
        """The rows of a base lie together, but the last base of a row group may go on in the next one."""
        if "DS027" not in self._asked:
            return
        said = pl.col("unit_rows")
        units = frame.group_by(PLACE).agg(wrong=(said != pl.len()).any())
        edges = pl.concat([frame.head(1), frame.tail(1)]).select(PLACE)
        bad = units.filter("wrong").join(edges, on=PLACE, how="anti")
        if bad.height:
            self._note("DS027", f"{bad.height} bases in {where}, such as {place(bad.row(0, named=True))}")

    def _gather(self, frame: pl.DataFrame, part: str) -> None:
        if self._asked.intersection(_COUNTS):
            counted = frame.group_by(_COUNTED).agg(rows=pl.len().cast(pl.Int64))
            self._counts.append(_compact(counted.with_columns(part=pl.lit(part))))
        if self._asked.intersection(_VALUES):
            self._values.append(_compact(_values_by_gene(frame, self.constant)))
        if self._asked.intersection(_SITES) and self.rows_of_sites < MOST_SITES:
            labelled = frame.filter((pl.col("splice_type") != NEITHER) | pl.col("is_donor") | pl.col("is_acceptor"))
            self.rows_of_sites += labelled.height
            self._sites.append(_compact(labelled.select(self._of_site)))


def place(row: dict[str, object]) -> str:
    """A row's place, for a message."""
    return f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"


def _values_by_gene(frame: pl.DataFrame, constant: list[str]) -> pl.DataFrame:
    """One line per gene: its first constant values, its first and last position, and which values vary in it.

    Rows of a gene lie together, so only where a value or the gene changes from one row to the next is looked at.
    """
    names = ["chrom", "strand", *constant]
    changes = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in ("gene_id", *names))
    first_rows = frame.filter(changes | (pl.int_range(pl.len()) == 0))
    first = first_rows.group_by("gene_id", maintain_order=True).agg(
        pl.col(names).first(),
        varying=pl.concat_str(
            [pl.when(pl.col(name).n_unique() > 1).then(pl.lit(name)) for name in names],
            separator=",",
            ignore_nulls=True,
        ),
    )
    spans = frame.group_by("gene_id").agg(lowest=pl.col("position").min(), highest=pl.col("position").max())
    return first.join(spans, on="gene_id", how="left", nulls_equal=True)


def _compact(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without hold on the text of the row group that it was taken from."""
    return frame.with_columns(pl.col(pl.String).cast(pl.Categorical))


def _together(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames).with_columns(pl.col(pl.Categorical).cast(pl.String)) if frames else pl.DataFrame()


def _row_rules(mode: str) -> dict[str, pl.Expr]:
    """Offending rows, by code."""
    is_site = pl.col("splice_type") != NEITHER
    other_flag = ((pl.col("splice_type") == "donor") & ~pl.col("is_donor")) | (
        (pl.col("splice_type") == "acceptor") & ~pl.col("is_acceptor")
    )
    other_label = is_site != (pl.col("is_donor") | pl.col("is_acceptor"))
    other_call = ((pl.col("pred_type") == "TN") & is_site) | ((pl.col("pred_type") == "FN") & ~is_site)
    donor, acceptor = pl.col("donor_score"), pl.col("acceptor_score")
    inclusion = pl.col("inclusion_probability")
    return {
        # in splice_aware the label is that of the row's own transcript, the flags are those of all
        "DS009": other_flag if mode == "splice_aware" else other_label | other_flag | other_call,
        "DS013": ((donor + acceptor + pl.col("neither_score") - 1).abs() > TOLERANCE) & (donor + acceptor <= 1),
        "DS014": ((pl.col("score") - pl.max_horizontal(donor, acceptor)).abs() > TOLERANCE)
        | _other_logit("donor")
        | _other_logit("acceptor"),
        "DS017": inclusion.is_nan()
        | (inclusion <= 0)
        | (inclusion > 1)
        | (pl.col("sampling_tier").is_in(_ALWAYS_KEPT) & (inclusion != 1)),
    }


def _other_logit(channel: str) -> pl.Expr:
    # near 1 a float32 probability determines its logit only roughly, so probabilities are compared
    p = pl.col(f"{channel}_score").clip(_LOGIT_EDGE, 1 - _LOGIT_EDGE)
    return (1 / (1 + (-pl.col(f"{channel}_logit")).exp()) - p).abs() > TOLERANCE
