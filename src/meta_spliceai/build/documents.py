"""What a finished dataset says about itself. Everything follows from its contents, so its bytes do too.

gene_manifest.csv     one row per gene
sampling_ledger.csv   one row per gene and tier
schema.json           every column: dtype, unit, role, origin, meaning
BUILD_INFO.md         options, inputs, versions, counts, how to read inclusion probabilities
README.md             the data card
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.candidates import SCORED_FROM
from meta_spliceai.build.sampling import CALLED, EASY, HARD, NEIGHBOURHOOD, SITE
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import as_json
from meta_spliceai.schema.tables import DATASET_TIERS, NOT_CANDIDATE
from meta_spliceai.store.atomic import write_bytes, write_json, write_text

LAYOUT_VERSION = 1

_GENES_NAMED = 20


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


def write_documents(folder: Path, summary: Summary) -> dict[str, int | None]:
    """Write all documents; returns their names, with the number of rows for tables."""
    write_bytes(folder / "gene_manifest.csv", summary.genes.write_csv().encode())
    write_bytes(folder / "sampling_ledger.csv", summary.ledger.write_csv().encode())
    write_json(folder / "schema.json", as_json(summary.table))
    write_text(folder / "BUILD_INFO.md", build_info(summary))
    write_text(folder / "README.md", data_card(summary))
    return {
        "gene_manifest.csv": summary.genes.height,
        "sampling_ledger.csv": summary.ledger.height,
        "schema.json": None,
        "BUILD_INFO.md": None,
        "README.md": None,
    }


# ---- Markdown --------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"


def _document(*blocks: str) -> str:
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


# ---- BUILD_INFO.md ---------------------------------------------------------------------------------------------------


def build_info(summary: Summary) -> str:
    """How the dataset was made: options, inputs, versions and counts."""
    return _document(
        "# How this dataset was built",
        "## Options",
        _table(["option", "value"], _options(summary)),
        "\n".join(f"- {note}." for note in summary.notes),
        "## Inputs",
        _table(["input", "value"], _inputs(summary)),
        "## Software",
        _table(["package", "version"], sorted(summary.software.items())),
        "## Rows by label and call",
        *(_counts(summary, column) for column in ("splice_type", "pred_type")),
        "## Sampling",
        _SAMPLING,
        _ledger_totals(summary),
        "Per gene: `sampling_ledger.csv`.",
        "## Inclusion probabilities",
        _INCLUSION,
        _inclusion(summary),
        f"Weighted like this the rows stand for {summary.weighted_rows:,} bases; the gene bodies have {summary.bases:,}.",
        "## Boundary probe",
        _probe(summary.probe),
    )


def _options(summary: Summary) -> list[tuple[str, Any]]:
    options = {f"--{name.replace('_', '-')}": value for name, value in summary.parameters.items() if name != "gene_ids"}
    ids = list(summary.parameters["gene_ids"])
    shown = ", ".join(ids[:_GENES_NAMED]) + (
        f" … ({len(ids):,} in gene_manifest.csv)" if len(ids) > _GENES_NAMED else ""
    )
    return [*sorted(options.items()), ("genes", shown)]


def _inputs(summary: Summary) -> list[tuple[str, Any]]:
    described = {f"base model {name.replace('_', ' ')}": value for name, value in sorted(summary.base_model.items())}
    rule = {f"base pass {name.replace('_', ' ')}": value for name, value in sorted(summary.base_pass["rule"].items())}
    return [
        ("genome build", summary.build),
        ("reference fingerprint", summary.inputs["reference"]),
        ("base pass fingerprint", summary.inputs["base_pass"]),
        *described.items(),
        ("base pass flank", summary.base_pass["flank"]),
        *rule.items(),
    ]


def _counts(summary: Summary, column: str) -> str:
    return _table(
        [column, "rows", "share"], ((v, n, _share(n, summary.rows)) for v, n in summary.counts[column].items())
    )


_SAMPLING = f"""\
The base pass keeps every true site, every called base, every base with a score of at least {SCORED_FROM} and a random
share of the others (`{NOT_CANDIDATE}`: bases it did not keep). The builder then trims the true negatives; the first tier
that fits counts.

