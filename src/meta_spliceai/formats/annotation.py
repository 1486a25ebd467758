"""Gene annotation from GTF and GFF3 in the dialects of GENCODE, Ensembl and RefSeq.

A file of any size is read in blocks cut at line ends, and only exons, transcripts and genes are kept, so memory holds the
result and one block. Coordinates become 0-based half-open here.
"""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError, first_few

log = logging.getLogger(__name__)

BLOCK_BYTES = 48 << 20
_FIELDS = ("chrom", "source", "feature", "start", "end", "score", "strand", "frame", "attributes")
_NOT_TRANSCRIPTS = (
    "CDS", "UTR", "five_prime_UTR", "three_prime_UTR", "five_prime_utr", "three_prime_utr", "start_codon", "stop_codon",
    "Selenocysteine", "stop_codon_redefined_as_selenocysteine", "intron", "region", "chromosome", "scaffold", "contig",
    "supercontig", "biological_region", "cDNA_match", "match", "match_part", "sequence_feature", "enhancer", "silencer",
)  # fmt: skip
_CANONICAL = r"Ensembl_canonical|MANE[_ ]Select|appris_principal|spliceai_canonical"
UNKNOWN_TYPE = "unknown"


@dataclass(frozen=True, slots=True)
class Annotation:
    """Genes, transcripts and exons; start and end are 0-based half-open.

    Parameters
    ----------
    genes
        gene_id, gene_name, gene_type, chrom, strand, start, end; one row per gene that has an exon.
    transcripts
        transcript_id, gene_id, transcript_type, is_canonical (null where the file tags none), chrom, strand, start, end.
    exons
        gene_id, transcript_id, chrom, strand, start, end; one row per exon and transcript.
    """

    genes: pl.DataFrame
    transcripts: pl.DataFrame
    exons: pl.DataFrame


def read_annotation(path: Path) -> Annotation:
    """Read a GTF or GFF3 file, plain or gzip-compressed.

    Raises
    ------
    InputError
        The file is missing, cut off, has no exons, or lines that cannot be understood (their numbers are given).
    """
    if not path.is_file():
        raise InputError(f"an annotation file {path}", "there is none", "check the path")
    kept = [block for block in _kept_rows(path) if block.height]
    if not kept:
        raise InputError(f"exons in {path}", "none", "give a GTF or GFF3 file with exon lines")
    rows = pl.concat(kept)
    gff3 = rows["is_gff3"][0]
    exons, others = rows.filter(pl.col("feature") == "exon"), rows.filter(pl.col("feature") != "exon")
    parse = _from_gff3 if gff3 else _from_gtf
    annotation = parse(_located(exons, path), _located(others, path), path)
    return _one_place_per_gene(annotation)


def _kept_rows(path: Path) -> Iterator[pl.DataFrame]:
    """Exon, transcript and gene rows of each block, with only the attributes that are used."""
    line = 0
    gff3: bool | None = None
    for block in _blocks(path):
        frame = pl.read_csv(
            io.BytesIO(block),
            separator="\t",
            has_header=False,
            schema=dict.fromkeys(_FIELDS, pl.String),
            quote_char=None,
            truncate_ragged_lines=True,
            missing_columns="insert",
        ).with_row_index("line", offset=line + 1)
        line += block.count(b"\n")
        data = frame.filter(~pl.col("chrom").str.starts_with("#") & (pl.col("chrom") != ""))
        if data.height and gff3 is None:
            gff3 = _is_gff3(data, path)
        if data.height:
            yield _attributes_of(_relevant(data, bool(gff3)), bool(gff3))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as plain:
        compressed = plain.read(2) == b"\x1f\x8b"
    opener = gzip.open if compressed else open
    try:
        with opener(path, "rb") as stream:
            rest = b""
            while block := stream.read(BLOCK_BYTES):
                end = block.rfind(b"\n") + 1
                yield rest + block[:end]
                rest = block[end:]
            if rest:
                yield rest + b"\n"
    except (EOFError, OSError, gzip.BadGzipFile) as error:
        raise InputError(
            f"a whole annotation file {path}", f"{error}", "the file was cut off: copy or download it again"
        ) from error


def _is_gff3(data: pl.DataFrame, path: Path) -> bool:
    first = data["attributes"].drop_nulls()
    if first.is_empty():
        raise InputError(
            expected=f"nine tab-separated columns in {path}",
            found=f"{data.row(0)[1]!r} in line {data['line'][0]}",
            action="give a GTF or GFF3 file",
        )
    return bool(pl.Series(first.head(50)).str.contains(r"^\s*\w+=").any())


def _relevant(data: pl.DataFrame, gff3: bool) -> pl.DataFrame:
    if gff3:
        return data.filter(~pl.col("feature").is_in(_NOT_TRANSCRIPTS))
    return data.filter(pl.col("feature").is_in(["exon", "transcript", "gene"]) | pl.col("attributes").is_null())


