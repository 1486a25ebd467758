"""What a base pass costs beyond the bare base model on the same bases.

    python bench/base_pass.py [--genes 52] [--rounds 1]

Bare: the model scores the union of gene bodies and flanks, and nothing is kept. Pass: `basepass run` on the same genes, from the
reference folder to scores, positions, errors and performance on disk. Both use one loaded and warmed-up model in one process,
in turn.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from meta_spliceai.basepass.bases import ChosenBase
from meta_spliceai.basepass.run import run
from meta_spliceai.basepass.score_files import spans_of
from meta_spliceai.basepass.scoring import score_interval
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.pipeline import example_folder
from meta_spliceai.reference.load import Reference, gene_body
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.schema.features import REACH


def bare(reference: Reference, genes: list[str]) -> tuple[float, int]:
    """Seconds and bases of the model alone."""
    model = ChosenBase("spliceai").load()
    rows = [row for row in reference.genes.iter_rows(named=True) if row["gene_id"] in genes]
    started = time.perf_counter()
    bases = 0
    with reference.open_genome() as genome:
        spans = spans_of(gene_body(row).widened(REACH, genome.contigs[row["chrom"]]) for row in rows)
        for span in spans:
            score_interval(model, genome, Interval(rows[0]["chrom"], span.start, span.end, span.strand))
            bases += span.end - span.start
    return time.perf_counter() - started, bases


def whole(reference: Reference, genes: list[str], folder: Path) -> float:
    """Seconds of the pass."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    run(reference=reference.path, eval_dir=folder, genes=genes)
    return time.perf_counter() - started


def main() -> None:
    """Print seconds, bases per second and the ratio of each round."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--genes", type=int, default=52)
    options.add_argument("--rounds", type=int, default=1)
    asked = options.parse_args()
    example = example_folder()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reference = prepare(
            fasta=example / "genome.fa.gz", gtf=example / "annotation.gtf.gz", build="GRCh37", out=folder / "reference"
        )
        genes = reference.genes["gene_id"].to_list()[: asked.genes]
        bare(reference, genes)
        ratios = []
        for _ in range(asked.rounds):
            engine, bases = bare(reference, genes)
            passed = whole(reference, genes, folder / "artifacts")
            ratios.append(passed / engine)
            print(
                f"{bases:,} bases: bare {engine:.1f} s ({bases / engine:,.0f}/s), pass {passed:.1f} s, ratio {ratios[-1]:.3f}"
            )
        print(f"pass / bare model, median of {asked.rounds}: {statistics.median(ratios):.3f} (aim: at most 1.15)")


if __name__ == "__main__":
    main()
