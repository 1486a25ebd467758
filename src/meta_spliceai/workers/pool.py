"""Independent parts on a pool of processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from meta_spliceai.errors import StoreError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_parts(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int = 1
) -> Iterator[tuple[Item, Result]]:
    """Call `function` on each item and yield (item, result) as each is done, in any order with several workers.

    Parameters
    ----------
    function
        A module-level function: it is sent to the workers by name.
    items
        Independent of one another, so that a lost one can be made again alone.
    workers
        1 runs in this process; more start that many new processes, by spawning, because forked copies of a process
        with threads (polars, OpenVINO) can hang.

    Raises
    ------
    StoreError
        A worker was killed (most often: out of memory).
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield item, function(item)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(workers, len(items)), mp_context=context) as pool:
        waiting = {pool.submit(function, item): item for item in items}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise StoreError(
                expected="every worker process to live until its part is done",
                found="one was killed, perhaps because memory ran out",
                action="run the same command again with fewer --workers; finished parts are kept",
            ) from error
        finally:
            for future in waiting:
                future.cancel()
