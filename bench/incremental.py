"""Training from disk to the end: rows per second, seconds of a round, and the peak memory of the whole process.

python bench/incremental.py --dataset FOLDER [--model xgboost] [--rounds 5] [--memory-limit 2GB] [--target splice_site]
python bench/incremental.py --rows 20000000            a dataset of noise and a signal, some 8 GB of disk, is made first

`bench/scale.py --genes 20000 --folder FOLDER` makes a dataset of 20 million rows that resembles real ones.
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
from typing import Any

from training import make_dataset


def timed(kind: Any, method: str, spent: list[float]) -> None:
    """Note the seconds of each call of a method."""
    genuine = getattr(kind, method)

    def noted(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return genuine(*arguments, **options)
        finally:
            spent.append(time.perf_counter() - started)

    setattr(kind, method, noted)


def trained(dataset: Path, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train once in this process, as `meta-spliceai train --incremental` does."""
    from meta_spliceai.commands import train
    from meta_spliceai.train.learners.xgboost_learner import XGBoost

    boosting: list[float] = []
    timed(XGBoost, "boost", boosting)
    count = "epochs" if options.model == "sgd_logistic" else "rounds"
    started = time.perf_counter()
    result = train(
        dataset=dataset,
        out_dir=out,
        model=json.dumps({"name": options.model, count: options.rounds}),
        target=options.target,
        incremental=True,
        memory_limit=options.memory_limit,
        threads=options.threads,
    )
    seconds = time.perf_counter() - started
    left = [path.name for path in out.rglob(".pages*")]
    if left:
        raise SystemExit(f"pages were left behind: {left}")
    return {
        "rows": result.rows,
        "features": result.features,
        "seconds": seconds,
        "boosting": sum(boosting),
        "models": max(1, len(boosting)),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "user_cpu": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--model", default="xgboost")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of boosting, or passes of sgd_logistic")
    parser.add_argument("--target", default="splice_site")
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="where the dataset and the model are made")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        if options.here:
            print(json.dumps(trained(options.dataset, Path(scratch) / "model", options)))
            return
        if options.dataset is None:
            options.dataset = Path(scratch) / "dataset"
            make_dataset(options.dataset, options.rows, options.features)
        # in a process of its own: a process that made a dataset has another peak
        names = ("dataset", "model", "rounds", "target", "memory_limit", "threads")
        given = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in names]
        command = [sys.executable, __file__, "--here", *given, f"--scratch={scratch}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{found['rows']:,} rows x {found['features']} features, {options.model}, {options.rounds} rounds, {options.target}"
    )
    print(
        f"to the end     {found['seconds']:8.0f} s   {found['rows'] / found['seconds']:,.0f} rows/s   user {found['user_cpu']:.0f} s"
    )
    if found["boosting"]:
        print(f"a round        {found['boosting'] / found['models'] / options.rounds:8.2f} s")
    print(f"peak memory    {found['peak_mb']:8.0f} MB under --memory-limit {options.memory_limit}")


if __name__ == "__main__":
    main()
