"""The sessions in the guides are what the commands print: they are run, in a folder as the guide describes it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from meta_spliceai.cli import main
from tests.build.conftest import Passed
from tests.maintain.conftest import change_part

HOWTO = Path(__file__).parents[2] / "docs/howto"


@pytest.fixture
def place(passed: Passed, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a reference, its base pass in it, and a dataset."""
    assert dataset.parent == tmp_path
    shutil.copytree(passed.reference, tmp_path / "reference", symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def session(guide: str) -> list[tuple[str, str]]:
    """Each command of the guide's session with what it prints."""
    (block,) = re.findall(r"```\n(\$ .*?)\n```", (HOWTO / guide).read_text(), flags=re.DOTALL)
    said = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, printed.rstrip()) for command, _, printed in (text.partition("\n") for text in said)]


def printed_by(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(shlex.split(command)[1:])
    return capsys.readouterr().out.rstrip()


def cut_artifact(place: Path) -> None:
    path = next(place.glob("reference/toy_eval/meta_models/analysis_sequences_chrT1_*"))
    path.write_bytes(path.read_bytes()[:5000])


def lose_link(place: Path) -> None:
    (place / "dataset/master/batch_00001.parquet").unlink()


def lose_column(place: Path) -> None:
    change_part(place / "dataset", 1, lambda rows: rows.drop("spread"))


def interrupt(place: Path) -> None:
    path = place / "dataset/manifest.json"
    held = json.loads(path.read_text())
    for part in ("documents", "batch_00003", "batch_00004"):
        for file in held["parts"].pop(part)["files"]:
            (place / "dataset" / file["name"]).unlink()
    path.write_text(json.dumps({**held, "complete": False}))


@pytest.mark.parametrize(
    "guide, damage",
    [
        ("validate-artifacts.md", cut_artifact),
        ("validate-datasets.md", lose_link),
        ("find-schema-mismatches.md", lose_column),
        ("monitor-a-build.md", interrupt),
    ],
)
def test_T4_T11_T12_the_guide_shows_what_is_printed(
    guide: str, damage: Callable[[Path], None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(place)
    for command, printed in session(guide):
        assert printed_by(command, capsys) == printed, command
