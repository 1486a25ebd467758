"""A genome of 95 kb with every situation a gene can be in, made in code: sequence and annotation, always the same.

Contig chrT1 (60,000 nt), chrT2 (30,000 nt) and chrT3 (5,000 nt, no gene). Coordinates below are 1-based, both ends
included. Introns read GT...AG on the transcript's strand unless a gene says otherwise; most donors and acceptors have
the surrounding consensus as well, so that a base model can find them, and a few have not, so that it misses some.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from meta_spliceai.genome.sequences import decode, encode, reverse_complement

BUILD = "tiny1"
LENGTHS = {"chrT1": 60_000, "chrT2": 30_000, "chrT3": 5_000}
N_RUNS = (("chrT1", 10_001, 10_500), ("chrT1", 39_801, 42_200), ("chrT2", 11_001, 11_200), ("chrT3", 1, 1_000))
LOWER_CASE = (("chrT1", 5_950, 8_050), ("chrT2", 14_000, 15_000))
OTHER_LETTERS = (("chrT1", 3_000, "R"), ("chrT2", 6_000, "y"))
LINE = 60

_CONSENSUS = {"donor": "AAGT", "tract": "CTTCCTTTCTTCTTCTCTTC"}
_WEAK_SHARE = 0.15

Exons = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TinyGene:
    """One gene: its transcripts' exons in ascending order, and what it is there for."""

    gene_id: str
    gene_name: str | None
    chrom: str
    strand: str
    transcripts: dict[str, Exons]
    about: str
    gene_type: str = "protein_coding"
    motifs: dict[int, tuple[str, str]] = field(default_factory=dict)
    """(donor, acceptor) bases by the intron's first genomic base, where they are not GT and AG."""

    @property
    def start(self) -> int:
        return min(exons[0][0] for exons in self.transcripts.values())

    @property
    def end(self) -> int:
        return max(exons[-1][1] for exons in self.transcripts.values())

    def gaps(self) -> list[tuple[int, int]]:
        """Distinct gaps between neighbouring exons, 1-based, both ends included."""
        pairs = (pair for exons in self.transcripts.values() for pair in pairwise(exons))
        return sorted({(left[1] + 1, right[0] - 1) for left, right in pairs})


