"""Inclusion probabilities of a dataset with one row per base.

Where genes overlap, a base is drawn in each of them, by independent hashes. Once its rows are merged into one, the base is
in the dataset if any of the genes drew it:

    P = 1 - product over the genes g that cover the base of (1 - p_g)

The product runs over all covering genes of the dataset, drawn there or not; leaving out those that did not draw it would
count bases several times. Where a gene did not draw the base, its p follows from the rules of both stages: the base pass
treats a base alike in all genes, and the builder keeps every row near a true site of the gene and a share `easy_ratio` of
the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.build.sampling import EASY, NEIGHBOURHOOD
from meta_spliceai.genome.labels import NEITHER

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Body:
    """A gene of one strand: 1-based first and last base, and its true sites, ascending."""

    start: int
    end: int
    sites: npt.NDArray[np.int64]


class UnionProbability:
    """The probability that any gene of a dataset drew a base.

    Parameters
    ----------
    genes
        gene_id, chrom, strand, start, end (1-based, both included) of all genes of the dataset.
    sites
        gene_id, position of every true site that is a row of its gene; the builder drops none.
    window, easy_ratio
        The builder's rule for true negatives.
    """

    def __init__(self, genes: pl.DataFrame, sites: pl.DataFrame, *, window: int, easy_ratio: float) -> None:
        self._window, self._easy_ratio = window, easy_ratio
        by_gene = {str(key[0]): np.sort(frame["position"].to_numpy()) for key, frame in sites.group_by("gene_id")}
        none = np.empty(0, dtype=np.int64)
        self._bodies: dict[tuple[str, str], list[_Body]] = {}
        for gene in genes.sort("start").iter_rows(named=True):
            body = _Body(gene["start"], gene["end"], by_gene.get(gene["gene_id"], none))
            self._bodies.setdefault((gene["chrom"], gene["strand"]), []).append(body)

    def of(self, rows: pl.DataFrame) -> Floats:
        """The probability of each row's base.

        Parameters
        ----------
        rows
            chrom, strand, position, sampling_tier, inclusion_probability; several rows of a base give the same result.

        Returns
        -------
        ndarray
            float64 of shape (n,).
        """
        out = np.empty(rows.height)
        ascending = rows.with_row_index("row").sort("position")
        for (chrom, strand), frame in ascending.group_by("chrom", "strand", maintain_order=True):
            bodies = self._bodies.get((str(chrom), str(strand)), [])
            out[frame["row"].to_numpy()] = self._on_strand(frame, bodies)
        return out

    def _on_strand(self, rows: pl.DataFrame, bodies: Iterable[_Body]) -> Floats:
        """The same for rows of one strand, in ascending order."""
        place, given = rows["position"].to_numpy(), rows["inclusion_probability"].to_numpy()
        is_easy = (rows["sampling_tier"] == EASY).to_numpy()
        # whether a base is easy or in a neighbourhood depends on the gene; every other tier is the same in all genes
        is_trimmed = is_easy | (rows["sampling_tier"] == NEIGHBOURHOOD).to_numpy()
        first_stage = np.where(is_easy, given / (self._easy_ratio or 1.0), given)
        both_stages = np.where(is_trimmed, first_stage * self._easy_ratio, first_stage)
        missed = np.ones(place.size)
        for body in bodies:
            some = slice(*np.searchsorted(place, [body.start, body.end + 1]))
            beside = _within(place[some], body.sites, self._window)
            missed[some] *= 1.0 - np.where(beside, first_stage[some], both_stages[some])
        return 1.0 - missed


def _within(place: npt.NDArray[np.int64], sites: npt.NDArray[np.int64], window: int) -> npt.NDArray[np.bool_]:
    """Whether a site lies within `window` nt of each place, both ascending."""
    near: npt.NDArray[np.bool_] = np.searchsorted(sites, place + window, side="right") > np.searchsorted(
        sites, place - window, side="left"
    )
    return near


def true_sites(rows: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """gene_id and position of the true sites among rows (gene_id, position, splice_type)."""
    found = [frame.filter(pl.col("splice_type") != NEITHER).select("gene_id", "position") for frame in rows]
    return pl.concat([pl.DataFrame(schema={"gene_id": pl.String, "position": pl.Int64}), *found])
