"""What is compared with what: each arm is one way of scoring the same bases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.profile import PROFILES, Profile


@dataclass(frozen=True, slots=True)
class Ablation:
    """Features that an arm goes without, or those that it has only.

    Parameters
    ----------
    change
        `without` them, or `only` them.
    of
        `family`, or `origin`, of the features.
    name
        Of the family or origin.
    features
        Their names.
    """

    change: Literal["without", "only"]
    of: Literal["family", "origin"]
    name: str
    features: frozenset[str]

    def keeps(self, feature: str) -> bool:
        """Whether the arm may read a feature."""
        return (feature in self.features) == (self.change == "only")


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
    ablation
        What an arm of an ablation leaves out of these features, or leaves alone; None for other arms.
    """

    name: str
    title: str
    profile: Profile | None
    note: str
    ablation: Ablation | None = None


BASE = Arm("base", "base model, raw", None, "the base model's scores as they are")
RECALIBRATED = Arm(
    "recalibrated",
    "base model, recalibrated",
    None,
    "a map of the base score that never falls, fitted on the other folds: same ranking, truer probabilities",
)
BASE_MEAN = Arm("base_mean", "mean of base models", None, "the mean logit of several base models, untrained")
BEST_MEAN = Arm(
    "best_mean",
    "best mean of base models",
    "base_only",
    "the untrained mean logit of those base models that ranks best on the other folds, and below the gate the mean of all; corrections start from it",
)

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


def ablation_arms(profile: Profile, origins: Mapping[str, str], families: Mapping[str, str]) -> list[Arm]:
    """Arms without each family of features and with it alone, and likewise with the origins that have several families.

    Parameters
    ----------
    profile
        Of the saved model.
    origins, families
        Of each feature that the saved model reads, by its name.

    Raises
    ------
    InputError
        All features are of one family.
    """
    members: dict[tuple[Literal["family", "origin"], str], set[str]] = {}
    for feature, family in families.items():
        members.setdefault(("family", family), set()).add(feature)
    if len(members) < 2:
        raise InputError(
            expected="features of at least two families for --ablation",
            found=f"{first_few([name for _, name in members]) or 'none'}",
            action="leave --ablation out, or give a profile that admits more features",
        )
    if len(set(origins.values())) > 1:
        for origin in dict.fromkeys(origins.values()):
            own = {feature for feature, held in origins.items() if held == origin}
            if len({families[feature] for feature in own}) > 1:
                members[("origin", origin)] = own
    return [
        _ablated(profile, Ablation(change, of, name, frozenset(own)), len(families))
        for change in ("without", "only")
        for (of, name), own in members.items()
    ]


def _ablated(profile: Profile, ablation: Ablation, features: int) -> Arm:
    own = len(ablation.features)
    read = own if ablation.change == "only" else features - own
    # a family may be called what an origin is called
    name = ablation.name if ablation.of == "family" else f"all_{ablation.name}"
    what = f"{ablation.name} features" if ablation.of == "family" else f"all features of origin {ablation.name}"
    return Arm(
        f"{ablation.change}_{name}",
        f"{ARM_OF_PROFILE[profile].title} {ablation.change} {what}".replace(" only ", ", only "),
        profile,
        f"reads {read} of {features} features; how much they add",
        ablation,
    )