def _attributes_of(rows: pl.DataFrame, gff3: bool) -> pl.DataFrame:
    text = pl.col("attributes")
    if gff3:
        # RefSeq writes gene_biotype on genes and the transcript's type as its feature; Ensembl writes biotype on both
        found = {
            "id": text.str.extract(r"(?:^|;)\s*ID=([^;]+)"),
            "parent": text.str.extract(r"(?:^|;)\s*Parent=([^;]+)"),
            "gene_id": text.str.extract(r"(?:^|;)\s*gene_id=([^;]+)"),
            "transcript_id": text.str.extract(r"(?:^|;)\s*transcript_id=([^;]+)"),
            "gene_name": pl.coalesce(
                text.str.extract(r"(?:^|;)\s*gene_name=([^;]+)"),
                text.str.extract(r"(?:^|;)\s*gene=([^;]+)"),
                text.str.extract(r"(?:^|;)\s*Name=([^;]+)"),
            ),
            "gene_type": text.str.extract(r"(?:^|;)\s*gene_(?:bio)?type=([^;]+)"),
            "transcript_type": text.str.extract(r"(?:^|;)\s*(?:transcript_type|transcript_biotype|biotype)=([^;]+)"),
        }
    else:
        nothing = pl.lit(None, dtype=pl.String)
        found = {
            "id": nothing,
            "parent": nothing,
            "gene_id": text.str.extract(r'\bgene_id "([^"]+)"'),
            "transcript_id": text.str.extract(r'\btranscript_id "([^"]+)"'),
            "gene_name": (text.str.extract(r'\bgene(?:_name)? "([^"]+)"')),
            "gene_type": (text.str.extract(r'\bgene_(?:bio)?type "([^"]+)"')),
            "transcript_type": (text.str.extract(r'\btranscript_(?:bio)?type "([^"]+)"')),
        }
    return rows.select(
        "line", "chrom", "feature", "start", "end", "strand",
        *(expression.alias(name) for name, expression in found.items()),
        is_canonical=text.str.contains(_CANONICAL),
        is_gff3=pl.lit(gff3),
    )  # fmt: skip


