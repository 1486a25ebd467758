"""`--feature-profile NAME|FILE`: a profile, or a list of features, which claims the narrowest profile that admits them."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from meta_spliceai.errors import InputError, first_few
from meta_spliceai.features.profile import ORIGINS_OF_PROFILE, PROFILES, Profile
from meta_spliceai.schema.column import Table


def profile_of(feature_profile: str, table: Table) -> tuple[Profile, frozenset[str] | None]:
    """The profile, and the features of the file if one was given.

    Parameters
    ----------
    feature_profile
        A profile, or a file with one feature a line (or a JSON list of them).
    table
        Columns that there are.

    Raises
    ------
    InputError
        No such profile or file, or names that are no features of the table (with the nearest ones).
    """
    for profile in PROFILES:
        if feature_profile == profile:
            return profile, None
    path = Path(feature_profile)
    if not path.is_file():
        raise InputError(
            expected=f"a feature profile: {', '.join(PROFILES)}, or a file of features",
            found=feature_profile,
            action="choose one of them, or give a file with one feature a line",
        )
    names = _names(path)
    declared = {column.name: column for column in table if column.role == "feature"}
    unknown = [name for name in names if name not in declared]
    if unknown or not names:
        near = [match for name in unknown[:3] for match in difflib.get_close_matches(name, declared, 1)]
        raise InputError(
            expected=f"names of features of the dataset in {path}",
            found=first_few(unknown) if names else "no name",
            action=f"did you mean {first_few(near)}?" if near else "docs/reference/schema.md lists the features",
        )
    origins = {declared[name].origin for name in names}
    narrowest = next((one for one in PROFILES if origins <= set(ORIGINS_OF_PROFILE[one])), None)
    if narrowest is None:
        raise InputError("features of origins that a profile admits", first_few(sorted(origins)), "leave labels out")
    return narrowest, frozenset(names)


def _names(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
        held = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"a readable list of features in {path}", str(error), "one feature a line") from error
    lines = [str(line).partition("#")[0].strip() for line in held]
    return [line for line in lines if line]
