"""What the makers of known answers share: a real sequence, and the file that the package ships.

The sequence is 400 bases around the inner exon of TRAK1 at chr3:42,218,306-42,218,382 (GRCh37, plus strand) from the
bundled example, with half the base model's context on both sides.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
FASTA = ROOT / "examples" / "chr3_42M" / "genome.fa.gz"
FOLDER = ROOT / "src" / "meta_spliceai" / "basemodel" / "known_answers"
FIRST, SCORED = 42_218_145, 400
"""1-based position of the first scored base, and how many there are."""


def real_sequence(context: int) -> str:
    """The letters, of length context + SCORED."""
    header, sequence = gzip.decompress(FASTA.read_bytes()).decode().split("\n", 1)
    if header.split()[0] != ">chr3":
        raise SystemExit(f"expected the contig chr3 first in {FASTA}, found {header}")
    start = FIRST - 1 - context // 2
    return sequence.replace("\n", "").upper()[start : start + SCORED + context]


def one_hot(sequence: str) -> torch.Tensor:
    """Float32 of shape (1, 4, n)."""
    return torch.tensor([[[base == letter for base in sequence] for letter in "ACGT"]], dtype=torch.float32)


def load(module: torch.nn.Module, file: Path) -> torch.nn.Module:
    """The module with the weights of a file, every one of them used."""
    module.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), strict=True)
    return module.eval()


def write(name: str, *, made_by: str, files: Sequence[Path], sequence: str, channels: Mapping[str, np.ndarray]) -> None:
    """Write the known answer of a base model; the same values make the same file."""
    answer = {
        "made_by": f"{made_by}, torch {torch.__version__}",
        "weights_fingerprint": hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
        "sequence": sequence,
        "channels": {channel: [round(float(value), 7) for value in values] for channel, values in channels.items()},
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(answer).encode(), 9, mtime=0))
