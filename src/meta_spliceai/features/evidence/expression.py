"""How much a gene is expressed, from a table by gene.

The columns have origin `gene`, not external: a value is a property of the annotated gene that a base is seen from. It
begins and ends where the annotation says the gene does, it tells genes apart, and a base in two genes has two of them. So
only the profiles `gene_conditioned` and `annotated` admit it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from meta_spliceai.errors import GuardError, InputError, first_few
from meta_spliceai.features.enricher import Bases, ReferenceFacts
from meta_spliceai.features.stretch import Floats
from meta_spliceai.reference.genes import without_version
from meta_spliceai.schema.column import Column
from meta_spliceai.store.fingerprint import file_sha256, fingerprint

NAME = "expression"
_ID = "gene_id"
_UNKNOWN = ["", "NA", "NaN", "nan", "null"]


def expression_column(name: str) -> Column:
    """The column of a column of the table."""
    meaning = f"{name} of the gene in the user's table; null where the table does not have the gene"
    return Column(f"expression_{_plain(name)}", pl.Float32, "feature", "gene", meaning, nullable=True)


class Expression:
    """The enricher: every numeric column of a tab-separated table with a column gene_id."""

    name = NAME

    def __init__(self, *, files: tuple[Path, ...], reference: ReferenceFacts) -> None:
        if len(files) != 1:
            raise InputError("one table of expression", f"{len(files)}", "put the values of all samples into one table")
        (self._path,) = files
        table = _read(self._path)
        self.columns = tuple(expression_column(name) for name in table.columns if name != _ID)
        names = [column.name for column in self.columns]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise _refused(self._path, f"several columns that become {doubled[0]}")
        self._values = _by_gene(self._path, table, reference)

    @cached_property
    def identity(self) -> str:
        """From the file's content."""
        return fingerprint([NAME, file_sha256(self._path)])

    def compute(self, bases: Bases) -> Mapping[str, Floats]:
        """See `Enricher.compute`."""
        if bases.gene is None:
            raise ValueError("expression is known of genes, not of bases")
        unknown = np.full(len(self.columns), np.nan, dtype=np.float32)
        values = self._values.get(bases.gene.gene_id, unknown)
        return {
            column.name: np.full(bases.position.size, value, dtype=np.float32)
            for column, value in zip(self.columns, values, strict=True)
        }


def _read(path: Path) -> pl.DataFrame:
    try:
        text = pl.read_csv(path, separator="\t", infer_schema=False, comment_prefix="#", null_values=_UNKNOWN)
    except FileNotFoundError as error:
        raise InputError(f"a table of expression {path}", "there is none", "check the path") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _refused(path, str(error).splitlines()[0]) from error
    if _ID not in text.columns:
        raise _refused(path, f"the columns {first_few(text.columns)}")
    numbers = text.with_columns(pl.exclude(_ID).cast(pl.Float32, strict=False))
    numeric = [
        name
        for name in text.columns
        if name != _ID and numbers[name].null_count() == text[name].null_count() < text.height
    ]
    if not numeric:
        raise _refused(path, "no column of numbers")
    finite = pl.all_horizontal(pl.col(numeric).is_finite().fill_null(value=True))
    if not numbers.select(finite.all()).item() or text[_ID].null_count():
        raise _refused(path, "infinite values" if not text[_ID].null_count() else "rows without a gene_id")
    return numbers.select(_ID, *numeric)


def _by_gene(path: Path, table: pl.DataFrame, reference: ReferenceFacts) -> dict[str, Floats]:
    """Values by id of the reference: the same id first, then the same id without versions."""
    ids = table[_ID].to_list()
    if len(set(ids)) < len(ids):
        doubled = table.filter(pl.col(_ID).is_duplicated())[_ID].unique(maintain_order=True).to_list()
        raise _refused(path, f"several rows of {first_few(doubled)}")
    exact = {gene_id: row for row, gene_id in enumerate(ids)}
    bare: dict[str, list[int]] = {}
    for row, gene_id in enumerate(ids):
        bare.setdefault(without_version(gene_id), []).append(row)
    values = table.drop(_ID).fill_null(float("nan")).to_numpy()
    found = {}
    for gene_id in reference.gene_ids:
        rows = [exact[gene_id]] if gene_id in exact else bare.get(without_version(gene_id), [])
        if len(rows) == 1:
            found[gene_id] = values[rows[0]]
    if reference.gene_ids and not found:
        raise GuardError(
            expected=f"genes of the reference (such as {reference.gene_ids[0]}) in {path}",
            found=f"none; it has {first_few(ids, 3)}",
            action="give a table with the ids of this annotation; versions may differ",
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _refused(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"a tab-separated table in {path} with a column gene_id, once for each gene, and columns of numbers",
        found=found,
        action="correct the table; NA or nothing stands for what is not known",
    )
