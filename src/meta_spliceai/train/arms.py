"""What is compared with what: each arm is one way of scoring the same bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meta_spliceai.errors import InputError
from meta_spliceai.features.profile import PROFILES, Profile


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of scoring bases.

    Parameters
    ----------
    name
        Prefix of its columns in a predictions table.
    title, note
        For people.
    profile
        The features it may use; empty for arms that are not trained.
    """

    name: str
    title: str
    profile: Profile | None
    note: str


BASE = Arm("base", "base model, raw", None, "the base model's scores as they are")
RECALIBRATED = Arm(
    "recalibrated",
    "base model, recalibrated",
    None,
    "a strictly increasing map of the base score, fitted on the other folds: same ranking, truer probabilities",
)
BASE_MEAN = Arm("base_mean", "mean of base models", None, "the mean logit of several base models, untrained")

TRAINED_ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(
            "base_scores", "model on base scores", "base_only", "corrects the base from its own scores around the base"
        ),
        Arm(
            "meta", "meta-model", "de_novo", "corrects the base from scores and sequence; blind to annotated gene ends"
        ),
        Arm(
            "gene_conditioned",
            "gene-conditioned model",
            "gene_conditioned",
            "also knows where the annotated gene begins and ends: another claim, reported apart",
        ),
        Arm("annotated", "annotated model", "annotated", "also knows what the annotation counts in the gene"),
    )
}
"""Trained arms by name; one for each feature profile."""

ARM_OF_PROFILE: dict[Profile, Arm] = {arm.profile: arm for arm in TRAINED_ARMS.values() if arm.profile}


def choose_arms(names: Sequence[str], feature_profile: Profile) -> list[Arm]:
    """The trained arms to fit, in the order of `TRAINED_ARMS`: those named, and the one of the saved model.

    Raises
    ------
    InputError
        An unknown arm or profile.
    """
    unknown = [name for name in names if name not in TRAINED_ARMS]
    if unknown:
        raise InputError(f"trained arms: {', '.join(TRAINED_ARMS)}", ", ".join(unknown), "choose among them")
    if feature_profile not in ARM_OF_PROFILE:
        raise InputError(f"a feature profile: {', '.join(PROFILES)}", f"{feature_profile}", "choose one of them")
    wanted = {*names, ARM_OF_PROFILE[feature_profile].name}
    return [arm for name, arm in TRAINED_ARMS.items() if name in wanted]
