"""Gene by gene: the meta-model's calls beside the base model's, both on the same bases.

The base pass leaves `full_splice_performance.tsv` with the base model's calls per gene and site type. Its F1 stands in
the comparison for orientation; the difference is always taken between two scores of the same bases, so that nothing but
the model differs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from meta_spliceai.basepass.aggregates import PERFORMANCE_FILE
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.genome.labels import SITE_TYPES

log = logging.getLogger(__name__)

DELTA_FILE = "delta_vs_baseline.csv"
COUNTS = ("TP", "FP", "FN")

Doubles = npt.NDArray[np.float64]


def find_baseline(given: Path | None, eval_dir: Path) -> Path | None:
    """The table named, or the one that the base pass left in its folder; None where there is neither."""
    own = eval_dir / PERFORMANCE_FILE
    return given or (own if own.is_file() else None)


def read_baseline(path: Path, gene_ids: Iterable[str]) -> pl.DataFrame:
    """gene_id, splice_type and baseline_f1_score of some genes; a table with one row for a gene has no splice_type.

    Raises
    ------
    InputError
        No such table, or one of other genes.
    """
    try:
        frame = pl.read_csv(path, separator="," if path.suffix == ".csv" else "\t", infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"a table of the base model's performance at {path}", str(error).splitlines()[0], "check the path"
        ) from error
    missing = [name for name in ("gene_id", "f1_score") if name not in frame.columns]
    if missing:
        raise InputError(
            expected=f"columns gene_id and f1_score, and splice_type where a gene has several rows, in {path}",
            found=f"no {', '.join(missing)} among {first_few(frame.columns, 8)}",
            action=f"give the {PERFORMANCE_FILE} that the base pass wrote",
        )
    wanted = set(gene_ids)
    kept = frame.filter(pl.col("gene_id").is_in(list(wanted)))
    if kept.is_empty():
        raise InputError(
            expected=f"the genes of the dataset, such as {first_few(sorted(wanted), 2)}, in {path}",
            found=f"{frame.height} rows of other genes, such as {first_few(frame['gene_id'].unique().sort().to_list(), 2)}",
            action=f"give the {PERFORMANCE_FILE} of the base pass that the dataset was built from",
        )
    absent = len(wanted) - kept["gene_id"].n_unique()
    if absent:
        log.warning("%s lacks %d of %d genes; their baseline_f1_score stays empty", path, absent, len(wanted))
    keys = [name for name in ("gene_id", "splice_type") if name in frame.columns]
    if kept.select(keys).is_duplicated().any():
        raise InputError(f"one row for each {' and '.join(keys)} in {path}", "several", "remove the repeated rows")
    return kept.select(*keys, baseline_f1_score=pl.col("f1_score").cast(pl.Float64, strict=False))


def whole_gene_calls(parts: Iterable[Path], genes: pl.DataFrame, arms: Sequence[str], threshold: float) -> pl.DataFrame:
    """Calls of arms per gene and site type, over every base of predictions tables, read row group by row group.

    Parameters
    ----------
    parts
        Files of a predictions table.
    genes
        gene_id, chrom, strand, start, end (1-based, both included).
    arms
        Names of arms.
    threshold
        Probability from which a base is called.

    Returns
    -------
    DataFrame
        gene_id, splice_type, bases, then TP, FP and FN of each arm as `{arm}_TP` …; genes without bases are left out.
    """
    bodies = {
        key: (held["start"].to_numpy(), held["end"].to_numpy(), held["row"].to_numpy())
        for key, held in genes.with_row_index("row").partition_by("chrom", "strand", as_dict=True).items()
    }
    bases = np.zeros(genes.height, dtype=np.int64)
    counts = np.zeros((genes.height, len(SITE_TYPES), len(arms), len(COUNTS)), dtype=np.int64)
    scores = [f"{arm}_{kind}" for arm in arms for kind in SITE_TYPES]
    columns = ["chrom", "strand", "position", *(f"is_{kind}" for kind in SITE_TYPES), *scores]
    for part in parts:
        file = pq.ParquetFile(part)
        for group in range(file.num_row_groups):
            frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=columns)))
            for key, run in frame.partition_by("chrom", "strand", as_dict=True).items():
                starts, ends, rows = bodies[key]
                position = run["position"].to_numpy()
                first = np.searchsorted(position, starts, side="left")
                last = np.searchsorted(position, ends, side="right")
                bases[rows] += last - first
                for kind_at, kind in enumerate(SITE_TYPES):
                    truth = run[f"is_{kind}"].to_numpy()
                    for arm_at, arm in enumerate(arms):
                        called = run[f"{arm}_{kind}"].to_numpy() >= threshold
                        for at, hit in enumerate((called & truth, called & ~truth, ~called & truth)):
                            so_far = np.concatenate(([0], np.cumsum(hit)))
                            counts[rows, kind_at, arm_at, at] += so_far[last] - so_far[first]
    frames = [
        genes.select("gene_id").with_columns(
            pl.lit(kind).alias("splice_type"),
            pl.Series("bases", bases),
            *(
                pl.Series(f"{arm}_{name}", counts[:, kind_at, arm_at, at])
                for arm_at, arm in enumerate(arms)
                for at, name in enumerate(COUNTS)
            ),
        )
        for kind_at, kind in enumerate(SITE_TYPES)
    ]
    order = pl.col("row"), pl.col("splice_type").replace_strict({kind: at for at, kind in enumerate(SITE_TYPES)})
    joined = pl.concat([frame.with_row_index("row") for frame in frames]).sort(*order).drop("row")
    return joined.filter(pl.col("bases") > 0)


def deltas(calls: pl.DataFrame, base: str, meta: str, baseline: pl.DataFrame | None) -> pl.DataFrame:
    """The comparison, gene by gene.

    Parameters
    ----------
    calls
        gene_id, splice_type, and TP, FP, FN of both arms, as `whole_gene_calls` gives them.
    base, meta
        Names of the arms.
    baseline
        What `read_baseline` gave, if anything.

    Returns
    -------
    DataFrame
        gene_id, splice_type, n_splice_sites; TP, FP, FN, precision, recall and f1_score of the base model and, with the
        suffix `_meta`, of the meta-model; delta = f1_score_meta - f1_score, and the difference of each count;
        baseline_f1_score. Rates are null where nothing is called, or there is no site.
    """
    named = calls.select(
        "gene_id",
        "splice_type",
        n_splice_sites=pl.col(f"{base}_TP") + pl.col(f"{base}_FN"),
        **{name: pl.col(f"{base}_{name}") for name in COUNTS},
        **{f"{name}_meta": pl.col(f"{meta}_{name}") for name in COUNTS},
    )
    rated = named.with_columns(**_rates(""), **_rates("_meta"))
    rated = rated.with_columns(
        delta=pl.col("f1_score_meta") - pl.col("f1_score"),
        **{f"delta_{name}": pl.col(f"{name}_meta") - pl.col(name) for name in COUNTS},
    )
    if baseline is None:
        return rated.with_columns(baseline_f1_score=pl.lit(None, dtype=pl.Float64))
    keys = [name for name in ("gene_id", "splice_type") if name in baseline.columns]
    return rated.join(baseline, on=keys, how="left", maintain_order="left")


def _rates(suffix: str) -> dict[str, pl.Expr]:
    tp, fp, fn = (pl.col(f"{name}{suffix}") for name in COUNTS)

    def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
        return pl.when(whole > 0).then(part / whole)

    return {
        f"precision{suffix}": ratio(tp, tp + fp),
        f"recall{suffix}": ratio(tp, tp + fn),
        f"f1_score{suffix}": ratio(2 * tp, 2 * tp + fp + fn),
    }
