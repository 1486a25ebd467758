"""The leakage lint: what must not be learnt from is found, and named, before anything is learnt.

Refused are columns the profile does not admit, a boundary-blind profile without a passed boundary probe, and features
whose values give the label away:

- alone, a feature that is not made of base scores separates the labels almost perfectly (AUC above `LARGEST_AUC`), or so
  does whether it is missing;
- a feature made of base scores does so among rows whose base score is alike, and with at most half the errors of the base
  score there: the base score itself is a fair predictor, so only what goes far beyond it is suspicious;
- all rows of one label hold one value that no row of the other label holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import LeakageError, first_few
from meta_spliceai.features.profile import BOUNDARY_BLIND, ORIGINS_OF_PROFILE, Profile
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import ANALYSIS_TABLE
from meta_spliceai.train.matrix import TrainingRows

LARGEST_AUC = 0.98
"""The best honest feature is the dinucleotide at the site: over all bases it reaches 0.97 (99 % against 5 %)."""

LARGEST_GAP_IN_MISSINGNESS = 0.5
"""Largest honest difference between the shares of the two labels in which a feature is missing."""

FEWEST_POSITIVES = 20
"""Fewer true sites say nothing about a feature."""

_STRATA = 10
_ERRORS = 3.0
"""Standard errors (of the binomial, from the true sites) by which an AUC must exceed its limit: few sites prove little."""

_ROWS_AT_MOST = 200_000

Floats = npt.NDArray[np.float64]


def check_admitted(names: Sequence[str], table: Table, profile: Profile) -> None:
    """Refuse columns that are no features, or whose origin the profile does not admit.

    Raises
    ------
    LeakageError
        Names them.
    """
    declared = {column.name: column for column in table}
    admitted = ORIGINS_OF_PROFILE[profile]
    refused = []
    for name in names:
        column = declared.get(name)
        if column is None:
            refused.append(f"{name} (not declared)")
        elif column.role != "feature":
            refused.append(f"{name} (a {column.role}, not a feature)")
        elif column.origin not in admitted:
            refused.append(f"{name} (origin {column.origin})")
    if refused:
        raise LeakageError(
            expected=f"only features of origin {', '.join(admitted)} for the profile {profile}",
            found=first_few(refused),
            action="leave these columns out, or choose a profile that admits them",
        )


def check_probe(facts: Mapping[str, Any], profile: Profile) -> None:
    """Require, for a boundary-blind profile, that the dataset passed the boundary probe.

    Parameters
    ----------
    facts
        The facts of the dataset's manifest; `boundary_probe` holds genes, features_checked and changed.

    Raises
    ------
    LeakageError
        The probe is absent, looked at nothing, or found features that change.
    """
    if profile not in BOUNDARY_BLIND:
        return
    probe = facts.get("boundary_probe") or {}
    if not probe.get("features_checked") or not probe.get("genes"):
        raise LeakageError(
            expected=f"a dataset that passed the boundary probe, as the profile {profile} requires",
            found="no result of the probe in its manifest",
            action="run the build command again: it probes the features when it finishes",
        )
    if probe.get("changed"):
        raise LeakageError(
            expected="features that stay the same when the annotated ends of a gene move",
            found=f"{first_few(probe['changed'])} changed",
            action="correct their computation, or declare them with origin gene and train the profile gene_conditioned",
        )


def check_rows(rows: TrainingRows, names: Sequence[str], table: Table) -> None:
    """Look for features that give the label away, over the rows that have features.

    At most 200,000 rows are looked at, evenly spaced.

    Raises
    ------
    LeakageError
        Names every feature found, and how it shows.
    """
    step = max(1, -(-rows.gated.size // _ROWS_AT_MOST))
    origins = {column.name: column.origin for column in table}
    of_scores = {column.name for column in ANALYSIS_TABLE.with_role("feature")}
    of_scores |= {name for name, origin in origins.items() if origin == "base_score"}
    found: dict[str, str] = {}
    for channel in SITE_TYPES:
        row = rows.gated[::step]
        label, weight, score = rows.truth(channel)[row], rows.weight[row], rows.start(channel)[row]
        if label.sum() < FEWEST_POSITIVES or (~label).sum() < FEWEST_POSITIVES:
            continue
        alike = _strata(score, label)
        of_base = stratified_auc(score.astype(np.float64), label, weight, alike)
        for name, place in zip(names, rows.columns(names).tolist(), strict=True):
            values = rows.features[::step, place].astype(np.float64)
            if name in of_scores:
                reason = _giveaway(values, label, weight, alike, allowed=max(LARGEST_AUC, (1 + of_base) / 2))
            else:
                reason = _giveaway(values, label, weight, np.zeros_like(alike), allowed=LARGEST_AUC)
            if reason:
                found.setdefault(name, f"{name} (origin {origins[name]}) {reason} of {channel}s")
    if found:
        raise LeakageError(
            expected="features that do not give the label away by themselves",
            found="; ".join(list(found.values())[:5]),
            action="find out how these columns were made: they know the truth of their own row",
        )


def _giveaway(
    values: Floats, label: BoolArray, weight: Floats, strata: npt.NDArray[np.int64], *, allowed: float
) -> str:
    """How the values of one feature give the label away; empty if they do not."""
    missing = np.isnan(values)
    if missing.any():
        gap = abs(
            np.average(missing[label], weights=weight[label]) - np.average(missing[~label], weights=weight[~label])
        )
        if gap > LARGEST_GAP_IN_MISSINGNESS:
            return f"is missing in shares {gap:.2f} apart on the two sides"
        values, label, weight, strata = values[~missing], label[~missing], weight[~missing], strata[~missing]
        if label.sum() < FEWEST_POSITIVES or (~label).sum() < FEWEST_POSITIVES:
            return ""
    for side in (label, ~label):
        only = values[side][0]
        if (values[side] == only).all() and not (values[~side] == only).any():
            return f"is {only:g} exactly on one side"
    auc = stratified_auc(values, label, weight, strata)
    auc = max(auc, 1 - auc)
    if auc - _ERRORS * np.sqrt(auc * (1 - auc) / label.sum()) > allowed:
        return f"alone has an AUC of {auc:.4f}"
    return ""


def _strata(score: npt.NDArray[np.float32], label: BoolArray) -> npt.NDArray[np.int64]:
    """Classes of like base score, each with at least `FEWEST_POSITIVES` true sites; shape (n,)."""
    classes = min(_STRATA, int(label.sum()) // FEWEST_POSITIVES)
    edges = np.quantile(score[label], np.arange(1, classes) / classes)
    return np.searchsorted(edges, score, side="right")


def stratified_auc(values: Floats, label: BoolArray, weight: Floats, strata: npt.NDArray[np.int64]) -> float:
    """Mean over strata of the weighted AUC within each, weighted by its true sites; 0.5 where a side is empty."""
    total = float(weight[label].sum())
    mean = 0.0
    for stratum in np.unique(strata):
        here = strata == stratum
        share = float(weight[here & label].sum()) / total
        mean += share * weighted_auc(values[here], label[here], weight[here])
    return mean


def weighted_auc(values: Floats, label: BoolArray, weight: Floats) -> float:
    """Probability that a true base has the larger value than another base, ties counting half; 0.5 where a side is empty."""
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    positive = np.where(label, weight, 0.0)[order]
    negative = np.where(label, 0.0, weight)[order]
    if positive.sum() == 0 or negative.sum() == 0:
        return 0.5
    first_of_tie = np.concatenate(([True], sorted_values[1:] != sorted_values[:-1]))
    tie = np.cumsum(first_of_tie) - 1
    positive, negative = np.bincount(tie, weights=positive), np.bincount(tie, weights=negative)
    below = np.cumsum(negative) - negative
    return float((positive * (below + 0.5 * negative)).sum() / (positive.sum() * negative.sum()))