GENES: tuple[TinyGene, ...] = (
    TinyGene(
        "TG01.1", "START", "chrT1", "+", {"TT01.1": ((1, 200), (601, 800), (1_501, 1_800))}, "touches the contig's start"
    ),
    TinyGene(
        "TG02.3", "PLUSALT", "chrT1", "+",
        {
            "TT02A.1": ((4_001, 4_200), (5_001, 5_120), (6_001, 6_150), (7_501, 7_600), (8_701, 9_000)),
            "TT02B.1": ((4_001, 4_200), (5_001, 5_120), (7_501, 7_600), (8_701, 9_000)),
            "TT02C.1": ((4_051, 4_200), (5_001, 5_105), (6_001, 6_150), (7_501, 7_600), (8_701, 8_900)),
            "TT02D.1": ((4_001, 4_200), (5_001, 5_120), (6_001, 6_150), (7_541, 7_600), (8_701, 9_000)),
        },
        "plus strand: skipped exon, alternative donor, alternative acceptor, alternative ends",
    ),
    TinyGene(
        "TG03.1", "MINUSALT", "chrT1", "-",
        {
            "TT03A.1": ((12_001, 12_300), (13_501, 13_620), (14_801, 14_900), (16_001, 16_130), (17_301, 17_500)),
            "TT03B.1": ((12_001, 12_300), (13_501, 13_620), (16_001, 16_130), (17_301, 17_500)),
            "TT03C.1": ((12_101, 12_300), (13_521, 13_620), (14_801, 14_930), (16_001, 16_130)),
        },
        "minus strand: skipped exon, alternative donor and acceptor, alternative ends",
    ),
    TinyGene("TG04.1", "ONEEXON", "chrT1", "+", {"TT04.1": ((19_001, 20_200),)}, "a single exon: no splice site"),
    TinyGene(
        "TG05.1", "LEFT", "chrT1", "+", {"TT05.1": ((22_001, 22_150), (23_001, 23_120), (25_501, 26_000))},
        "overlaps TG06 on the same strand",
    ),
    TinyGene(
        "TG06.1", "RIGHT", "chrT1", "+", {"TT06.1": ((25_001, 25_200), (26_501, 26_650), (28_701, 29_000))},
        "overlaps TG05 on the same strand; its donor 25,200 lies in an intron of TG05",
    ),
    TinyGene(
        "TG07.1", "SENSE", "chrT1", "+", {"TT07.1": ((31_001, 31_200), (32_501, 32_640), (34_501, 35_000))},
        "overlaps TG08 on the other strand",
    ),
    TinyGene(
        "TG08.1", "ANTISENSE", "chrT1", "-", {"TT08.1": ((34_001, 34_300), (35_501, 35_620), (37_701, 38_000))},
        "overlaps TG07 on the other strand", gene_type="antisense",
    ),
    TinyGene("TG09.1", "NOTHING", "chrT1", "+", {"TT09.1": ((40_001, 40_300), (41_501, 42_000))}, "lies in N only"),
    TinyGene(
        "TG10.1", "RARE", "chrT1", "+",
        {"TT10.1": ((44_001, 44_200), (45_001, 45_150), (46_001, 46_140), (47_701, 48_000))},
        "a GC-AG intron, then an AT-AC intron, then GT-AG",
        motifs={44_201: ("GC", "AG"), 45_151: ("AT", "AC")},
    ),
    TinyGene(
        "TG11.1", "GAP", "chrT1", "-", {"TT11.1": ((50_001, 50_300), (50_311, 50_500), (52_501, 53_000))},
        "a gap of 10 nt between exons: an artefact, no intron", gene_type="processed_transcript",
    ),
    TinyGene(
        "TG12.1", "ONEBASE", "chrT1", "+", {"TT12.1": ((55_001, 55_200), (56_500, 56_500), (57_501, 58_000))},
        "an exon of one base: 56,500 is acceptor and donor",
    ),
    TinyGene(
        "TG13.1", "END", "chrT1", "-", {"TT13.1": ((59_001, 59_150), (59_801, 60_000))}, "touches the contig's end"
    ),
    TinyGene(
        "TG14.2", "LINC1", "chrT2", "-", {"TT14.1": ((2_001, 2_300), (3_501, 3_600), (4_801, 5_000))},
        "a lncRNA", gene_type="lncRNA",
    ),
    TinyGene(
        "TG15.1", None, "chrT2", "+", {"TT15.1": ((7_001, 7_200), (8_201, 8_330), (10_301, 10_500))}, "has no name"
    ),
    TinyGene(
        "TG16.1", "SHORTINTRONS", "chrT2", "-",
        {
            "TT16.1": ((13_001, 13_400), (13_501, 13_700), (13_801, 13_950), (14_101, 14_300), (18_501, 19_000)),
            "TT16B.1": ((13_001, 13_400), (13_501, 13_950), (14_101, 14_300), (18_501, 19_000)),
        },
        "introns of 100 nt, one of them retained in a transcript",
    ),
    TinyGene(
        "TG17.1", "LAST", "chrT2", "+",
        {"TT17.1": ((22_001, 22_200), (23_101, 23_260), (24_401, 24_520), (25_601, 25_700), (26_701, 27_000))},
        "plus strand, five exons",
    ),
)  # fmt: skip
"""In reference order."""

CANONICAL = frozenset({"TT02A.1", "TT03A.1"} | {gene_id for g in GENES for gene_id in list(g.transcripts)[:1]})


@dataclass(frozen=True, slots=True)
class TinyGenome:
    """The files of a written tiny genome, and what is in them."""

    fasta: Path
    gtf: Path
    build: str = BUILD
    genes: tuple[TinyGene, ...] = GENES
    lengths: dict[str, int] = field(default_factory=lambda: dict(LENGTHS))


