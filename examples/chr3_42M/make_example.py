"""Make the bundled example from its two public sources; see PROVENANCE.md.

    python make_example.py chr3.42M.fa grch37_exons.csv.gz

`chr3.42M.fa` is doc/augustus/tutorial/data/chr3.42M.fa of Debian's package augustus-doc; `grch37_exons.csv.gz` is
mmsplice/models/grch37_exons.csv.gz of the source distribution of mmsplice 2.4.0. The files are written beside this
script; meta-spliceai has to be installed.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from meta_spliceai.formats.bgzip import write_bgzip
from meta_spliceai.formats.fasta import index_path, open_genome

HERE = Path(__file__).parent
CHROM = "chr3"
FIRST, LAST = 42_000_000, 44_000_000
"""Positions (1-based, both included) of the sequence; those before it are written as N, so coordinates are the genome's."""

LINE = 1_000_000
"""Letters per line: with the usual 60, the line ends would make the compressed file a quarter larger."""

MIN_INTRON = 20


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


def introns_of(exons: pl.DataFrame) -> pl.DataFrame:
    """Distinct introns (1-based, both ends included) with their number of transcripts."""
    gaps = exons.sort("transcript_id", "start").with_columns(
        end=pl.col("start").shift(-1).over("transcript_id") - 1, start=pl.col("end") + 1
    )
    long_enough = gaps.filter(pl.col("end") - pl.col("start") + 1 >= MIN_INTRON)
    return long_enough.group_by("strand", "start", "end").agg(transcripts=pl.len()).sort("start", "end", "strand")


def reading(introns: pl.DataFrame, sequence: str, move: int = 0) -> pl.Series:
    """The first and last two bases of each intron on its strand, if the sequence began `move` bases further on."""
    complement = str.maketrans("ACGT", "TGCA")
    motifs = []
    for strand, start, end in introns.select("strand", "start", "end").iter_rows():
        letters = sequence[start - FIRST - move : end - FIRST - move + 1]
        letters = letters if strand == "+" else letters[::-1].translate(complement)
        motifs.append(f"{letters[:2]}-{letters[-2:]}")
    return pl.Series("motif", motifs)


def gtf_of(exons: pl.DataFrame) -> str:
    """GENCODE-dialect GTF: gene, transcript and exon lines. The source has no biotypes, so there are none."""
    lines = [
        "##description: GENCODE transcripts (GRCh37) of the genes wholly inside chr3:42,000,000-44,000,000",
        "##format: gtf",
    ]
    for (gene,), of_gene in exons.group_by("gene_id", maintain_order=True):
        about = f'gene_id "{gene}"; gene_name "{of_gene["gene_name"][0]}";'
        lines.append(gtf_line("gene", of_gene, about))
        for (transcript,), rows in of_gene.sort("transcript_id", "start").group_by(
            "transcript_id", maintain_order=True
        ):
            of_transcript = f'{about} transcript_id "{transcript}";'
            lines.append(gtf_line("transcript", rows, of_transcript))
            ordered = rows if rows["strand"][0] == "+" else rows.reverse()
            lines += [
                gtf_line("exon", ordered.slice(place, 1), f"{of_transcript} exon_number {place + 1};")
                for place in range(rows.height)
            ]
    return "\n".join(lines) + "\n"


def gtf_line(kind: str, rows: pl.DataFrame, attributes: str) -> str:
    """One line that spans the rows."""
    fields = (CHROM, "GENCODE", kind, rows["start"].min(), rows["end"].max(), ".", rows["strand"][0], ".", attributes)
    return "\t".join(str(field) for field in fields)


def fasta_of(sequence: str) -> Iterator[bytes]:
    """The contig from its first base, line by line."""
    yield f">{CHROM}\n".encode()
    letters = "N" * (FIRST - 1) + sequence
    for start in range(0, len(letters), LINE):
        yield f"{letters[start : start + LINE]}\n".encode()


def say_what_introns_read(exons: pl.DataFrame, sequence: str) -> None:
    """Print the figures that PROVENANCE.md quotes."""
    introns = introns_of(exons)
    genes, transcripts = exons["gene_id"].n_unique(), exons["transcript_id"].n_unique()
    print(f"{genes} genes, {transcripts} transcripts, {introns.height} distinct introns of at least {MIN_INTRON} nt")
    for move in (-1, 0, 1):
        share = (reading(introns, sequence, move) == "GT-AG").mean()
        print(f"first base at {FIRST + move:,}: {100 * share:.2f} % of the distinct introns read GT-AG")
    read = introns.with_columns(reading(introns, sequence))
    known = read["motif"].is_in(["GT-AG", "GC-AG", "AT-AC"])
    in_transcripts = read.filter(pl.col("motif") == "GT-AG")["transcripts"].sum() / read["transcripts"].sum()
    print(f"{100 * known.mean():.2f} % read GT-AG, GC-AG or AT-AC")
    print(f"{100 * in_transcripts:.2f} % of the introns, counted once per transcript, read GT-AG")


def main(fasta: Path, table: Path) -> None:
    """Write the example beside this script, and say how many introns read GT-AG."""
    sequence = sequence_of(fasta)
    if len(sequence) != LAST - FIRST + 1:
        sys.exit(f"expected {LAST - FIRST + 1:,} bases in {fasta}, found {len(sequence):,}")
    exons = exons_of(table)
    say_what_introns_read(exons, sequence)
    genome, annotation = HERE / "genome.fa.gz", HERE / "annotation.gtf.gz"
    index_path(genome).unlink(missing_ok=True)
    write_bgzip(genome, fasta_of(sequence))
    open_genome(genome).close()  # writes the index
    annotation.write_bytes(gzip.compress(gtf_of(exons).encode(), 9, mtime=0))
    paths = (annotation, genome, index_path(genome))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
