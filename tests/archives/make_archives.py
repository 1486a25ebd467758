"""Make the archived datasets that `dataset migrate` and `open_dataset` are tested on. Once a version is released, its archive is
never made again.

    PYTHONPATH=src:. python tests/archives/make_archives.py

dataset_v0   what the implementation before this one would have written for the tiny genome, after the description of its
             files: positions from 0 from the gene's 5' end, on the plus strand from one base before it, sites named by the
             intron's base, one row per transcript
dataset_v1   format version 1, made by `meta-spliceai build`
"""

from __future__ import annotations

import random
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

import polars as pl

from meta_spliceai.build.run import build
from tests.build.conftest import pass_over
from tests.toys.tiny_genome import GENES

HERE = Path(__file__).parent


def earlier_rows() -> pl.DataFrame:
    """Rows of every gene with introns."""
    rng = random.Random(5)
    rows = []
    for gene in GENES:
        plus = gene.strand == "+"
        sites: dict[tuple[int, str], list[str]] = {}
        for transcript, exons in gene.transcripts.items():
            for left, right in pairwise(exons):
                if right[0] - left[1] - 1 < 20:
                    continue
                first, last = left[1] + 1, right[0] - 1  # the intron's ends on the genome
                for position, kind in (
                    (first, "donor" if plus else "acceptor"),
                    (last, "acceptor" if plus else "donor"),
                ):
                    index = position - (gene.start - 1) if plus else gene.end - position
                    sites.setdefault((index, kind), []).append(transcript)
        for (index, kind), transcripts in sites.items():
            called = rng.random() < 0.8
            for transcript in transcripts:
                shift = rng.choice([0, 0, 0, 1]) if called else 0
                rows.append(
                    (
                        gene.gene_id,
                        transcript,
                        gene.chrom,
                        gene.strand,
                        index + shift,
                        index,
                        kind,
                        "TP" if called else "FN",
                        rng.random(),
                    )
                )
        for _ in range(4):
            index = rng.randrange(gene.end - gene.start + 1)
            rows.append(
                (
                    gene.gene_id,
                    "",
                    gene.chrom,
                    gene.strand,
                    index,
                    None,
                    "neither",
                    rng.choice(["TN", "TN", "FP"]),
                    rng.random(),
                )
            )
    names = [
        "gene_id",
        "transcript_id",
        "chrom",
        "strand",
        "position",
        "true_position",
        "splice_type",
        "pred_type",
        "donor_score",
    ]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(
        acceptor_score=1 - pl.col("donor_score"),
        gc_content=pl.lit(0.5),
        missing_transcript_feats=(pl.col("transcript_id") == "").cast(pl.Int64),
    )


def main() -> None:
    for name in ("dataset_v0", "dataset_v1"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    rows = earlier_rows()
    (HERE / "dataset_v0/master").mkdir(parents=True)
    genes = rows["gene_id"].unique(maintain_order=True).to_list()
    for number, some in enumerate((genes[:9], genes[9:]), start=1):
        own = rows.filter(pl.col("gene_id").is_in(some))
        own.write_parquet(HERE / f"dataset_v0/master/batch_{number:05d}.parquet", compression="zstd")
    with tempfile.TemporaryDirectory() as folder:
        passed = pass_over(Path(folder), tn_rate=1e-9)
        build(
            reference=passed.reference,
            eval_dir=passed.eval_dir,
            output_dir=HERE / "dataset_v1",
            gene_ids=["TG05.1", "TG13.1"],
            kmer_sizes=(1,),
            batch_size=1,
            hard_prob=1.0,
            easy_ratio=0.0,
        )
    for name in (".lock", "run_log.jsonl"):
        (HERE / "dataset_v1" / name).unlink()


if __name__ == "__main__":
    main()
