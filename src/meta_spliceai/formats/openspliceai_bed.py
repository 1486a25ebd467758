"""The BED files of `openspliceai predict`: `donor_predictions.bed` and `acceptor_predictions.bed`.

Convention `openspliceai` (`write_batch_to_bed` in `openspliceai/predict/predict.py`, version 0.0.7). A row is one base
whose score is above a threshold (1e-6 unless told otherwise), 0-based half-open on the genome, with the score itself, six
decimals, in column 5. In the direction of transcription:

- a donor's row is the base that has the score, the last one of the exon;
- an acceptor's row is the base *before* the one that has the score: the last one of the intron, not the first of the exon.

So an acceptor is one base further along its strand than its row: + 1 on the plus strand, - 1 on the minus strand. The
name holds the region that was scored, 1-based with both ends included: `GENE chr1:895764-901299(+)_Donor`. Regions of
genes that overlap list a base each, with other scores where one of the regions ends and the model sees nothing beyond;
the row whose region reaches farthest on both sides of the base holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.genome.coordinates import STRANDS, Strand, merge_spans

CONVENTION = "openspliceai"
FILE_NAMES = {"donor": "donor_predictions.bed", "acceptor": "acceptor_predictions.bed"}

_AHEAD = {"donor": 0, "acceptor": 1}
"""How far the scored base lies after the listed one, in the direction of transcription."""
_REGION = r":(\d+)-(\d+)\([-+.]\)"
_COLUMNS = {"chrom": pl.String, "start": pl.Int64, "end": pl.Int64, "name": pl.String, "score": pl.Float32, "strand": pl.String}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedScores:
    """Scores of one site type on one strand of a contig, and where they were looked for.

    Parameters
    ----------
    places
        0-based, ascending, each once, shape (n,).
    scores
        float32 of shape (n,).
    region_starts, region_ends
        Merged half-open spans that were scored.
    """

    places: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    region_starts: npt.NDArray[np.int64]
    region_ends: npt.NDArray[np.int64]


def read_openspliceai_bed(path: Path, site_type: str) -> dict[tuple[str, Strand], ListedScores]:
    """Read a file of this convention; every listed score lands on the base that has it.

    Parameters
    ----------
    path
        The file; it may be empty.
    site_type
        `donor` or `acceptor`.

    Returns
    -------
    dict
        By contig and strand.

    Raises
    ------
    InputError
        The file is missing, of another kind, or its rows count from the start of a sequence instead of the contig.
    """
    rows = _rows(path).with_columns(
        pl.col("name").str.extract(_REGION, 1).cast(pl.Int64).alias("region_start") - 1,
        pl.col("name").str.extract(_REGION, 2).cast(pl.Int64).alias("region_end"),
    )
    _check(rows, path)
    step = pl.when(pl.col("strand") == "+").then(_AHEAD[site_type]).otherwise(-_AHEAD[site_type])
    # predict fills its last window up with unknown bases and may list some of these, outside the region
    placed = rows.with_columns(place=pl.col("start") + step).filter(
        pl.col("place").is_between("region_start", "region_end", closed="left")
    )
    depth = pl.min_horizontal(pl.col("place") - pl.col("region_start"), pl.col("region_end") - pl.col("place"))
    best = (
        placed.with_columns(depth=depth)
        .sort("chrom", "strand", "place", "depth", maintain_order=True)
        .unique(["chrom", "strand", "place"], keep="last", maintain_order=True)
    )
    regions = {key: merge_spans(part["region_start"], part["region_end"]) for key, part in _parts(rows)}
    listed = dict(_parts(best))
    empty = best.clear()
    return {
        key: ListedScores(
            listed.get(key, empty)["place"].to_numpy(), listed.get(key, empty)["score"].to_numpy(), *regions[key]
        )
        for key in regions
    }


def _rows(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path, separator="\t", has_header=False, schema=_COLUMNS, quote_char=None)
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=_COLUMNS)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            expected=f"six columns of BED as `openspliceai predict` writes them in {path}",
            found=str(error).strip().splitlines()[0],
            action="check the path; rows with a seventh column count from the start of a sequence: "
            "run predict with an annotation (-a), so that it knows the genes' places",
        ) from error


def _check(rows: pl.DataFrame, path: Path) -> None:
    odd = rows.filter(
        pl.col("region_start").is_null()
        | pl.any_horizontal(pl.col("chrom", "start", "score").is_null())
        | ~pl.col("strand").is_in(STRANDS)
        | (pl.col("end") - pl.col("start") != 1)
    )
    if odd.height:
        row = "\t".join(str(cell) for cell in odd.select(_COLUMNS.keys()).row(0))
        raise InputError(
            expected=f"rows of one base, with a strand and a name such as 'GENE chr1:895764-901299(+)_Donor', in {path}",
            found=f"{odd.height} other rows, the first: {row}",
            action="give what `openspliceai predict` 0.0.7 wrote, run with an annotation (-a)",
        )


def _parts(rows: pl.DataFrame) -> list[tuple[tuple[str, Strand], pl.DataFrame]]:
    return [
        ((chrom, strand), part) for (chrom, strand), part in rows.partition_by("chrom", "strand", as_dict=True).items()
    ]
