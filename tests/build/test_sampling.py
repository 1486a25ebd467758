"""The three tiers, their probabilities, and the ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.build.sampling import TrimRule, trim
from meta_spliceai.errors import InputError
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.tables import ANALYSIS_TABLE, LEDGER_TABLE
from tests.oracles.build_oracles import trim_slowly

NAMES = (
    "gene_id",
    "position",
    "splice_type",
    "pred_type",
    "donor_score",
    "acceptor_score",
    "sampling_tier",
    "inclusion_probability",
)
SCHEMA = {name: dtype for name, dtype in ANALYSIS_TABLE.polars_schema().items() if name in NAMES}


def candidates(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Rows of (gene, position, splice_type, pred_type, donor score), the rest filled in."""
    return pl.DataFrame(
        [
            {
                "gene_id": gene,
                "position": position,
                "splice_type": splice_type,
                "pred_type": pred_type,
                "donor_score": score,
                "acceptor_score": 0.001,
                "sampling_tier": "background" if score < 0.01 else "scored",
                "inclusion_probability": 0.05 if score < 0.01 and splice_type == "neither" else 1.0,
            }
            for gene, position, splice_type, pred_type, score in rows
        ],
        schema=SCHEMA,
    )


def genes_of(rows: pl.DataFrame, length: int = 100_000) -> pl.DataFrame:
    return pl.DataFrame({"gene_id": sorted(set(rows["gene_id"]))}, schema={"gene_id": pl.String}).with_columns(
        gene_length=pl.lit(length)
    )


def tiers(rows: pl.DataFrame, **rule: Any) -> dict[int, str]:
    kept = trim(rows, genes_of(rows), TrimRule(**rule)).rows
    return dict(zip(kept["position"], kept["sampling_tier"], strict=True))


@pytest.mark.rows("D1")
def test_sites_and_calls_are_kept_whatever_the_rule() -> None:
    rows = candidates(
        ("A", 10, "donor", "TP", 0.9),
        ("A", 5000, "acceptor", "FN", 0.0001),
        ("A", 9000, "neither", "FP", 0.6),
        ("A", 9500, "donor", "FP", 0.6),
    )
    kept = tiers(rows, hard_prob=1.0, window=0, easy_ratio=0.0)
    assert kept == {10: "site", 5000: "site", 9000: "called", 9500: "site"}


@pytest.mark.rows("D2", "B8")
def test_a_true_negative_is_hard_above_the_probability_and_not_at_it() -> None:
    rows = candidates(("A", 1, "neither", "TN", 0.15), ("A", 2, "neither", "TN", 0.1501))
    assert tiers(rows, easy_ratio=0.0) == {2: "hard"}


@pytest.mark.rows("D3", "B8")
def test_the_neighbourhood_reaches_exactly_the_window_on_both_sides_and_only_in_the_gene() -> None:
    rows = candidates(
        *((gene, position, "neither", "TN", 0.001) for gene in "AB" for position in (924, 925, 1075, 1076)),
        ("A", 1000, "donor", "TP", 0.9),
    ).sort("gene_id", "position")
    kept = trim(rows, genes_of(rows), TrimRule(easy_ratio=0.0)).rows
    assert kept.select("gene_id", "position").rows() == [("A", 925), ("A", 1000), ("A", 1075)]
    assert kept["sampling_tier"].to_list() == ["neighbourhood", "site", "neighbourhood"]


def test_calls_of_the_base_model_make_no_neighbourhood() -> None:
    rows = candidates(("A", 1000, "neither", "FP", 0.9), ("A", 1001, "neither", "TN", 0.001))
    assert tiers(rows, easy_ratio=0.0) == {1000: "called"}


def test_hard_counts_before_neighbourhood() -> None:
    rows = candidates(("A", 1000, "donor", "TP", 0.9), ("A", 1001, "neither", "TN", 0.3))
    assert tiers(rows) == {1000: "site", 1001: "hard"}


def test_probabilities_are_the_product_of_both_stages() -> None:
    rows = candidates(
        ("A", 1000, "donor", "TP", 0.9),
        ("A", 1001, "neither", "TN", 0.001),
        ("A", 5000, "neither", "TN", 0.02),
        ("A", 6000, "neither", "TN", 0.001),
    )
    everything = trim(rows, genes_of(rows), TrimRule(easy_ratio=0.999999)).rows
    assert everything["inclusion_probability"].to_list() == pytest.approx([1.0, 0.05, 1.0, 0.05], rel=1e-5)
    half = trim(rows, genes_of(rows), TrimRule(easy_ratio=0.5)).rows
    assert set(half["inclusion_probability"]) <= {1.0, 0.05, 0.5, 0.025}


@pytest.mark.rows("D4", "B7")
@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.5, 1.0])
def test_the_easy_ratio_is_the_share_of_the_remaining_negatives(ratio: float) -> None:
    rows = candidates(*(("A", position, "neither", "TN", 0.001) for position in range(1, 4001)))
    assert len(tiers(rows, easy_ratio=ratio)) / 4000 == pytest.approx(ratio, abs=0.03)


