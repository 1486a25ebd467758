"""Does a job again and again in processes of its own, each killed at another write, and resumes each.

A job builds a dataset, extends one, or merges some. A write has three steps that leave different things on disk when the process dies there: the bytes (half of them are
written aside), the rename (all of them are, under the temporary name), and the deletion of a file. Every one of them is
a point to die at, and how many of the bytes are written is part of the moment. Run as a program with a JSON of instructions on stdin, it prints a JSON of what became of each point.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.ma  # noqa: F401 - what a build would import late is imported here, once for all processes
import pyarrow.dataset  # noqa: F401

from meta_spliceai.build.merge import merge
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
    """Counts the steps of writing, and kills this process at step `at` (0: never), with a share of the bytes written."""

    def __init__(self, at: int, written: float = 0.5) -> None:
        self.at, self.written, self.steps = at, written, 0

    def step(self, half_written: Path | None = None) -> None:
        self.steps += 1
        if self.steps == self.at:
            if half_written is not None:
                os.truncate(half_written, int(half_written.stat().st_size * self.written))
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


def do_and_die(job: dict[str, Any], folder: Path, at: int, written: float, count: Path) -> None:
    death = Death(at, written)
    death.watch()
    if job["name"] == "merge":
        merge([Path(source) for source in job["sources"]], output_dir=folder)
    else:
        where = {name: Path(job[name]) for name in ("reference", "eval_dir")}
        build(**where, **job["options"], output_dir=folder, extend=job["name"] == "extend")
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


def copy_of(dataset: Path, folder: Path) -> None:
    """A copy of a dataset whose files in `master` are links again."""
    shutil.copytree(dataset, folder)
    for path in (folder / "master").iterdir():
        path.unlink()
        path.hardlink_to(folder / path.name.replace(".parquet", "_trim.parquet"))


def outcome_of(job: dict[str, Any], folder: Path, at: int, written: float) -> dict[str, Any]:
    """Do the job in `folder`, dying at step `at`, then do it again."""
    if job["name"] == "extend":
        copy_of(Path(job["extended"]), folder)
    count = folder.with_suffix(".steps")
    killed = in_a_process(do_and_die, job, folder, at, written, count) == -signal.SIGKILL
    steps = 0 if killed else int(count.read_text())
    resumed = in_a_process(do_and_die, job, folder, 0, written, count) == 0
    moment = {"at": at, "written": written, "killed": killed, "steps": steps, "resumed": resumed}
    return {**moment, "contents": contents(folder)}


def main() -> None:
    told = json.load(sys.stdin)
    moments = enumerate(told["moments"])
    folder = Path(told["folder"])
    json.dump(
        [outcome_of(told["job"], folder / f"killed_{n}", at, written) for n, (at, written) in moments], sys.stdout
    )


if __name__ == "__main__":
    main()
