"""Top-k accuracy inside genes and transcripts."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.crossval.top_k import accuracy_within, top_k_rows
from meta_spliceai.evaluate.bootstrap import multiplicities
from meta_spliceai.reference.load import load
from tests.train.conftest import Inputs
from tests.train.test_run import predictions


def top_k_slowly(scores: list[float], own: list[bool], true: list[bool]) -> float:
    """The mean over all orders of tied bases, sites of others left out."""
    bases = [(score, mine) for score, mine, any_site in zip(scores, own, true, strict=True) if mine or not any_site]
    k = sum(own)
    found = [sum(mine for _, mine in sorted(order, key=lambda base: -base[0])[:k]) / k for order in permutations(bases)]
    return sum(found) / len(found)


@pytest.mark.parametrize("seed", range(12))
def test_top_k_is_the_mean_over_all_orders_of_tied_bases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.1, 0.4, 0.4, 0.8], 7).astype(np.float32)
    true = rng.random(7) < 0.6
    own = true & (rng.random(7) < 0.7)
    if not own.any():
        assert accuracy_within(scores, own, true) is None
    else:
        assert accuracy_within(scores, own, true) == pytest.approx(
            top_k_slowly(scores.tolist(), own.tolist(), true.tolist())
        )


def test_every_gene_and_transcript_with_sites_is_ranked_by_itself(crossed: Path, inputs: Inputs) -> None:
    found = pl.read_parquet(crossed / "top_k_by_scope.parquet")
    reference, bases = load(inputs.reference), predictions(crossed)
    sites = reference.splice_sites()
    spans = {
        "gene": reference.genes.with_columns(id="gene_id"),
        "transcript": reference.transcripts().with_columns(id="transcript_id"),
    }
    with_sites = sites.filter(pl.col("gene_id").is_in(bases_genes(crossed)))
    transcripts = with_sites.select("transcript_id", "splice_type").unique().height
    assert found.filter(pl.col("scope") == "transcript").height == transcripts
    for row in found.iter_rows(named=True):
        span = spans[row["scope"]].row(by_predicate=pl.col("id") == row["id"], named=True)
        inside = bases.filter(
            pl.col("chrom") == span["chrom"],
            pl.col("strand") == span["strand"],
            pl.col("position").is_between(span["start"], span["end"]),
        )
        kind = row["splice_type"]
        own = inside[f"is_{kind}"]
        if row["scope"] == "transcript":
            at = sites.filter(pl.col("transcript_id") == row["id"], pl.col("splice_type") == kind)["position"]
            own = inside["position"].is_in(at.to_list())
        left = inside.filter(own | ~inside[f"is_{kind}"]).with_columns(own=own.filter(own | ~inside[f"is_{kind}"]))
        ranked = left.sort("meta_" + kind, descending=True)
        k = int(own.sum())
        assert row["k"] == k
        scores = ranked[f"meta_{kind}"]
        if k < ranked.height and scores[k - 1] == scores[k]:
            continue  # ties are tested above
        assert row["meta"] == pytest.approx(ranked["own"].head(k).sum() / k)


def bases_genes(crossed: Path) -> list[str]:
    return pl.read_csv(crossed / "split.tsv", separator="\t")["gene_id"].to_list()


def test_intervals_are_of_means_over_drawn_groups() -> None:
    scopes = pl.DataFrame(
        {
            "scope": ["gene"] * 4,
            "splice_type": ["donor"] * 4,
            "group": [0, 0, 3, 5],
            "base": [0.0, 1.0, 0.5, 1.0],
            "meta": [1.0] * 4,
        }
    )
    drawn = multiplicities(3, 500, 1)
    base, meta = top_k_rows(scopes, ["base", "meta"], np.array([0, 3, 5], dtype=np.int32), drawn)
    assert (base["scopes"], base["accuracy"], base["difference"]) == (4, 0.625, None)
    assert (meta["accuracy"], meta["accuracy_low"], meta["accuracy_high"]) == (1.0, 1.0, 1.0)
    assert meta["difference"] == pytest.approx(0.375)
    slowly = [
        sum(m * v for m, v in zip((one[0], one[0], one[1], one[2]), (0.0, 1.0, 0.5, 1.0), strict=True))
        / (2 * one[0] + one[1] + one[2])
        for one in drawn.tolist()
    ]
    assert (base["accuracy_low"], base["accuracy_high"]) == pytest.approx(tuple(np.quantile(slowly, [0.025, 0.975])))
