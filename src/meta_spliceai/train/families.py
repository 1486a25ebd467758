"""Families of features: what one enricher or one further base model adds to a dataset."""

from __future__ import annotations

from meta_spliceai.schema.enrichers import BUILT_IN, OWN_SCORES, family_columns
from meta_spliceai.schema.features import FurtherBase, further_features, mean_logit_features
from meta_spliceai.schema.tables import enriched_columns
from meta_spliceai.train.matrix import DatasetFolder

OWN_SCORE, MEAN_SCORE, ADDED = "own_score", "mean_score", "added"


def families_of(dataset: DatasetFolder) -> dict[str, str]:
    """The family of each feature of a dataset, in the order of its columns.

    A family is an enricher, built in or not; `own_score`, what the first base model says of the row's own base; a further
    base model, by its name, with all that its scores say; `mean_score`, the mean logits of all base models; or `added`,
    columns that were added to the finished dataset.
    """
    parameters = dataset.manifest.parameters
    further = [FurtherBase(base["name"], tuple(base["channels"])) for base in parameters.get("further_bases", ())]
    family: dict[str, str] = {}
    for name in BUILT_IN:
        family |= {column.name: name for column in family_columns(name, tuple(parameters["kmer_sizes"]), further)}
    family |= dict.fromkeys(OWN_SCORES, OWN_SCORE)
    family |= {column.name: MEAN_SCORE for column in mean_logit_features(further)}
    family |= {column.name: base.name for base in further for column in further_features(base)}
    family |= {column.name: name for name, held in enriched_columns(parameters).items() for column in held}
    return {column.name: family.get(column.name, ADDED) for column in dataset.table if column.role == "feature"}
