"""Which genes did the user mean?"""

from __future__ import annotations

import csv
import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.formats.contigs import match_contigs
from meta_spliceai.reference.load import Reference

log = logging.getLogger(__name__)

_NEAR_SHOWN = 5
_HEADER_WORDS = frozenset({"gene_id", "gene", "gene_name", "gene_symbol", "symbol", "id", "name", "geneid"})


@dataclass(frozen=True, slots=True)
class ResolvedGenes:
    """What became of a list of names.

    Parameters
    ----------
    gene_ids
        The genes found, in reference order, each once.
    unknown
        Names that no gene has.
    near
        Names that look like an unknown one.
    doubled
        Names given more than once, or that mean a gene already named.
    """

    gene_ids: list[str]
    unknown: list[str]
    near: dict[str, list[str]]
    doubled: list[str]


def separated(values: Sequence[str] | None) -> list[str] | None:
    """The items of a list whose elements may hold several, with commas or spaces between them; None stays None."""
    if values is None:
        return None
    return [item for value in values for item in value.replace(",", " ").split()]


def without_version(gene_id: str) -> str:
    """An Ensembl-style id without its version: ENSG00000012048.23 and ENSG00000012048.23_4 become ENSG00000012048."""
    bare, dot, version = gene_id.partition(".")
    return bare if dot and version[:1].isdigit() and bare.startswith("ENS") else gene_id


def resolve_genes(reference: Reference, names: Sequence[str]) -> ResolvedGenes:
    """Find genes by id, by id without version, or by name; case is ignored where nothing else matches.

    A name that several genes share means all of them.
    """
    lookup = _Lookup(reference.genes)
    found: set[str] = set()
    unknown: list[str] = []
    doubled: list[str] = []
    for name in (name.strip() for name in names):
        meant = lookup.find(name)
        if not meant:
            unknown.append(name)
        elif found.issuperset(meant):
            doubled.append(name)
        found.update(meant)
    near = {name: difflib.get_close_matches(name, lookup.all_names, 3) for name in unknown[:_NEAR_SHOWN]}
    ordered = [gene_id for gene_id in reference.genes["gene_id"].to_list() if gene_id in found]
    return ResolvedGenes(ordered, unknown, {name: match for name, match in near.items() if match}, doubled)


class _Lookup:
    """Gene ids by what a user may write, from the strictest reading to the loosest."""

    def __init__(self, genes: pl.DataFrame) -> None:
        ids, names = genes["gene_id"].to_list(), genes["gene_name"].to_list()
        bare = [without_version(gene_id) for gene_id in ids]
        self._readings = [
            _ids_by(ids, ids),
            _ids_by(bare, ids),
            _ids_by(names, ids),
            _ids_by([text.casefold() for text in (*ids, *bare, *names)], ids * 3),
        ]
        self.all_names = list(dict.fromkeys([*names, *ids]))

    def find(self, name: str) -> list[str]:
        spellings = (name, without_version(name), name, name.casefold())
        for reading, spelling in zip(self._readings, spellings, strict=True):
            if spelling in reading:
                return reading[spelling]
        return []


def _ids_by(keys: Sequence[str], ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, gene_id in zip(keys, ids, strict=True):
        found.setdefault(key, []).append(gene_id)
    return found


def read_gene_list(path: Path, gene_col: str = "gene_id") -> list[str]:
    """Names from a file: a table (tabs or commas) with a column `gene_col`, or one name per line.

    Empty lines, comments (#), Windows line ends and a header line in a plain list are understood.

    Raises
    ------
    InputError
        The file is missing or no text, or the table has no such column.
    GeneError
        It names no gene.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"a gene file {path}", "there is none", "check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a text file {path}", f"{error}", "give a text, TSV or CSV file") from error
    rows = [line.strip(" \r") for line in lines if line.strip() and not line.lstrip().startswith("#")]
    separator = next((letter for letter in "\t," if rows and letter in rows[0]), None)
    if separator:
        names = _column_of(list(csv.reader(rows, delimiter=separator)), gene_col, path)
    else:
        names = [row.strip('"').split()[0] for row in rows]
        if names and names[0].casefold() in {gene_col.casefold(), *_HEADER_WORDS}:
            names = names[1:]
    if not names:
        raise GeneError(f"genes in {path}", "none", "give one gene id or name per line")
    return names


def _column_of(rows: list[list[str]], gene_col: str, path: Path) -> list[str]:
    header = [cell.strip() for cell in rows[0]]
    if gene_col not in header:
        raise InputError(f"a column {gene_col} in {path}", first_few(header), "name the column with --gene-col")
    place = header.index(gene_col)
    return [cells[place].strip() for cells in rows[1:] if len(cells) > place and cells[place].strip()]


def choose_genes(
    reference: Reference,
    *,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The rows of `GENE_TABLE` that the options choose, in reference order; all genes without options.

    Raises
    ------
    GeneError
        Names that no gene has (with near matches), or nothing left.
    InputError
        Contigs or gene types that the reference does not have.
    """
    chosen = reference.genes
    if genes is not None or gene_ids_file is not None:
        names = [*(genes or ()), *(read_gene_list(gene_ids_file, gene_col) if gene_ids_file else ())]
        chosen = chosen.filter(pl.col("gene_id").is_in(resolved_ids(reference, names)))
    if chromosomes is not None:
        chosen = chosen.filter(pl.col("chrom").is_in(_contigs_of(reference, chromosomes)))
    if gene_types is not None:
        _check_known(
            reference, "gene_type", [kind for kind in gene_types if kind not in set(reference.genes["gene_type"])]
        )
        chosen = chosen.filter(pl.col("gene_type").is_in(list(gene_types)))
    if chosen.is_empty():
        raise GeneError(
            expected="at least one gene",
            found="none that fits all of the options" if reference.genes.height else "a reference without genes",
            action="give other genes, contigs or gene types",
        )
    return chosen


def resolved_ids(reference: Reference, names: Sequence[str]) -> list[str]:
    """Gene ids of the names, in reference order.

    Raises
    ------
    GeneError
        The list is empty, or names genes that the reference does not have.
    """
    if not names:
        raise GeneError("names of genes", "an empty list", "give at least one gene id or name")
    resolved = resolve_genes(reference, names)
    if resolved.unknown:
        near = "; ".join(f"{name}: did you mean {first_few(match, 3)}?" for name, match in resolved.near.items())
        raise GeneError(
            expected=f"genes of the reference {reference.path}",
            found=f"{len(resolved.unknown)} unknown: {first_few(resolved.unknown)}",
            action=near or "check the names against gene_features.tsv of the reference",
        )
    if resolved.doubled:
        log.warning("genes named more than once: %s", first_few(resolved.doubled))
    return resolved.gene_ids


def _contigs_of(reference: Reference, chromosomes: Sequence[str]) -> list[str]:
    match = match_contigs(chromosomes, reference.genes["chrom"].unique(maintain_order=True))
    _check_known(reference, "chrom", match.unmatched)
    return list(match.to_genome.values())


def _check_known(reference: Reference, column: str, strange: Sequence[str]) -> None:
    if strange:
        known = reference.genes[column].unique(maintain_order=True).to_list()
        raise InputError(
            f"{column} values of the reference: {first_few(known, 12)}", first_few(strange), "choose among them"
        )
