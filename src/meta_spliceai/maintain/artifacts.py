"""`artifacts validate` and `artifacts clean`: find damaged files of a base pass, and remove them so that they are made again."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.plan import FORMAT_VERSION, KIND
from meta_spliceai.errors import InputError
from meta_spliceai.maintain.artifact_checks import ARTIFACT_CHECKS, CORRUPTED, WRONG_SCHEMA, ExaminedArtifacts
from meta_spliceai.maintain.findings import ValidationReport, outcome_of
from meta_spliceai.maintain.remake_command import command_to_make_again
from meta_spliceai.store.atomic import write_text
from meta_spliceai.store.folder import Folder


def validate_artifacts(
    *,
    eval_dir: Path = Path("data/ensembl/spliceai_eval"),
    list_corrupted: bool = False,
    list_wrong_schema: bool = False,
    output_report: Path | None = None,
) -> ValidationReport:
    """Check the artifacts of a base pass; nothing is changed. Exit status 0: nothing found; 1: errors; 3: only warnings.

    Every file with something wrong is named.

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
    asked = {CORRUPTED: list_corrupted, WRONG_SCHEMA: list_wrong_schema}
    codes = {code for code, wanted in asked.items() if wanted}
    seen = ExaminedArtifacts(eval_dir)
    checks = [check for check in ARTIFACT_CHECKS if not codes or check.code in {"AR001", *codes}]
    words = {"folder": shlex.quote(str(seen.path))}
    report = ValidationReport(seen.path, tuple(outcome_of(check, seen, words, shown=None) for check in checks))
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
    command = command_to_make_again(seen.path, artifacts.manifest, parts) if parts else ""
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
