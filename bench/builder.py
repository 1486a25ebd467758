"""Rows per second from artifacts to a finished dataset, beside reading and rewriting that dataset with polars.

python bench/builder.py

The genes are those of the bundled example. A simulated base model stands in for the real one: it costs nothing, and its
scores are near zero but for about one base in a hundred. All true negatives are candidates, so that there are a million
rows to write.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.basemodel import registry
from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores
from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.build.run import build
from meta_spliceai.genome.sequences import Codes
from meta_spliceai.reference.prepare import prepare

EXAMPLE = Path(__file__).parents[1] / "examples" / "chr3_42M"
REPEATS = 2
CONTEXT = 16
ALL, HALF, FEW = 52, 26, 10
CASES = ((3, ALL, 1), (3, ALL, 2), (6, FEW, 1), (6, HALF, 2))
"""Size of the k-mers, genes, and workers."""


class SimulatedBaseModel:
    """Scores that are a hash of the bases around."""

    info = BaseModelInfo("simulated", "GRCh37", (), CONTEXT, "0" * 64, "none")

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; the sum of both channels is at most 1."""
        length = codes.size - CONTEXT
        donor, acceptor = (self._noise(codes, length, salt) ** 900 for salt in (1, 2))
        return Scores.typed(donor, acceptor * (1 - donor), donor / 4)

    @staticmethod
    def _noise(codes: Codes, length: int, salt: int) -> np.ndarray:
        word = np.full(length, salt, dtype=np.uint64)
        for offset in range(CONTEXT + 1):
            word = word * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + length]
            word ^= word >> np.uint64(29)
        return ((word >> np.uint64(11)).astype(np.float64) * 2.0**-53).astype(np.float32)


def artifacts(folder: Path) -> Path:
    """Prepare the example and run the simulated base model over all of its genes; returns the reference folder."""
    registry._SHIPPED["simulated"] = lambda **_: SimulatedBaseModel()
    reference = folder / "reference"
    prepare(fasta=EXAMPLE / "genome.fa.gz", gtf=EXAMPLE / "annotation.gtf.gz", build="GRCh37", out=reference)
    run_base_pass(reference=reference, base=["simulated"], tn_sampling="none")
    return reference


def seconds_of_build(reference: Path, dataset: Path, k: int, genes: int, workers: int) -> float:
    shutil.rmtree(dataset, ignore_errors=True)
    start = time.perf_counter()
    build(
        reference=reference,
        output_dir=dataset,
        subset_policy="random",
        n_genes=genes,
        kmer_sizes=(k,),
        workers=workers,
        batch_size=13,
    )
    return time.perf_counter() - start


def seconds_of_rewriting(dataset: Path, copy: Path) -> float:
    start = time.perf_counter()
    for path in sorted((dataset / "master").glob("*.parquet")):
        pl.read_parquet(path).write_parquet(copy / path.name, compression="zstd")
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = artifacts(folder)
        dataset, copy = folder / "dataset", folder / "copy"
        copy.mkdir()
        for k, genes, workers in CASES:
            building = min(seconds_of_build(reference, dataset, k, genes, workers) for _ in range(REPEATS))
            rewriting = min(seconds_of_rewriting(dataset, copy) for _ in range(REPEATS))
            rows = pl.scan_parquet(dataset / "master" / "*.parquet").select(pl.len()).collect().item()
            print(
                f"{k}-mers, {genes:2} genes, {workers} worker(s): {rows:9,} rows {rows / building:9,.0f} rows/s "
                f"{building / rewriting:5.1f} x reading and rewriting them with polars"
            )


if __name__ == "__main__":
    main()
