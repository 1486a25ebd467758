"""Scores of a base pass as files for genome browsers and other tools.

bigwig  a folder with `BASE.CHANNEL.plus.bw` and `….minus.bw` for every channel and the spread, every scored base in them,
        and a `description.json`: just what `imported` reads again
bed     BED6, one line per base and channel at the threshold: 0-based half-open, the channel's name, the score times 1,000
        as an integer; no header, for none is in the convention
tsv     one line per base with a channel at the threshold: chrom, position (1-based), strand, the channels, the spread

Lines are sorted by contig name and position, as browsers and indexers want them. Stored scores pass through piece by
piece, so memory does not grow with their number; a base that several chunks hold is written once.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from meta_spliceai.basemodel.imported import DESCRIPTION
from meta_spliceai.basemodel.imported_sources import STRAND_WORDS
from meta_spliceai.basemodel.protocol import SPREAD, ScoreArray
from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import SCORES, spans_from_facts
from meta_spliceai.errors import GeneError, InputError, StoreError, first_few
from meta_spliceai.formats.bgzip import write_bgzip
from meta_spliceai.formats.bigwig import write_bigwig
from meta_spliceai.formats.contigs import NameStyle, match_contigs, styled_name
from meta_spliceai.genome.coordinates import STRANDS, Interval, Strand, merge_spans, subtract_spans
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import gene_body
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.store.atomic import write_json, written_aside
from meta_spliceai.workers.progress import Tracker, track

PIECE = 500_000
"""Bases held at once."""

ExportFormat = Literal["bigwig", "bed", "tsv"]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written.

    Parameters
    ----------
    files
        The files of scores.
    bases
        Bases whose scores were read, those of both strands counted.
    values
        Values in the bigWig files, or lines in the text file.
    """

    files: tuple[Path, ...]
    bases: int
    values: int

    def summary(self) -> str:
        """The files and the counts."""
        return "\n".join([f"{self.values:,} values of {self.bases:,} bases in", *(f"  {path}" for path in self.files)])


