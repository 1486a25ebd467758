"""Largest scores in windows and distances to high scores on either side of a base, without a loop over bases.

Both read `REACH` bases on either side at most, so they do not notice where a gene is said to begin or end.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meta_spliceai.features.stretch import Floats, Indices
from meta_spliceai.schema.features import REACH, SCORE_WINDOWS

WindowKey = tuple[str, int, int]


def window_maxima(values: Floats, index: Indices) -> Iterator[tuple[WindowKey, Floats]]:
    """Largest value in each of `SCORE_WINDOWS` upstream and downstream of each base.

    A window of w bases is the union of two overlapping runs of 2^k <= w bases, and the maxima of all runs of 2^k bases
    follow from those of 2^(k-1): O(L log w) for all bases, O(1) for each row and window.

    Parameters
    ----------
    values
        Shape (L,).
    index
        0-based, shape (n,), with `REACH` bases on either side.

    Yields
    ------
    (direction, near, far), maxima
        `up` or `down`, the window's bounds, float32 of shape (n,); narrow windows first.
    """
    run_maxima, run = values, 1
    for near, far in sorted(SCORE_WINDOWS, key=lambda window: window[1] - window[0]):
        width = far - near + 1
        while 2 * run <= width:
            run_maxima = np.maximum(run_maxima[:-run], run_maxima[run:])
            run *= 2
        for direction, first in (("up", index - far), ("down", index + near)):
            last_run = first + (width - run)
            yield (direction, near, far), np.maximum(run_maxima[first], run_maxima[last_run])


def next_distances(values: Floats, index: Indices, threshold: float) -> tuple[Indices, Indices]:
    """Distance to the next other base upstream and downstream whose value is at least `threshold`.

    Parameters
    ----------
    values
        Shape (L,).
    index
        0-based, shape (n,).
    threshold
        Compared as float32, like the scores themselves.

    Returns
    -------
    up, down
        int64, shape (n,): 1 to `REACH`; `REACH` also where there is none nearer.
    """
    hits = np.flatnonzero(values >= np.float32(threshold))
    fenced = np.concatenate(([-REACH], hits, [values.size + REACH]))
    before = np.searchsorted(hits, index, side="left")
    after = np.searchsorted(hits, index, side="right") + 1
    return np.minimum(index - fenced[before], REACH), np.minimum(fenced[after] - index, REACH)