def test_more_easy_negatives_are_a_superset() -> None:
    rows = candidates(*(("A", position, "neither", "TN", 0.001) for position in range(1, 500)))
    assert tiers(rows, easy_ratio=0.2).keys() <= tiers(rows, easy_ratio=0.5).keys()


def test_columns_that_trimming_does_not_know_are_carried_along() -> None:
    rows = candidates(("A", 10, "donor", "TP", 0.9)).with_columns(anything=pl.lit("x"))
    assert trim(rows, genes_of(rows), TrimRule()).rows.columns == rows.columns


def test_the_ledger_counts_every_base_of_every_gene_once() -> None:
    rows = candidates(
        ("A", 1000, "donor", "TP", 0.9),
        ("A", 1001, "neither", "TN", 0.001),
        ("A", 3000, "neither", "FP", 0.7),
        ("A", 4000, "neither", "TN", 0.2),
        *(("A", position, "neither", "TN", 0.001) for position in range(5000, 5010)),
    )
    genes = pl.DataFrame({"gene_id": ["B", "A"], "gene_length": [70, 9000]})
    trimmed = trim(rows, genes, TrimRule(easy_ratio=0.0))
    check_frame(trimmed.ledger, LEDGER_TABLE, source="the ledger")
    assert trimmed.ledger.filter(pl.col("gene_id") == "A").drop("gene_id").rows() == [
        ("site", 1, 1, 0),
        ("called", 1, 1, 0),
        ("hard", 1, 1, 0),
        ("neighbourhood", 1, 1, 0),
        ("easy", 10, 0, 10),
        ("not_candidate", 9000 - 14, 0, 9000 - 14),
    ]
    assert trimmed.ledger["gene_id"].to_list() == ["B"] * 6 + ["A"] * 6
    by_gene = trimmed.ledger.group_by("gene_id").agg(pl.col("rows_seen").sum())
    assert dict(by_gene.iter_rows()) == {"A": 9000, "B": 70}


def test_no_rows_are_no_rows() -> None:
    trimmed = trim(candidates(), pl.DataFrame({"gene_id": ["A"], "gene_length": [10]}), TrimRule())
    assert trimmed.rows.is_empty()
    assert trimmed.ledger["rows_seen"].to_list() == [0, 0, 0, 0, 0, 10]


row = st.tuples(
    st.sampled_from(["A", "B", "ENSG2"]),
    st.integers(1, 300),
    st.sampled_from([("donor", "TP"), ("acceptor", "FN"), ("neither", "FP")] + [("neither", "TN")] * 6),
    st.sampled_from([0.0001, 0.005, 0.02, 0.1499, 0.15, 0.3, 0.49]),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(row, max_size=40, unique_by=lambda item: item[:2]),
    window=st.integers(0, 80),
    easy_ratio=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 5),
)
def test_trimming_agrees_with_its_slow_twin(rows: list[Any], window: int, easy_ratio: float, seed: int) -> None:
    frame = candidates(*((gene, position, *kind, score) for gene, position, kind, score in rows))
    rule = TrimRule(window=window, easy_ratio=easy_ratio, seed=seed)
    expected = trim_slowly(frame.to_dicts(), hard_prob=0.15, window=window, easy_ratio=easy_ratio, seed=seed)
    trimmed = trim(frame, genes_of(frame), rule)
    assert trimmed.rows.to_dicts() == expected
    assert trimmed.ledger["rows_kept"].sum() == len(expected)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(30)), cut=st.integers(0, 3))
def test_a_row_does_not_depend_on_the_genes_beside_it(order: list[int], cut: int) -> None:
    rng = np.random.default_rng(7)
    rows = candidates(
        *(
            (gene, int(position), *(("donor", "TP") if position % 9 == 0 else ("neither", "TN")), float(score))
            for gene in "ABC"
            for position, score in zip(range(1, 400, 40), rng.random(10) * 0.2, strict=True)
        )
    )
    together = trim(rows, genes_of(rows), TrimRule()).rows
    shuffled = rows[order]
    alone = [
        trim(part, genes_of(part), TrimRule()).rows
        for part in (
            shuffled.filter(pl.col("gene_id") <= "ABC"[cut % 3]),
            shuffled.filter(pl.col("gene_id") > "ABC"[cut % 3]),
        )
        if part.height
    ]
    assert pl.concat(alone).sort("gene_id", "position").equals(together.sort("gene_id", "position"))


def test_weighted_rows_estimate_the_candidates_they_stand_for() -> None:
    rows = candidates(*(("A", position, "neither", "TN", 0.02) for position in range(1, 20_001)))
    kept = trim(rows, genes_of(rows), TrimRule(easy_ratio=0.3)).rows
    assert (1 / kept["inclusion_probability"]).sum() == pytest.approx(20_000, rel=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hard_prob": 1.5}, r"--hard-prob from 0 to 1\nfound: 1\.5"),
        ({"hard_prob": -0.1}, "--hard-prob from 0 to 1"),
        ({"window": -1}, "--window of 0 nt or more"),
        ({"easy_ratio": 50}, r"--easy-ratio from 0 to 1\nfound: 50"),
        ({"easy_ratio": float("nan")}, "--easy-ratio from 0 to 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrimRule(**options)
