"""Parts on a pool of processes."""

from __future__ import annotations

import os
import signal

import pytest

from meta_spliceai.errors import GeneError, StoreError
from meta_spliceai.workers.pool import run_parts


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def fail(number: int) -> int:
    raise GeneError("a gene", f"none in part {number}", "choose another")


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_one_worker_runs_in_this_process_and_in_order() -> None:
    results = list(run_parts(square, [3, 1, 2]))
    assert results == [(n, (n * n, os.getpid())) for n in (3, 1, 2)]


def test_several_workers_give_the_same_results_in_other_processes() -> None:
    results = dict(run_parts(square, range(5), workers=2))
    assert {item: value for item, (value, _) in results.items()} == {n: n * n for n in range(5)}
    assert os.getpid() not in {process for _, process in results.values()}


def test_no_parts_are_no_work() -> None:
    assert list(run_parts(square, [], workers=4)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_back_as_it_was_raised(workers: int) -> None:
    with pytest.raises(GeneError, match="none in part") as caught:
        list(run_parts(fail, [1, 2], workers=workers))
    assert caught.value.action == "choose another"


def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(StoreError, match="one was killed, perhaps because memory ran out"):
        list(run_parts(die, [1, 2], workers=2))
