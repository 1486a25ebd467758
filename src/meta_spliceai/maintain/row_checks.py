"""What one pass over a dataset's rows finds, by code of the check, and the small tables that later checks compare."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from meta_spliceai.genome.labels import NEITHER
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.features import ANNOTATION_FEATURES
from meta_spliceai.train.matrix import DatasetFolder, row_groups

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
TOLERANCE = 1e-5
"""Largest difference of a probability from what other columns say it is."""

_LOGIT_EDGE = 1e-7
_SAMPLED_PER_GROUP = 20
_ALWAYS_KEPT = ("site", "called")


class RowTally:
    """Offences and sums of all rows of a dataset, read once, row group by row group."""

    def __init__(self, dataset: DatasetFolder, seed: int) -> None:
        self.problems: dict[str, list[str]] = {}
        self._dataset, self._seed = dataset, seed
        held = set(dataset.table.names)
        self.constant = [name for name in CONSTANT if name in held]
        self._key = [name for name in ("gene_id", *UNIT, "transcript_id") if name in held]
        counts, values, sites, samples = [], [], [], []
        before: pl.DataFrame | None = None
        for path, group, frame in row_groups(dataset, dataset.table.names, checked=False):
            self._values(frame, f"{path.name}, row group {group}")
            self._rules(frame, path.name)
            self._doubled(frame, before)
            before = frame.tail(1)
            grouped = ["gene_id", "splice_type", "sampling_tier"]
            counts.append(
                frame.group_by(grouped).agg(rows=pl.len().cast(pl.Int64)).with_columns(part=pl.lit(path.name))
            )
            values.append(frame.select("gene_id", *self.constant).unique())
            sites.append(frame.filter(pl.col("splice_type") != NEITHER).select(*PLACE, "is_donor", "is_acceptor"))
            samples.append(frame.sample(min(_SAMPLED_PER_GROUP, frame.height), seed=seed + group))
        empty = dataset.table.empty()
        self.counts = pl.concat(counts) if counts else empty.select("gene_id", "splice_type", "sampling_tier")
        self.values = pl.concat(values).unique() if values else empty.select("gene_id", *self.constant)
        self.sites = pl.concat(sites) if sites else empty.select(*PLACE, "is_donor", "is_acceptor")
        self.sample = pl.concat(samples) if samples else empty

    def of(self, code: str) -> Iterator[str]:
        """The offences of one check."""
        yield from self.problems.get(code, ())

    def _note(self, code: str, offence: str) -> None:
        self.problems.setdefault(code, []).append(offence)

    def _values(self, frame: pl.DataFrame, where: str) -> None:
        for problem in problems_of(frame, self._dataset.table):
            self._note("DS007" if problem.endswith(" nulls") else "DS008", f"{problem} ({where})")

    def _rules(self, frame: pl.DataFrame, where: str) -> None:
        """Rules that a row alone must keep."""
        is_site = pl.col("splice_type") != NEITHER
        flags = pl.col("is_donor") | pl.col("is_acceptor")
        donor, acceptor = pl.col("donor_score"), pl.col("acceptor_score")
        inclusion = pl.col("inclusion_probability")
        rules = {
            "DS009": (is_site != flags)
            | ((pl.col("splice_type") == "donor") & ~pl.col("is_donor"))
            | ((pl.col("splice_type") == "acceptor") & ~pl.col("is_acceptor"))
            | (pl.col("pred_type").is_in(["TN"]) & is_site)
            | (pl.col("pred_type").is_in(["FN"]) & ~is_site),
            "DS013": ((donor + acceptor + pl.col("neither_score") - 1).abs() > TOLERANCE) & (donor + acceptor <= 1),
            "DS014": ((pl.col("score") - pl.max_horizontal(donor, acceptor)).abs() > TOLERANCE)
            | _other_logit("donor")
            | _other_logit("acceptor"),
            "DS017": inclusion.is_null()
            | inclusion.is_nan()
            | (inclusion <= 0)
            | (inclusion > 1)
            | (pl.col("sampling_tier").is_in(_ALWAYS_KEPT) & (inclusion != 1)),
        }
        if self._dataset.manifest.parameters.get("position_id_mode") == "splice_aware":
            del rules["DS009"]  # there the label is that of the row's own transcript
        marked = frame.select(*PLACE, **{code: rule.fill_null(True) for code, rule in rules.items()})
        totals = marked.select(pl.col(list(rules)).sum()).row(0, named=True)
        for code, total in totals.items():
            if total:
                first = marked.filter(pl.col(code)).row(0, named=True)
                self._note(code, f"{total} rows in {where}, such as {place(first)}")

    def _doubled(self, frame: pl.DataFrame, before: pl.DataFrame | None) -> None:
        keys = frame.select(self._key)
        if before is not None:
            keys = pl.concat([before.select(self._key), keys])
        doubled = keys.filter(keys.is_duplicated())
        if doubled.height:
            self._note("DS012", f"{doubled.height} rows, such as {place(doubled.row(0, named=True))}")


def place(row: dict[str, object]) -> str:
    """A row's place, for a message."""
    return f"{row['gene_id']} {row['chrom']}:{row['position']}({row['strand']})"


def _other_logit(channel: str) -> pl.Expr:
    p = pl.col(f"{channel}_score").cast(pl.Float64).clip(_LOGIT_EDGE, 1 - _LOGIT_EDGE)
    # near 1 a float32 probability determines its logit only roughly, so probabilities are compared
    from_logit = 1 / (1 + (-pl.col(f"{channel}_logit").cast(pl.Float64)).exp())
    return (from_logit - p).abs() > TOLERANCE
