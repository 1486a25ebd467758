import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docstring_parser import parse

from meta_spliceai import commands
from meta_spliceai.cli.app import _COMMANDS, make_app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "chr3_42M"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meta_spliceai", *arguments], capture_output=True, text=True, check=False
    )


def test_every_command_is_the_public_function_of_the_same_name():
    assert {words.replace(" ", "_") for words, _ in _COMMANDS} == set(commands.__all__)
    assert all(words.replace(" ", "_") == function for words, function in _COMMANDS)


@pytest.mark.parametrize("name", commands.__all__)
def test_every_option_is_keyword_only_typed_and_explained(name: str):
    function = getattr(commands, name)
    explained = {item.arg_name for item in parse(function.__doc__).params}
    for option in inspect.signature(function).parameters.values():
        # what a command works on may be given without its name
        works_on = option.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and option.default is inspect.Parameter.empty
        assert works_on or option.kind is inspect.Parameter.KEYWORD_ONLY, option.name
        assert option.annotation is not inspect.Parameter.empty, option.name
        assert option.name in explained, f"{name}: {option.name} has no description of its own"


def test_help_lists_the_commands_in_the_order_of_the_work(capsys):
    make_app().help_print()
    shown = capsys.readouterr().out
    places = [shown.index(f" {words.split()[0]} ") for words, _ in _COMMANDS]
    assert places == sorted(places)


def test_an_unknown_option_is_refused_with_status_2():
    done = _run("basepass", "run", "--reference", "none", "--nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr + done.stdout


def test_an_error_is_one_message_with_status_1_and_no_traceback(tmp_path: Path):
    done = _run("evaluate", "--predictions", str(tmp_path / "none"), "--out-dir", str(tmp_path / "out"))
    assert done.returncode == 1
    assert re.search(r"expected: .*\nfound: .*\nwhat to do: ", done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_importing_the_package_is_silent_and_loads_nothing_heavy():
    code = (
        "import sys, meta_spliceai; print(sorted({'openvino', 'polars', 'xgboost', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_neither_tensorflow_nor_torch_nor_the_spliceai_code_is_ever_imported_nor_what_is_slow_to_load():
    code = (
        "import sys; from meta_spliceai import commands; from meta_spliceai.basemodel.registry import load_base_model;"
        "print(sorted({'tensorflow', 'keras', 'torch', 'spliceai', 'pandas', 'xgboost', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_B6_progress_and_messages_are_said_or_not_as_asked(tmp_path: Path):
    def said(*flags: str) -> str:
        done = _run(*flags, "reference", "prepare", "--fasta", str(EXAMPLE / "genome.fa.gz"), "--gtf",
                    str(EXAMPLE / "annotation.gtf.gz"), "--build", "GRCh37", "--out", str(tmp_path / "".join(["r", *flags])))  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert said("--quiet") == ""
    assert len(said()) <= len(said("-v")) <= len(said("-v", "-v"))
    assert "introns" in said("--verbose")


def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    shown = subprocess.run(
        f"{sys.executable} -m meta_spliceai basemodel list | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
