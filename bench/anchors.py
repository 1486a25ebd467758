"""Whole commands, from FASTA to files, against the programs they replace, on the same bases of one strand.

    python bench/anchors.py --fasta ../shared/data/GRCh37/genome.fa.gz --keras-python KERAS/bin/python \
        --openspliceai OSAI/bin/openspliceai --openspliceai-weights ../shared/data/weights/openspliceai-mane/10000nt

Ours is `reference prepare` and `basepass run`: scores, candidate rows, errors and performance of a gene that takes up the
whole stretch but its flanks. The others write scores, or BED files of what they call: the original Keras models in blocks
of 5,000 bases (`anchors_keras.py`), and `openspliceai predict`. The environments are made with

    python -m venv KERAS; KERAS/bin/pip install tensorflow-cpu keras h5py numpy
    python -m venv OSAI;  OSAI/bin/pip install torch openspliceai==0.0.7

All commands take turns, so that a noisy machine is noisy for each of them; the ratio of a round is taken within it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sequences import decode

AIM = 6.0
FLANK = 5_000
LINE = 60


def write_inputs(fasta: Path, chrom: str, start: int, length: int, folder: Path) -> tuple[Path, Path]:
    """A contig of `length` bases, and an annotation of one gene that fills it but for its flanks."""
    with open_genome(fasta) as genome:
        letters = decode(genome.codes(chrom, start, start + length))
    sequence, annotation = folder / "stretch.fa", folder / "stretch.gtf"
    lines = "\n".join(letters[at : at + LINE] for at in range(0, length, LINE))
    sequence.write_text(f">{chrom}\n{lines}\n")
    attributes = 'gene_id "G"; transcript_id "T";'
    annotation.write_text(f"{chrom}\tbench\texon\t{FLANK + 1}\t{length - FLANK}\t.\t+\t.\t{attributes}\n")
    return sequence, annotation


def ours(sequence: Path, annotation: Path, out: Path, base: str) -> list[list[str]]:
    """The two commands of this package."""
    program = [sys.executable, "-m", "meta_spliceai"]
    reference, artifacts = str(out / "reference"), str(out / "artifacts")
    prepare = [
        "reference",
        "prepare",
        "--fasta",
        str(sequence),
        "--gtf",
        str(annotation),
        "--build",
        "x",
        "--out",
        reference,
    ]
    run = ["basepass", "run", "--reference", reference, "--eval-dir", artifacts, "--base", base]
    return [[*program, *prepare], [*program, *run]]


def seconds_of(commands: list[list[str]]) -> float:
    """Wall time of commands one after the other; a failing one ends the benchmark with what it said."""
    started = time.perf_counter()
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--chrom", default="chr1")
    parser.add_argument("--start", type=int, default=1_000_000)
    parser.add_argument("--bases", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keras-python", type=Path)
    parser.add_argument("--openspliceai", type=Path)
    parser.add_argument("--openspliceai-weights", type=Path)
    options = parser.parse_args()
    rounds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sequence, annotation = write_inputs(options.fasta, options.chrom, options.start, options.bases, folder)
        for number in range(options.rounds):
            commands = {"spliceai": ours(sequence, annotation, folder / f"ours_{number}", "spliceai")}
            if options.keras_python:
                models = Path(str(importlib.metadata.distribution("spliceai").locate_file("spliceai/models")))
                script = Path(__file__).with_name("anchors_keras.py")
                keras = [options.keras_python, script, sequence, models, folder / "keras.npy"]
                commands["keras"] = [[str(word) for word in keras]]
            if options.openspliceai:
                base = f"openspliceai={options.openspliceai_weights}"
                commands["openspliceai"] = ours(sequence, annotation, folder / f"osai_{number}", base)
                predict = [options.openspliceai, "predict", "-i", sequence, "-o", folder / f"predict_{number}"]
                predict += ["-m", options.openspliceai_weights, "-f", "10000"]
                commands["openspliceai predict"] = [[str(word) for word in predict]]
            for title, lines in commands.items():
                rounds.setdefault(title, []).append(seconds_of(lines))
                print(f"round {number + 1}: {title} {rounds[title][-1]:.1f} s", file=sys.stderr)
    report(rounds, options.bases)


def report(rounds: dict[str, list[float]], bases: int) -> None:
    """Print seconds, rates and ratios, as a table and as one line of JSON."""
    found = {}
    for anchor, program in (("keras", "spliceai"), ("openspliceai predict", "openspliceai")):
        if anchor in rounds:
            ratios = [theirs / mine for theirs, mine in zip(rounds[anchor], rounds[program], strict=True)]
            found[anchor] = {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
            print(
                f"{anchor} / {program}: {found[anchor]['ratio']:.1f} ({min(ratios):.1f} to {max(ratios):.1f}; aim {AIM:.0f}), "
                f"{statistics.median(rounds[anchor]):.1f} s against {statistics.median(rounds[program]):.1f} s "
                f"for {bases:,} bases"
            )
    print(json.dumps({"bases": bases, "seconds": rounds, "ratios": found}))


if __name__ == "__main__":
    main()