def write_tiny_genome(folder: Path) -> TinyGenome:
    """Write genome.fa and annotation.gtf into `folder`, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny = TinyGenome(folder / "genome.fa", folder / "annotation.gtf")
    tiny.fasta.write_text(tiny_fasta())
    tiny.gtf.write_text(tiny_gtf())
    return tiny


def tiny_fasta() -> str:
    """The genome as FASTA text with lines of 60 letters."""
    records = []
    for chrom, letters in tiny_sequences().items():
        lines = (letters[at : at + LINE] for at in range(0, len(letters), LINE))
        records.append(f">{chrom} made in code\n" + "\n".join(lines) + "\n")
    return "".join(records)


def tiny_sequences() -> dict[str, str]:
    """Letters by contig, with N runs, lower case and other letters."""
    rng = np.random.default_rng(20)
    codes = {chrom: rng.integers(0, 4, length, dtype=np.uint8) for chrom, length in LENGTHS.items()}
    introns = [(gene, gap) for gene in GENES for gap in gene.gaps() if gap[1] - gap[0] + 1 >= 20]
    for gene, (first, last) in introns:
        for at, letters in _surroundings(gene, first, last, rng):
            codes[gene.chrom][at : at + len(letters)] = encode(letters)
    for gene, (first, last) in introns:
        donor, acceptor = gene.motifs.get(first, ("GT", "AG"))
        left, right = (donor, acceptor) if gene.strand == "+" else (_flipped(acceptor), _flipped(donor))
        codes[gene.chrom][first - 1 : first + 1] = encode(left)
        codes[gene.chrom][last - 2 : last] = encode(right)
    letters = {chrom: bytearray(decode(sequence).encode()) for chrom, sequence in codes.items()}
    for chrom, first, last in N_RUNS:
        letters[chrom][first - 1 : last] = b"N" * (last - first + 1)
    for chrom, position, letter in OTHER_LETTERS:
        letters[chrom][position - 1] = ord(letter)
    for chrom, first, last in LOWER_CASE:
        letters[chrom][first - 1 : last] = letters[chrom][first - 1 : last].lower()
    return {chrom: sequence.decode() for chrom, sequence in letters.items()}


def _surroundings(gene: TinyGene, first: int, last: int, rng: np.random.Generator) -> list[tuple[int, str]]:
    """What surrounds the sites of an intron besides their two bases: 0-based index and letters; nothing at weak sites."""
    placed = []
    tract = _CONSENSUS["tract"]
    if rng.random() >= _WEAK_SHARE:  # from the last exon base over the intron's first two bases to the consensus
        letters = "GGT" + _CONSENSUS["donor"]
        placed.append((first - 2, letters) if gene.strand == "+" else (last - len(letters) + 1, _flipped(letters)))
    if rng.random() >= _WEAK_SHARE:
        letters = tract + "AGG"
        placed.append((last - len(letters) + 1, letters) if gene.strand == "+" else (first - 2, _flipped(letters)))
    return placed


def _flipped(letters: str) -> str:
    return decode(reverse_complement(encode(letters)))


def tiny_gtf() -> str:
    """The annotation in GENCODE's dialect: gene, transcript, exon and (for one gene) CDS rows."""
    rows = ["##description: made in code", "##format: gtf"]
    # not in reference order, so that nothing comes to rest on the order of the file
    for gene in sorted(GENES, key=lambda gene: (gene.chrom, -gene.end)):
        shared = f'gene_id "{gene.gene_id}"; gene_type "{gene.gene_type}";'
        name = f' gene_name "{gene.gene_name}";' if gene.gene_name else ""
        rows.append(_row(gene, "gene", gene.start, gene.end, f"{shared}{name} level 2;"))
        for transcript_id, exons in gene.transcripts.items():
            tag = ' tag "basic"; tag "Ensembl_canonical";' if transcript_id in CANONICAL else ' tag "basic";'
            own = (
                f'gene_id "{gene.gene_id}"; transcript_id "{transcript_id}"; gene_type "{gene.gene_type}";{name} '
                f'transcript_type "{gene.gene_type}"; level 2;{tag}'
            )
            rows.append(_row(gene, "transcript", exons[0][0], exons[-1][1], own))
            ordered = exons if gene.strand == "+" else exons[::-1]
            for number, (start, end) in enumerate(ordered, 1):
                rows.append(_row(gene, "exon", start, end, f"{own} exon_number {number};"))
                if gene.gene_name == "PLUSALT":
                    rows.append(_row(gene, "CDS", start, end, f"{own} exon_number {number};"))
    return "\n".join(rows) + "\n"


def _row(gene: TinyGene, feature: str, start: int, end: int, attributes: str) -> str:
    return f"{gene.chrom}\tTOY\t{feature}\t{start}\t{end}\t.\t{gene.strand}\t.\t{attributes}"
