"""Random choices that depend on nothing but a seed and the thing chosen.

The draw of a row is a hash of (seed, purpose, gene_id, position), so a dataset holds the same rows for any batch size,
gene order, worker count, machine or interruption. The mixer is SplitMix64 (Steele, Lea and Flood 2014), which passes
the usual batteries of tests and is three lines of integer arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def seeded_word(*parts: object) -> int:
    """A 64-bit word from the text of the parts; the same on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def draws(seed: int, purpose: str, gene_id: str, positions: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """One number in [0, 1) per position, shape (n,).

    Parameters
    ----------
    seed
        The run's seed.
    purpose
        Which choice this is ('candidate', 'easy', …), so that two choices about one row are independent.
    gene_id, positions
        The row; positions are 1-based.
    """
    at = np.asarray(positions, dtype=np.uint64)
    return draws_of_genes(seed, purpose, [gene_id], [at.size], at)


def draws_of_genes(
    seed: int, purpose: str, gene_ids: Sequence[str], lengths: Sequence[int], positions: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """As `draws`, for the rows of several genes one after the other: `lengths` says how many each has."""
    starts = np.array([seeded_word(seed, purpose, gene_id) for gene_id in gene_ids], dtype=np.uint64)
    word = mixed(np.asarray(positions, dtype=np.uint64) * GOLDEN + np.repeat(starts, lengths))
    return (word >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser: each word becomes one that says nothing about it; shape kept."""
    word = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
