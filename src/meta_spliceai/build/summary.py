"""What the documents of a dataset tell, whoever writes them: the builder, a merge, a tool that mends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from meta_spliceai.build.markdown import text
from meta_spliceai.schema.column import Table


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything the documents tell.

    Parameters
    ----------
    build
        Genome build of the reference.
    base_model, base_pass
        What the base model says about itself, and the parameters of its pass.
    inputs, parameters, software
        As in the folder's manifest.
    table
        The dataset's columns.
    genes, ledger
        `GENE_MANIFEST_TABLE` and `LEDGER_TABLE`.
    counts
        Rows by value, by column: splice_type, pred_type, sampling_tier, inclusion_probability (as text).
    notes
        What a user should know about the choice of genes.
    probe
        Result of the boundary probe.
    """

    build: str
    base_model: Mapping[str, Any]
    base_pass: Mapping[str, Any]
    inputs: Mapping[str, str]
    parameters: Mapping[str, Any]
    software: Mapping[str, str]
    table: Table
    genes: pl.DataFrame
    ledger: pl.DataFrame
    counts: Mapping[str, Mapping[str, int]]
    notes: Sequence[str]
    probe: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """Rows of the dataset."""
        return int(self.genes["rows"].sum())

    @property
    def bases(self) -> int:
        """Bases of all gene bodies, each gene counted for itself."""
        return int(self.genes["gene_length"].sum())

    @property
    def weighted_rows(self) -> int:
        """Sum of 1 / inclusion_probability over the rows, rounded: an estimate of `bases`."""
        return round(sum(n / float(p) for p, n in self.counts["inclusion_probability"].items()))

    @property
    def sampling(self) -> dict[str, dict[str, int]]:
        """Rows seen, kept and dropped by tier, over all genes."""
        totals = self.ledger.group_by("sampling_tier").agg(pl.col("rows_seen", "rows_kept", "rows_dropped").sum())
        return {str(row.pop("sampling_tier")): row for row in totals.sort("sampling_tier").to_dicts()}

    @property
    def facts(self) -> dict[str, Any]:
        """What the folder's manifest says about the dataset as a whole."""
        labels = {column: dict(self.counts[column]) for column in ("splice_type", "pred_type")}
        base_pass = dict(self.base_pass)
        made_from = {"build": self.build, "base_model": dict(self.base_model), "base_pass": base_pass}
        return {"rows": self.rows, "genes": self.genes.height, "sampling": self.sampling, **labels, **made_from}


def headline(summary: Summary) -> str:
    """What the dataset is, in two sentences."""
    return (
        f"One row is one base of one gene on {summary.build}: its label, what the base model {summary.base_model['name']} "
        f"says about it and its surroundings, the sequence around it ({_kmers(summary)}), and what is known of its gene. "
        "Rows are a sample of the bases of each gene."
    )


def _kmers(summary: Summary) -> str:
    sizes = summary.parameters["kmer_sizes"]
    return f"k-mer counts for k = {text(sizes)}" if sizes else "no k-mer counts"
