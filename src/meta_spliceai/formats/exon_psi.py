"""Per cent spliced in (PSI) of exons: in which share of the transcripts that could hold an exon it is there.

A tab-separated table with a header and at least the columns chrom, start, end (the exon's first and last base, 1-based),
strand and psi_mean (0 to 1, over tissues or samples); others are ignored.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError

_COLUMNS = {"chrom": pl.String, "start": pl.Int64, "end": pl.Int64, "strand": pl.String, "psi_mean": pl.Float64}


def read_exon_psi(path: Path) -> pl.DataFrame:
    """Read a PSI table.

    Returns
    -------
    DataFrame
        chrom, strand, start, end (0-based half-open), psi; rows without a PSI are left out.

    Raises
    ------
    InputError
        The file is missing, lacks a column, or holds values that cannot be.
    """
    expected = f"a table with the columns {', '.join(_COLUMNS)} in {path}, PSI from 0 to 1"
    action = "give exons with their mean PSI as tab-separated text; gzip is understood"
    try:
        table = pl.read_csv(
            path, separator="\t", columns=list(_COLUMNS), schema_overrides=_COLUMNS, null_values=["NA", "nan", ""],
            comment_prefix="#",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise InputError(expected, "no such file", "check the path") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(expected, str(error).splitlines()[0], action) from error
    known = table.filter(pl.col("psi_mean").is_not_null())
    sound = (
        pl.col("psi_mean").is_between(0, 1) & pl.col("strand").is_in(["+", "-"])
        & (pl.col("start") >= 1) & (pl.col("end") >= pl.col("start"))
    )  # fmt: skip
    bad = known.with_row_index("row", offset=1).filter(~sound.fill_null(value=False))
    if bad.height:
        raise InputError(expected, f"{bad.height:,} rows with other values, first row {bad['row'][0]:,}", action)
    return known.select("chrom", "strand", pl.col("start") - 1, "end", psi="psi_mean")


def sites_of_exons(exons: pl.DataFrame) -> pl.DataFrame:
    """Both ends of every exon as sites, with the largest PSI of the exons that have them.

    The first base of a transcript's first exon is no acceptor, and the last base of its last exon no donor; whoever knows
    the transcripts has to leave these out.

    Returns
    -------
    DataFrame
        chrom, strand, position (1-based), splice_type, psi; one row per site.
    """
    first, last, plus = pl.col("start") + 1, pl.col("end"), pl.col("strand") == "+"
    sides = [
        exons.select(
            "chrom",
            "strand",
            position=pl.when(plus == (kind == "donor")).then(last).otherwise(first),
            splice_type=pl.lit(kind),
            psi="psi",
        )
        for kind in ("donor", "acceptor")
    ]
    keys = ["chrom", "strand", "position", "splice_type"]
    return pl.concat(sides).group_by(keys).agg(pl.col("psi").max()).sort(keys)
