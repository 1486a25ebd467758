"""Coded checks and what they find: the registry, the outcome of one check, and the report of all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar
from xml.sax.saxutils import quoteattr

from meta_spliceai.errors import InputError, MetaSpliceAIError, first_few

Severity = Literal["error", "warning"]
Outcome = Literal["passed", "failed", "warned", "not applicable"]

EXIT_ERRORS, EXIT_WARNINGS = 1, 3
_SHOWN = 5

Subject = TypeVar("Subject")


class NotApplicableError(Exception):
    """A check cannot be made here; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One coded check of a subject.

    Parameters
    ----------
    code, title
        Its name, which never changes its meaning, and what holds when it passes.
    severity
        What a failure is.
    remedy
        What to do then; names in braces stand for the commands and paths of the subject.
    look
        Gives each offence as a sentence; raises `NotApplicableError` with the reason where it cannot look.
    """

    code: str
    title: str
    severity: Severity
    remedy: str
    look: Callable[[Subject], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: the reason, how many offences, the first of them, and what to do."""

    code: str
    title: str
    severity: Severity
    outcome: Outcome
    reason: str
    count: int
    offenders: tuple[str, ...]
    remedy: str

    def sentences(self) -> list[str]:
        """The reason, one sentence for each offender."""
        more = self.count - len(self.offenders)
        return [*self.offenders, *([f"and {more:,} more"] if more else [])] or [self.reason] * bool(self.reason)


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The outcomes of all checks of a folder."""

    path: Path
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0: nothing found; 1: errors; 3: only warnings."""
        outcomes = {finding.outcome for finding in self.findings}
        return EXIT_ERRORS if "failed" in outcomes else EXIT_WARNINGS if "warned" in outcomes else 0

    def found(self) -> set[str]:
        """Codes of the checks that failed or warned."""
        return {finding.code for finding in self.findings if finding.outcome in ("failed", "warned")}

    def summary(self) -> str:
        """One line per check; below it the offenders and the remedy where something was found."""
        lines = [f"checked  {self.path}"]
        for finding in self.findings:
            lines.append(f"{finding.code}  {finding.outcome:<14}  {finding.title}")
            lines += [f"       {said}" for said in finding.sentences()]
            if finding.remedy:
                lines.append(f"       what to do: {finding.remedy}")
        return "\n".join(lines)

    def junit(self) -> str:
        """The report as JUnit XML, one test case per check."""
        failed = sum(finding.outcome == "failed" for finding in self.findings)
        skipped = sum(finding.outcome == "not applicable" for finding in self.findings)
        cases = []
        for finding in self.findings:
            inner = {
                "failed": f"<failure message={quoteattr(finding.reason)}/>",
                "not applicable": f"<skipped message={quoteattr(finding.reason)}/>",
                "warned": f"<system-out>{quoteattr(finding.reason)[1:-1]}</system-out>",
                "passed": "",
            }[finding.outcome]
            cases.append(f'  <testcase classname="{finding.code}" name={quoteattr(finding.title)}>{inner}</testcase>')
        head = f'<testsuite name="validate" tests="{len(cases)}" failures="{failed}" skipped="{skipped}">'
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>", ""])


def chosen(checks: Sequence[Check[Subject]], only: Collection[str], skip: Collection[str]) -> list[Check[Subject]]:
    """The checks that are asked for.

    Raises
    ------
    InputError
        A code that no check has.
    """
    known = [check.code for check in checks]
    strange = sorted({*only, *skip} - set(known))
    if strange:
        raise InputError(
            expected="codes of checks",
            found=first_few(strange),
            action=f"choose among {known[0]} to {known[-1]}",
        )
    return [check for check in checks if (not only or check.code in only) and check.code not in skip]


def outcome_of(
    check: Check[Subject], subject: Subject, words: Mapping[str, str], *, shown: int | None = _SHOWN
) -> Finding:
    """Make one check; an error of this package while looking is itself an offence.

    Parameters
    ----------
    words
        What the names in the remedy stand for.
    shown
        So many offenders are named; None for all.
    """
    offenders: list[str] = []
    count = 0
    try:
        for offence in check.look(subject):
            count += 1
            if shown is None or len(offenders) < shown:
                offenders.append(offence)
    except NotApplicableError as why:
        return Finding(check.code, check.title, check.severity, "not applicable", str(why), 0, (), "")
    except MetaSpliceAIError as error:
        count += 1
        offenders.append(f"expected {error.expected}, found {error.found}")
    if not count:
        return Finding(check.code, check.title, check.severity, "passed", "", 0, (), "")
    reason = "; ".join(offenders) + (f" and {count - len(offenders)} more" if count > len(offenders) else "")
    outcome: Outcome = "failed" if check.severity == "error" else "warned"
    remedy = check.remedy.format_map(words)
    return Finding(check.code, check.title, check.severity, outcome, reason, count, tuple(offenders), remedy)
