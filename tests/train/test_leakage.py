"""The leakage lint: every kind of planted leak is stopped by name, honest features pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.errors import LeakageError
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.train.leakage import check_admitted, check_probe, check_rows, weighted_auc
from tests.oracles.training_oracles import weighted_auc_slowly
from tests.train.toys import TABLE, toy_rows

PASSED = {"genes": ["G1"], "features_checked": 80, "changed": []}
NAMES = ("gc_content", "donor_max_up_1_10")
Leak = Callable[[Any, Any, Any], Any]


def lint(**features: Leak) -> None:
    check_rows(toy_rows(names=NAMES, **features), NAMES, TABLE)


def test_honest_features_pass() -> None:
    lint()
    lint(donor_max_up_1_10=lambda _label, score, _rng: score)
    lint(
        gc_content=lambda label, _score, rng: np.where(
            label, rng.random(label.size) < 0.99, rng.random(label.size) < 0.05
        )
    )


@pytest.mark.parametrize(
    ("name", "leak", "found"),
    [
        ("gc_content", lambda label, _score, rng: label + 0.001 * rng.random(label.size), "AUC of 1.0000 of donors"),
        ("gc_content", lambda label, _score, rng: -1.0 * label + 0.001 * rng.random(label.size), "AUC of 1.0000"),
        ("donor_max_up_1_10", lambda label, _score, rng: label + rng.random(label.size), "AUC of 1.0000"),
        (
            "gc_content",
            lambda label, _score, rng: np.where(label, 0.5, rng.random(label.size)),
            "is 0.5 exactly on one side",
        ),
        (
            "gc_content",
            lambda label, _score, rng: np.where(label, rng.random(label.size), -1),
            "is -1 exactly on one side",
        ),
        ("gc_content", lambda label, _score, _rng: np.where(label, 0.5, np.nan), "is missing in shares 1.00 apart"),
    ],
)
def test_a_planted_leak_is_stopped_by_name(name: str, leak: Leak, found: str) -> None:
    with pytest.raises(LeakageError, match=f"{name} \\(origin .*\\) .*{found}") as caught:
        lint(**{name: leak})
    other = next(other for other in NAMES if other != name)
    assert other not in str(caught.value)


def test_values_missing_alike_on_both_sides_are_no_leak() -> None:
    lint(gc_content=lambda label, _score, rng: np.where(rng.random(label.size) < 0.7, np.nan, rng.random(label.size)))


def test_too_few_sites_prove_nothing() -> None:
    check_rows(toy_rows(60, names=NAMES, gc_content=lambda label, _score, _rng: label), NAMES, TABLE)


def test_the_profile_must_admit_every_column() -> None:
    check_admitted(admitted_features(TABLE, "de_novo"), TABLE, "de_novo")
    with pytest.raises(LeakageError, match=r"gene_length \(origin gene\)") as caught:
        check_admitted(["gc_content", "gene_length", "is_donor", "num_exons", "secret"], TABLE, "de_novo")
    assert "gene_length (origin gene), is_donor (a label, not a feature), num_exons (origin annotation)" in str(
        caught.value
    )
    assert "secret (not declared)" in str(caught.value)


def test_no_profile_admits_features_of_origin_label() -> None:
    table = Table("t", 1, "", (*TABLE, Column("oracle", TABLE.columns[-1].dtype, "feature", "label", "the truth")))
    assert "oracle" not in admitted_features(table, "annotated")
    with pytest.raises(LeakageError, match=r"oracle \(origin label\)"):
        check_admitted(["oracle"], table, "annotated")


@pytest.mark.parametrize("profile", ["base_only", "de_novo"])
def test_a_boundary_blind_profile_needs_a_passed_probe(profile: Any) -> None:
    check_probe({"boundary_probe": PASSED}, profile)
    with pytest.raises(LeakageError, match="no result of the probe"):
        check_probe({}, profile)
    with pytest.raises(LeakageError, match="no result of the probe"):
        check_probe({"boundary_probe": {**PASSED, "features_checked": 0}}, profile)
    with pytest.raises(LeakageError, match="donor_max_up_1_10 changed"):
        check_probe({"boundary_probe": {**PASSED, "changed": ["donor_max_up_1_10"]}}, profile)


def test_a_profile_that_knows_the_gene_needs_no_probe() -> None:
    check_probe({}, "gene_conditioned")


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 40)), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_the_weighted_auc_is_that_of_the_slow_twin(rows: list[tuple[int, bool, int]]) -> None:
    values, label, weight = (list(column) for column in zip(*rows, strict=True))
    found = weighted_auc(np.array(values, float), np.array(label), np.array(weight, float))
    assert found == pytest.approx(weighted_auc_slowly(values, label, weight))
