"""Enrichers: declarations, values, names."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.features.describe import list_enrichers
from meta_spliceai.features.enricher import Bases, check_enricher, enriched
from meta_spliceai.schema.column import Column
from meta_spliceai.schema.enrichers import BUILT_IN, chosen_features, constant_features, family_columns
from meta_spliceai.schema.features import FurtherBase, further_features, score_features
from meta_spliceai.schema.tables import dataset_table

FURTHER = (FurtherBase("typed", ("donor", "acceptor")), FurtherBase("sites", ("site_heart", "usage_heart")))
BASES = Bases("1", "+", np.array([11, 12]), np.zeros(600, dtype=np.uint8), np.array([300, 301]))


def column(name: str = "new", **others: Any) -> Column:
    return Column(name, **{"dtype": pl.Float32, "role": "feature", "origin": "external", "meaning": "m", **others})


class Toy:
    name, identity = "toy", "1"

    def __init__(self, values: Any, *columns: Column) -> None:
        self.columns, self._values = columns, values

    def compute(self, bases: Bases) -> Any:
        return self._values


@pytest.mark.parametrize("further", [(), FURTHER])
def test_every_feature_belongs_to_one_built_in_enricher_or_to_all_datasets(further: tuple[FurtherBase, ...]) -> None:
    names = [c.name for family in BUILT_IN for c in family_columns(family, (1, 2), further)]
    always = constant_features(further)
    every = [c.name for c in dataset_table((1, 2), further).with_role("feature")]
    assert sorted([*names, *always]) == sorted(every)
    assert all("distance" not in c.name for c in family_columns("performance", (), further))
    assert [c.name for c in chosen_features((), (1,), further)] == [
        c.name for c in score_features(further) if c.name in always
    ]
    assert {c.name for base in further for c in further_features(base)} <= set(names)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((), "no columns"),
        ((column(role="text"),), "new is a Float32 text of origin external"),
        ((column(dtype=pl.String),), "new is a String feature"),
        ((column(origin="label"),), "of origin label"),
        ((column(origin="base_score"),), "of origin base_score"),
        ((column("gc_content"),), "column gc_content exists already"),
        ((column(), column()), "column new exists already"),
        ((column(), column("other", origin="gene")), "make two enrichers of them"),
    ],
)
def test_declarations_that_cannot_be_are_refused(columns: tuple[Column, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_enricher(Toy({}, *columns), ["gc_content"])


def test_values_come_as_float32_in_declared_order() -> None:
    found = enriched(Toy({"b": [1, 2], "a": [np.nan, 0.5]}, column("a", nullable=True), column("b")), BASES)
    assert list(found) == ["a", "b"]
    assert found["b"].dtype == np.float32
    np.testing.assert_array_equal(found["a"], np.array([np.nan, 0.5], dtype=np.float32))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no such column"),
        ({"new": [1.0]}, r"shape \(1,\)"),
        ({"new": [1.0, np.inf]}, "infinite"),
        ({"new": [1.0, np.nan]}, "not nullable"),
    ],
)
def test_values_that_may_not_be_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        enriched(Toy(values, column()), BASES)


def test_the_list_says_names_origins_and_columns() -> None:
    listed = {one.name: one for one in list_enrichers().enrichers}
    assert list(listed)[: len(BUILT_IN)] == list(BUILT_IN)
    assert [c.name for c in listed["kmer"].columns] == ["{k}mer_{sequence}"]
    assert {c.origin for c in listed["structure"].columns} == {"annotation"}
    assert {c.role for one in listed.values() for c in one.columns} == {"feature"}
    short, long = list_enrichers().summary(), list_enrichers(columns=True).summary()
    assert "and 5 more" in short
    assert "gene_distance_to_end" in long
