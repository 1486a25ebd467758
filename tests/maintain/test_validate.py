from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.maintain.validate import validate_dataset
from tests.build.conftest import Passed
from tests.maintain.damages import DAMAGES, Damage


def test_T9_the_good_dataset_passes_every_check(good: Path, passed: Passed) -> None:
    report = validate_dataset(good, reference=passed.reference, verify=True)
    assert {finding.outcome for finding in report.findings} == {"passed"}, report.summary()
    assert report.exit_status == 0


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_found_by_its_check(damage: Damage, dataset: Path, passed: Passed) -> None:
    damage.make(dataset)
    report = validate_dataset(dataset, reference=passed.reference, verify=True)
    assert damage.code in report.found(), report.summary()
    assert report.exit_status == 1
