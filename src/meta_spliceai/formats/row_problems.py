"""What is wrong with an annotation's rows, collected over the whole file and said once."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from meta_spliceai.errors import InputError

log = logging.getLogger(__name__)

NO_ROW = "fewer than nine fields"
_SHOWN = 5


class RowProblems:
    """Bad rows of one file.

    Exon rows decide the labels, so one bad exon row, or a line that is no row at all, is an error. Bad rows of genes and
    transcripts are left out with a warning: what they say follows from the exons.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fatal: list[str] = []
        self._left_out: list[str] = []
        self._fatal_count = self._left_out_count = 0

    def without_bad(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows without a problem; the others are noted. Columns line, kind and problem."""
        bad = rows.filter(pl.col("problem").is_not_null())
        if bad.height:
            fatal = pl.col("kind").is_null() | (pl.col("kind") == "exon") | (pl.col("problem") == NO_ROW)
            self._fatal_count += _note(bad.filter(fatal), self._fatal)
            self._left_out_count += _note(bad.filter(~fatal), self._left_out)
        return rows.filter(pl.col("problem").is_null())

    def report(self) -> None:
        """Warn of rows that were left out.

        Raises
        ------
        InputError
            There are bad exon rows; names the first few lines.
        """
        if self._left_out_count:
            log.warning(
                "%s: %s gene or transcript rows are left out: %s",
                self._path, f"{self._left_out_count:,}", "; ".join(self._left_out),
            )  # fmt: skip
        if self._fatal_count:
            more = self._fatal_count - len(self._fatal)
            raise InputError(
                expected=f"well-formed rows in {self._path}",
                found="; ".join(self._fatal) + (f"; and {more:,} more bad rows" if more else ""),
                action="correct or remove these lines, or download the annotation again",
            )


def _note(bad: pl.DataFrame, noted: list[str]) -> int:
    room = _SHOWN - len(noted)
    noted += [f"line {line:,}: {problem}" for line, problem in bad.select("line", "problem").head(room).iter_rows()]
    return bad.height
