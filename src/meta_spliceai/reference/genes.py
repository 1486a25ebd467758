"""Which genes did the user mean?"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.reference.load import Reference

log = logging.getLogger(__name__)

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


def without_version(gene_id: str) -> str:
    """An Ensembl-style id without its version: ENSG00000012048.23 and ENSG00000012048.23_4 become ENSG00000012048."""
    bare, dot, version = gene_id.partition(".")
    return bare if dot and version[:1].isdigit() and bare.startswith("ENS") else gene_id


def resolve_genes(reference: Reference, names: Sequence[str]) -> ResolvedGenes:
    """Find genes by id (with or without version) or name; case is ignored where nothing matches exactly."""
    lookup = _Lookup(reference.genes)
    found: dict[str, str] = {}
    unknown: list[str] = []
    doubled: list[str] = []
    for name in (name.strip() for name in names):
        gene_id = lookup.find(name)
        if gene_id is None:
            unknown.append(name)
        elif gene_id in found:
            doubled.append(name)
        else:
            found[gene_id] = name
    near = {name: difflib.get_close_matches(name, lookup.all_names, 3) for name in unknown[:5]}
    ordered = [gene_id for gene_id in reference.genes["gene_id"].to_list() if gene_id in found]
    return ResolvedGenes(ordered, unknown, {name: match for name, match in near.items() if match}, doubled)


class _Lookup:
    def __init__(self, genes: pl.DataFrame) -> None:
        ids, names = genes["gene_id"].to_list(), genes["gene_name"].to_list()
        # later ones win, so the exact id is entered last
        self._exact: dict[str, str] = {name: gene_id for gene_id, name in reversed(list(zip(ids, names, strict=True)))}
        self._exact |= {without_version(gene_id): gene_id for gene_id in reversed(ids)}
        self._exact |= {gene_id: gene_id for gene_id in ids}
        self._folded = {name.casefold(): gene_id for name, gene_id in self._exact.items()}
        self.all_names = list(dict.fromkeys([*names, *ids]))

    def find(self, name: str) -> str | None:
        for key in (name, without_version(name)):
            if key in self._exact:
                return self._exact[key]
        return self._folded.get(name.casefold())


def read_gene_list(path: Path, gene_col: str = "gene_id") -> list[str]:
    """Names from a file: a table (.tsv, .csv) with a column `gene_col`, or one name per line.

    Empty lines, comments (#), Windows line ends and a header line in a plain list are understood.

    Raises
    ------
    InputError
        The file is missing, or the table has no such column.
    GeneError
        It names no gene.
    """
    if not path.is_file():
        raise InputError(f"a gene file {path}", "there is none", "check the path")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    separator = {".tsv": "\t", ".csv": ","}.get(path.suffix.lower())
    rows = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if separator and rows and (separator in rows[0] or rows[0].strip('"') == gene_col):
        header = [cell.strip().strip('"') for cell in rows[0].split(separator)]
        if gene_col not in header:
            raise InputError(
                f"a column {gene_col} in {path}", f"{first_few(header)}", "name the column with --gene-col"
            )
        place = header.index(gene_col)
        rows = [cells[place].strip().strip('"') for row in rows[1:] if len(cells := row.split(separator)) > place]
    elif rows and rows[0].split()[0].strip('"').casefold() in _HEADER_WORDS:
        rows = rows[1:]
    names = [row.split()[0].strip('"') for row in rows if row]
    if not names:
        raise GeneError(f"genes in {path}", "none", "give one gene id or name per line")
    return names


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
    for column, values in (("chrom", chromosomes), ("gene_type", gene_types)):
        if values is not None:
            _check_values(reference, column, values)
            chosen = chosen.filter(pl.col(column).is_in(list(values)))
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


def _check_values(reference: Reference, column: str, values: Sequence[str]) -> None:
    known = reference.genes[column].unique(maintain_order=True).to_list()
    strange = [value for value in values if value not in known]
    if strange:
        raise InputError(
            f"{column} values of the reference: {first_few(known, 12)}", first_few(strange), "choose among them"
        )
