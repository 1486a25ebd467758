"""The commands in the documentation exist, with the options they are shown with."""

import inspect
import re
import shlex
from pathlib import Path

import pytest

from meta_spliceai import commands
from meta_spliceai.cli.app import _COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
EVERYWHERE = {"json", "verbose", "quiet", "help", "version"}
FUNCTION_OF = dict(_COMMANDS)


def _shown(page: Path) -> list[list[str]]:
    """Words of each command line that starts with the program's name, inside a block."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```|((?:^    .*\n)+)", page.read_text(), flags=re.M | re.S)
    text = "\n".join(first or second for first, second in blocks).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in text.splitlines())
    programs = ("meta-spliceai ", ".venv/bin/meta-spliceai ")
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(programs)]


def _command(words: list[str]) -> tuple[str, list[str]]:
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in FUNCTION_OF:
            return name, words[length:]
    raise AssertionError(f"no command {' '.join(words[:2])}")


@pytest.mark.rows("W19")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documentation_are_real(page: Path) -> None:
    for words in _shown(page):
        name, rest = _command(words)
        options = set(inspect.signature(getattr(commands, FUNCTION_OF[name])).parameters) | EVERYWHERE
        shown = {word[2:].partition("=")[0].replace("-", "_") for word in rest if word.startswith("--")}
        assert {word.removeprefix("no_") if word not in options else word for word in shown} <= options, words


@pytest.mark.rows("W19")
def test_the_page_on_the_base_pass_names_every_choice_of_its_options() -> None:
    text = (ROOT / "docs" / "base_pass.md").read_text()
    for word in ("random", "proximity", "window", "none", "genomic", "transcript", "splice_aware", "hybrid"):
        assert f"`{word}`" in text
    for command in ("run", "status", "positions", "evaluate"):
        assert f"basepass {command}" in text
