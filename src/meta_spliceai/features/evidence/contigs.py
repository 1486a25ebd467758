"""Does a file of evidence belong to the genome? Found out before anything expensive."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from meta_spliceai.errors import GuardError, first_few
from meta_spliceai.features.stretch import Indices
from meta_spliceai.formats.contigs import match_contigs

log = logging.getLogger(__name__)


LARGEST_SHARE_BEYOND = 0.05
"""Share of a contig's rows that may lie beyond its end: none does in a file of the whole genome's own build."""


def evidence_contigs(
    path: Path, ends: Mapping[str, Indices], contigs: Mapping[str, int], *, whole: bool = False
) -> dict[str, str]:
    """Which contig of the genome each contig of a file is.

    Parameters
    ----------
    path
        The file, for messages.
    ends
        By contig of the file, the last base of each row, 1-based; with `whole`, the contig's length.
    contigs
        Lengths of the genome's contigs.
    whole
        Lengths must be equal.

    Returns
    -------
    dict
        The genome's name by the file's name; contigs that the genome does not have are left out, and said in the log.

    Raises
    ------
    GuardError
        No contig in common, one under two names, another length, or more than a few rows beyond a contig's end.
    """
    match = match_contigs(ends, contigs)
    if not match.to_genome:
        raise GuardError(
            expected=f"a contig of the genome ({first_few(list(contigs))}) in {path}",
            found=f"{first_few(match.unmatched)}",
            action="give a file made with this genome",
        )
    names = list(match.to_genome.values())
    doubled = [name for name in match.to_genome if names.count(match.to_genome[name]) > 1]
    if doubled:
        raise GuardError(
            expected=f"one name for each contig in {path}",
            found=f"{first_few(doubled)} for the same one",
            action="give a file whose rows all name contigs in the same way",
        )
    for name, genomic in match.to_genome.items():
        _check_ends(path, genomic, ends[name], contigs[genomic], whole=whole)
    if match.unmatched:
        log.info("%s: contigs that the genome lacks are left out: %s", path, first_few(match.unmatched))
    return match.to_genome


def _check_ends(path: Path, chrom: str, ends: Indices, length: int, *, whole: bool) -> None:
    beyond = int((ends > length).sum())
    if beyond > LARGEST_SHARE_BEYOND * ends.size or (whole and (ends != length).any()):
        found = (
            f"a contig of {ends[0]:,}" if whole else f"{beyond:,} of {ends.size:,} rows beyond, up to {ends.max():,}"
        )
        raise GuardError(
            expected=f"places on {chrom}, which has {length:,} bases, in {path}",
            found=found,
            action="the file was made with another build of the genome, or a longer part of it: give one for this genome",
        )
    if beyond:
        log.warning("%s: %d of %d rows lie beyond the end of %s", path, beyond, ends.size, chrom)
