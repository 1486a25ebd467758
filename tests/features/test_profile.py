"""What each profile admits."""

from __future__ import annotations

import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.features.profile import BOUNDARY_BLIND, ORIGINS_OF_PROFILE, PROFILES, admitted_features
from meta_spliceai.schema.features import ANNOTATION_FEATURES, BASE_SCORE_FEATURES, GENE_FEATURES, SEQUENCE_FEATURES
from meta_spliceai.schema.tables import dataset_table

COLUMNS = dataset_table((1,)).columns
BASE, SEQUENCE, GENE, ANNOTATION = (
    [column.name for column in columns]
    for columns in (BASE_SCORE_FEATURES, SEQUENCE_FEATURES, GENE_FEATURES, ANNOTATION_FEATURES)
)
KMERS = ["1mer_A", "1mer_C", "1mer_G", "1mer_T"]


def test_each_profile_admits_its_origins_in_table_order():
    assert admitted_features(COLUMNS, "base_only") == BASE
    assert admitted_features(COLUMNS, "de_novo") == BASE + SEQUENCE + KMERS
    assert admitted_features(COLUMNS, "gene_conditioned") == BASE + SEQUENCE + KMERS + GENE
    assert admitted_features(COLUMNS, "annotated") == BASE + SEQUENCE + KMERS + GENE + ANNOTATION


def test_no_profile_admits_labels_and_blind_ones_no_gene():
    assert all("label" not in ORIGINS_OF_PROFILE[profile] for profile in PROFILES)
    assert all(not {"gene", "annotation"} & set(ORIGINS_OF_PROFILE[profile]) for profile in BOUNDARY_BLIND)


@pytest.mark.parametrize("profile", PROFILES)
def test_keys_labels_calls_and_sampling_are_never_admitted(profile):
    other = {column.name for column in COLUMNS if column.role != "feature"}
    assert {"position", "splice_type", "pred_type", "inclusion_probability"} <= other
    assert other.isdisjoint(admitted_features(COLUMNS, profile))


def test_an_unknown_profile_is_refused_with_the_choices():
    with pytest.raises(InputError, match="base_only, de_novo, gene_conditioned, annotated\nfound: 'novo'"):
        admitted_features(COLUMNS, "novo")
