"""How many RNA-seq reads splice at a base: as a donor and as an acceptor, on the base's own strand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from meta_spliceai.errors import GuardError
from meta_spliceai.features.enricher import Bases, ReferenceFacts
from meta_spliceai.features.evidence.contigs import evidence_contigs
from meta_spliceai.features.stretch import Floats, Indices
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.formats.junctions import read_junctions, sites_of_junctions
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.motifs import site_motifs
from meta_spliceai.schema.column import Column
from meta_spliceai.store.fingerprint import file_sha256, fingerprint

NAME = "junctions"
_MEANINGS = {
    "reads": "reads that splice at the base as {} and map to one place (all reads in regtools' files), over all files",
    "multi_reads": "such reads that map to several places; 0 in regtools' files",
    "junctions": "different junctions with the base as {}",
    "samples": "files with such a junction",
}
_USUAL = {"donor": ("GT", "GC", "AT"), "acceptor": ("AG", "AC")}
_JUNCTIONS_READ = 2_000
_FEWEST_SITES = 40
_LOWEST_SHARE = 0.5
"""Aligners report some odd junctions; on another build one site in six or so reads as usual by chance."""

JUNCTION_COLUMNS: tuple[Column, ...] = tuple(
    Column(f"junction_{kind}_{name}", pl.Float32, "feature", "external", meaning.format(kind), nullable=True, low=0.0)
    for kind in SITE_TYPES
    for name, meaning in _MEANINGS.items()
)
"""All are null on contigs without any junction in the files, and 0 at bases that no junction uses."""


@dataclass(frozen=True, slots=True)
class _Sites:
    """Positions (ascending), and the values of `_MEANINGS` there and, in a last row, those of every other base: 0."""

    position: Indices
    values: Floats


@dataclass(frozen=True)
class Junctions:
    """The enricher.

    Parameters
    ----------
    files
        One for each sample.
    sites
        Sites by contig of the genome, strand and site type.
    contigs
        Contigs of the genome with junctions.
    """

    files: tuple[Path, ...]
    sites: Mapping[tuple[str, str, str], _Sites]
    contigs: frozenset[str]
    name = NAME
    columns = JUNCTION_COLUMNS

    @cached_property
    def identity(self) -> str:
        """From the files' content, in any order."""
        return fingerprint([NAME, sorted(file_sha256(path) for path in self.files)])

    @classmethod
    def load(cls, *, files: tuple[Path, ...], reference: ReferenceFacts) -> Self:
        """Read junctions; one file for each sample.

        Raises
        ------
        InputError
            A file is no table of junctions.
        GuardError
            The junctions are of another genome.
        """
        frames = []
        for sample, path in enumerate(files):
            own = read_junctions([path]).with_columns(sample=pl.lit(sample, pl.Int64))
            by_contig = own.partition_by("chrom", as_dict=True)
            ends = {str(chrom): rows["end"].to_numpy() + 1 for (chrom,), rows in by_contig.items()}  # an exon's base
            names = evidence_contigs(path, ends, reference.contigs)
            named = pl.col("chrom").replace_strict(names, default=None, return_dtype=pl.String)
            frames.append(own.with_columns(named).filter(pl.col("chrom").is_not_null()))
            if reference.genome is not None:
                _check_motifs(path, frames[-1], reference.genome)
        junctions = pl.concat(frames)
        by_place = sites_of_junctions(junctions).partition_by("chrom", "strand", "splice_type", as_dict=True)
        sites = {(str(c), str(s), str(k)): _sites(frame) for (c, s, k), frame in by_place.items()}
        return cls(files, sites, frozenset(junctions["chrom"].unique().to_list()))

    def compute(self, bases: Bases) -> Mapping[str, Floats]:
        """See `Enricher.compute`."""
        found: dict[str, Floats] = {}
        for kind in SITE_TYPES:
            values = self._values(bases, kind)
            found |= {f"junction_{kind}_{name}": values[:, place] for place, name in enumerate(_MEANINGS)}
        return found

    def _values(self, bases: Bases, kind: str) -> Floats:
        shape = (bases.position.size, len(_MEANINGS))
        if bases.chrom not in self.contigs:
            return np.full(shape, np.nan, dtype=np.float32)
        sites = self.sites.get((bases.chrom, bases.strand, kind))
        if sites is None:
            return np.zeros(shape, dtype=np.float32)
        at = np.searchsorted(sites.position, bases.position)
        is_site = sites.position[np.minimum(at, sites.position.size - 1)] == bases.position
        return sites.values[np.where(is_site, at, sites.position.size)]


def _check_motifs(path: Path, junctions: pl.DataFrame, genome_file: Path) -> None:
    """The bases beside the introns say whether the junctions are of this build: contigs and lengths alone often agree."""
    sites = sites_of_junctions(junctions.head(_JUNCTIONS_READ))
    with open_genome(genome_file) as genome:
        read = sites.with_columns(motif=site_motifs(sites, genome)).filter(~pl.col("motif").str.contains("N"))
    usual = sum(read.filter(splice_type=kind)["motif"].is_in(motifs).sum() for kind, motifs in _USUAL.items())
    if read.height >= _FEWEST_SITES and usual < _LOWEST_SHARE * read.height:
        raise GuardError(
            expected=f"introns that read GT…AG, GC…AG or AT…AC at most junctions of {path}",
            found=f"{usual:,} usual bases at {read.height:,} sites of its first junctions",
            action="the file was made with another build of the genome: give one for this build",
        )


def _sites(frame: pl.DataFrame) -> _Sites:
    ordered = frame.sort("position")
    values = ordered.select(pl.col(name).cast(pl.Float32) for name in _MEANINGS).to_numpy()
    nothing = np.zeros((1, len(_MEANINGS)), dtype=np.float32)
    return _Sites(ordered["position"].to_numpy().astype(np.int64), np.concatenate([values, nothing]))
