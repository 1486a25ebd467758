"""Splice junctions that RNA-seq reads support, in the two tables that aligners leave.

STAR's `SJ.out.tab`: nine columns without a header. The second and third are the first and the last base of the *intron*,
1-based; the fourth is the strand (0 unknown, 1 plus, 2 minus); the seventh counts reads that map to one place, the eighth
reads that map to several.

regtools' BED12 (`regtools junctions extract`): a line spans what the reads cover on both sides of the intron, 0-based
half-open, in two blocks. The intron is what lies between the blocks, from start + first block size to end - second block
size; the fifth column counts reads, wherever they map.

Which of the two a file is, its first row says; no offset is ever guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.formats.tab_lines import named_lines, read_tab_lines, whole_number
from meta_spliceai.genome.labels import SITE_TYPES

log = logging.getLogger(__name__)

_STAR = ("chrom", "first", "last", "strand", "motif", "annotated", "unique_reads", "multi_reads", "overhang")
_BED12 = (
    "chrom", "start", "end", "name", "score", "strand", "thick_start", "thick_end", "colour", "blocks", "sizes", "starts",
)  # fmt: skip
_STRAND_NUMBERS = {"0": ".", "1": "+", "2": "-"}


def read_junctions(paths: Sequence[Path]) -> pl.DataFrame:
    """Read the junctions of samples, one file for each; rows of a file that name the same junction are added up.

    Junctions without a strand are left out, and counted in the log.

    Returns
    -------
    DataFrame
        chrom, strand, start, end (of the intron, 0-based half-open), reads (that map to one place; all of them in
        regtools' files), multi_reads (that map to several; 0 in regtools' files), sample (0-based number of the file);
        by chrom, start, end, strand, sample.

    Raises
    ------
    InputError
        A file that is missing, empty, of neither kind, or has rows that cannot be: the first few are named by line.
    """
    frames = [_read(path).with_columns(sample=pl.lit(number, pl.Int64)) for number, path in enumerate(paths)]
    return (
        pl.concat(frames)
        .group_by("chrom", "strand", "start", "end", "sample")
        .agg(pl.col("reads", "multi_reads").sum())
        .select("chrom", "strand", "start", "end", "reads", "multi_reads", "sample")
        .sort("chrom", "start", "end", "strand", "sample")
    )


def sites_of_junctions(junctions: pl.DataFrame) -> pl.DataFrame:
    """Both sites of every junction, with what supports them.

    Returns
    -------
    DataFrame
        chrom, strand, position (1-based; donor: last base of the exon, acceptor: first base of the next), splice_type,
        reads and multi_reads (of all junctions that use the site, in all samples), junctions and samples (different
        ones); one row per site, sorted.
    """
    left, right, plus = pl.col("start"), pl.col("end") + 1, pl.col("strand") == "+"
    sides = [
        junctions.select(
            "chrom",
            "strand",
            position=pl.when(plus == (kind == "donor")).then(left).otherwise(right),
            splice_type=pl.lit(kind),
            intron=pl.struct("start", "end"),
            reads="reads",
            multi_reads="multi_reads",
            sample="sample",
        )
        for kind in SITE_TYPES
    ]
    keys = ["chrom", "strand", "position", "splice_type"]
    return (
        pl.concat(sides)
        .group_by(keys)
        .agg(
            pl.col("reads", "multi_reads").sum(),
            junctions=pl.col("intron").n_unique().cast(pl.Int64),
            samples=pl.col("sample").n_unique().cast(pl.Int64),
        )
        .sort(keys)
    )


def _read(path: Path) -> pl.DataFrame:
    rows = read_tab_lines(path, _BED12, partial(_neither, path))
    width = sum(value is not None for value in rows.drop("line").row(0))
    if width == len(_STAR):
        found = _from_star(rows)
    elif width == len(_BED12):
        found = _from_bed12(rows)
    else:
        raise _neither(path, f"a first row of {width} columns")
    impossible = (pl.col("start") >= pl.col("end")) | (pl.col("start") < 1)
    impossible |= (pl.col("reads") < 0) | (pl.col("multi_reads") < 0)
    bad = found.filter(pl.any_horizontal(pl.all().is_null()) | impossible)
    if bad.height:
        raise _neither(path, f"{bad.height:,} rows that are no junctions: {named_lines(bad)}")
    stranded = found.filter(pl.col("strand").is_in(["+", "-"]))
    if stranded.height < found.height:
        log.info("%s: %d junctions without a strand are left out", path, found.height - stranded.height)
    return stranded.drop("line")


def _from_star(rows: pl.DataFrame) -> pl.DataFrame:
    named = rows.rename(dict(zip(_BED12, _STAR, strict=False)))
    return named.select(
        "line",
        "chrom",
        strand=pl.col("strand").replace_strict(_STRAND_NUMBERS, default=None, return_dtype=pl.String),
        start=whole_number("first") - 1,
        end=whole_number("last"),
        reads=whole_number("unique_reads"),
        multi_reads=whole_number("multi_reads"),
    )


def _from_bed12(rows: pl.DataFrame) -> pl.DataFrame:
    sizes = pl.col("sizes").str.strip_suffix(",").str.split(",")
    two = (pl.col("blocks") == "2") & (sizes.list.len() == 2)
    size = [sizes.list.get(place, null_on_oob=True).cast(pl.Int64, strict=False) for place in (0, 1)]
    strands = ["+", "-", ".", "?"]
    return rows.select(
        "line",
        "chrom",
        strand=pl.col("strand").replace_strict(strands, strands, default=None, return_dtype=pl.String),
        start=pl.when(two).then(whole_number("start") + size[0]),
        end=pl.when(two).then(whole_number("end") - size[1]),
        reads=whole_number("score"),
        multi_reads=pl.lit(0, pl.Int64),
    )


def _neither(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"junctions in {path}: STAR's SJ.out.tab (9 columns) or the BED12 of regtools (12 columns, two blocks)",
        found=found,
        action="give the file as STAR or `regtools junctions extract` wrote it; gzip is understood",
    )
