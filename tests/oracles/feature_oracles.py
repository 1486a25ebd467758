"""Slow, obvious twins of the feature computations: one base at a time, plain Python numbers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from meta_spliceai.schema.features import DISTANCE_THRESHOLDS, REACH, SCORE_WINDOWS

E = 1e-10


def as_float32(threshold: float) -> float:
    return float(struct.unpack("f", struct.pack("f", threshold))[0])


def logit(p: float) -> float:
    p = min(max(p, 1e-7), 1 - 1e-7)
    return math.log(p / (1 - p))


def window_max(s: Sequence[float], i: int, direction: str, near: int, far: int) -> float:
    sign = -1 if direction == "up" else 1
    return max(s[i + sign * distance] for distance in range(near, far + 1))


def next_distance(s: Sequence[float], i: int, direction: str, threshold: float) -> int:
    sign = -1 if direction == "up" else 1
    for distance in range(1, REACH + 1):
        if s[i + sign * distance] >= as_float32(threshold):
            return distance
    return REACH


def beside(s: Sequence[float], i: int) -> dict[str, float]:
    m2, m1, x, p1, p2 = s[i - 2 : i + 3]
    mean = (m2 + m1 + p1 + p2) / 4
    return {
        "diff_m1": x - m1,
        "diff_m2": x - m2,
        "diff_p1": x - p1,
        "diff_p2": x - p2,
        "surge_ratio": x / (m1 + p1 + E),
        "is_local_peak": 1.0 if x > m1 and x > p1 and x > 0.001 else 0.0,
        "weighted_context": 0.1 * m2 + 0.2 * m1 + 0.4 * x + 0.2 * p1 + 0.1 * p2,
        "peak_height_ratio": x / (mean + E),
        "second_derivative": 2 * x - m1 - p1,
        "signal_strength": x - mean,
        "context_diff_ratio": x / (max(m2, m1, p1, p2) + E),
    }


def relations(d: float, a: float) -> dict[str, float]:
    n = min(max(1 - d - a, 0.0), 1.0)
    return {
        "relative_donor_probability": d / (d + a + E),
        "splice_probability": (d + a) / (d + a + n + E),
        "donor_acceptor_diff": (d - a) / (max(d, a) + E),
        "splice_neither_diff": (max(d, a) - n) / (max(d, a, n) + E),
        "donor_acceptor_logodds": math.log(d + E) - math.log(a + E),
        "splice_neither_logodds": math.log(d + a + E) - math.log(n + E),
        "probability_entropy": -sum(p * math.log(p + E) for p in (d, a, n)),
        "score_difference_ratio": (d - a) / (d + a + E),
    }


def context(donor: Sequence[float], acceptor: Sequence[float], i: int) -> dict[str, float]:
    m2, m1, p1, p2 = (min(donor[j] + acceptor[j], 1.0) for j in (i - 2, i - 1, i + 1, i + 2))
    return {
        "context_score_m2": m2,
        "context_score_m1": m1,
        "context_score_p1": p1,
        "context_score_p2": p2,
        "context_neighbor_mean": (m2 + m1 + p1 + p2) / 4,
        "context_asymmetry": (m1 + m2) - (p1 + p2),
        "context_max": max(m2, m1, p1, p2),
    }


def cross(features: dict[str, float]) -> dict[str, float]:
    below = features["acceptor_signal_strength"] + E
    return {
        "donor_acceptor_peak_ratio": features["donor_peak_height_ratio"] / (features["acceptor_peak_height_ratio"] + E),
        "type_signal_difference": features["donor_signal_strength"] - features["acceptor_signal_strength"],
        "signal_strength_ratio": features["donor_signal_strength"] / (below or E),
    }


def base_score_features(
    donor: Sequence[float], acceptor: Sequence[float], spread: Sequence[float], i: int
) -> dict[str, float]:
    d, a = donor[i], acceptor[i]
    features = {
        "donor_score": d,
        "acceptor_score": a,
        "neither_score": min(max(1 - d - a, 0.0), 1.0),
        "score": max(d, a),
        "spread": spread[i],
        "donor_logit": logit(d),
        "acceptor_logit": logit(a),
        **context(donor, acceptor, i),
        **relations(d, a),
    }
    for channel, s in (("donor", donor), ("acceptor", acceptor)):
        features |= {f"{channel}_{name}": value for name, value in beside(s, i).items()}
    features |= cross(features)
    for channel, s in (("donor", donor), ("acceptor", acceptor)):
        for direction in ("up", "down"):
            for near, far in SCORE_WINDOWS:
                features[f"{channel}_max_{direction}_{near}_{far}"] = window_max(s, i, direction, near, far)
    for channel, s in (("donor", donor), ("acceptor", acceptor)):
        for direction in ("up", "down"):
            for suffix, threshold in DISTANCE_THRESHOLDS:
                features[f"{channel}_distance_{direction}_{suffix}"] = next_distance(s, i, direction, threshold)
    for channel in ("donor", "acceptor"):
        both = (features[f"{channel}_distance_up_50"], features[f"{channel}_distance_down_50"])
        features[f"distance_to_nearest_{channel}"] = min(both)
    return features


def sequence_features(sequence: str, i: int, kmer_sizes: Sequence[int]) -> dict[str, float]:
    window = sequence[i - 250 : i + 250]
    counts = [window.count(base) for base in "ACGT"]
    known = sum(counts)
    shares = [count / known for count in counts if count]
    features = {
        "gc_content": (counts[1] + counts[2]) / known if known else 0.0,
        "sequence_length": float(known),
        "sequence_complexity": -sum(share * math.log2(share) for share in shares) + 0.0,
        **{f"donor_motif_{m.lower()}": float(sequence[i + 1 : i + 3] == m) for m in ("GT", "GC", "AT")},
        **{f"acceptor_motif_{m.lower()}": float(sequence[i - 2 : i] == m) for m in ("AG", "AC")},
    }
    for k in kmer_sizes:
        features |= {f"{k}mer_{kmer}": float(count) for kmer, count in kmer_counts(window, k).items()}
    return features


def kmer_counts(window: str, k: int) -> dict[str, int]:
    counts = {"": 0}
    for _ in range(k):
        counts = {kmer + base: 0 for kmer in counts for base in "ACGT"}
    for start in range(len(window) - k + 1):
        kmer = window[start : start + k]
        if kmer in counts:
            counts[kmer] += 1
    return counts


def ranks(values: Sequence[float]) -> list[int]:
    return [1 + sum(other > value for other in values) for value in values]


def gene_geometry(start: int, end: int, strand: str, position: int) -> dict[str, float]:
    """Of a base of the gene [start, end), 0-based; walks from the 5' end."""
    bases = list(range(start + 1, end + 1))
    if strand == "-":
        bases.reverse()
    steps = bases.index(position)
    return {
        "gene_length": len(bases),
        "gene_distance_to_start": steps,
        "gene_distance_to_end": len(bases) - 1 - steps,
        "gene_relative_position": steps / (len(bases) - 1) if len(bases) > 1 else 0.0,
    }
