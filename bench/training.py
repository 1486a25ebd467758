"""Training beside its parts: the learner's own time on a matrix in memory, a plain read of the file, and peak memory.

python bench/training.py [--rows 2000000] [--features 150] [--rounds 250] [--model xgboost] [--threads 2] [--repeats 3]

A dataset of that size is made from noise and a signal. Each figure is measured in a process of its own, so that peaks do
not add up. Both sides of a ratio have the same threads and the default recipe; they take turns, and each counts with its
quickest turn. Beside wall time stands the time of all processors, which other work on the machine changes less.
`bench/incremental.py` measures training from disk.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS = ("import", "polars", "load", "learner", "training")


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
    """Seconds by the clock and of all processors, and the peak, of one step in this process."""
    import polars as pl

    from meta_spliceai.features.profile import admitted_features
    from meta_spliceai.train.learners.protocol import LearningRows
    from meta_spliceai.train.learners.spec import learner_of
    from meta_spliceai.train.light import Wanted
    from meta_spliceai.train.matrix import open_dataset
    from meta_spliceai.train.rows import rows_of_path
    from meta_spliceai.train.trainer import Trainer

    importlib.import_module({"sgd_logistic": "sklearn.linear_model"}.get(options.model, options.model))
    if step == "make":
        make_dataset(folder, options.rows, options.features)
    found: dict[str, float] = {}
    if step in STEPS:
        names = admitted_features(open_dataset(folder).table, "de_novo")[: options.features]
        found["features"] = len(names)
    spec = {"name": options.model, **({} if options.model == "sgd_logistic" else {"rounds": options.rounds})}
    given = None
    if step == "learner":
        wanted = Wanted("splice_site", "gene_id", "de_novo", tuple(names), weighted=True, batch_rows=None)
        rows = rows_of_path(folder, wanted)
        places = np.arange(int(0.7 * rows.codes.size))
        matrix, light = rows.gathered(places)
        given = LearningRows(matrix, rows.truth("splice_site", places), light.weight, light.start("splice_site"))
    clock, processors = time.perf_counter(), time.process_time()
    if step == "polars":
        frame = pl.read_parquet(folder / "master" / "*.parquet", columns=names)
        frame.cast(pl.Float32).to_numpy()
    elif step == "load":
        rows_of_path(folder, Wanted("splice_site", "gene_id", "de_novo", tuple(names), weighted=True, batch_rows=None))
    elif step == "learner":
        learner_of(spec).fit(given, seed=1, threads=options.threads)
    elif step == "training":
        trainer = Trainer(spec, label_col="splice_site", threads=options.threads)
        trainer.fit(folder, columns=names)
        trainer.evaluate()
    found["seconds"] = time.perf_counter() - clock
    found["processors"] = time.process_time() - processors
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=250)
    parser.add_argument("--model", default="xgboost")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--step", choices=("make", *STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--dataset", type=Path, help="make the dataset here, or use the one that is there")
    options = parser.parse_args()
    if options.step:
        print(json.dumps(measure(options.step, options.dataset, options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.dataset or Path(scratch) / "dataset"

        def ran(step: str) -> dict[str, float]:
            command = [sys.executable, __file__, "--step", step, "--dataset", str(folder)]
            for name in ("rows", "features", "rounds", "model", "threads"):
                command += [f"--{name}", str(getattr(options, name))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            return dict(json.loads(done.stdout.splitlines()[-1]))

        # made in a process of its own too: a child's peak is never below its parent's
        if not folder.exists():
            ran("make")
        turns = [{step: ran(step) for step in STEPS} for _ in range(options.repeats)]
    best = {step: {key: min(turn[step][key] for turn in turns) for key in turns[0][step]} for step in STEPS}
    for step, found in best.items():
        print(
            f"{step:<9}{found['seconds']:9.2f} s {found['processors']:9.2f} s of processors {found['peak_mb']:8.0f} MB"
        )
    matrix = options.rows * best["load"]["features"] * 4 / 2**20

    def ratio(step: str, *others: str) -> str:
        return "   ".join(
            f"{best[step][key] / sum(best[other][key] for other in others):5.2f} ({name})"
            for key, name in (("seconds", "clock"), ("processors", "processors"))
        )

    print(f"loading / plain polars read                 {ratio('load', 'polars')}")
    print(f"training / learner alone                    {ratio('training', 'learner')}")
    print(f"training / loading and learner alone        {ratio('training', 'load', 'learner')}")
    for step in ("load", "training"):
        own = (best[step]["peak_mb"] - best["import"]["peak_mb"]) / matrix
        print(f"peak of {step} beyond imports / matrix".ljust(44) + f"{own:5.2f}")


if __name__ == "__main__":
    main()
