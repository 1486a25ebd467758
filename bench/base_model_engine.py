"""How fast the bare engine runs SpliceAI, by window length, against this machine's fp32 matrix product.

    python bench/base_model_engine.py [--threads N] [--rounds N]

Every round scores one window of each length and multiplies two matrices; the medians are printed, the ratios with
them. "work done" counts every multiplication of the network, "wanted" only those an endless sequence would need, so the
difference is the price of the windows' context. numpy multiplies with as many threads as it likes, usually all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from meta_spliceai.basemodel.network import Network
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.spliceai import read_networks, weight_files
from meta_spliceai.basemodel.windows import WINDOWS
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sequences import Codes

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "chr3_42M" / "genome.fa.gz"
CHROM, START = "chr3", 42_300_000
MATRIX = 2048


def seconds(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def flops_per_base(networks: list[Network]) -> int:
    """Floating-point operations per base of an endless sequence, a multiplication and an addition being two."""
    convolutions = [
        convolution
        for network in networks
        for group in network.groups
        for block in group
        for convolution in (block.first, block.second)
    ]
    kernels = sum(convolution.kernel.size for convolution in convolutions)
    linear = sum(network.stem.kernel.size + sum(p.size for p in network.projections) for network in networks)
    return 2 * (kernels + linear)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    networks, _ = read_networks(weight_files())
    half = networks[0].context // 2
    with open_genome(EXAMPLE) as genome:
        codes: Codes = genome.codes(CHROM, START - half, START + max(WINDOWS) + half)
    engines = {window: OpenVINOEngine(networks, threads=options.threads, windows=(window,)) for window in WINDOWS}
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), dtype=np.float32)
    calls: dict[object, Callable[[], object]] = {
        window: lambda engine=engine, window=window: engine.score(codes[: window + 2 * half])
        for window, engine in engines.items()
    }
    calls["matrix"] = lambda: matrix @ matrix
    for call in calls.values():
        call()  # compiles
    times: dict[object, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))

    middle = {name: statistics.median(values) for name, values in times.items()}
    matrix_rate = 2 * MATRIX**3 / middle["matrix"]
    work = flops_per_base(networks)
    longest = max(WINDOWS)
    print(
        f"{options.threads} threads, {options.rounds} rounds; numpy fp32 matrix product {matrix_rate / 1e9:.0f} GFLOP/s"
    )
    print("  window  bases/s   of the longest window's   of the matrix product: wanted   work done")
    for window in WINDOWS:
        rate = window / middle[window]
        done = rate * work * (window + networks[0].mean_halo) / window
        print(
            f"{window:8,}  {rate:7,.0f}   {rate / (longest / middle[longest]):23.2f}"
            f"   {rate * work / matrix_rate:29.2f}   {done / matrix_rate:9.2f}"
        )


if __name__ == "__main__":
    main()
