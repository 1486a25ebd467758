"""The coded checks of the artifacts of a base pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.basepass.aggregates import GENE_STATUS_FILE, PERFORMANCE_FILE
from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import META_MODELS
from meta_spliceai.errors import MetaSpliceAIError, SchemaError, StoreError
from meta_spliceai.maintain.findings import Check, NotApplicableError
from meta_spliceai.schema.check import problems_of
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import ERROR_TABLE, PERFORMANCE_TABLE, position_table, score_table
from meta_spliceai.store.folder import MANIFEST, RUN_LOG, FileEntry, file_is_whole
from meta_spliceai.store.staged import is_leftover
from meta_spliceai.store.tables import read_tsv

CORRUPTED, WRONG_SCHEMA = "AR002", "AR003"
_CLEAN = "run `meta-spliceai artifacts clean --eval-dir {folder} --yes`, then the command that it prints"


class ExaminedArtifacts:
    """A folder of artifacts being examined: what is wrong with each file of its manifest."""

    def __init__(self, eval_dir: Path) -> None:
        self.path = eval_dir.parent if eval_dir.name == META_MODELS else eval_dir
        self.folder = self.path / META_MODELS
        self._artifacts: Artifacts | None = None

    @property
    def artifacts(self) -> Artifacts:
        """The opened artifacts."""
        if self._artifacts is None:
            try:
                self._artifacts = open_artifacts(self.path)
            except MetaSpliceAIError as error:
                raise NotApplicableError("the manifest cannot be read, see AR001") from error
        return self._artifacts

    def corrupted(self) -> Iterator[tuple[FileEntry, str]]:
        """Files that are missing or not what was written."""
        for file in self.artifacts.manifest.files():
            if not (self.folder / file.name).is_file():
                yield file, "is missing"
            elif not file_is_whole(self.folder, file):
                yield file, "cannot be read, or has not the recorded size and rows"
            elif not file_is_whole(self.folder, file, verify=True):
                yield file, "has another checksum"

    def wrong_schema(self) -> Iterator[tuple[FileEntry, str]]:
        """Readable files whose columns or values the schema does not allow."""
        for file in self.artifacts.manifest.files():
            table = self._table_of(file.name)
            if table is not None and (self.folder / file.name).is_file():
                try:
                    found = _first_problem(self.folder / file.name, table)
                except (MetaSpliceAIError, OSError, pa.ArrowException):
                    continue  # it cannot be read at all, which the other list says
                if found:
                    yield file, found

    def _table_of(self, name: str) -> Table | None:
        """The table of a file by its name; that of the whole pass and of a chunk is the same."""
        artifacts = self.artifacts
        if name.removeprefix("../") == PERFORMANCE_FILE:
            return PERFORMANCE_TABLE
        tables = {"scores": score_table(artifacts.channels), "splice_errors": ERROR_TABLE}
        if artifacts.parameters["positions"] is not None:
            mode = artifacts.position_id_mode
            tables |= {
                "analysis_sequences": artifacts.table,
                "splice_positions_enhanced": position_table(artifacts.further_bases, mode),
                "splice_performance": PERFORMANCE_TABLE,
            }
        kind = name.removeprefix("full_")
        return next((table for prefix, table in tables.items() if kind.startswith(prefix)), None)


def _first_problem(path: Path, table: Table) -> str:
    """What a readable file holds that its table does not allow, empty for nothing; Parquet is read by row groups."""
    if path.suffix == ".tsv":
        try:
            read_tsv(path, table)
        except (SchemaError, StoreError) as error:  # whatever is no number is no value of a number column
            return error.found
        return ""
    file = pq.ParquetFile(path)
    empty = pl.from_arrow(file.schema_arrow.empty_table())
    assert isinstance(empty, pl.DataFrame)
    found = problems_of(empty, table)
    for group in range(file.num_row_groups if not found else 0):
        rows = pl.from_arrow(file.read_row_group(group))
        assert isinstance(rows, pl.DataFrame)
        found = problems_of(rows, table)
        if found:
            break
    return "; ".join(found)


def _manifest(seen: ExaminedArtifacts) -> Iterator[str]:
    try:
        open_artifacts(seen.path)
    except MetaSpliceAIError as error:
        yield f"expected {error.expected}, found {error.found}"


def _corrupted(seen: ExaminedArtifacts) -> Iterator[str]:
    yield from (f"{file.name} {reason}" for file, reason in seen.corrupted())


def _wrong_schema(seen: ExaminedArtifacts) -> Iterator[str]:
    yield from (f"{file.name}: {reason}" for file, reason in seen.wrong_schema())


def _foreign(seen: ExaminedArtifacts) -> Iterator[str]:
    known = {file.name for file in seen.artifacts.manifest.files()} | {MANIFEST, RUN_LOG, GENE_STATUS_FILE, ".lock"}
    for path in sorted(seen.folder.iterdir()):
        if is_leftover(path.name):
            yield f"{path.name} was left by an interrupted command: repeat that one, or delete it"
        elif path.is_dir() or path.name not in known:
            yield f"{path.name} belongs to no part"


ARTIFACT_CHECKS: tuple[Check[ExaminedArtifacts], ...] = (
    Check("AR001", "the manifest can be read", "error", "restore manifest.json, or run the base pass anew", _manifest),
    Check(CORRUPTED, "every file is whole", "error", _CLEAN, _corrupted),
    Check(WRONG_SCHEMA, "every file has the declared columns and values", "error", _CLEAN, _wrong_schema),
    Check(
        "AR004", "no foreign and no leftover files", "warning", "look at the files named and move them away", _foreign
    ),
)
"""All checks of artifacts."""
