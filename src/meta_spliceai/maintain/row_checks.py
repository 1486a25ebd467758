"""What one pass over a dataset's rows finds, by code of the check, and the small tables that later checks compare.

The pass reads only the columns that the chosen checks need, row group by row group. What it keeps grows with the genes
and true sites of a dataset, never with its rows: at most `MOST_SITES` rows that are labelled as sites, a few lines per
gene and row group, and one offence per check and row group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from meta_spliceai.errors import first_few
from meta_spliceai.maintain.doubled_rows import DoubledRows
from meta_spliceai.maintain.findings import NotApplicableError
from meta_spliceai.maintain.light_reading import over_row_groups
from meta_spliceai.maintain.row_looks import (
    COUNTED,
    GENES_HAVE_VALUES,
    PLACE,
    ROWS_ARE_COUNTED,
    SITES_ARE_KEPT,
    RowLook,
    Seen,
)
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.enrichers import OWN_SCORES
from meta_spliceai.schema.features import ANNOTATION_FEATURES
from meta_spliceai.train.matrix import DatasetFolder

CONSTANT = (
    "gene_type",
    "gene_length",
    "gene_is_protein_coding",
    "num_overlaps",
    *(c.name for c in ANNOTATION_FEATURES),
)
"""Columns that have one value per gene."""

FURTHER_KEYS = {"transcript": ("transcript_id",), "splice_aware": ("transcript_id", "splice_type")}
"""What else tells rows apart, by position-id modes in which a site has a row for each transcript of its gene."""

MOST_SITES = 4_000_000
"""Rows labelled as sites that are kept for the checks against genome and annotation; a genome has under a million sites."""

_LABELS = ("splice_type", "is_donor", "is_acceptor")


def light_columns(table: Table) -> list[str]:
    """The columns that are no features, the scores of the row's own base, and what is constant within a gene."""
    few = {*OWN_SCORES, *CONSTANT}
    return [column.name for column in table if column.role != "feature" or column.name in few]


def needed_columns(table: Table, codes: Collection[str], mode: str) -> dict[str, tuple[str, ...]]:
    """The columns that each of the checks looks at, whether or not the dataset has them."""
    light = tuple(light_columns(table))
    key = (*PLACE, *FURTHER_KEYS.get(mode, ()))
    counts = dict.fromkeys(ROWS_ARE_COUNTED, COUNTED)
    sites = dict.fromkeys(SITES_ARE_KEPT, (*dict.fromkeys((*key, *_LABELS)),))
    constant = tuple(name for name in CONSTANT if name in table.names)
    values = dict.fromkeys(GENES_HAVE_VALUES, ("gene_id", "chrom", "strand", "position", *constant))
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
        if "DS012" in needed and dataset.one_row_per_unit:
            needed["DS012"] = PLACE
        self.lacking = {
            code: [n for n in names if n not in held] for code, names in needed.items() if not held.issuperset(names)
        }
        self._asked = {code for code in needed if code not in self.lacking}
        names = {name for code in self._asked for name in needed[code]}
        self.columns = [name for name in dataset.table.names if name in names]
        self.constant = [name for name in CONSTANT if name in held]
        self._counts: list[pl.DataFrame] = []
        self._values: list[pl.DataFrame] = []
        self._sites: list[pl.DataFrame] = []
        self.rows_of_sites = 0
        look = RowLook(
            self._asked,
            dataset.table.part(self.columns),
            self.mode,
            constant=tuple(self.constant),
            of_site=tuple(dict.fromkeys((*PLACE, *FURTHER_KEYS.get(self.mode, ()), *_LABELS))),
            key=needed.get("DS012", ()),
        )
        doubled = DoubledRows(look.key, across_genes=dataset.one_row_per_unit)
        for seen in over_row_groups(dataset, self.columns, look) if self.columns else ():
            self._keep(seen)
            if seen.keys is not None:
                doubled.add(seen.keys)
        if "DS012" in self._asked:
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

    def _keep(self, seen: Seen) -> None:
        for code, offence in seen.offences:
            self.problems.setdefault(code, []).append(offence)
        if seen.counts is not None:
            self._counts.append(seen.counts)
        if seen.values is not None:
            self._values.append(seen.values)
        if seen.sites is not None and self.rows_of_sites < MOST_SITES:
            self.rows_of_sites += seen.sites.height
            self._sites.append(seen.sites)


def _together(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames).with_columns(pl.col(pl.Categorical).cast(pl.String)) if frames else pl.DataFrame()
