"""Which candidate rows of a gene become rows of the dataset. Pure: frames in, frames out.

The base pass has kept every true site, every called base, every base with a score of at least 0.01 and a random share
of the rest. Here the true negatives among them are trimmed in three tiers, the first that fits counts:

    hard            max(donor, acceptor) > hard_prob                       all kept
    neighbourhood   within `window` nt of a true site of the same gene     all kept
    easy            the others                                             a share `easy_ratio` kept

Everything that is not a true negative is kept. Each row's inclusion probability is multiplied by that of its tier, so
that it covers both stages. The draw of an easy negative is a hash of (seed, gene_id, position): it depends on no other
row, hence on no batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.genome.draws import draws_of_genes
from meta_spliceai.genome.labels import NEITHER, BoolArray
from meta_spliceai.schema.tables import DATASET_TIERS, LEDGER_TABLE, NOT_CANDIDATE

SITE, CALLED, HARD, NEIGHBOURHOOD, EASY = "site", "called", "hard", "neighbourhood", "easy"

TRIMMED_BY = (
    "gene_id", "position", "splice_type", "pred_type", "donor_score", "acceptor_score", "sampling_tier",
    "inclusion_probability",
)  # fmt: skip
"""Columns that decide which rows are kept."""

_FARTHER_THAN_ANY_CONTIG = 1 << 40


@dataclass(frozen=True, slots=True)
class TrimRule:
    """How true negatives are trimmed.

    Parameters
    ----------
    hard_prob
        A true negative with a donor or acceptor score above this is always kept.
    window
        So is one within this many nt of a true site of its gene, on either side.
    easy_ratio
        The share of the remaining true negatives that is kept.
    seed
        Seed of that choice.

    Raises
    ------
    InputError
        Values outside their range.
    """

    hard_prob: float = 0.15
    window: int = 75
    easy_ratio: float = 0.5
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 <= self.hard_prob <= 1:
            raise InputError("--hard-prob from 0 to 1", f"{self.hard_prob}", "give a probability; the default is 0.15")
        if self.window < 0:
            raise InputError("--window of 0 nt or more", f"{self.window}", "give a distance; the default is 75")
        if not 0 <= self.easy_ratio <= 1:
            raise InputError(
                expected="--easy-ratio from 0 to 1",
                found=f"{self.easy_ratio}",
                action="give the share of the remaining easy negatives to keep; the default is 0.5",
            )


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The kept rows, in the order given and with the columns given, and the ledger (`LEDGER_TABLE`) of all of them."""

    rows: pl.DataFrame
    ledger: pl.DataFrame


def trim(candidates: pl.DataFrame, genes: pl.DataFrame, rule: TrimRule) -> Trimmed:
    """Trim the true negatives of whole genes.

    Parameters
    ----------
    candidates
        All candidate rows of each gene: the columns `TRIMMED_BY`, and any others.
    genes
        gene_id and gene_length of these genes, in the order of the ledger; a gene may have no candidates.
    rule
        What is kept.

    Returns
    -------
    Trimmed
        The rows of `candidates` that are kept, with `sampling_tier` and `inclusion_probability` of both stages.
    """
    tiers = tiers_of(candidates, rule)
    easy = tiers == EASY
    kept = ~easy | (easy_draws(candidates, rule.seed) < rule.easy_ratio)
    tiered = candidates.with_columns(
        sampling_tier=pl.Series(tiers, dtype=pl.String),
        inclusion_probability=pl.col("inclusion_probability") * np.where(easy, rule.easy_ratio, 1.0),
    )
    return Trimmed(tiered.filter(pl.Series(kept, dtype=pl.Boolean)), _ledger(tiered, kept, genes))


def tiers_of(candidates: pl.DataFrame, rule: TrimRule) -> npt.NDArray[np.str_]:
    """The tier of each candidate row, shape (n,)."""
    is_site = (candidates["splice_type"] != NEITHER).to_numpy()
    is_negative = (candidates["pred_type"] == "TN").to_numpy()
    scores = np.maximum(candidates["donor_score"].to_numpy(), candidates["acceptor_score"].to_numpy())
    conditions = [is_site, ~is_negative, scores > rule.hard_prob, near_own_site(candidates, is_site, rule.window)]
    return np.select(conditions, [SITE, CALLED, HARD, NEIGHBOURHOOD], default=EASY)


def near_own_site(candidates: pl.DataFrame, is_site: BoolArray, window: int) -> BoolArray:
    """Whether a true site of the row's gene lies within `window` nt on either side, itself included; shape (n,).

    Every true site of a gene body is a candidate row, so the rows alone decide.
    """
    # Genes are laid end to end, farther apart than any window, so one sorted search serves all of them.
    gene = candidates["gene_id"].rank("dense").to_numpy().astype(np.int64)
    place = gene * _FARTHER_THAN_ANY_CONTIG + candidates["position"].to_numpy()
    sites = np.sort(place[is_site])
    first = np.searchsorted(sites, place - window, side="left")
    last = np.searchsorted(sites, place + window, side="right")
    near: BoolArray = last > first
    return near


def easy_draws(candidates: pl.DataFrame, seed: int) -> npt.NDArray[np.float64]:
    """The draw of each row as an easy negative, in [0, 1), shape (n,); it is kept when the draw is below the ratio."""
    genes = candidates["gene_id"].rle().struct.unnest()
    return draws_of_genes(seed, "easy", genes["value"].to_list(), genes["len"].to_list(), candidates["position"])


def _ledger(tiered: pl.DataFrame, kept: BoolArray, genes: pl.DataFrame) -> pl.DataFrame:
    counted = (
        tiered.select("gene_id", "sampling_tier", kept=pl.Series(kept, dtype=pl.Int64))
        .group_by("gene_id", "sampling_tier")
        .agg(rows_seen=pl.len(), rows_kept=pl.col("kept").sum())
    )
    candidates = tiered.group_by("gene_id").agg(candidates=pl.col("position").n_unique())
    never = genes.join(candidates, on="gene_id", how="left").select(
        "gene_id",
        sampling_tier=pl.lit(NOT_CANDIDATE),
        rows_seen=pl.col("gene_length") - pl.col("candidates").fill_null(0),
        rows_kept=0,
    )
    lines = genes.select("gene_id").join(pl.DataFrame({"sampling_tier": [*DATASET_TIERS, NOT_CANDIDATE]}), how="cross")
    counts = pl.concat([counted.cast({"rows_seen": pl.Int64}), never.cast({"rows_kept": pl.Int64})])
    filled = lines.join(counts, on=["gene_id", "sampling_tier"], how="left", maintain_order="left").with_columns(
        pl.col("rows_seen", "rows_kept").fill_null(0)
    )
    return LEDGER_TABLE.conform(filled.with_columns(rows_dropped=pl.col("rows_seen") - pl.col("rows_kept")))
