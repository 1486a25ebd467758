"""DNA as small integers: A, C, G, T are 0 to 3, anything else (N, IUPAC codes, outside the contig) is 4."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]

UNKNOWN = 4
BASES = "ACGTN"

_CODE_OF_BYTE = np.full(256, UNKNOWN, dtype=np.uint8)
for _code, _base in enumerate("ACGT"):
    _CODE_OF_BYTE[ord(_base)] = _code
    _CODE_OF_BYTE[ord(_base.lower())] = _code
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
_BYTE_OF_CODE = np.frombuffer(BASES.encode(), dtype=np.uint8)


def encode(sequence: str | bytes) -> Codes:
    """Codes of a sequence, shape (length,). Lower case counts as upper case; every other letter becomes 4."""
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODE_OF_BYTE[np.frombuffer(raw, dtype=np.uint8)]


def decode(codes: Codes) -> str:
    """The sequence of the codes, in upper case, with N for 4."""
    return _BYTE_OF_CODE[codes].tobytes().decode("ascii")


def reverse_complement(codes: Codes) -> Codes:
    """The other strand, read in its own direction; shape is kept, 4 stays 4."""
    return _COMPLEMENT[codes[::-1]]


def base_pairs(codes: Codes, first: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Dinucleotide codes `4 * base[i] + base[i + 1]` at the indices `first`; 16 where a base is unknown or outside.

    Parameters
    ----------
    codes
        Shape (length,).
    first
        0-based indices of the first base of each pair, shape (n,); may lie outside.
    """
    inside = (first >= 0) & (first + 1 < codes.size)
    at = np.where(inside, first, 0)
    left = codes[at] if codes.size else np.full(first.shape, UNKNOWN, dtype=np.uint8)
    right = codes[np.minimum(at + 1, codes.size - 1)] if codes.size else left
    pair = (4 * left + right).astype(np.uint8)
    return np.where(inside & (left < UNKNOWN) & (right < UNKNOWN), pair, 16).astype(np.uint8)


def base_pair_names() -> list[str]:
    """Names of the dinucleotide codes of `base_pairs`, by code: AA, AC, … TT, and NN for 16."""
    return [left + right for left in "ACGT" for right in "ACGT"] + ["NN"]