- `{SITE}`: a true splice site. Never dropped.
- `{CALLED}`: called by the base model, and no true site. Never dropped.
- `{HARD}`: a true negative with a score above --hard-prob. Never dropped.
- `{NEIGHBOURHOOD}`: a true negative within --window nt of a true site of its gene. Never dropped.
- `{EASY}`: any other true negative; a share --easy-ratio is kept, chosen by a hash of seed, gene and position."""

_INCLUSION = """\
`inclusion_probability` is the probability with which a row of its kind is in the dataset, over both stages. A sum over
the rows, each weighted by 1 / inclusion_probability, estimates the same sum over every base of the genes. Counts and
rates on the bare rows describe the sample, not the genome: negatives are rarer here than in nature."""


def _ledger_totals(summary: Summary) -> str:
    totals = summary.sampling
    rows = [(tier, *(totals[tier][name] for name in _LEDGER_COUNTS)) for tier in (*DATASET_TIERS, NOT_CANDIDATE)]
    sums = [sum(tier[name] for tier in totals.values()) for name in _LEDGER_COUNTS]
    return _table(["tier", "seen", "kept", "dropped"], [*rows, ("all", *sums)])


_LEDGER_COUNTS = ("rows_seen", "rows_kept", "rows_dropped")


def _inclusion(summary: Summary) -> str:
    by_probability = sorted(((float(p), n) for p, n in summary.counts["inclusion_probability"].items()), reverse=True)
    return _table(
        ["inclusion probability", "rows", "bases they stand for"],
        ((f"{p:.6g}", n, round(n / p)) for p, n in by_probability),
    )


def _probe(probe: Mapping[str, Any]) -> str:
    return (
        f"{probe['features_checked']:,} `de_novo` features of {len(probe['genes'])} genes "
        f"({_text(probe['genes'])}) were computed again with both annotated ends of the gene moved. "
        f"Changed: {_text(probe['changed'])}."
    )


# ---- README.md -------------------------------------------------------------------------------------------------------


def data_card(summary: Summary) -> str:
    """The data card: what the dataset is, holds, and can be used for."""
    sites = summary.genes.select(pl.col("donor_sites", "acceptor_sites").sum()).row(0, named=True)
    types = summary.genes["gene_type"].value_counts().sort("count", "gene_type", descending=[True, False])
    model = str(summary.base_model["name"])
    return _document(
        f"# {summary.rows:,} rows of {summary.genes.height:,} genes: splice sites on {summary.build} as {model} sees them",
        f"One row is one base of one gene: its label, what the base model {model} says about it and its surroundings, "
        f"the sequence around it ({_kmers(summary)}), and what is known of its gene. Rows are a sample of the bases of "
        "each gene; see *Sampling*.",
        "## Contents",
        _table(["gene type", "genes"], types.iter_rows()),
        _counts(summary, "splice_type"),
        _counts(summary, "pred_type"),
        f"The genes have {sites['donor_sites']:,} annotated donor and {sites['acceptor_sites']:,} acceptor positions; a "
        "base is labelled by the transcripts of every gene on its strand, so overlapping genes share labels.",
        "## Columns",
        f"{len(summary.table.columns):,} columns; `schema.json` describes each.",
        _table(["role", "origin", "columns", "for example"], _columns(summary.table)),
        "Learn from columns of role `feature` only. Origins `sequence` and `base_score` know nothing of where the "
        "annotation says a gene begins and ends; `gene` and `annotation` do, so a gain from them is another claim.",
        "## Sampling",
        _INCLUSION,
        f"`BUILD_INFO.md` counts what was kept and dropped. Rows {summary.rows:,}, standing for "
        f"{summary.weighted_rows:,} of {summary.bases:,} bases.",
        "## Files",
        _FILES,
        "## Reading it",
        _READING,
        "## Terms",
        f"The scores come from {model}, whose weights have their own terms: {summary.base_model['licence']}. The labels "
        "come from the annotation of the reference and are under its terms.",
        f"{model} was trained on {summary.base_model['training_build']}, chromosomes "
        f"{_text(summary.base_model['training_chromosomes'])}: on genes there its scores are better than on new ones.",
    )


def _kmers(summary: Summary) -> str:
    sizes = summary.parameters["kmer_sizes"]
    return f"k-mer counts for k = {_text(sizes)}" if sizes else "no k-mer counts"


def _columns(table: Table) -> list[tuple[str, str, int, str]]:
    counts = Counter((column.role, column.origin) for column in table)
    first = {(column.role, column.origin): f"`{column.name}`" for column in reversed(table.columns)}
    return [(role, origin, n, first[role, origin]) for (role, origin), n in counts.items()]


_FILES = """\
- `master/*.parquet`: the rows, in reference order. Read these.
- `batch_*_trim.parquet`: the same files under the names of their batches; `batch_*_ledger.csv`: their sampling.
- `gene_manifest.csv`, `sampling_ledger.csv`, `schema.json`, `BUILD_INFO.md`, `manifest.json` (fingerprints and
  checksums)."""

_READING = """\
```python
import polars as pl

rows = pl.scan_parquet("master/*.parquet")
weight = 1 / pl.col("inclusion_probability")
print(rows.group_by("splice_type").agg(rows=pl.len(), bases=weight.sum()).collect())
```"""
