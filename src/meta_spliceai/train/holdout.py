"""Groups into training, validation and test sides: one split, where `split` makes folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.genome.draws import seeded_word

TRAIN, VALID, TEST = "train", "valid", "test"
SIDES = (TRAIN, VALID, TEST)


def divide(groups: Sequence[str], *, test_size: float, valid_size: float, seed: int) -> npt.NDArray[np.int8]:
    """The side of each group, as its place in `SIDES`; the same for the same names and seed, in any order.

    Raises
    ------
    InputError
        Sizes out of range.
    GeneError
        Too few groups for the sides that are wanted.
    """
    for name, size in (("test_size", test_size), ("valid_size", valid_size)):
        if not 0 <= size < 1:
            raise InputError(f"{name} from 0 to below 1", f"{size}", "give the share of the groups to hold out")
    if test_size + valid_size >= 1:
        raise InputError(
            "test_size and valid_size below 1 together", f"{test_size} + {valid_size}", "give smaller ones"
        )
    test, valid = (max(1, round(size * len(groups))) if size else 0 for size in (test_size, valid_size))
    if len(groups) - test - valid < 1:
        raise GeneError(
            expected=f"at least {test + valid + 1} groups of genes to hold some out",
            found=f"{len(groups)}",
            action="give rows of more genes, or smaller test_size and valid_size (0 holds nothing out)",
        )
    order = sorted(range(len(groups)), key=lambda at: (seeded_word(seed, "holdout", groups[at]), groups[at]))
    side = np.zeros(len(groups), dtype=np.int8)
    side[order[:test]] = SIDES.index(TEST)
    side[order[test : test + valid]] = SIDES.index(VALID)
    return side


def places_of(side: npt.NDArray[np.int8], *names: str) -> npt.NDArray[np.signedinteger[Any]]:
    """Ascending numbers of the rows on the named sides; `side` holds each row's place in `SIDES`, shape (n,)."""
    held = np.zeros(side.size, dtype=np.bool_)
    for name in names:
        held |= side == SIDES.index(name)
    places = np.flatnonzero(held)
    return places.astype(np.int32) if held.size < 2**31 else places  # they are held while a model learns
