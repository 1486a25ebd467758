"""A simulated genome, its annotation, and a base model that reads it: as large as is wanted, the same for the same seed.

Lengths, numbers of exons and sites resemble human genes of all types together: bodies of 15,000 nt in the median and 40,000
on average, one gene in six without an intron, the others with about eight exons. Sites carry their motifs with mutations, so
that a base model that knows the motifs alone finds most of them, misses some, and calls others that are none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from meta_spliceai.basemodel.protocol import BaseModelInfo, Scores
from meta_spliceai.genome.sequences import Codes

GENES_PER_CONTIG = 1_000
CONTEXT = 32

_BETWEEN = 2_000
_SHORTEST_INTRON, _LONGEST_BODY = 70, 400_000
_LINE = 60
_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
_DONOR = {"first": -2, "motif": "CAGGTAAGT", "kept": (0.7, 0.85, 0.95, 1, 1, 0.85, 0.9, 0.95, 0.8)}
_ACCEPTOR = {"first": -13, "motif": "TTTTTTTTTTCAGG", "kept": (0.85,) * 10 + (0.9, 1, 1, 0.7)}
"""First base of each motif relative to the site's, its letters, and how often each letter is kept."""

Numbers = npt.NDArray[np.int64]


def simulate(folder: Path, *, genes: int, seed: int = 42) -> tuple[Path, Path]:
    """Write a genome and its annotation; returns the paths of FASTA and GTF."""
    fasta, gtf = folder / "genome.fa", folder / "annotation.gtf"
    with fasta.open("wb") as sequence, gtf.open("w", encoding="ascii") as annotation:
        for number, first in enumerate(range(0, genes, GENES_PER_CONTIG), start=1):
            rng = np.random.default_rng((seed, number))
            chrom = f"sim{number}"
            bodies = _bodies(rng, min(GENES_PER_CONTIG, genes - first))
            codes = rng.choice(4, int(bodies[-1][1]) + _BETWEEN, p=(0.29, 0.21, 0.21, 0.29)).astype(np.uint8)
            for gene, (start, end) in enumerate(bodies, start=first + 1):
                strand = "+-"[int(rng.integers(2))]
                exons = _exons(rng, int(start), int(end))
                _plant(rng, codes, exons, strand)
                annotation.write(_annotation_of(chrom, gene, strand, exons))
            sequence.write(_fasta(chrom, codes))
    return fasta, gtf


def _bodies(rng: np.random.Generator, genes: int) -> Numbers:
    """0-based half-open bodies, shape (genes, 2), one after the other with room between."""
    lengths = np.clip(rng.lognormal(np.log(15_000), 1.4, genes), 500, _LONGEST_BODY).astype(np.int64)
    ends = np.cumsum(lengths + _BETWEEN)
    return np.stack([ends - lengths, ends], axis=1)


def _exons(rng: np.random.Generator, start: int, end: int) -> list[tuple[int, int]]:
    """Exons of a gene in genomic order, 0-based half-open: they fill it from its first to its last base."""
    room = end - start
    wanted = 1 if rng.random() < 1 / 6 else 2 + int(rng.poisson(6))
    count = max(1, min(wanted, room // 400))
    lengths = np.clip(rng.lognormal(np.log(130), 0.5, count), 30, 300).astype(np.int64)
    spare = room - int(lengths.sum()) - _SHORTEST_INTRON * (count - 1)
    if count == 1:
        return [(start, end)]
    introns = _SHORTEST_INTRON + (rng.dirichlet(np.full(count - 1, 0.8)) * spare).astype(np.int64)
    introns[-1] += room - int(lengths.sum()) - int(introns.sum())
    starts = start + np.concatenate([[0], np.cumsum(lengths[:-1] + introns)])
    return [(int(first), int(first + length)) for first, length in zip(starts, lengths, strict=True)]


def _plant(rng: np.random.Generator, codes: Codes, exons: list[tuple[int, int]], strand: str) -> None:
    """Write the motifs of all sites of a gene into the genome."""
    left_edges, right_edges = [e[0] for e in exons[1:]], [e[1] - 1 for e in exons[:-1]]
    donors, acceptors = (right_edges, left_edges) if strand == "+" else (left_edges, right_edges)
    for sites, site in ((donors, _DONOR), (acceptors, _ACCEPTOR)):
        motif = np.array(["ACGT".index(letter) for letter in site["motif"]], dtype=np.uint8)
        offsets = site["first"] + np.arange(motif.size)
        places = np.asarray(sites, dtype=np.int64)[:, None] + (offsets if strand == "+" else -offsets)
        written = rng.random(places.shape) < np.asarray(site["kept"])
        letters = np.broadcast_to(motif if strand == "+" else _COMPLEMENT[motif], places.shape)
        codes[places[written]] = letters[written]


def _annotation_of(chrom: str, gene: int, strand: str, exons: list[tuple[int, int]]) -> str:
    """A gene with its full transcript and, where it has a third exon, one that skips its second."""
    gene_id, kind = f"SIMG{gene:07d}", "protein_coding" if gene % 3 else "lncRNA"
    shared = f'gene_id "{gene_id}"; gene_name "SIM{gene}"; gene_type "{kind}";'

    def line(feature: str, start: int, end: int, more: str = "") -> str:
        return f"{chrom}\tsimulated\t{feature}\t{start + 1}\t{end}\t.\t{strand}\t.\t{shared}{more}\n"

    lines = [line("gene", exons[0][0], exons[-1][1])]
    skipping = [[exons[0], *exons[2:]]] if len(exons) > 2 else []
    for number, transcript in enumerate([exons, *skipping], start=1):
        more = f' transcript_id "SIMT{gene:07d}.{number}"; transcript_type "{kind}";'
        lines.append(line("transcript", transcript[0][0], transcript[-1][1], more))
        lines += [line("exon", start, end, more) for start, end in transcript]
    return "".join(lines)


def _fasta(chrom: str, codes: Codes) -> bytes:
    whole = codes.size // _LINE * _LINE
    lines = np.full((whole // _LINE, _LINE + 1), ord("\n"), dtype=np.uint8)
    lines[:, :_LINE] = _LETTERS[codes[:whole]].reshape(-1, _LINE)
    rest = _LETTERS[codes[whole:]].tobytes()
    return f">{chrom}\n".encode() + lines.tobytes() + (rest + b"\n" if rest else b"")


class SimulatedBaseModel:
    """How well the bases around fit the motifs, as a probability."""

    info = BaseModelInfo("simulated", "simulated", (), CONTEXT, "0" * 64, "none")

    def score(self, codes: Codes) -> Scores:
        """Scores of the inner bases; the sum of both channels is at most 1."""
        donor, acceptor = self._fit(codes, _DONOR, 8.4), self._fit(codes, _ACCEPTOR, 11)
        return Scores.typed(donor, acceptor * (1 - donor), donor / 4)

    @staticmethod
    def _fit(codes: Codes, site: dict, threshold: float) -> npt.NDArray[np.float32]:
        length = codes.size - CONTEXT
        matched = np.zeros(length, dtype=np.float32)
        for place, (letter, kept) in enumerate(zip(site["motif"], site["kept"], strict=True)):
            first = CONTEXT // 2 + site["first"] + place
            weight = np.float32(3 if kept == 1 else kept)
            matched += weight * (codes[first : first + length] == "ACGT".index(letter))
        return 1 / (1 + np.exp(np.float32(3) * (np.float32(threshold + 2.6) - matched)))
