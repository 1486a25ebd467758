"""Builds a dataset again and again in processes of its own, each killed at another write, and resumes each.

A write has three steps that leave different things on disk when the process dies there: the bytes (half of them are
written aside), the rename (all of them are, under the temporary name), and the deletion of a file. Every one of them is
a point to die at. Run as a program with a JSON of instructions on stdin, it prints a JSON of what became of each point.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.ma  # noqa: F401 - what a build would import late is imported here, once for all processes
import pyarrow.dataset  # noqa: F401

from meta_spliceai.build.run import build
from meta_spliceai.store import atomic

VARIES_FROM_RUN_TO_RUN = {"run_log.jsonl", ".lock"}


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 by name of every file below a folder, but for what may vary."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in VARIES_FROM_RUN_TO_RUN
    }


class Death:
    """Counts the steps of writing, and kills this process at step `at` (0: never)."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self, half_written: Path | None = None) -> None:
        self.steps += 1
        if self.steps == self.at:
            if half_written is not None:
                os.truncate(half_written, half_written.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Put itself before each low-level step of `store.atomic`."""
        sync, replace, remove = atomic._sync, atomic._replace, atomic.remove

        def watched_sync(path: Path) -> None:
            linked = path.stat().st_nlink > 1
            self.step(None if linked else path)
            sync(path)

        def watched_replace(aside: Path, path: Path) -> None:
            self.step()
            replace(aside, path)

        def watched_remove(path: Path) -> None:
            self.step()
            remove(path)

        atomic._sync, atomic._replace, atomic.remove = watched_sync, watched_replace, watched_remove


def build_and_die(options: dict[str, Any], folder: Path, at: int, count: Path) -> None:
    death = Death(at)
    death.watch()
    build(**options, output_dir=folder)
    count.write_text(str(death.steps))


def in_a_process(function: Callable[..., None], *arguments: Any) -> int:
    """Exit code of a process of its own; negative when a signal killed it."""
    # Nothing has used a thread pool here before the fork, so its copy is sound; elsewhere than on Linux forks are not.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def outcome_of(options: dict[str, Any], folder: Path, at: int) -> dict[str, Any]:
    """Build into `folder`, dying at step `at`, then build again."""
    count = folder.with_suffix(".steps")
    killed = in_a_process(build_and_die, options, folder, at, count) == -signal.SIGKILL
    steps = 0 if killed else int(count.read_text())
    resumed = in_a_process(build_and_die, options, folder, 0, count) == 0
    return {"at": at, "killed": killed, "steps": steps, "resumed": resumed, "contents": contents(folder)}


def main() -> None:
    told = json.load(sys.stdin)
    options = {**told["options"], "reference": Path(told["reference"]), "eval_dir": Path(told["eval_dir"])}
    json.dump([outcome_of(options, Path(told["folder"]) / f"killed_{at}", at) for at in told["points"]], sys.stdout)


if __name__ == "__main__":
    main()
