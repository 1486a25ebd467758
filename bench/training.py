"""Training beside its parts: the learner's own time on a matrix in memory, a plain read of the file, and peak memory.

python bench/training.py [--rows 2000000] [--features 150] [--rounds 50] [--model xgboost] [--batch-size 200000]

A dataset of that size is made from noise and a signal. Each figure is measured in a process of its own, so that peaks do
not add up; ratios belong to one run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS = ("make", "import", "polars", "load", "learner", "memory", "disk")


def make_dataset(folder: Path, rows: int, features: int) -> None:
    """A finished dataset of rows that no genome has: noise, with a signal in one feature."""
    import polars as pl

    from meta_spliceai.build.run import FORMAT_VERSION
    from meta_spliceai.schema.tables import dataset_table
    from meta_spliceai.store.fingerprint import file_sha256
    from meta_spliceai.store.tables import write_row_groups

    table = dataset_table((1, 2, 3) if features <= 200 else (1, 2, 3, 4, 5, 6))
    rng = np.random.default_rng(1)
    part = 100_000

    def frames():
        for first in range(0, rows, part):
            size = min(part, rows - first)
            columns = {}
            for column in table:
                if column.dtype in (pl.Float32, pl.Float64):
                    low, high = (column.low or 0.0), (1.0 if column.high is None else column.high)
                    columns[column.name] = rng.uniform(low, high, size)
                elif column.dtype == pl.Boolean:
                    columns[column.name] = np.zeros(size, bool)
                elif column.dtype == pl.String:
                    columns[column.name] = [(column.choices or ("x",))[0]] * size
                else:
                    columns[column.name] = rng.integers(int(column.low or 0), int(min(column.high or 50, 50)) + 1, size)
            score = rng.uniform(0, 1, size)
            label = rng.uniform(0, 1, size) < 0.02 + 0.1 * score * columns["gc_content"]
            kind = np.where(label, np.where(rng.random(size) < 0.5, "donor", "acceptor"), "neither")
            columns |= {
                "donor_score": score,
                "acceptor_score": 1 - score,
                "splice_type": kind,
                "inclusion_probability": np.where(label, 1.0, 0.1),
                "gene_id": [f"G{(first + number) // 2_000:06d}" for number in range(size)],
            }
            yield table.conform(pl.DataFrame(columns))

    name = "master/batch_00001.parquet"
    (folder / "master").mkdir(parents=True)
    write_row_groups(frames(), folder / name, table)
    entry = {"name": name, "bytes": (folder / name).stat().st_size, "rows": rows, "sha256": file_sha256(folder / name)}
    kmers = sorted({int(column.name[0]) for column in table if "mer_" in column.name})
    manifest = {
        "kind": "dataset", "format_version": FORMAT_VERSION, "inputs": {}, "software": {}, "complete": True,
        "parameters": {"kmer_sizes": kmers, "gene_ids": [f"G{number:06d}" for number in range(-(-rows // 2_000))]},
        "parts": {"batch_00001": {"fingerprint": "0", "files": [entry]}},
        "facts": {"rows": rows, "boundary_probe": {"genes": 1, "features_checked": 1, "changed": []}},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def measure(step: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds and what the step needed besides, in this process."""
    import polars as pl

    from meta_spliceai.features.profile import admitted_features
    from meta_spliceai.train.learners.spec import learner_of
    from meta_spliceai.train.matrix import open_dataset
    from meta_spliceai.train.rows import Wanted, rows_of_path
    from meta_spliceai.train.trainer import IncrementalTrainer, Trainer

    if step == "make":
        make_dataset(folder, options.rows, options.features)
        return {"seconds": 0.0, "peak_mb": 0.0}
    names = admitted_features(open_dataset(folder).table, "de_novo")[: options.features]
    spec = {"name": options.model, **({} if options.model == "sgd_logistic" else {"rounds": options.rounds})}
    wanted = Wanted("splice_site", "gene_id", "de_novo", tuple(names), weighted=True, batch_rows=None)
    started = time.perf_counter()
    found: dict[str, float] = {"rows": options.rows, "features": len(names)}
    if step == "polars":
        frame = pl.read_parquet(folder / "master" / "*.parquet", columns=names)
        frame.cast(pl.Float32).to_numpy()
    elif step == "load":
        rows_of_path(folder, wanted)
    elif step == "learner":
        rows = rows_of_path(folder, wanted)
        trainer = Trainer(spec, label_col="splice_site")
        every = np.arange(int(0.7 * options.rows))
        given = trainer.learning_rows(rows, "splice_site", every)
        started = time.perf_counter()
        learner_of(spec).fit(given, seed=1)
    elif step in ("memory", "disk"):
        with tempfile.TemporaryDirectory(dir=folder.parent) as out:
            kind = {"memory": Trainer, "disk": IncrementalTrainer}[step]
            more = {"batch_rows": options.batch_size} if step == "disk" else {}
            kind(spec, label_col="splice_site", out_dir=out, **more).fit(folder, columns=names)
    found["seconds"] = time.perf_counter() - started
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--model", default="xgboost")
    parser.add_argument("--batch-size", type=int, default=200_000)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--dataset", type=Path)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(measure(options.step, options.dataset, options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.dataset or Path(scratch) / "dataset"
        found = {}
        # made in a process of its own too: a child's peak is never below its parent's
        for step in STEPS[1:] if folder.exists() else STEPS:
            command = [sys.executable, __file__, "--step", step, "--dataset", str(folder)]
            for name in ("rows", "features", "rounds", "model", "batch_size"):
                command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[step] = json.loads(done.stdout.splitlines()[-1])
            if step != "make":
                print(f"{step:<8} {found[step]['seconds']:8.2f} s  {found[step]['peak_mb']:8.0f} MB")
    matrix = found["load"]["rows"] * found["load"]["features"] * 4 / 2**20
    own = found["memory"]["peak_mb"] - found["import"]["peak_mb"]
    print(f"loading / plain polars read              {found['load']['seconds'] / found['polars']['seconds']:.2f}")
    print(f"fit from a matrix, seconds               {found['learner']['seconds']:.2f}")
    print(
        f"training in memory / loading + learner   {found['memory']['seconds'] / (found['load']['seconds'] + found['learner']['seconds']):.2f}"
    )
    print(f"peak in memory beyond imports / matrix   {own / matrix:.2f}")
    print(f"rows per second from disk                {found['disk']['rows'] / found['disk']['seconds']:,.0f}")


if __name__ == "__main__":
    main()
