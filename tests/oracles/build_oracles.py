"""Slow, obvious twins of the builder's vectorised steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from meta_spliceai.genome.draws import draws


def trim_slowly(
    rows: list[dict[str, Any]], *, hard_prob: float, window: int, easy_ratio: float, seed: int
) -> list[dict[str, Any]]:
    """The kept rows, each with its tier and probability; looks at every pair of rows."""
    kept = []
    for row in rows:
        tier, share = _tier(row, rows, hard_prob, window), 1.0
        if tier == "easy":
            share = easy_ratio
            if not draws(seed, "easy", row["gene_id"], [row["position"]])[0] < easy_ratio:
                continue
        kept.append({**row, "sampling_tier": tier, "inclusion_probability": row["inclusion_probability"] * share})
    return kept


def _tier(row: dict[str, Any], rows: list[dict[str, Any]], hard_prob: float, window: int) -> str:
    if row["splice_type"] in ("donor", "acceptor"):
        return "site"
    if row["pred_type"] != "TN":
        return "called"
    if max(row["donor_score"], row["acceptor_score"]) > np.float32(hard_prob):
        return "hard"
    for other in rows:
        same_gene = other["gene_id"] == row["gene_id"]
        if same_gene and other["splice_type"] != "neither" and abs(other["position"] - row["position"]) <= window:
            return "neighbourhood"
    return "easy"


def window_of(sequence: str, position: int, strand: str, before: int, after: int) -> str:
    """Bases around a 1-based position in the direction of transcription, N beyond the contig."""
    complement = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}

    def base(at: int) -> str:
        return sequence[at - 1].upper() if 1 <= at <= len(sequence) else "N"

    if strand == "+":
        return "".join(base(at) for at in range(position - before, position + after + 1))
    return "".join(complement[base(at)] for at in range(position + before, position - after - 1, -1))


def count_kmers_slowly(window: str, k: int) -> dict[str, int]:
    """Occurrences of each k-mer without N, overlapping ones counted."""
    counts: dict[str, int] = {}
    for first in range(len(window) - k + 1):
        word = window[first : first + k]
        if "N" not in word:
            counts[f"{k}mer_{word}"] = counts.get(f"{k}mer_{word}", 0) + 1
    return counts
