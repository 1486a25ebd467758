"""What a finished dataset says about itself. Everything follows from its contents, so its bytes do too.

gene_manifest.csv     one row per gene
sampling_ledger.csv   one row per gene and tier
schema.json           every column: dtype, unit, role, origin, meaning
statistics.json       gene types, lengths, densities, labels, sampling, missing values
BUILD_INFO.md         options, inputs, versions, counts, how to read inclusion probabilities
README.md             the data card
croissant.json        all of it for other tools
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.candidates import SCORED_FROM
from meta_spliceai.build.croissant import croissant
from meta_spliceai.build.markdown import data_table, document, share, text
from meta_spliceai.build.sampling import CALLED, EASY, HARD, NEIGHBOURHOOD, SITE
from meta_spliceai.build.statistics import null_counts, statistics_of
from meta_spliceai.build.summary import Summary, headline
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import as_json
from meta_spliceai.schema.tables import DATASET_TIERS, NOT_CANDIDATE
from meta_spliceai.store.atomic import write_bytes, write_json, write_text
from meta_spliceai.store.folder import FileEntry, describe_file

LAYOUT_VERSION = 2

GENE_MANIFEST, STATISTICS, CROISSANT = "gene_manifest.csv", "statistics.json", "croissant.json"

_GENES_NAMED = 20


def write_documents(
    folder: Path, summary: Summary, batches: Sequence[FileEntry], *, gene_manifest: bool = True
) -> tuple[FileEntry, ...]:
    """Write all documents but the long ones.

    Parameters
    ----------
    folder, summary
        Where they go, and what they tell.
    batches
        The files of `master/`.
    gene_manifest
        Whether gene_manifest.csv is among them.

    Returns
    -------
    tuple
        The files written.
    """
    statistics = statistics_of(summary, null_counts((folder / file.name for file in batches), summary.table))
    rows: dict[str, int | None] = {}
    if gene_manifest:
        write_bytes(folder / GENE_MANIFEST, summary.genes.write_csv().encode())
        rows[GENE_MANIFEST] = summary.genes.height
    write_bytes(folder / "sampling_ledger.csv", summary.ledger.write_csv().encode())
    write_json(folder / "schema.json", as_json(summary.table))
    write_json(folder / STATISTICS, statistics)
    write_text(folder / "BUILD_INFO.md", build_info(summary, statistics))
    write_text(folder / "README.md", data_card(summary))
    rows |= {"sampling_ledger.csv": summary.ledger.height}
    others = ("schema.json", STATISTICS, "BUILD_INFO.md", "README.md")
    files = [describe_file(folder, name, n) for name, n in rows.items()] + [describe_file(folder, n) for n in others]
    write_json(folder / CROISSANT, croissant(summary, [*batches, *files]))
    return (*files, describe_file(folder, CROISSANT))


# ---- BUILD_INFO.md ---------------------------------------------------------------------------------------------------


def build_info(summary: Summary, statistics: Mapping[str, Any]) -> str:
    """How the dataset was made: options, inputs, versions and counts."""
    return document(
        "# How this dataset was built",
        "## Options",
        data_table(["option", "value"], options(summary)),
        "\n".join(f"- {note}." for note in summary.notes),
        "## Inputs",
        data_table(["input", "value"], _inputs(summary)),
        "## Software",
        data_table(["package", "version"], sorted(summary.software.items())),
        "## Genes",
        data_table(
            ["gene type", "genes", "rows", "distinct sites"],
            ((kind, n["genes"], n["rows"], n["splice_sites"]) for kind, n in statistics["gene_types"].items()),
        ),
        f"Median length {_median(statistics, 'gene_length')} nt, median density "
        f"{_median(statistics, 'splice_density_per_kb')} sites per 1,000 nt; `statistics.json` has the distributions.",
        _completeness(statistics),
        "## Rows by label and call",
        *(_counts(summary, column) for column in ("splice_type", "pred_type")),
        "## Sampling",
        _SAMPLING,
        _ledger_totals(summary),
        "Per gene: `sampling_ledger.csv`.",
        "## Inclusion probabilities",
        INCLUSION,
        _inclusion(summary),
        f"Weighted like this the rows stand for {summary.weighted_rows:,} bases; the gene bodies have {summary.bases:,}.",
        "## Boundary probe",
        _probe(summary.probe),
    )


def _median(statistics: Mapping[str, Any], name: str) -> str:
    median = statistics["per_gene"][name]["median"]
    return "–" if median is None else f"{median:,.2f}".removesuffix(".00")


def _completeness(statistics: Mapping[str, Any]) -> str:
    missing = {name: n for name, n in statistics["nulls"].items() if n["rows"]}
    if not missing:
        return "No column has a missing value."
    return (
        "Missing values: "
        + ", ".join(f"`{name}` in {100 * n['share']:.1f} % of the rows" for name, n in missing.items())
        + "."
    )


def options(summary: Summary) -> list[tuple[str, Any]]:
    """The options of the build with their values, the genes shortened."""
    given = {f"--{name.replace('_', '-')}": value for name, value in summary.parameters.items() if name != "gene_ids"}
    ids = list(summary.parameters["gene_ids"])
    shown = ", ".join(ids[:_GENES_NAMED]) + (
        f" … ({len(ids):,} in gene_manifest.csv)" if len(ids) > _GENES_NAMED else ""
    )
    return [*sorted(given.items()), ("genes", shown)]


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
    return data_table(
        [column, "rows", "share"], ((v, n, share(n, summary.rows)) for v, n in summary.counts[column].items())
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

INCLUSION = """\
`inclusion_probability` is the probability with which a row of its kind is in the dataset, over both stages. A sum over
the rows, each weighted by 1 / inclusion_probability, estimates the same sum over every base of the genes. Counts and
rates on the bare rows describe the sample, not the genome: negatives are rarer here than in nature."""


def _ledger_totals(summary: Summary) -> str:
    totals = summary.sampling
    rows = [(tier, *(totals[tier][name] for name in _LEDGER_COUNTS)) for tier in (*DATASET_TIERS, NOT_CANDIDATE)]
    sums = [sum(tier[name] for tier in totals.values()) for name in _LEDGER_COUNTS]
    return data_table(["tier", "seen", "kept", "dropped"], [*rows, ("all", *sums)])


_LEDGER_COUNTS = ("rows_seen", "rows_kept", "rows_dropped")


def _inclusion(summary: Summary) -> str:
    by_probability = sorted(((float(p), n) for p, n in summary.counts["inclusion_probability"].items()), reverse=True)
    return data_table(
        ["inclusion probability", "rows", "bases they stand for"],
        ((f"{p:.6g}", n, round(n / p)) for p, n in by_probability),
    )


def _probe(probe: Mapping[str, Any]) -> str:
    return (
        f"{probe['features_checked']:,} `de_novo` features of {len(probe['genes'])} genes "
        f"({text(probe['genes'])}) were computed again with both annotated ends of the gene moved. "
        f"Changed: {text(probe['changed'])}."
    )


# ---- README.md -------------------------------------------------------------------------------------------------------


def data_card(summary: Summary) -> str:
    """The data card: what the dataset is, holds, and can be used for."""
    sites = summary.genes.select(pl.col("donor_sites", "acceptor_sites").sum()).row(0, named=True)
    types = summary.genes["gene_type"].value_counts().sort("count", "gene_type", descending=[True, False])
    model = str(summary.base_model["name"])
    return document(
        f"# {summary.rows:,} rows of {summary.genes.height:,} genes: splice sites on {summary.build} as {model} sees them",
        f"{headline(summary)} See *Sampling*.",
        "## Contents",
        data_table(["gene type", "genes"], types.iter_rows()),
        _counts(summary, "splice_type"),
        _counts(summary, "pred_type"),
        f"The genes have {sites['donor_sites']:,} annotated donor and {sites['acceptor_sites']:,} acceptor positions; a "
        "base is labelled by the transcripts of every gene on its strand, so overlapping genes share labels.",
        "## Columns",
        f"{len(summary.table.columns):,} columns; `schema.json` describes each.",
        data_table(["role", "origin", "columns", "for example"], _columns(summary.table)),
        "Learn from columns of role `feature` only. Origins `sequence` and `base_score` know nothing of where the "
        "annotation says a gene begins and ends; `gene` and `annotation` do, so a gain from them is another claim.",
        "## Sampling",
        INCLUSION,
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
        f"{text(summary.base_model['training_chromosomes'])}: on genes there its scores are better than on new ones.",
    )


def _columns(table: Table) -> list[tuple[str, str, int, str]]:
    counts = Counter((column.role, column.origin) for column in table)
    first = {(column.role, column.origin): f"`{column.name}`" for column in reversed(table.columns)}
    return [(role, origin, n, first[role, origin]) for (role, origin), n in counts.items()]


_FILES = """\
- `master/*.parquet`: the rows, in reference order. Read these.
- `batch_*_trim.parquet`: the same files under the names of their batches; `batch_*_ledger.csv`: their sampling.
- `gene_manifest.csv`, `sampling_ledger.csv`, `schema.json`, `statistics.json`, `BUILD_INFO.md`, `manifest.json`
  (fingerprints and checksums); `croissant.json` describes all of it to other tools."""

_READING = """\
```python
import polars as pl

rows = pl.scan_parquet("master/*.parquet")
weight = 1 / pl.col("inclusion_probability")
print(rows.group_by("splice_type").agg(rows=pl.len(), bases=weight.sum()).collect())
```"""
