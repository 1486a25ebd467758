"""Every declared table and feature is complete and says one thing."""

from __future__ import annotations

import polars as pl
import pytest

from meta_spliceai.schema import tables
from meta_spliceai.schema.column import ORIGINS, ROLES, Column, Table
from meta_spliceai.schema.features import (
    ANNOTATION_FEATURES,
    BASE_SCORE_FEATURES,
    GENE_FEATURES,
    SEQUENCE_FEATURES,
    kmer_features,
    kmer_names,
)

DATASET = tables.dataset_table((1, 3))
TABLES = [value for value in vars(tables).values() if isinstance(value, Table)] + [DATASET]
GROUPS = {
    "base_score": BASE_SCORE_FEATURES,
    "sequence": SEQUENCE_FEATURES + kmer_features((2,)),
    "gene": GENE_FEATURES,
    "annotation": ANNOTATION_FEATURES,
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_completely_declared(table: Table):
    for column in table:
        assert column.role in ROLES
        assert column.origin in ORIGINS
        assert column.meaning
        assert not column.meaning.endswith(".")
        assert column.low is None or column.high is None or column.low < column.high


@pytest.mark.parametrize("origin", GROUPS)
def test_features_have_the_origin_of_their_group(origin: str):
    assert {(column.role, column.origin) for column in GROUPS[origin]} == {("feature", origin)}


def test_features_are_never_null_and_are_stored_small():
    assert not any(column.nullable for columns in GROUPS.values() for column in columns)
    assert {column.dtype for columns in GROUPS.values() for column in columns} == {pl.Float32, pl.UInt16}


def test_labels_calls_and_sampling_have_the_origin_label():
    shielded = [column for column in DATASET if column.role in ("label", "call", "sampling")]
    assert {column.origin for column in shielded} == {"label"}
    assert "splice_type" in [column.name for column in shielded]


def test_a_name_means_the_same_in_analysis_and_dataset():
    dataset: dict[str, Column] = {column.name: column for column in DATASET}
    shared = [column for column in tables.ANALYSIS_TABLE if column.name in dataset]
    assert len(shared) > len(BASE_SCORE_FEATURES)
    assert all(column is dataset[column.name] for column in shared)


def test_kmers_are_all_there_in_lexicographic_order():
    assert kmer_names(1) == ["1mer_A", "1mer_C", "1mer_G", "1mer_T"]
    assert len(kmer_names(6)) == 4_096
    assert kmer_names(3) == sorted(kmer_names(3))
    assert [column.name for column in kmer_features((1, 2))] == kmer_names(1) + kmer_names(2)
