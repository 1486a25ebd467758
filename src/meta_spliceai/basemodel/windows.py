"""Covering a sequence with windows of a few fixed lengths.

The inference library is fast only for input shapes it has compiled, and compiling takes about half a second, so a
sequence of any length is scored in windows whose lengths come from a short list. Each window carries its full context,
hence where the borders fall changes nothing but the time it takes.
"""

from __future__ import annotations

from functools import lru_cache

WINDOWS = (1_000, 12_000, 20_000, 32_000, 100_000)
"""Bases scored per window. Over all GENCODE genes with 5,000-nt flanks, merged per strand, the best covers cost 12 % more
than windows of exactly the genes' lengths; the longest bounds the memory."""
HALO = 6_462
"""Bases' worth of work a window costs beyond its own length, for SpliceAI's 10,000 nt of context."""
_FEW_WINDOWS = (1_000, 12_000, 100_000)
"""The same where that work is below `_LITTLE_HALO`, as with 80 or 400 nt of context."""
_LITTLE_HALO = 500


def windows_for(halo: int, *, bound: int | None = None) -> tuple[int, ...]:
    """Lengths to compile for, shortest first; all are multiples of the shortest.

    Parameters
    ----------
    halo
        What a window costs beyond its length. Where that is little, short windows fill what long ones leave, and
        fewer lengths suffice.
    bound
        Bases per window at most, at least the shortest length; it may also be longer than the longest one.
    """
    lengths = WINDOWS if halo > _LITTLE_HALO else _FEW_WINDOWS
    if bound is None:
        return lengths
    shortest = min(lengths)
    return (*(length for length in lengths if length < bound - bound % shortest), bound - bound % shortest)


@lru_cache(maxsize=4096)
def plan_windows(length: int, *, windows: tuple[int, ...] = WINDOWS, halo: int = HALO) -> tuple[tuple[int, int], ...]:
    """The cheapest way to cover `length` bases, the longest windows first; it depends on nothing but the arguments.

    Parameters
    ----------
    length
        Bases to cover.
    windows
        Lengths to choose from; all are multiples of the smallest.
    halo
        A window of n bases costs n + halo.

    Returns
    -------
    tuple of (start, window)
        Windows that follow one another from 0 without a gap; the last one may reach beyond `length`.
    """
    unit, longest = min(windows), max(windows)
    # Beyond twice the longest window, another longest one is always the cheapest way to get on.
    repeats = max(0, length // longest - 1)
    chosen = [longest] * repeats + _cheapest(-(-(length - repeats * longest) // unit), windows, halo)
    starts = [0]
    for window in chosen:
        starts.append(starts[-1] + window)
    return tuple(zip(starts, chosen, strict=False))


def _cheapest(units: int, windows: tuple[int, ...], halo: int) -> list[int]:
    """Windows, longest first, that cover `units` times the smallest window at the least cost."""
    unit = min(windows)
    cost = [0] * (units + 1)
    choice = [0] * (units + 1)
    for covered in range(1, units + 1):
        cost[covered], choice[covered] = min(
            (window + halo + cost[max(0, covered - window // unit)], -window) for window in windows
        )
    chosen = []
    while units > 0:
        chosen.append(-choice[units])
        units -= chosen[-1] // unit
    return sorted(chosen, reverse=True)
