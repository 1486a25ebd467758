"""Slow, obvious twins of the annotation reader, the derived tables and the guard: plain loops over text and tuples."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@dataclass
class SlowAnnotation:
    """Sorted rows: exons (gene_id, transcript_id, chrom, strand, start, end), genes (gene_id, chrom, strand, start, end)."""

    exons: list[tuple]
    genes: list[tuple]


def parse_gtf_slowly(text: str) -> SlowAnnotation:
    exons, spans = set(), defaultdict(list)
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        chrom, _, kind, start, end, _, strand, _, attributes = line.split("\t")
        values = dict(re.findall(r'(\w+) "([^"]*)"', attributes))
        if kind == "exon":
            exons.add((values["gene_id"], values["transcript_id"], chrom, strand, int(start) - 1, int(end)))
        if kind in ("gene", "exon"):
            spans[values["gene_id"], chrom, strand] += [int(start) - 1, int(end)]
    genes = [(*gene, min(ends), max(ends)) for gene, ends in spans.items()]
    return SlowAnnotation(sorted(exons), sorted(genes))


def introns_by_transcript(exons: list[tuple]) -> dict[tuple, list[tuple[int, int]]]:
    """Gaps (0-based half-open) by (gene_id, transcript_id, chrom, strand)."""
    by_transcript = defaultdict(list)
    for *key, start, end in exons:
        by_transcript[tuple(key)].append((start, end))
    gaps = {}
    for key, spans in by_transcript.items():
        spans.sort()
        gaps[key] = [(left[1], right[0]) for left, right in pairwise(spans) if right[0] > left[1]]
    return gaps


def motif_at(sequence: str, position: int, splice_type: str, strand: str) -> str:
    """The two intron bases at a site, on the transcript's strand; NN where one is unknown or outside."""
    after = (splice_type == "donor") == (strand == "+")
    first = position if after else position - 3  # 0-based index of the left one of the two
    pair = sequence[first : first + 2].upper() if first >= 0 else ""
    if len(pair) < 2 or set(pair) - set("ACGT"):
        return "NN"
    return pair if strand == "+" else pair.translate(_COMPLEMENT)[::-1]


def sites(exons: list[tuple], sequences: dict[str, str], min_intron: int) -> list[tuple]:
    """(chrom, strand, position, splice_type, gene_id, transcript_id, motif), sorted."""
    rows = set()
    for (gene_id, transcript_id, chrom, strand), gaps in introns_by_transcript(exons).items():
        for start, end in gaps:
            if end - start < min_intron:
                continue
            left, right = ("donor", "acceptor") if strand == "+" else ("acceptor", "donor")
            for position, splice_type in ((start, left), (end + 1, right)):
                motif = motif_at(sequences[chrom], position, splice_type, strand)
                rows.add((chrom, strand, position, splice_type, gene_id, transcript_id, motif))
    return sorted(rows)


def overlaps(genes: list[tuple]) -> list[tuple]:
    """(gene_id, other_gene_id, same_strand, shared bases) of every ordered pair, sorted; genes as of SlowAnnotation."""
    rows = []
    for gene_id, chrom, strand, start, end in genes:
        for other_id, other_chrom, other_strand, other_start, other_end in genes:
            shared = min(end, other_end) - max(start, other_start)
            if gene_id != other_id and chrom == other_chrom and shared > 0:
                rows.append((gene_id, other_id, strand == other_strand, shared))
    return sorted(rows)


def covered(spans: list[tuple[int, int]]) -> int:
    """Bases in at least one span."""
    return len({base for start, end in spans for base in range(start, end)})