def _located(rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Rows with integer 0-based half-open bounds and a strand; unusable lines are refused, strandless ones left out."""
    rows = rows.with_columns(
        start=pl.col("start").cast(pl.Int64, strict=False) - 1, end=pl.col("end").cast(pl.Int64, strict=False)
    )
    usable = (pl.col("start") >= 0) & (pl.col("end") > pl.col("start")) & pl.col("strand").is_not_null()
    bad = rows.filter(~usable.fill_null(value=False))
    if bad.height:
        raise InputError(
            expected=f"lines of nine columns with 1 <= start <= end in {path}",
            found=f"{bad.height} others: line {first_few(bad['line'].to_list())}",
            action="repair or remove those lines",
        )
    stranded = pl.col("strand").is_in(["+", "-"])
    strandless = rows.filter(~stranded)
    if strandless.height:
        log.warning("%s: %d lines without a strand are left out", path.name, strandless.height)
    return rows.filter(stranded)


def _from_gtf(exons: pl.DataFrame, others: pl.DataFrame, path: Path) -> Annotation:
    nameless = exons.filter(pl.col("gene_id").is_null() | pl.col("transcript_id").is_null())
    if nameless.height:
        raise InputError(
            expected=f"gene_id and transcript_id on every exon line of {path}",
            found=f"{nameless.height} without: line {first_few(nameless['line'].to_list())}",
            action="repair or remove those lines",
        )
    return _assembled(
        exons, others.filter(pl.col("feature") == "transcript"), others.filter(pl.col("feature") == "gene")
    )


def _from_gff3(exons: pl.DataFrame, others: pl.DataFrame, path: Path) -> Annotation:
    nodes = others.filter(pl.col("id").is_not_null())
    exons = exons.with_columns(parent=pl.col("parent").str.split(",")).explode("parent")
    gene_of = (
        nodes.select(id="id", up=pl.col("parent").str.split(",").list.first())
        .unique("id", keep="first", maintain_order=True)
        .with_columns(root=pl.coalesce("up", "id"))
    )
    for _ in range(2):  # exon -> transcript -> gene, and one level more in some files
        higher = gene_of.select(root="id", above="up")
        gene_of = (
            gene_of.join(higher, on="root", how="left", maintain_order="left")
            .with_columns(root=pl.coalesce("above", "root"))
            .drop("above")
        )
    named = nodes.select(
        "id", node_gene=pl.coalesce("gene_id", pl.col("id").str.strip_prefix("gene:").str.strip_prefix("gene-")),
        node_transcript=pl.coalesce("transcript_id", pl.col("id").str.strip_prefix("transcript:").str.strip_prefix("rna-").str.strip_prefix("gene-")),
    ).unique("id", keep="first", maintain_order=True)  # fmt: skip
    places = (
        gene_of.join(named.select(root="id", gene="node_gene"), on="root", how="left")
        .join(named.select("id", transcript="node_transcript"), on="id", how="left")
        .select("id", "gene", "transcript")
    )
    joined = exons.join(places, left_on="parent", right_on="id", how="left", maintain_order="left")
    orphans = joined.filter(pl.col("gene").is_null())
    if orphans.height:
        raise InputError(
            expected=f"the Parent of every exon of {path} to be a line of the file",
            found=f"{orphans.height} without: line {first_few(orphans['line'].to_list())}",
            action="give the whole GFF3 file",
        )
    exons = joined.with_columns(gene_id="gene", transcript_id="transcript")
    used = nodes.join(places, on="id", how="left", maintain_order="left").with_columns(
        gene_id="gene",
        transcript_id="transcript",
        transcript_type=pl.coalesce("transcript_type", "gene_type", "feature"),
        gene_type=pl.coalesce("gene_type", "transcript_type"),
    )
    has_exons = pl.col("id").is_in(exons["parent"].unique().to_list())
    return _assembled(exons, used.filter(has_exons), used.filter(pl.col("parent").is_null()))


def _assembled(exons: pl.DataFrame, transcripts: pl.DataFrame, genes: pl.DataFrame) -> Annotation:
    """The three tables; what has no line of its own is taken from its exons."""
    place = ["chrom", "strand", "gene_id"]
    bounds = [pl.col("start").min(), pl.col("end").max()]
    own_exons = exons.select("gene_id", "transcript_id", "chrom", "strand", "start", "end").unique(maintain_order=True)
    facts = transcripts if transcripts.height else exons
    tags_any = bool(facts["is_canonical"].any())
    of_transcript = facts.group_by(*place, "transcript_id", maintain_order=True).agg(
        pl.col("transcript_type").drop_nulls().first(), pl.col("is_canonical").any()
    )
    all_transcripts = (
        own_exons.group_by(*place, "transcript_id", maintain_order=True)
        .agg(bounds)
        .join(of_transcript, on=[*place, "transcript_id"], how="left", maintain_order="left")
        .select(
            "transcript_id",
            "gene_id",
            pl.col("transcript_type").fill_null(UNKNOWN_TYPE),
            pl.col("is_canonical").fill_null(value=False)
            if tags_any
            else pl.lit(None, pl.Boolean).alias("is_canonical"),
            "chrom",
            "strand",
            "start",
            "end",
        )
    )
    columns = [*place, "gene_name", "gene_type"]
    named = (
        pl.concat([genes.select(columns), transcripts.select(columns), exons.select(columns)])
        .group_by(*place, maintain_order=True)
        .agg(pl.col("gene_name").drop_nulls().first(), pl.col("gene_type").drop_nulls().first())
    )
    stated = genes.group_by(*place).agg(stated_start=pl.col("start").min(), stated_end=pl.col("end").max())
    all_genes = (
        own_exons.group_by(place, maintain_order=True)
        .agg(bounds)
        .join(named, on=place, how="left", maintain_order="left")
        .join(stated, on=place, how="left", maintain_order="left")
        .select(
            "gene_id",
            pl.coalesce("gene_name", "gene_id").alias("gene_name"),
            pl.col("gene_type").fill_null(UNKNOWN_TYPE),
            "chrom",
            "strand",
            pl.min_horizontal("start", "stated_start").alias("start"),
            pl.max_horizontal("end", "stated_end").alias("end"),
        )
    )
    return Annotation(all_genes, all_transcripts, own_exons)


def _one_place_per_gene(annotation: Annotation) -> Annotation:
    """Give a gene id that stands on several contigs or strands (X and Y, say) one id per place: `id@contig` and so on."""
    place = ["chrom", "strand", "gene_id"]
    repeated = annotation.genes.filter(pl.col("gene_id").is_first_distinct().not_())
    if repeated.is_empty():
        return annotation
    log.warning(
        "%d gene ids stand in several places; all but the first are called id@contig: %s",
        repeated.height,
        first_few(repeated["gene_id"].to_list()),
    )
    renamed = repeated.select(*place).with_columns(
        new=pl.format("{}@{}", "gene_id", "chrom")
        + pl.when(pl.struct("gene_id", "chrom").is_duplicated()).then("strand").otherwise(pl.lit(""))
    )

    def rename(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(renamed, on=place, how="left", maintain_order="left")
        return joined.with_columns(gene_id=pl.coalesce("new", "gene_id")).drop("new")

    return Annotation(rename(annotation.genes), rename(annotation.transcripts), rename(annotation.exons))