@dataclass(frozen=True, slots=True)
class _Selection:
    """The scores to write: where, and under which contig names."""

    artifacts: Artifacts
    intervals: tuple[Interval, ...]
    names: Mapping[str, str]

    @property
    def contigs(self) -> list[str]:
        """Contigs with something to write, sorted by the names they are given."""
        return sorted({interval.chrom for interval in self.intervals}, key=lambda chrom: self.names[chrom])

    @property
    def bases(self) -> int:
        return sum(interval.length for interval in self.intervals)

    def pieces(self, chrom: str) -> Iterator[list[Interval]]:
        """What to write of a contig, window by window in ascending order: the intervals of both strands inside each."""
        here = [interval for interval in self.intervals if interval.chrom == chrom]
        for number in sorted(
            {number for one in here for number in range(one.start // PIECE, (one.end - 1) // PIECE + 1)}
        ):
            low, high = number * PIECE, (number + 1) * PIECE
            yield [
                Interval(chrom, max(one.start, low), min(one.end, high), one.strand)
                for one in here
                if one.start < high and one.end > low
            ]

    def of_contig(self) -> Artifacts:
        """The artifacts opened anew, so that what is kept of one contig's files is let go after it."""
        return Artifacts(self.artifacts.path, self.artifacts.manifest)


def export(
    *,
    eval_dir: Path,
    out: Path,
    format: ExportFormat = "bigwig",  # noqa: A002 - the word that users of such tools expect
    reference: Path | None = None,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    threshold: float = 0.1,
    chrom_names: NameStyle = "as-is",
    overwrite: bool = False,
) -> ExportResult:
    """Write the scores of a base pass as bigWig, BED or a table, for IGV, the UCSC browser and other tools.

    Without a choice of genes, everything that was scored is written; of chosen genes, their bodies and scored flanks.

    Parameters
    ----------
    eval_dir
        Folder of the artifacts, such as `<reference>/spliceai_eval`.
    out
        A folder for bigwig; a file for bed and tsv, compressed with bgzip if its name ends in `.gz`.
    format
        bigwig (every scored base, one file per channel and strand), bed (BED6) or tsv (bases at the threshold).
    reference
        Folder made by `reference prepare`, needed to choose genes; default: the one that `reference audit` finds.
    genes
        Only these genes, by name or id.
    gene_ids_file
        Only the genes in this file of names or ids.
    gene_col
        The column of that table that holds them.
    chromosomes
        Only these contigs.
    gene_types
        Only genes of these types.
    threshold
        Least score of a line in bed and tsv, from 0 to 1; with 0, every base is written.
    chrom_names
        How contigs are called: as-is (as in the genome), ucsc (chr1, chrM) or ensembl (1, MT).
    overwrite
        Replace files that are there.

    Raises
    ------
    InputError
        The threshold is no probability, or genes or contigs are not known.
    GeneError
        Chosen genes that were not scored.
    StoreError
        There are no artifacts, files are in the way, or something cannot be read or written.
    """
    if not 0 <= threshold <= 1:
        raise InputError("a threshold from 0 to 1", f"{threshold}", "give for example --threshold 0.1")
    artifacts = open_artifacts(eval_dir)
    intervals = _scored_intervals(artifacts)
    if chromosomes is not None:
        kept = _contigs_of(artifacts, chromosomes)
        intervals = [interval for interval in intervals if interval.chrom in kept]
    if genes is not None or gene_ids_file is not None or gene_types is not None:
        chosen = choose_genes(
            load_reference(reference),
            genes=genes,
            gene_ids_file=gene_ids_file,
            gene_col=gene_col,
            chromosomes=chromosomes,
            gene_types=gene_types,
        )
        intervals = _of_genes(chosen, artifacts, intervals)
    if not intervals:
        raise InputError(f"scores to export in {artifacts.path}", "none there", "choose other contigs")
    names = _contig_names({interval.chrom for interval in intervals}, chrom_names)
    selection = _Selection(artifacts, tuple(intervals), names)
    if format == "bigwig":
        return _export_bigwig(selection, out, overwrite=overwrite)
    return _export_lines(selection, out, format, np.float32(threshold), overwrite=overwrite)


def _scored_intervals(artifacts: Artifacts) -> list[Interval]:
    """Everything that was scored, each base once."""
    spans: dict[tuple[str, Strand], list[tuple[int, int]]] = {}
    for name, entry in artifacts.manifest.parts.items():
        if name.startswith(SCORES):
            for span in spans_from_facts(entry.facts):
                spans.setdefault((entry.facts["chrom"], span.strand), []).append((span.start, span.end))
    return _merged(spans)


def _merged(spans: Mapping[tuple[str, Strand], Sequence[tuple[int, int]]]) -> list[Interval]:
    """The union of spans per contig and strand, sorted by contig name, strand and start."""
    intervals = []
    for (chrom, strand), some in sorted(spans.items()):
        starts, ends = merge_spans(*zip(*some, strict=True))
        intervals += [
            Interval(chrom, start, end, strand) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
    return intervals


def _of_genes(chosen: pl.DataFrame, artifacts: Artifacts, scored: Sequence[Interval]) -> list[Interval]:
    """The bodies and scored flanks of genes; a `GeneError` where one was not scored."""
    wanted: dict[tuple[str, Strand], list[tuple[int, int]]] = {}
    unscored = []
    for gene in chosen.iter_rows(named=True):
        body = gene_body(gene)
        length = artifacts.parameters["contigs"].get(body.chrom, body.end)
        reach = body.widened(artifacts.flank, length)
        here = [one for one in scored if (one.chrom, one.strand) == (body.chrom, body.strand)]
        left, _ = subtract_spans([reach.start], [reach.end], [one.start for one in here], [one.end for one in here])
        if left.size:
            unscored.append(gene["gene_id"])
        wanted.setdefault((body.chrom, body.strand), []).append((reach.start, reach.end))
    if unscored:
        raise GeneError(
            expected=f"scores of {chosen.height} genes in {artifacts.path}",
            found=f"none for {first_few(unscored)}",
            action="run `meta-spliceai basepass run` for these genes first, or leave them out",
        )
    return _merged(wanted)


def _contigs_of(artifacts: Artifacts, chromosomes: Sequence[str]) -> set[str]:
    known = list(artifacts.parameters["contigs"])
    match = match_contigs(chromosomes, known)
    if match.unmatched:
        raise InputError(
            f"contigs of the genome: {first_few(known, 12)}", first_few(match.unmatched), "choose among them"
        )
    return set(match.to_genome.values())


def _contig_names(contigs: Iterable[str], style: NameStyle) -> dict[str, str]:
    names = {chrom: styled_name(chrom, style) for chrom in sorted(contigs)}
    doubled = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if doubled:
        raise InputError(
            expected=f"contigs with a {style} name each",
            found=f"several that would be called {first_few(doubled)}",
            action="export them with --chrom-names as-is, or one at a time with --chromosomes",
        )
    return names


def _refuse_existing(files: Iterable[Path], *, overwrite: bool) -> None:
    there = [] if overwrite else [path for path in files if path.exists()]
    if there:
        raise StoreError(
            expected="no file where the scores are to be written",
            found=first_few(there),
            action="give another --out, or --overwrite",
        )


def _export_bigwig(selection: _Selection, folder: Path, *, overwrite: bool) -> ExportResult:
    base = selection.artifacts.base_model
    strands = [strand for strand in STRANDS if any(one.strand == strand for one in selection.intervals)]
    files = {
        (channel, strand): folder / f"{base['name']}.{channel}.{STRAND_WORDS[strand]}.bw"
        for channel in (*selection.artifacts.channels, SPREAD)
        for strand in strands
    }
    description = folder / DESCRIPTION
    _refuse_existing([*files.values(), description], overwrite=overwrite)
    lengths = selection.artifacts.parameters["contigs"]
    contigs = {selection.names[chrom]: int(lengths[chrom]) for chrom in selection.contigs}
    values = 0
    with track("exporting", selection.bases * (len(files) // len(strands)), "bases") as progress:
        for (channel, strand), path in files.items():
            values += write_bigwig(path, contigs, _values(selection, channel, strand, progress))
    known = ("name", "training_build", "training_chromosomes", "licence")
    write_json(description, {name: base[name] for name in known})
    return ExportResult(tuple(files.values()), selection.bases, values)


def _values(
    selection: _Selection, channel: str, strand: Strand, progress: Tracker
) -> Iterator[tuple[str, int, ScoreArray]]:
    """Values of one channel on one strand, in order."""
    for chrom in selection.contigs:
        artifacts = selection.of_contig()
        for window in selection.pieces(chrom):
            for piece in window:
                if piece.strand == strand:
                    scores = artifacts.scores(chrom, strand, piece.start, piece.end)
                    yield selection.names[chrom], piece.start, scores[channel]
                    progress.advance(piece.length)


def _export_lines(
    selection: _Selection, path: Path, form: Literal["bed", "tsv"], threshold: np.float32, *, overwrite: bool
) -> ExportResult:
    _refuse_existing([path], overwrite=overwrite)
    lines = _Lines(selection, form, threshold)
    with track("exporting", selection.bases, "bases") as progress:
        content = lines.content(progress)
        if path.suffix == ".gz":
            write_bgzip(path, content, quick=True)
        else:
            with written_aside(path) as aside, aside.open("wb") as stream:
                stream.writelines(content)
    return ExportResult((path,), selection.bases, lines.count)


class _Lines:
    """The text of a file, window by window; it counts its lines."""

    def __init__(self, selection: _Selection, form: Literal["bed", "tsv"], threshold: np.float32) -> None:
        self._selection, self._form, self._threshold = selection, form, threshold
        self.count = 0

    def content(self, progress: Tracker) -> Iterator[bytes]:
        """The header, where the form has one, and the lines."""
        channels = self._selection.artifacts.channels
        if self._form == "tsv":
            yield "\t".join(("chrom", "position", "strand", *channels, SPREAD)).encode() + b"\n"
        for chrom in self._selection.contigs:
            artifacts = self._selection.of_contig()
            for window in self._selection.pieces(chrom):
                frame = pl.concat([self._rows(artifacts, piece) for piece in window])
                rows = self._bed(frame, channels) if self._form == "bed" else frame.sort("position", "strand")
                buffer = io.BytesIO()
                rows.write_csv(buffer, separator="\t", include_header=False)
                self.count += rows.height
                yield buffer.getvalue()
                progress.advance(sum(piece.length for piece in window))

    def _rows(self, artifacts: Artifacts, piece: Interval) -> pl.DataFrame:
        """The bases of a piece at which a channel reaches the threshold."""
        scores = artifacts.scores(piece.chrom, piece.strand, piece.start, piece.end)
        kept = np.flatnonzero(np.max([scores[name] for name in artifacts.channels], axis=0) >= self._threshold)
        places = {
            "chrom": pl.repeat(self._selection.names[piece.chrom], kept.size, eager=True, dtype=pl.String),
            "position": piece.start + 1 + kept,
            "strand": pl.repeat(piece.strand, kept.size, eager=True, dtype=pl.String),
        }
        return pl.DataFrame({**places, **{name: values[kept] for name, values in scores.by_channel.items()}})

    def _bed(self, rows: pl.DataFrame, channels: Sequence[str]) -> pl.DataFrame:
        long = rows.unpivot(
            channels, index=["chrom", "position", "strand"], variable_name="name", value_name="score"
        ).filter(pl.col("score") >= pl.lit(self._threshold, pl.Float32))
        return long.sort("position", "strand", "name").select(
            "chrom",
            (pl.col("position") - 1).alias("start"),
            pl.col("position").alias("end"),
            "name",
            (pl.col("score") * 1_000).round().cast(pl.Int32),
            "strand",
        )
