"""Columns, tables and their checks."""

from __future__ import annotations

import math

import polars as pl
import pytest

from meta_spliceai.errors import SchemaError
from meta_spliceai.schema.check import check_frame, problems_of
from meta_spliceai.schema.column import Column, Table, features_of
from meta_spliceai.schema.describe import as_json, as_markdown

TABLE = Table(
    "toys",
    3,
    "one row per toy",
    (
        Column("name", pl.String, "key", "gene", "what it is called", choices=("ball", "kite")),
        Column("weight", pl.Float32, "feature", "sequence", "how heavy it is", "g", low=0, high=10),
        Column("age", pl.Int64, "feature", "annotation", "how old it is", "year", nullable=True),
    ),
)
GOOD = pl.DataFrame({"name": ["ball"], "weight": [1.5], "age": [None]}, schema=TABLE.polars_schema())


def test_a_conforming_frame_is_returned_as_it_is():
    assert check_frame(GOOD, TABLE, source="toys.parquet") is GOOD
    assert problems_of(TABLE.empty(), TABLE) == []


def test_conforming_selects_orders_and_casts():
    frame = pl.DataFrame({"age": [3], "extra": [0], "weight": [2], "name": ["kite"]})
    conformed = TABLE.conform(frame)
    assert conformed.schema == GOOD.schema
    assert conformed.rows() == [("kite", 2.0, 3)]


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (GOOD.drop("age"), "column age is missing"),
        (GOOD.with_columns(colour=pl.lit("red")), "column colour is not declared"),
        (GOOD.select("weight", "name", "age"), "the columns are not in the declared order"),
        (GOOD.with_columns(pl.col("weight").cast(pl.Float64)), "column weight is Float64, not Float32"),
        (GOOD.with_columns(weight=pl.lit(None, pl.Float32)), "column weight has 1 nulls"),
        (GOOD.with_columns(weight=pl.lit(-1, pl.Float32)), "column weight has 1 values below 0"),
        (GOOD.with_columns(weight=pl.lit(11, pl.Float32)), "column weight has 1 values above 10"),
        (GOOD.with_columns(name=pl.lit("doll")), "column name holds doll"),
    ],
)
def test_each_problem_is_named(frame: pl.DataFrame, problem: str):
    assert problems_of(frame, TABLE) == [problem]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_problems(value: float):
    frame = GOOD.with_columns(weight=pl.lit(value, pl.Float32))
    above = ["column weight has 1 values above 10"] if math.isinf(value) else []
    assert problems_of(frame, TABLE) == ["column weight has 1 values that are NaN or infinite", *above]


def test_other_columns_and_another_order_may_be_allowed():
    assert problems_of(GOOD.select("age", "weight", "name").with_columns(x=1), TABLE, exact=False) == []


def test_the_message_names_the_source_and_all_problems():
    with pytest.raises(
        SchemaError, match=r"toys.parquet to be a toys table, version 3\nfound: .*name is missing; .*age"
    ):
        check_frame(GOOD.drop("name", "age"), TABLE, source="toys.parquet")


def test_a_doubled_name_is_refused():
    with pytest.raises(ValueError, match=r"table toys declares \['name'\] more than once"):
        Table("toys", 1, "toys", (TABLE.columns[0], TABLE.columns[0]))


def test_features_are_chosen_by_origin_and_keep_their_order():
    assert features_of(TABLE, ["annotation", "sequence"]) == ["weight", "age"]
    assert features_of(TABLE, ["gene"]) == []
    assert [column.name for column in TABLE.with_role("key")] == ["name"]


def test_descriptions_hold_what_is_declared():
    described = as_json(TABLE)["columns"][1]
    assert (described["name"], described["dtype"], described["unit"], described["low"]) == ("weight", "Float32", "g", 0)
    assert "| `age` | Int64 | feature | annotation | year | yes | how old it is |" in as_markdown(TABLE)
