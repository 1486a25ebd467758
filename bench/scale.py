"""Time, memory and disk of builds over more and more simulated genes: all of them should grow with the genes, but memory.

python bench/scale.py                                   200 and 2,000 genes
python bench/scale.py --genes 200 2000 20000            the whole: 20 million rows, some 30 GB of disk, an hour or so
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulated import SimulatedBaseModel, simulate

SEED = 42


def prepared(folder: Path, genes: int) -> dict[str, Any]:
    """Simulate a genome and run the simulated base model over it."""
    from meta_spliceai.basemodel import registry
    from meta_spliceai.basepass.run import run
    from meta_spliceai.reference.prepare import prepare

    registry._SHIPPED["simulated"] = lambda **_: SimulatedBaseModel()
    fasta, gtf = simulate(folder, genes=genes, seed=SEED)
    prepare(fasta=fasta, gtf=gtf, build="simulated", out=folder / "reference")
    result = run(reference=folder / "reference", base=["simulated"])
    return {"candidates": result.candidates, "bases": result.bases_scored}


def built(folder: Path, kmer_sizes: tuple[int, ...], workers: int) -> dict[str, Any]:
    """Build all genes with the default settings but for k-mers and workers."""
    from meta_spliceai.build.run import build

    dataset = folder / "dataset"
    shutil.rmtree(dataset, ignore_errors=True)
    result = build(reference=folder / "reference", output_dir=dataset, kmer_sizes=kmer_sizes, workers=workers)
    trims = [path.stat().st_size for path in dataset.glob("batch_*_trim.parquet")]
    return {"rows": result.rows, "batches": result.batches, "dataset_bytes": sum(trims)}


def rewritten(folder: Path) -> dict[str, Any]:
    """Read and rewrite the dataset with polars."""
    import polars as pl

    copy = folder / "copy.parquet"
    for path in sorted((folder / "dataset" / "master").glob("*.parquet")):
        pl.read_parquet(path).write_parquet(copy, compression="zstd")
    copy.unlink()
    return {}


def _measured(step: Callable[..., dict[str, Any]], args: tuple[Any, ...], out: Any) -> None:
    start = time.perf_counter()
    facts = step(*args)
    seconds = time.perf_counter() - start
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    out.put(
        {
            **facts,
            "seconds": round(seconds, 2),
            "peak_mb": round(peaks[0] / 1024),
            "worker_peak_mb": round(peaks[1] / 1024),
        }
    )


def measured(step: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """What the step says, with its seconds and its peak memory, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=_measured, args=(step, args, out))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{step.__name__} ended with {process.exitcode}")
    return dict(out.get())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--genes", type=int, nargs="+", default=[200, 2_000])
    options.add_argument("--kmer-sizes", type=int, nargs="*", default=[3])
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--folder", type=Path, help="keep everything there; default: a temporary folder")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for genes in chosen.genes:
            folder = (chosen.folder or Path(temporary)) / f"{genes}_genes"
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "pass.json").exists():
                (folder / "pass.json").write_text(json.dumps(measured(prepared, folder, genes)))
            base_pass = json.loads((folder / "pass.json").read_text())
            build = measured(built, folder, tuple(chosen.kmer_sizes), chosen.workers)
            rewriting = measured(rewritten, folder)
            peak = max(build["peak_mb"], build["worker_peak_mb"])
            print(
                f"{genes:6,} genes: {base_pass['bases']:13,} bases passed in {base_pass['seconds']:7,.0f} s, peak {base_pass['peak_mb']:,} MB; "
                f"{build['rows']:11,} rows in {build['batches']} batches, {build['seconds']:7,.1f} s, "
                f"{build['rows'] / build['seconds']:9,.0f} rows/s, {build['seconds'] / rewriting['seconds']:.1f} x polars' rewriting, "
                f"peak {peak:,} MB per process, {build['dataset_bytes'] / 2**20:,.0f} MiB",
                flush=True,
            )
            if not chosen.folder:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
