"""What a base truly is, and how the base model did there.

`splice_type` is the label. A base that is a donor of one transcript and an acceptor of another (an exon of one base)
is labelled `donor`; both facts stay in `is_donor` and `is_acceptor`, and metrics use those.

`pred_type` compares a call with the truth. A base is *called* a donor when its donor score reaches the threshold, and
likewise an acceptor. Over the two site types of one base the order of precedence is TP, FP, FN, TN:

- TP: a true type is called; FP: a type is called that is not true; FN: a true type is not called; TN: neither.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]

DONOR, ACCEPTOR, NEITHER = "donor", "acceptor", "neither"
SITE_TYPES = (DONOR, ACCEPTOR)
SPLICE_TYPES = (DONOR, ACCEPTOR, NEITHER)
PRED_TYPES = ("TP", "FP", "FN", "TN")


def splice_types(is_donor: BoolArray, is_acceptor: BoolArray) -> npt.NDArray[np.str_]:
    """Label per base, shape (n,)."""
    return np.where(is_donor, DONOR, np.where(is_acceptor, ACCEPTOR, NEITHER))


def near(truth: BoolArray, distance: int) -> BoolArray:
    """Where a true base lies within `distance` bases on either side (itself included); shape kept."""
    if distance == 0:
        return truth
    before = np.concatenate(([0], np.cumsum(truth, dtype=np.int64)))
    index = np.arange(truth.size)
    low = np.maximum(index - distance, 0)
    high = np.minimum(index + distance + 1, truth.size)
    return before[high] > before[low]


def pred_types(
    called_donor: BoolArray, called_acceptor: BoolArray, is_donor: BoolArray, is_acceptor: BoolArray
) -> npt.NDArray[np.str_]:
    """TP, FP, FN or TN per base, shape (n,), by the precedence above."""
    hit = (called_donor & is_donor) | (called_acceptor & is_acceptor)
    false_call = (called_donor & ~is_donor) | (called_acceptor & ~is_acceptor)
    missed = (is_donor & ~called_donor) | (is_acceptor & ~called_acceptor)
    return np.where(hit, "TP", np.where(false_call, "FP", np.where(missed, "FN", "TN")))


def tolerant_calls(called: BoolArray, truth: BoolArray, consensus_window: int) -> tuple[BoolArray, BoolArray]:
    """Calls and truth with a tolerance of `consensus_window` bases, over consecutive bases of one strand.

    A true base counts as called when any base within the window is called, and a called base within the window of a
    true one is no longer a false call. Only `pred_type` uses this, never a feature.

    Returns
    -------
    called, truth
        To be given to `pred_types`; with `consensus_window` 0 they are the inputs.
    """
    if consensus_window == 0:
        return called, truth
    recovered = truth & near(called, consensus_window)
    forgiven = called & ~truth & near(truth, consensus_window)
    return (called & ~forgiven) | recovered, truth
