"""`dataset validate`: is a dataset whole, true to its genome and annotation, and consistent with itself?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meta_spliceai.build.master import MASTER
from meta_spliceai.maintain.dataset_checks import DATASET_CHECKS
from meta_spliceai.maintain.examined import ExaminedDataset
from meta_spliceai.maintain.findings import ValidationReport, chosen, outcome_of
from meta_spliceai.reference.load import load
from meta_spliceai.store.atomic import write_text
from meta_spliceai.store.folder import MANIFEST


def validate_dataset(
    dataset: Path,
    *,
    reference: Path | None = None,
    verify: bool = False,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    junit: Path | None = None,
    seed: int = 42,
) -> ValidationReport:
    """Check a dataset; nothing in it is changed. Exit status 0: nothing found; 1: errors; 3: only warnings.

    Parameters
    ----------
    dataset
        The dataset folder, or its master folder.
    reference
        The prepared reference it was built with; without it the checks against genome and annotation are left out.
    verify
        Also compare the checksum of every file.
    only
        Codes of the checks to make, such as DS003; all by default.
    skip
        Codes of checks to leave out.
    quick
        Make only the checks that take little time per row: those that read all features (DS022, DS024, DS025) or the
        genome around rows (DS015) are left out.
    junit
        Also write the outcomes as JUnit XML to this file.
    seed
        Seed of the choice of rows that are computed again from the genome.

    Raises
    ------
    InputError
        A code that no check has.
    StoreError
        The reference cannot be read.
    """
    folder = dataset.parent if dataset.name == MASTER and not (dataset / MANIFEST).exists() else dataset
    checks = chosen(DATASET_CHECKS, only, skip)
    seen = ExaminedDataset(
        folder,
        None if reference is None else load(reference),
        verify=verify,
        quick=quick,
        seed=seed,
        codes=[check.code for check in checks],
    )
    report = ValidationReport(folder, tuple(outcome_of(check, seen, seen.commands) for check in checks))
    if junit is not None:
        write_text(junit, report.junit())
    return report
