"""The long documents of a dataset, written on request: its profile, its technical specification, a script that validates it.

dataset_profile.md     what is in it: genes, sites, labels, sampling, completeness, and what to keep in mind
technical_spec.md      how it is laid out: files, columns, types, bounds, how it was made and can be made again
validate_dataset.py    checks the folder with nothing but Python and pyarrow
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from meta_spliceai.build import validate_dataset
from meta_spliceai.build.documents import INCLUSION, options
from meta_spliceai.build.markdown import data_table, document, share
from meta_spliceai.build.summary import Summary, headline
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.describe import dtype_name
from meta_spliceai.schema.features import kmer_size
from meta_spliceai.store.atomic import write_bytes, write_text
from meta_spliceai.store.tables import row_group_rows

_QUANTILES = ("min", "quarter", "median", "three_quarters", "max", "mean")
_PER_GENE = {
    "gene_length": "length in nt",
    "splice_density_per_kb": "sites per 1,000 nt",
    "total_splice_sites": "distinct site positions",
    "transcript_site_rows": "pairs of site and transcript",
    "rows": "rows in the dataset",
}


def write_profile(folder: Path, summary: Summary, statistics: Mapping[str, Any]) -> list[str]:
    """Write the three files; returns their names."""
    write_text(folder / "dataset_profile.md", dataset_profile(summary, statistics))
    write_text(folder / "technical_spec.md", technical_spec(summary))
    write_bytes(folder / "validate_dataset.py", Path(validate_dataset.__file__).read_bytes())
    return ["dataset_profile.md", "technical_spec.md", "validate_dataset.py"]


def dataset_profile(summary: Summary, statistics: Mapping[str, Any]) -> str:
    """What is in the dataset, for somebody who decides whether to use it."""
    rows = summary.rows
    return document(
        f"# Profile: {rows:,} rows of {summary.genes.height:,} genes on {summary.build}",
        headline(summary),
        "## Genes",
        data_table(["gene type", "genes", "rows", "distinct sites"], _counted(statistics["gene_types"])),
        data_table(["contig", "genes", "rows", "distinct sites"], _counted(statistics["contigs"])),
        data_table(["strand", "genes", "rows", "distinct sites"], _counted(statistics["strands"])),
        f"Genes without a splice site: {statistics['genes_without_sites']:,}; without a row: "
        f"{statistics['genes_without_rows']:,}.",
        "## Each gene",
        data_table(["", *(name.replace("_", " ") for name in _QUANTILES)], _distributions(statistics["per_gene"])),
        "## Labels and calls",
        *(
            data_table([column, "rows", "share"], ((v, n, share(n, rows)) for v, n in statistics[column].items()))
            for column in ("splice_type", "pred_type")
        ),
        "Errors of the base model are the rows called FP and FN: a meta-model learns from these before all others.",
        "## Sampling",
        data_table(
            ["tier", "seen", "kept", "dropped"],
            ((tier, n["rows_seen"], n["rows_kept"], n["rows_dropped"]) for tier, n in statistics["sampling"].items()),
        ),
        f"Of the candidate rows of the base pass {_percent(statistics['kept_share_of_candidates'])} are kept, of all bases "
        f"of the gene bodies {_percent(statistics['kept_share_of_bases'])}.",
        INCLUSION,
        "## Completeness",
        _completeness(statistics["nulls"], rows),
        "## Keep in mind",
        _KEEP_IN_MIND,
    )


def _counted(counts: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, int, int, int]]:
    return ((value, n["genes"], n["rows"], n["splice_sites"]) for value, n in counts.items())


def _distributions(per_gene: Mapping[str, Mapping[str, float | None]]) -> Iterator[tuple[str, ...]]:
    for name, title in _PER_GENE.items():
        yield (title, *(_number(per_gene[name][quantile]) for quantile in _QUANTILES))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:.1f} %"


def _completeness(nulls: Mapping[str, Mapping[str, Any]], rows: int) -> str:
    missing = [(f"`{name}`", n["rows"], share(n["rows"], rows)) for name, n in nulls.items() if n["rows"]]
    if not missing:
        return "No column has a missing value."
    return document(data_table(["column", "missing", "share"], missing), "All other columns are complete.").rstrip("\n")


_KEEP_IN_MIND = """\
- Rows are a sample: count and score with weights of 1 / inclusion_probability, or on whole genes.
- Genes that overlap or resemble one another share sequence: keep them on the same side of every split.
- Columns of origin `gene` and `annotation` know where the annotation says that a gene begins and ends. A gain from them
  is a gain for annotated genes only.
- The base model has seen the genes of its training chromosomes; `README.md` names them."""


def technical_spec(summary: Summary) -> str:
    """How the dataset is laid out, for somebody who reads it with other software, or makes it again."""
    named = [column for column in summary.table if kmer_size(column.name) is None]
    kmers = len(summary.table.columns) - len(named)
    return document(
        f"# Technical specification: {len(summary.table.columns):,} columns, {summary.rows:,} rows",
        "## Files",
        _FILES,
        f"Parquet with zstd; row groups of at most {row_group_rows(summary.table):,} rows. Rows are in reference order and "
        "by position; the rows of a gene lie together in one file. The schema is in each file's metadata under `meta_spliceai.schema`, and in `schema.json`.",
        "## Coordinates",
        "`position` is 1-based on the forward strand of the contig, with `chrom` and `strand`. A donor is the last base "
        "of an exon, an acceptor the first base of the next one, in the direction of transcription.",
        "## Columns",
        data_table(["column", "type", "role", "origin", "bounds", "may be null", "meaning"], map(_column, named)),
        f"And {kmers:,} counts of k-mers, `{{k}}mer_…`: UInt16, role feature, origin sequence, never null."
        if kmers
        else "",
        "## How it was made",
        data_table(["option", "value"], options(summary)),
        "The same options over the same reference and base pass give the same bytes, whatever the number of workers, the "
        "memory or interruptions; `manifest.json` has the fingerprints of both and the checksum of every file.",
        "## Validation",
        _VALIDATION,
    )


def _column(column: Column) -> tuple[str, ...]:
    low, high = ("" if bound is None else f"{bound:g}" for bound in (column.low, column.high))
    bounds = ", ".join(column.choices) or (f"{low} to {high}".strip() if low or high else "")
    null = "yes" if column.nullable else ""
    return (f"`{column.name}`", dtype_name(column), column.role, column.origin, bounds, null, column.meaning)


_FILES = """\
- `master/batch_00001.parquet` …: the rows; each is a hard link to (or a copy of) its `batch_00001_trim.parquet`
- `batch_00001_ledger.csv` …, `sampling_ledger.csv`: rows seen, kept and dropped by gene and tier
- `gene_manifest.csv`: one row per gene, with the file that holds it
- `schema.json`, `statistics.json`, `croissant.json`, `manifest.json`: for machines
- `README.md`, `BUILD_INFO.md`, `dataset_profile.md`, this page: for people
- `validate_dataset.py`: checks all of it"""

_VALIDATION = """\
```console
$ python validate_dataset.py
```

needs Python and pyarrow only. It compares checksums, columns, types and bounds with what is declared, and the gene manifest
with the rows. `meta-spliceai dataset validate` checks more, the labels against the genome among it."""
