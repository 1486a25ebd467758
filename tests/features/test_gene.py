"""Gene and annotation features, and ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.features.gene import GeneFacts, annotation_features, gene_features, score_ranks
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.schema.features import ANNOTATION_FEATURES, GENE_FEATURES
from tests.oracles import feature_oracles as slow

ANNOTATION = {column.name: float(number) for number, column in enumerate(ANNOTATION_FEATURES, start=1)}
ROW = {
    "gene_id": "G1",
    "chrom": "1",
    "start": 101,
    "end": 110,
    "strand": "-",
    "gene_type": "protein_coding",
    "num_overlaps": 2,
    **ANNOTATION,
}


def ranks_of(n: int) -> np.ndarray:
    return np.arange(1, n + 1, dtype=np.float32)


@given(st.lists(st.sampled_from([0.0, 0.125, 0.5, 1.0]) | st.floats(0, 1, width=32), max_size=40))
def test_ranks_count_the_strictly_larger(values: list[float]):
    assert score_ranks(np.array(values, dtype=np.float32)).tolist() == slow.ranks(values)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_geometry_runs_with_transcription(strand: str, length: int):
    gene = GeneFacts(Interval("1", 100, 100 + length, strand), "lncRNA", 0, ANNOTATION, "G1")
    positions = np.arange(101, 101 + length)
    fast = gene_features(gene, positions, ranks_of(length), ranks_of(length))
    assert list(fast) == [column.name for column in GENE_FEATURES]
    for row, position in enumerate(positions.tolist()):
        for name, value in slow.gene_geometry(100, 100 + length, strand, position).items():
            assert fast[name][row] == np.float32(value), name


def test_facts_come_from_a_row_of_the_gene_table():
    gene = GeneFacts.of_row(ROW)
    fast = gene_features(gene, [110], ranks_of(1), ranks_of(1) + 4)
    assert gene.body == Interval("1", 100, 110, "-")
    assert {name: values.tolist() for name, values in fast.items()} == {
        "gene_length": [10.0],
        "gene_relative_position": [0.0],
        "gene_distance_to_start": [0.0],
        "gene_distance_to_end": [9.0],
        "donor_rank_in_gene": [1.0],
        "acceptor_rank_in_gene": [5.0],
        "gene_is_protein_coding": [1.0],
        "num_overlaps": [2.0],
    }


def test_annotation_is_the_same_for_every_row():
    fast = annotation_features(GeneFacts.of_row(ROW), 3)
    assert {name: values.tolist() for name, values in fast.items()} == {n: [v] * 3 for n, v in ANNOTATION.items()}
    assert all(values.dtype == np.float32 for values in fast.values())


@pytest.mark.parametrize("position", [100, 111])
def test_a_position_outside_the_gene_is_refused(position: int):
    with pytest.raises(ValueError, match=rf"positions {position} to {position} leave the gene 1:101-110\(-\)"):
        gene_features(GeneFacts.of_row(ROW), [position], ranks_of(1), ranks_of(1))
