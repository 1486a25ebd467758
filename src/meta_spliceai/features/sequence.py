"""What the genome around a base says: composition of the sequence window, the bases at the site, and k-mers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meta_spliceai.features.stretch import Floats, Indices, require_reach
from meta_spliceai.genome.sequences import UNKNOWN, Codes, base_pair_names, base_pairs
from meta_spliceai.schema.features import ACCEPTOR_MOTIFS, DONOR_MOTIFS, SEQUENCE_FEATURES, SEQUENCE_REACH, kmer_names

WINDOW = 2 * SEQUENCE_REACH
COUNTS_AT_ONCE = 1 << 17
"""Cells of the count table filled together: small enough to stay in the processor's cache."""

_FEW_KMERS = 4**4
_NEAR_BASES = 50
"""Where few k-mers are counted at rows that are on average at most this far apart, following the window is faster."""

_CELLS_FOLLOWED = 1 << 21
_ONE = np.uint16(1)

KmerCounts = npt.NDArray[np.uint16]

# n log2(n) of every possible count; integer counts make the entropy a sum of table entries
_N_LOG_N = np.array([0.0] + [n * np.log2(n) for n in range(1, WINDOW + 1)])


def sequence_features(
    codes: Codes, index: npt.ArrayLike, kmer_sizes: Sequence[int] = ()
) -> dict[str, Floats | KmerCounts]:
    """All `SEQUENCE_FEATURES` of bases, then the k-mers of each size, in declared order.

    Parameters
    ----------
    codes
        Bases in the direction of transcription, shape (L,); 4 where unknown or beyond the contig.
    index
        0-based indices, shape (n,), in any order; the sequence window is `codes[i - 250 : i + 250]`.
    kmer_sizes
        Sizes k >= 1 of the k-mers to count; all 4^k columns of each are given.

    Returns
    -------
    dict
        Feature name to float32 of shape (n,), and k-mer name to uint16 of shape (n,).

    Raises
    ------
    ValueError
        A base has fewer than 250 bases before or 249 after it, or a size is below 1.
    """
    rows = np.asarray(index, dtype=np.int64)
    require_reach(rows, SEQUENCE_REACH, SEQUENCE_REACH - 1, codes.size)
    if rows.size:
        first = int(rows.min()) - SEQUENCE_REACH
        codes, rows = codes[first : int(rows.max()) + SEQUENCE_REACH], rows - first
    values = [*_composition(codes, rows), *_motifs(codes, rows)]
    features: dict[str, Floats | KmerCounts] = {
        column.name: value.astype(np.float32) for column, value in zip(SEQUENCE_FEATURES, values, strict=True)
    }
    for k in kmer_sizes:
        features |= zip(kmer_names(k), kmer_counts(codes, rows, k), strict=True)
    return features


def _composition(codes: Codes, index: Indices) -> list[npt.NDArray[np.float64]]:
    """GC content, number of known bases, and entropy in bits of the sequence window."""
    counts = []
    for base in range(UNKNOWN):
        before = np.zeros(codes.size + 1, dtype=np.int32)
        np.cumsum(codes == base, out=before[1:])
        counts.append(before[index + SEQUENCE_REACH] - before[index - SEQUENCE_REACH])
    a, c, g, t = counts
    known = a + c + g + t
    divisor = np.maximum(known, 1)
    # H = log2 N - (sum of n log2 n) / N; rounding may leave the allowed range by 1e-15
    by_base = _N_LOG_N[a] + _N_LOG_N[c] + _N_LOG_N[g] + _N_LOG_N[t]
    return [(c + g) / divisor, known.astype(np.float64), np.clip((_N_LOG_N[known] - by_base) / divisor, 0, 2)]


def _motifs(codes: Codes, index: Indices) -> list[npt.NDArray[np.bool_]]:
    names = base_pair_names()
    after, before = base_pairs(codes, index + 1), base_pairs(codes, index - 2)
    return [after == names.index(motif) for motif in DONOR_MOTIFS] + [
        before == names.index(motif) for motif in ACCEPTOR_MOTIFS
    ]


def kmer_codes(codes: Codes, k: int) -> Indices:
    """Number, in lexicographic order, of the k-mer that starts at each base; 4^k where it holds an unknown base.

    Returns
    -------
    int64, shape (max(L - k + 1, 0),)
    """
    starts = max(codes.size - k + 1, 0)
    number = np.zeros(starts, dtype=np.int64)
    unknown = np.zeros(starts, dtype=bool)
    for offset in range(k):
        base = codes[offset : offset + starts]
        number = 4 * number + base
        unknown |= base >= UNKNOWN
    number[unknown] = 4**k
    return number


def kmer_counts(codes: Codes, index: Indices, k: int) -> KmerCounts:
    """How often each k-mer lies wholly within the sequence window of each base, overlapping ones counted.

    Returns
    -------
    uint16, shape (4^k, n)
        K-mers in lexicographic order; those with an unknown base are not counted.
    """
    if k < 1:
        raise ValueError(f"a k-mer has at least 1 base, not {k}")
    words = kmer_codes(codes, k)
    near = index.size > 1 and int(index.max()) - int(index.min()) <= _NEAR_BASES * index.size
    counts = np.zeros((4**k, index.size), dtype=np.uint16)
    if 4**k <= _FEW_KMERS and near:
        _count_by_following(counts, words, index - SEQUENCE_REACH)
    elif index.size:
        _count_by_window(counts, words, index - SEQUENCE_REACH)
    return counts


def _count_by_following(counts: KmerCounts, words: Indices, first: Indices) -> None:
    """Fill `counts` row by row of the sequence: what enters the window is added, what leaves it taken away."""
    kinds = counts.shape[0]
    span = WINDOW + 1 - (kinds.bit_length() // 2)  # k-mers in a window; kinds = 4^k
    order = np.argsort(first, kind="stable")
    first = first[order]
    block = max(1, _CELLS_FOLLOWED // kinds)
    for low in range(0, first.size, block):
        start = first[low : low + block]
        table = np.zeros((kinds + 1, start.size), dtype=np.uint16)  # the last line counts unknown bases
        cells = table.reshape(-1)
        row = np.repeat(np.arange(1, start.size), np.diff(start))
        np.add.at(cells, words[start[0] : start[0] + span] * start.size, _ONE)
        np.add.at(cells, words[start[0] + span : start[-1] + span] * start.size + row, _ONE)
        np.subtract.at(cells, words[start[0] : start[-1]] * start.size + row, _ONE)
        # sums wrap around on the way, and are right in the end because no count exceeds 16 bits
        counts[:, order[low : low + block]] = np.add.accumulate(table[:kinds], axis=1, dtype=np.uint16)


def _count_by_window(counts: KmerCounts, words: Indices, first: Indices) -> None:
    """Fill `counts` window by window."""
    kinds = counts.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(words, WINDOW + 1 - (kinds.bit_length() // 2))
    bins = kinds + 1
    block = max(1, COUNTS_AT_ONCE // bins)
    for low in range(0, first.size, block):
        inside = windows[first[low : low + block]]
        inside += bins * np.arange(inside.shape[0])[:, None]
        table = np.bincount(inside.ravel(), minlength=bins * inside.shape[0]).reshape(-1, bins)
        counts[:, low : low + block] = table[:, :-1].T
