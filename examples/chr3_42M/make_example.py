"""Make the bundled example from its two public sources; see PROVENANCE.md.

    python make_example.py chr3.42M.fa grch37_exons.csv.gz

`chr3.42M.fa` is doc/augustus/tutorial/data/chr3.42M.fa of Debian's package augustus-doc; `grch37_exons.csv.gz` is
mmsplice/models/grch37_exons.csv.gz of the source distribution of mmsplice 2.4.0. The files are written beside this script.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
import zlib
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
CHROM = "chr3"
FIRST, LAST = 42_000_000, 44_000_000
"""Positions (1-based, both included) of the sequence; those before it are written as N, so coordinates are the genome's."""

LINE = 100
BLOCK = 0xFF00
EMPTY_MEMBER = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bgzip(content: bytes) -> bytes:
    """The content as a series of gzip members that tell their size (SAM specification, section 4.1)."""
    members = []
    for start in range(0, len(content), BLOCK):
        block = content[start : start + BLOCK]
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(block) + packer.flush()
        header = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<HBBHH", 6, 66, 67, 2, len(packed) + 25)
        members.append(header + packed + struct.pack("<II", zlib.crc32(block), len(block)))
    return b"".join(members) + EMPTY_MEMBER


def sequence_of(fasta: Path) -> str:
    """The letters of a FASTA with one record."""
    return "".join(line.strip() for line in fasta.read_text().splitlines() if not line.startswith(">")).upper()


def exons_of(table: Path) -> pl.DataFrame:
    """Exons (1-based, both ends included, overhangs removed) of the genes that lie inside the region with all their transcripts."""
    exons = (
        pl.read_csv(table, infer_schema_length=None)
        .filter(pl.col("Chromosome") == CHROM)
        .select(
            "gene_id", "gene_name", "transcript_id",
            strand="Strand", start=pl.col("Start") + pl.col("left_overhang"), end=pl.col("End") - pl.col("right_overhang"),
        )
    )  # fmt: skip
    inside = exons.group_by("gene_id").agg(pl.col("start").min(), pl.col("end").max())
    inside = inside.filter((pl.col("start") >= FIRST) & (pl.col("end") <= LAST))
    return exons.filter(pl.col("gene_id").is_in(inside["gene_id"].to_list())).sort("start", "end", "transcript_id")


def introns_reading(exons: pl.DataFrame, sequence: str, first: str, last: str) -> tuple[int, int]:
    """How many distinct introns of at least 20 nt read first…last on their strand, and how many there are."""
    gaps = exons.sort("transcript_id", "start").with_columns(
        end=pl.col("start").shift(-1).over("transcript_id") - 1, start=pl.col("end") + 1
    )
    gaps = gaps.filter(pl.col("end") - pl.col("start") >= 19).unique(["strand", "start", "end"])
    complement = str.maketrans("ACGT", "TGCA")
    reading = 0
    for strand, start, end in gaps.select("strand", "start", "end").iter_rows():
        intron = sequence[start - FIRST : end - FIRST + 1]
        intron = intron if strand == "+" else intron[::-1].translate(complement)
        reading += intron.startswith(first) and intron.endswith(last)
    return reading, gaps.height


def gtf_of(exons: pl.DataFrame) -> str:
    """GENCODE-dialect GTF: gene, transcript and exon lines. The source has no biotypes, so there are none."""
    lines = [
        "##description: GENCODE transcripts (GRCh37) of the genes wholly inside chr3:42,000,000-44,000,000",
        "##format: gtf",
    ]
    for (gene,), of_gene in exons.group_by("gene_id", maintain_order=True):
        name, strand = of_gene["gene_name"][0], of_gene["strand"][0]
        about = f'gene_id "{gene}"; gene_name "{name}";'

        def line(feature: str, rows: pl.DataFrame, more: str, about: str = about, strand: str = strand) -> str:
            fields = (CHROM, "GENCODE", feature, rows["start"].min(), rows["end"].max(), ".", strand, ".", about + more)
            return "\t".join(str(field) for field in fields)

        lines.append(line("gene", of_gene, ""))
        for (transcript,), rows in of_gene.sort("transcript_id", "start").group_by(
            "transcript_id", maintain_order=True
        ):
            more = f' transcript_id "{transcript}";'
            lines.append(line("transcript", rows, more))
            ordered = rows if strand == "+" else rows.reverse()
            lines += [
                line("exon", ordered.slice(place, 1), f"{more} exon_number {place + 1};")
                for place in range(rows.height)
            ]
    return "\n".join(lines) + "\n"


def main(fasta: Path, table: Path) -> None:
    """Write genome.fa.gz, annotation.gtf.gz and SHA256SUMS, and say how many introns read GT…AG."""
    sequence = sequence_of(fasta)
    if len(sequence) != LAST - FIRST + 1:
        sys.exit(f"expected {LAST - FIRST + 1:,} bases in {fasta}, found {len(sequence):,}")
    exons = exons_of(table)
    reading, introns = introns_reading(exons, sequence, "GT", "AG")
    print(
        f"{exons['gene_id'].n_unique()} genes, {exons['transcript_id'].n_unique()} transcripts, {introns} distinct introns"
    )
    print(f"{100 * reading / introns:.2f} % of the introns read GT...AG")
    letters = "N" * (FIRST - 1) + sequence
    lines = "\n".join(letters[start : start + LINE] for start in range(0, len(letters), LINE))
    (HERE / "genome.fa.gz").write_bytes(bgzip(f">{CHROM}\n{lines}\n".encode()))
    (HERE / "annotation.gtf.gz").write_bytes(gzip.compress(gtf_of(exons).encode(), 9, mtime=0))
    names = ("annotation.gtf.gz", "genome.fa.gz")
    sums = [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
