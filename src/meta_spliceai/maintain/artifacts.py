"""`artifacts validate` and `artifacts clean`: find damaged files of a base pass, and remove them so that they are made again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import FORMAT_VERSION, KIND, META_MODELS
from meta_spliceai.errors import InputError, MetaSpliceAIError
from meta_spliceai.maintain.findings import Check, NotApplicableError, ValidationReport, outcome_of
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import ERROR_TABLE, position_table, score_table
from meta_spliceai.store.atomic import write_text
from meta_spliceai.store.folder import MANIFEST, RUN_LOG, FileEntry, Folder, file_is_whole
from meta_spliceai.store.tables import read_table

_CORRUPTED, _WRONG_SCHEMA = "AR002", "AR003"
_REGENERATE = "run `meta-spliceai artifacts clean --eval-dir {folder} --yes`, then the same `meta-spliceai basepass run` command again"


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
                    read_table(self.folder / file.name, table)
                except InputError as error:
                    yield file, error.found
                except MetaSpliceAIError:
                    continue  # it cannot be read at all, which the other list says

    def _table_of(self, name: str) -> Table | None:
        """The table of a chunk's file; the score files' own form is checked by their footer and checksum."""
        artifacts = self.artifacts
        tables = [score_table(artifacts.channels), ERROR_TABLE]
        if artifacts.parameters["positions"] is not None:
            mode = artifacts.position_id_mode
            tables += [artifacts.table, position_table(artifacts.further_bases, mode)]
        return next((table for table in tables if name.startswith(table.name)), None)


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
    known = {file.name for file in seen.artifacts.manifest.files()} | {MANIFEST, RUN_LOG, "gene_manifest.tsv"}
    for path in sorted(seen.folder.iterdir()):
        if path.is_file() and path.name not in known and path.name != ".lock":
            yield f"{path.name} belongs to no part"


ARTIFACT_CHECKS: tuple[Check[ExaminedArtifacts], ...] = (
    Check("AR001", "the manifest can be read", "error", "restore manifest.json, or run the base pass anew", _manifest),
    Check(_CORRUPTED, "every file is whole", "error", _REGENERATE, _corrupted),
    Check(_WRONG_SCHEMA, "every file has the declared columns and values", "error", _REGENERATE, _wrong_schema),
    Check(
        "AR004", "no foreign and no leftover files", "warning", "look at the files named and move them away", _foreign
    ),
)
"""All checks of artifacts."""


def validate_artifacts(
    *,
    eval_dir: Path = Path("data/ensembl/spliceai_eval"),
    list_corrupted: bool = False,
    list_wrong_schema: bool = False,
    output_report: Path | None = None,
) -> ValidationReport:
    """Check the artifacts of a base pass; nothing is changed. Exit status 0: nothing found; 1: errors; 3: only warnings.

    Parameters
    ----------
    eval_dir
        Folder of the base pass, or meta_models inside it.
    list_corrupted
        Only look for files that are missing or not what was written.
    list_wrong_schema
        Only look for files whose columns or values the schema does not allow.
    output_report
        Also write the report to this file.
    """
    asked = {_CORRUPTED: list_corrupted, _WRONG_SCHEMA: list_wrong_schema}
    codes = {code for code, wanted in asked.items() if wanted}
    seen = ExaminedArtifacts(eval_dir)
    checks = [check for check in ARTIFACT_CHECKS if not codes or check.code in {"AR001", *codes}]
    report = ValidationReport(seen.path, tuple(outcome_of(check, seen, {"folder": str(seen.path)}) for check in checks))
    if output_report is not None:
        write_text(output_report, report.summary() + "\n")
    return report


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What `artifacts clean` removed, or would: parts, their files, and the command that makes them again."""

    parts: tuple[str, ...]
    files: tuple[str, ...]
    removed: bool
    command: str

    def summary(self) -> str:
        """One line per file, and the command."""
        if not self.parts:
            return "nothing to remove"
        verb = "removed" if self.removed else "would remove"
        return "\n".join([*(f"{verb}  {name}" for name in self.files), f"to make them again: {self.command}"])


def clean_artifacts(
    *,
    eval_dir: Path = Path("data/ensembl/spliceai_eval"),
    corrupted_only: bool = False,
    wrong_schema_only: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> Cleaned:
    """Remove the parts whose files `artifacts validate` lists, so that the base pass makes them again.

    Files that no manifest names are never touched. What is removed is written to the run log.

    Parameters
    ----------
    eval_dir
        Folder of the base pass, or meta_models inside it.
    corrupted_only
        Only parts with files that are missing or not what was written.
    wrong_schema_only
        Only parts with files whose columns or values the schema does not allow.
    dry_run
        Say what would be removed and remove nothing.
    yes
        Do not ask.

    Raises
    ------
    InputError
        There is no terminal to ask on, and `yes` is not given.
    """
    seen = ExaminedArtifacts(eval_dir)
    artifacts = open_artifacts(seen.path)
    both = corrupted_only == wrong_schema_only
    bad: set[str] = set()
    if corrupted_only or both:
        bad |= {file.name for file, _ in seen.corrupted()}
    if wrong_schema_only or both:
        bad |= {file.name for file, _ in seen.wrong_schema()}
    entries = artifacts.manifest.parts
    parts = tuple(sorted(name for name, entry in entries.items() if bad & {file.name for file in entry.files}))
    files = tuple(file.name for name in parts for file in entries[name].files)
    genes = sorted({gene for name in parts for gene in entries[name].facts.get("genes", ())})
    command = f"meta-spliceai basepass run --reference REFERENCE --eval-dir {seen.path}"
    command += f" --genes {' '.join(genes)}" if genes else ""
    if dry_run or not parts:
        return Cleaned(parts, files, False, command)
    if not yes and not _agreed(files):
        return Cleaned(parts, files, False, command)
    with Folder.existing(seen.folder, kind=KIND, format_version=FORMAT_VERSION) as folder:
        folder.drop(parts)
        folder.log("cleaned", parts=parts, files=files)
    return Cleaned(parts, files, True, command)


def _agreed(files: tuple[str, ...]) -> bool:
    if not sys.stdin.isatty():
        raise InputError(
            expected="consent to remove files",
            found=f"no terminal to ask on, and {len(files)} files to remove",
            action="look at them with --dry-run, then add --yes",
        )
    sys.stderr.write("".join(f"{name}\n" for name in files) + f"remove these {len(files)} files? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
