"""Make `spliceai_stretches.json.gz`: what the original Keras models give on four short stretches of the example.

The sequence and scores of one of them are the known answer that `basemodel check` compares with; they are kept in the
package, as `known_answers/spliceai.json.gz`, and not a second time here.

Needs an environment of its own, since the package itself uses neither Keras nor TensorFlow:

    python -m venv golden-env
    golden-env/bin/pip install tensorflow-cpu==2.21.0 h5py==3.14.0
    golden-env/bin/pip install --no-deps spliceai==1.3.1
    golden-env/bin/python tests/golden/make_spliceai_golden.py

TensorFlow 2.21.0 brought Keras 3.15.1, which reads the files of Keras 2.0.5 when told not to compile them.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).resolve().parent
KNOWN_ANSWER_FILE = HERE.parents[1] / "src" / "meta_spliceai" / "basemodel" / "known_answers" / "spliceai.json.gz"
KNOWN_ANSWER = "plus strand"
FASTA = HERE.parents[1] / "examples" / "chr3_42M" / "genome.fa.gz"
CHROM = "chr3"
SCORED = 400
CONTEXT = 10_000
NEITHER, ACCEPTOR, DONOR = range(3)


@dataclass(frozen=True)
class Stretch:
    """400 scored bases around an inner exon of `gene`; all positions are 1-based and both ends are included.

    Bases in the `unknown` spans are replaced by N, as in an assembly gap or before the start of a contig.
    """

    name: str
    gene: str
    strand: str
    exon: tuple[int, int]
    unknown: tuple[tuple[int, int], ...] = ()

    @property
    def first(self) -> int:
        return sum(self.exon) // 2 - SCORED // 2

    @property
    def last(self) -> int:
        return self.first + SCORED - 1


STRETCHES = (
    Stretch("plus strand", "TRAK1", "+", (42218306, 42218382)),
    Stretch("minus strand", "ANO10", "-", (43647206, 43647355)),
    Stretch("unknown bases", "VIPR1", "+", (42560715, 42560822), ((42556000, 42556699), (42560600, 42560640))),
    Stretch("contig start", "SEC22C", "-", (42610357, 42610565), ((42605000, 42610280),)),
)


def contig(fasta: Path) -> str:
    header, sequence = gzip.decompress(fasta.read_bytes()).decode().split("\n", 1)
    if header.split()[0] != f">{CHROM}":
        raise SystemExit(f"expected the contig {CHROM} first in {fasta}, found {header}")
    return sequence.replace("\n", "").upper()


def with_context(contig_sequence: str, stretch: Stretch) -> str:
    """The stretch and half the context on both sides, in the direction of transcription."""
    start, end = stretch.first - 1 - CONTEXT // 2, stretch.last + CONTEXT // 2
    bases = bytearray(contig_sequence[start:end], "ascii")
    for low, high in stretch.unknown:
        inside = slice(max(low - 1, start) - start, min(high, end) - start)
        bases[inside] = b"N" * len(bases[inside])
    sequence = bases.decode()
    return sequence if stretch.strand == "+" else sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def one_hot(sequence: str) -> np.ndarray:
    return np.array([[base == letter for letter in "ACGT"] for base in sequence], dtype=np.float32)[None]


def shortest(values: np.ndarray) -> list[float]:
    """The float32 values with no more digits than tell them apart."""
    return [float(str(value)) for value in values]


def write_compressed(file: Path, content: object) -> None:
    # Without a time stamp the same values make the same file.
    file.write_bytes(gzip.compress(json.dumps(content, indent=1).encode(), 9, mtime=0))


def main() -> None:
    spliceai = importlib.metadata.distribution("spliceai")
    files = [Path(spliceai.locate_file(f"spliceai/models/spliceai{member}.h5")) for member in range(1, 6)]
    models = [keras.models.load_model(file, compile=False) for file in files]
    contig_sequence = contig(FASTA)
    software = {package: importlib.metadata.version(package) for package in ("tensorflow-cpu", "keras", "spliceai")}
    stretches = []
    for stretch in STRETCHES:
        sequence = with_context(contig_sequence, stretch)
        members = np.stack([model.predict(one_hot(sequence), verbose=0)[0] for model in models])
        donor, acceptor = members[:, :, DONOR], members[:, :, ACCEPTOR]
        channels = {
            "donor": shortest(donor.mean(axis=0)),
            "acceptor": shortest(acceptor.mean(axis=0)),
            "spread": shortest((donor + acceptor).std(axis=0)),
        }
        if stretch.name == KNOWN_ANSWER:
            made_by = (
                f"the original Keras models of spliceai {software['spliceai']}, run by Keras {software['keras']} "
                f"and TensorFlow {software['tensorflow-cpu']}"
            )
            weights = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
            answer = {"made_by": made_by, "weights_fingerprint": weights, "sequence": sequence, "channels": channels}
            write_compressed(KNOWN_ANSWER_FILE, answer)
        left, right = stretch.exon
        stretches.append(
            {
                "name": stretch.name,
                "gene": stretch.gene,
                "chrom": CHROM,
                "strand": stretch.strand,
                "first_position": stretch.first,
                "last_position": stretch.last,
                "donor_position": right if stretch.strand == "+" else left,
                "acceptor_position": left if stretch.strand == "+" else right,
                "unknown": stretch.unknown,
                **({} if stretch.name == KNOWN_ANSWER else {"sequence": sequence, **channels}),
            }
        )
    write_compressed(HERE / "spliceai_stretches.json.gz", {"software": software, "stretches": stretches})


if __name__ == "__main__":
    main()
