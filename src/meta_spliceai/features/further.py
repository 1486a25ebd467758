"""What further base models say about a base, beside the first one.

A model that does not tell donors from acceptors gives a site probability. It is shared out by the first base's scores:
donor = site * (d + e) / (d + a + 2 e) with e = 1e-5, and the acceptor likewise, so that what neither base model can tell
apart is halved. Usage is shared out in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meta_spliceai.features.base_scores import Doubles, base_score_features, logit
from meta_spliceai.features.stretch import Floats, Indices, Stretch, Track
from meta_spliceai.schema.features import BASE_SCORE_FEATURES, CHANNELS, SITE, USAGE, FurtherBase

SHARE_MARGIN = 1e-5


def track_of(scores: Mapping[str, Floats], donor: Floats, acceptor: Floats) -> Track:
    """The track of a further base model.

    Parameters
    ----------
    scores
        Its channels and `spread`, each of shape (L,).
    donor, acceptor
        The first base's scores of the same bases, by which untyped channels are shared out.
    """
    channels = {name: values for name, values in scores.items() if name != "spread"}
    if tuple(channels) == CHANNELS:
        return Track(scores["donor"], scores["acceptor"], scores["spread"])
    share = _donor_share(donor, acceptor)
    sites, usages = ([channels[name] for name in channels if name.startswith(kind)] for kind in (SITE, USAGE))
    usage_donor, usage_acceptor = _shared_out(usages, share) if usages else (None, None)
    return Track(*_shared_out(sites, share), scores["spread"], channels, usage_donor, usage_acceptor)


def _donor_share(donor: Floats, acceptor: Floats) -> Doubles:
    d, a = donor.astype(np.float64), acceptor.astype(np.float64)
    return (d + SHARE_MARGIN) / (d + a + 2 * SHARE_MARGIN)


def _shared_out(channels: Sequence[Floats], donor_share: Doubles) -> tuple[Floats, Floats]:
    mean = np.mean(channels, axis=0, dtype=np.float64)
    return (mean * donor_share).astype(np.float32), (mean * (1 - donor_share)).astype(np.float32)


def further_bases_features(stretch: Stretch, index: Indices, bases: Sequence[FurtherBase]) -> dict[str, Floats]:
    """Every column of `schema.features.further_features` of some further base models, float32 of shape (n,).

    Parameters
    ----------
    stretch
        With a track of each of `bases`; reaches `REACH` bases beyond every base on both sides.
    index
        0-based indices into the stretch, shape (n,), in any order.
    bases
        Which ones.
    """
    columns: dict[str, Floats] = {}
    for base in bases:
        track = stretch.further[base.name]
        own = base_score_features(stretch.seen_by(base.name), index)
        columns |= {f"{base.name}_{column.name}": own[column.name] for column in BASE_SCORE_FEATURES}
        columns |= {f"{base.name}_{channel}": values[index] for channel, values in track.channels.items()}
        if track.usage_donor is not None and track.usage_acceptor is not None:
            for channel, values in zip(CHANNELS, (track.usage_donor, track.usage_acceptor), strict=True):
                columns[f"{base.name}_usage_{channel}_logit"] = logit(values[index]).astype(np.float32)
    return columns


def mean_logits(stretch: Stretch, index: Indices) -> dict[str, Floats]:
    """`mean_donor_logit` and `mean_acceptor_logit` over all base models of a stretch: the best untrained score there is.

    The logit of a model with usage is the mean of its logits of site and of usage.

    Source: the mean of SpliceAI and half of each of Pangolin's two, the best of eleven simple means on whole genes.
    """
    columns = {}
    for channel in CHANNELS:
        logits = [logit(getattr(stretch, channel)[index])]
        for track in stretch.further.values():
            own = logit(getattr(track, channel)[index])
            usage: Floats | None = getattr(track, f"usage_{channel}")
            logits.append(own if usage is None else (own + logit(usage[index])) / 2)
        columns[f"mean_{channel}_logit"] = np.mean(logits, axis=0).astype(np.float32)
    return columns


def probability_of_logit(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)) in float32, shape kept."""
    # exp overflows to infinity for hopeless bases, and 1 / (1 + infinity) is the 0 that is meant
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
