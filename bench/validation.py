"""Rows per second and memory of `dataset validate --quick`, beside a plain polars scan of the same columns.

python bench/validation.py [--rows 20000000] [--seed 1] [--keep FOLDER] [--repeats 5]

The dataset is simulated through the real schema: random genes, sites, calls and scores that agree with one another, with
the columns of the enrichers gene, length, overlap and structure, so that every cheap check has something to read. Cheap
are the checks of all rows that need neither the genome nor the other features: DS001 to DS009, DS012 to DS014, DS017 to
DS020, DS023, DS026.

The scan reads the same columns with all cores, as one streaming query, and adds up each of them: the numbers, and the
bytes of the texts. No file statistics hold a sum, so every value of every column is decoded. Scan and validation take
turns, each in a process of its own, after a first read of the files; the peak memory is that of the process. Other work on
the machine slows both: the ratio is the median of those of the turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.build import master
from meta_spliceai.build.batch import COUNTED
from meta_spliceai.build.finish import complete, counts_of
from meta_spliceai.build.layout import batch_identities, batches_of
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.build.summary import Summary
from meta_spliceai.maintain.row_checks import needed_columns
from meta_spliceai.maintain.validate import validate_dataset
from meta_spliceai.schema.tables import (
    DATASET_TIERS,
    GENE_MANIFEST_TABLE,
    LEDGER_TABLE,
    NOT_CANDIDATE,
    dataset_table_of,
)
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import TableWriter

ROWS, ROWS_PER_GENE, GENES_PER_BATCH = 20_000_000, 1_000, 1_000
CHEAP = [f"DS{n:03d}" for n in (*range(1, 10), 12, 13, 14, 17, 18, 19, 20, 23, 26)]
INPUTS = {"reference": "0" * 64, "base_pass": "0" * 64}
STEP = 40
"""Bases from one row of a gene to the next."""


def parameters(genes: int) -> dict[str, Any]:
    return {
        "subset_policy": "all",
        "n_genes": genes,
        "gene_types": [],
        "gene_ids": [f"ENSG{number:011d}" for number in range(genes)],
        "batch_size": GENES_PER_BATCH,
        "kmer_sizes": [],
        "further_bases": [],
        "position_id_mode": "genomic",
        "enrichers": ["gene", "length", "overlap", "structure"],
        "hard_prob": 0.15,
        "window": 75,
        "easy_ratio": 0.5,
        "seed": 42,
    }


def gene_values(gene_ids: list[str], first: int, draw: np.random.Generator) -> pl.DataFrame:
    """One row per gene: its place, and what is constant in it."""
    n, span = len(gene_ids), ROWS_PER_GENE * STEP
    number = np.arange(first, first + n)
    values = draw.integers(1, 60, size=(n, 8))
    return pl.DataFrame(
        {
            "gene_id": gene_ids,
            "gene_name": [f"GENE{x}" for x in number],
            "chrom": (number % 22 + 1).astype(str),
            "strand": np.where(number % 2, "+", "-"),
            "start": 10_000 + (number // 22) * span * 2,
            "gene_length": np.full(n, span),
            "gene_type": np.where(number % 3, "protein_coding", "lncRNA"),
            "gene_is_protein_coding": (number % 3 > 0).astype(np.float32),
            "num_overlaps": values[:, 0],
            "n_splice_sites": values[:, 1],
            "splice_density_per_kb": values[:, 1] * 1000 / span,
            "num_transcripts": values[:, 2],
            "num_exons": values[:, 3],
            "transcript_length": values[:, 4] * 100,
            "total_exon_length": values[:, 5] * 100,
            "total_intron_length": values[:, 6] * 1000,
        }
    ).with_columns(end=pl.col("start") + pl.col("gene_length") - 1)


def rows_of(genes: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """The rows of some genes, one in fifty of them a site."""
    n = genes.height * ROWS_PER_GENE
    label = draw.choice(["neither", "donor", "acceptor"], size=n, p=[0.98, 0.01, 0.01])
    small = draw.random((2, n)).astype(np.float32) ** 6
    donor = np.where(label == "donor", 0.6 + 0.3 * small[0], 0.4 * small[0]).astype(np.float32)
    acceptor = np.where(label == "acceptor", 0.6 + 0.3 * small[1], 0.4 * small[1]).astype(np.float32)
    over = donor + acceptor > 1
    donor[over], acceptor[over] = donor[over] / 2, acceptor[over] / 2
    score = np.maximum(donor, acceptor)
    called, site = score >= 0.5, label != "neither"
    tier = np.select([site, called, score > 0.15], ["site", "called", "hard"], "easy")
    scores = pl.DataFrame(
        {
            "position": draw.integers(0, STEP, size=n) + np.tile(np.arange(ROWS_PER_GENE) * STEP, genes.height),
            "splice_type": label,
            "is_donor": label == "donor",
            "is_acceptor": label == "acceptor",
            "pred_type": np.select([site & called, site, called], ["TP", "FN", "FP"], "TN"),
            "sampling_tier": tier,
            "inclusion_probability": np.where(tier == "easy", 0.025, 1.0),
            "donor_score": donor,
            "acceptor_score": acceptor,
            "neither_score": np.clip(1 - donor - acceptor, 0, 1),
            "score": score,
            "spread": 0.1 * small[0],
            **{f"{name}_logit": logit(p) for name, p in (("donor", donor), ("acceptor", acceptor))},
            "gene_relative_position": draw.random(n),
            **{f"{name}_rank_in_gene": draw.integers(1, 1_000, size=n) for name in ("donor", "acceptor")},
        }
    )
    spread_out = genes[np.repeat(np.arange(genes.height), ROWS_PER_GENE)]
    site_id = pl.when(pl.col("splice_type") != "neither").then(pl.col("gene_id").str.replace("ENSG", "ENST"))
    return pl.concat([spread_out, scores], how="horizontal").with_columns(
        position=pl.col("start") + pl.col("position"),
        transcript_id=site_id,
        gene_distance_to_start=pl.col("position"),
        gene_distance_to_end=pl.col("gene_length") - pl.col("position"),
    )


def logit(p: np.ndarray) -> np.ndarray:
    clipped = np.clip(p.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(clipped / (1 - clipped))


def simulate(folder: Path, rows: int, seed: int) -> int:
    """Write a dataset of at least one gene; returns its rows."""
    genes = max(1, rows // ROWS_PER_GENE)
    held = parameters(genes)
    table = dataset_table_of(held)
    draw = np.random.default_rng(seed)
    everything, ledgers = [], []
    with Folder.opened(folder, kind=KIND, format_version=FORMAT_VERSION, parameters=held, inputs=INPUTS) as store:
        identities = batch_identities(held, INPUTS)
        for batch in batches_of(held):
            of_batch = gene_values(list(batch.gene_ids), len(everything) * GENES_PER_BATCH, draw)
            counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
            tiers = []
            with TableWriter(folder / master.trim_file(batch.name), table) as writer:
                for some in of_batch.iter_slices(100):
                    frame = table.conform(rows_of(some, draw))
                    writer.append(frame)
                    tiers.append(frame.group_by("gene_id", "sampling_tier").len())
                    for column, counter in counts.items():
                        counter.update({str(value): n for value, n in frame[column].value_counts().iter_rows()})
            ledger = ledger_of(of_batch, pl.concat(tiers))
            ledger.write_csv(folder / master.ledger_file(batch.name))
            master.link(folder, batch.name)
            names = (master.trim_file(batch.name), master.master_file(batch.name))
            files = [describe_file(folder, name, writer.rows) for name in names]
            files.append(describe_file(folder, master.ledger_file(batch.name), ledger.height))
            facts = {"rows": writer.rows, **{column: dict(n) for column, n in counts.items()}}
            store.record(batch.name, PartEntry(identities[batch.name], tuple(files), facts))
            everything.append(
                of_batch.with_columns(file_index=pl.lit(batch.number), file_name=pl.lit(f"{batch.name}.parquet"))
            )
            ledgers.append(ledger)
        listed, ledger = pl.concat(everything), pl.concat(ledgers)
        complete(store, identities, (), lambda: summary(store, held, listed, ledger))
    return int(ledger["rows_kept"].sum())


def ledger_of(genes: pl.DataFrame, tiers: pl.DataFrame) -> pl.DataFrame:
    every = genes.select("gene_id").join(pl.DataFrame({"sampling_tier": [*DATASET_TIERS, NOT_CANDIDATE]}), how="cross")
    kept = pl.col("len").fill_null(0)
    return LEDGER_TABLE.conform(
        every.join(tiers, on=["gene_id", "sampling_tier"], how="left", maintain_order="left").with_columns(
            rows_seen=kept, rows_kept=kept, rows_dropped=pl.lit(0)
        )
    )


def summary(store: Folder, held: dict[str, Any], genes: pl.DataFrame, ledger: pl.DataFrame) -> Summary:
    manifest = genes.with_row_index("global_index").with_columns(
        total_splice_sites="n_splice_sites",
        donor_sites=pl.col("n_splice_sites") // 2,
        acceptor_sites=pl.col("n_splice_sites") - pl.col("n_splice_sites") // 2,
        transcript_site_rows="n_splice_sites",
        rows=pl.lit(ROWS_PER_GENE),
    )
    base = {"name": "simulated", "licence": "none", "training_build": "none", "training_chromosomes": []}
    return Summary(
        build="simulated",
        base_model=base,
        base_pass={"rule": {}, "flank": 5_000},
        inputs=INPUTS,
        parameters=held,
        software=store.manifest.software,
        table=dataset_table_of(held),
        genes=GENE_MANIFEST_TABLE.conform(manifest),
        ledger=ledger,
        counts=counts_of(store, [batch.name for batch in batches_of(held)]),
        notes=(),
        probe={"features_checked": 0, "genes": [], "changed": []},
    )


# ---- measuring -------------------------------------------------------------------------------------------------------


def validate(folder: Path) -> Iterator[str]:
    report = validate_dataset(folder, only=CHEAP, quick=True)
    yield from (f"{finding.code}: {finding.reason}" for finding in report.findings if finding.outcome != "passed")


def scan(folder: Path) -> Iterator[str]:
    table = dataset_table_of(json.loads((folder / "manifest.json").read_text())["parameters"])
    read = {name for names in needed_columns(table, CHEAP, "genomic").values() for name in names} & set(table.names)
    sums = [
        pl.col(column.name).str.len_bytes().sum() if column.dtype == pl.String else pl.col(column.name).sum()
        for column in table
        if column.name in read
    ]
    pl.scan_parquet(folder / "master" / "*.parquet").select(sums).collect(engine="streaming")
    yield from ()


@dataclass(frozen=True, slots=True)
class Run:
    """One of the two in a process of its own: wall and processor seconds without start-up, peak memory in GB."""

    seconds: float
    processor: float
    peak: float


def measured(what: str, folder: Path) -> Run:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, "--keep", str(folder)], check=True, capture_output=True, text=True
    )
    sys.stderr.write(done.stderr)
    return Run(*map(float, done.stdout.split()[-3:]))


def measure(what: str, folder: Path) -> None:
    start, before = time.perf_counter(), processor_seconds()
    for complaint in {"validate": validate, "scan": scan}[what](folder):
        sys.stderr.write(f"{complaint}\n")
    seconds, processor = time.perf_counter() - start, processor_seconds() - before
    print(seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def compare(folder: Path, rows: int, seed: int, repeats: int) -> None:
    held = simulate(folder, rows, seed) if not (folder / "manifest.json").exists() else None
    rows = held or int(json.loads((folder / "manifest.json").read_text())["facts"]["rows"])
    measured("scan", folder)
    turns = [(measured("scan", folder), measured("validate", folder)) for _ in range(repeats)]
    for what, runs in zip(("scan", "validate"), zip(*turns, strict=True), strict=True):
        best = min(runs, key=lambda run: run.seconds)
        print(
            f"{what:9} {rows:11,} rows  best {best.seconds:6.2f} s ({best.processor:.2f} s of processors) "
            f"{rows / best.seconds:12,.0f} rows/s  peak {max(run.peak for run in runs):5.2f} GB"
        )
    for unit in ("seconds", "processor"):
        ratios = sorted(getattr(ours, unit) / getattr(plain, unit) for plain, ours in turns)
        shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"ratio of {unit:9}  median {median(ratios):.2f} x the scan, of {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="make the dataset here, or use the one that is there")
    parser.add_argument("--repeats", type=int, default=5, help="turns of scan and validation")
    parser.add_argument("--measure", choices=("validate", "scan"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.keep)
    elif options.keep:
        compare(options.keep, options.rows, options.seed, options.repeats)
    else:
        with tempfile.TemporaryDirectory() as name:
            compare(Path(name) / "dataset", options.rows, options.seed, options.repeats)


if __name__ == "__main__":
    main()
