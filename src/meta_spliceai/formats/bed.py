"""BED files of elements: stretches of the genome, 0-based half-open, with or without a score; strands are not read.

The score is the fifth column (BED5 and more, narrowPeak); in a file of four columns it is the fourth where all of these
are numbers (bedGraph), and 1 where they are names. Elements of three columns have the score 1.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.formats.tab_lines import named_lines, read_tab_lines, whole_number

SUFFIXES = (".bed", ".bed.gz", ".bedgraph", ".bedgraph.gz", ".narrowpeak", ".narrowpeak.gz")
"""How names of such files end, in lower case."""

_COLUMNS = ("chrom", "start", "end", "fourth", "fifth", "others")


def read_elements(path: Path) -> pl.DataFrame:
    """Read elements.

    Returns
    -------
    DataFrame
        chrom, start, end (0-based half-open), score (Float32); by chrom, start, end.

    Raises
    ------
    InputError
        The file is missing or empty, or has rows that are no elements: the first few are named by line.
    """
    rows = read_tab_lines(path, _COLUMNS, partial(_no_elements, path))
    found = rows.select(
        "line", "chrom", start=whole_number("start"), end=whole_number("end"), score=_score(rows)
    ).with_columns(pl.col("score").cast(pl.Float32))
    sound = (pl.col("start") >= 0) & (pl.col("start") < pl.col("end")) & pl.col("score").is_finite()
    bad = found.filter(~sound.fill_null(value=False))
    if bad.height:
        raise _no_elements(path, f"{bad.height:,} rows that are none: {named_lines(bad)}")
    return found.drop("line").sort("chrom", "start", "end")


def _score(rows: pl.DataFrame) -> pl.Expr:
    if rows["fifth"].null_count() == 0:
        return pl.when(pl.col("fifth") == ".").then(1.0).otherwise(pl.col("fifth").cast(pl.Float64, strict=False))
    numbers = rows["fourth"].cast(pl.Float64, strict=False)
    return pl.lit(numbers) if numbers.null_count() == 0 else pl.lit(1.0)


def _no_elements(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"elements in {path}: tab-separated contig, start (0-based), end, and a score as fourth or fifth column",
        found=found,
        action="give a BED, bedGraph or narrowPeak file; gzip is understood",
    )
