"""Runs a base pass again and again in processes of its own, each killed at another write, and resumes each.

Run as a program with a JSON of instructions on stdin, it prints a JSON of what became of each point to die at.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import signal
import sys
import time
from pathlib import Path
from typing import Any

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.aggregates import GENE_STATUS_FILE
from meta_spliceai.basepass.run import run
from tests.build.kill_driver import Death, contents, in_a_process
from tests.toys.toy_base_model import ToyBaseModel


def pass_and_die(options: dict[str, Any], folder: Path, at: int, count: Path) -> None:
    registry._SHIPPED["toy"] = lambda **_: ToyBaseModel()
    death = Death(at)
    death.watch()
    run(**options, eval_dir=folder, base=["toy"])
    count.write_text(str(death.steps))


def outcome_of(options: dict[str, Any], folder: Path, at: int) -> dict[str, Any]:
    """Run into `folder`, dying at step `at`, then run again."""
    count = folder.with_suffix(".steps")
    killed = in_a_process(pass_and_die, options, folder, at, count) == -signal.SIGKILL
    steps = 0 if killed else int(count.read_text())
    resumed = in_a_process(pass_and_die, options, folder, 0, count) == 0
    return {"at": at, "killed": killed, "steps": steps, "resumed": resumed, "contents": contents_of_pass(folder)}


def contents_of_pass(folder: Path) -> dict[str, str]:
    """As `contents`; of the list of genes all but the seconds, which vary from run to run."""
    found = contents(folder)
    name = f"meta_models/{GENE_STATUS_FILE}"
    if name in found:
        # without polars: a process that has used its threads cannot be forked again
        with (folder / name).open(newline="") as lines:
            found[name] = str([{**row, "seconds": ""} for row in csv.DictReader(lines, delimiter="\t")])
    return found


def killed_after(seconds: float, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run into `folder`, killed from outside after so many seconds, then run again."""
    count = folder.with_suffix(".steps")
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    process = context.Process(target=pass_and_die, args=(options, folder, 0, count))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    killed = process.exitcode == -signal.SIGKILL
    resumed = in_a_process(pass_and_die, options, folder, 0, count) == 0
    return {"at": seconds, "killed": killed, "resumed": resumed, "contents": contents_of_pass(folder)}


def at_moments(told: dict[str, Any], options: dict[str, Any]) -> list[dict[str, Any]]:
    """An undisturbed run first, which says how long one takes; then one for each moment, a share of that time."""
    folder = Path(told["folder"])
    started = time.monotonic()
    whole = outcome_of(options, folder / "whole", 0)
    once = (time.monotonic() - started) / 2  # it runs twice
    moments = enumerate(told["moments"])
    return [whole, *(killed_after(share * once, options, folder / f"moment_{n}") for n, share in moments)]


def main() -> None:
    told = json.load(sys.stdin)
    options = {**told["options"], "reference": Path(told["reference"])}
    if "moments" in told:
        json.dump(at_moments(told, options), sys.stdout)
        return
    json.dump([outcome_of(options, Path(told["folder"]) / f"killed_{at}", at) for at in told["points"]], sys.stdout)


if __name__ == "__main__":
    main()
