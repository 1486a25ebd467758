"""Rows per second of the feature computations on one core, beside copying the same output once.

python bench/features.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from meta_spliceai.features.base_scores import base_score_features
from meta_spliceai.features.gene import score_ranks
from meta_spliceai.features.sequence import sequence_features
from meta_spliceai.features.stretch import Stretch
from meta_spliceai.schema.features import REACH

BASES = 500_000
REPEATS = 3


def random_stretch() -> Stretch:
    """Scores that are near zero but for a thousandth of the bases, as a base model's are."""
    rng = np.random.default_rng(0)
    length = BASES + 2 * REACH
    donor, acceptor, spread = (rng.random((3, length)) ** 200).astype(np.float32)
    return Stretch(rng.integers(0, 4, length).astype(np.uint8), donor, acceptor * (1 - donor), spread)


def best_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def report(name: str, rows: int, work: Callable[[], dict[str, np.ndarray]]) -> None:
    output = [np.ascontiguousarray(column) for column in work().values()]
    copying = best_seconds(lambda: [column.copy() for column in output])
    computing = best_seconds(work)
    print(f"{name:34} {len(output):5} columns {rows / computing:12,.0f} rows/s {computing / copying:8.1f} x copying")


def main() -> None:
    stretch = random_stretch()
    dense = np.arange(REACH, REACH + BASES)
    tenth, few = dense[::10], dense[::100]
    report("base scores, every base", dense.size, lambda: base_score_features(stretch, dense))
    report("base scores, every tenth base", tenth.size, lambda: base_score_features(stretch, tenth))
    report("sequence, every tenth base", tenth.size, lambda: sequence_features(stretch.codes, tenth))
    report("sequence and 3-mers, every tenth", tenth.size, lambda: sequence_features(stretch.codes, tenth, (3,)))
    report("sequence and 6-mers, every 100th", few.size, lambda: sequence_features(stretch.codes, few, (6,)))
    report("ranks in a gene, every base", dense.size, lambda: {"rank": score_ranks(stretch.donor[dense])})


if __name__ == "__main__":
    main()
