"""Features by name."""

from __future__ import annotations

import numpy as np
import pytest

from meta_spliceai.errors import ModelError
from meta_spliceai.features import assemble
from meta_spliceai.features.assemble import GeneView, compute_features, needs_gene, request_of
from meta_spliceai.features.base_scores import base_score_features
from meta_spliceai.features.gene import GeneFacts
from meta_spliceai.features.sequence import sequence_features
from meta_spliceai.schema.features import REACH
from tests.features.test_gene import ROW
from tests.features.toys import stretch as toy_stretch

INDEX = np.arange(REACH, REACH + 10)
STRETCH = toy_stretch(0, 2 * REACH + 10)
VIEW = GeneView(GeneFacts.of_row(ROW), np.arange(101, 111)[::-1], *np.ones((2, 10), dtype=np.float32))


def test_columns_come_in_the_order_of_the_names():
    names = ["2mer_GT", "gc_content", "donor_logit", "gene_distance_to_start", "num_exons", "donor_score"]
    matrix = compute_features(names, STRETCH, INDEX, VIEW)
    base, sequence = base_score_features(STRETCH, INDEX), sequence_features(STRETCH.codes, INDEX, (2,))
    assert matrix.dtype == np.float32
    assert matrix.shape == (10, 6)
    assert matrix[:, 0].tolist() == sequence["2mer_GT"].tolist()
    assert matrix[:, 1].tolist() == sequence["gc_content"].tolist()
    assert matrix[:, 2].tolist() == base["donor_logit"].tolist()
    assert matrix[:, 3].tolist() == list(range(10))
    assert matrix[:, 4].tolist() == [ROW["num_exons"]] * 10
    assert matrix[:, 5].tolist() == STRETCH.donor[INDEX].tolist()


def test_rows_at_once_do_not_change_the_values(monkeypatch: pytest.MonkeyPatch):
    names = ["donor_max_up_11_50", "3mer_ACG", "gene_relative_position", "transcript_length"]
    whole = compute_features(names, STRETCH, INDEX, VIEW)
    monkeypatch.setattr(assemble, "ROWS_AT_ONCE", 3)
    assert compute_features(names, STRETCH, INDEX, VIEW).tobytes() == whole.tobytes()


def test_only_the_needed_groups_are_requested():
    request = request_of(["10mer_ACGTACGTAC", "1mer_A"])
    assert (request.base_score, request.sequence, request.gene, request.annotation) == (False, True, False, False)
    assert request.kmer_sizes == (1, 10)
    assert request_of(["donor_score"]).sequence is False


def test_sequence_features_need_only_the_sequence_window():
    short = toy_stretch(1, 500)
    assert compute_features(["gc_content"], short, [250]).shape == (1, 1)


@pytest.mark.parametrize("name", ["donor_scores", "3mer_ACGT", "0mer_", "3mer_ACN", "splice_type", "position"])
def test_unknown_names_are_refused(name: str):
    with pytest.raises(ModelError, match=f"1 unknown: {name}"):
        compute_features(["donor_score", name], STRETCH, INDEX)


def test_near_names_are_offered():
    with pytest.raises(ModelError, match=r"did you mean donor_score, .*\?"):
        request_of(["donor_scores"])


def test_features_about_the_gene_need_a_gene():
    with pytest.raises(ModelError, match="for gene_length, num_exons\nfound: bases without a gene"):
        compute_features(["donor_score", "gene_length", "num_exons"], STRETCH, INDEX)


def test_only_gene_and_annotation_features_need_a_gene():
    assert needs_gene(["donor_score", "gene_length"])
    assert needs_gene(["num_exons"])
    assert not needs_gene(["donor_score", "gc_content", "2mer_AC"])


def test_no_names_or_no_rows_give_an_empty_matrix():
    assert compute_features([], STRETCH, INDEX).shape == (10, 0)
    assert compute_features(["donor_score", "1mer_A"], STRETCH, []).shape == (0, 2)
