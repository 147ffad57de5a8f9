"""The engine of one machine: items run in this process, or in processes that end with it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from metricloop.execution.engine import DiedError, Done, Item, Result, Shared, Work
from metricloop.execution.faults import Answer, answer_of, opened
from metricloop.runtime.stage_start import die_with_parent

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 2  # items per process that are taken before they can run, so that no process waits


class Local:
    """Runs items on this machine."""

    def run(self, work: Work[Item, Shared, Result], items: Iterable[Item]) -> Generator[Done[Item, Result]]:
        """As `Engine.run`. With one job or one item everything runs in this process, which then may die of it."""
        left = enumerate(items)
        first = list(islice(left, 2))
        if work.jobs <= 1 or len(first) < 2:
            for place, item in chain(first, left):
                try:
                    result = work.function(item, work.shared)
                except Exception as error:
                    yield Done(place, item, error=error)
                else:
                    yield Done(place, item, result=result)
            return
        suspects: list[tuple[int, Item]] = []
        yield from _at_once(work, chain(first, left), work.jobs, suspects)
        for suspect in suspects:
            again: list[tuple[int, Item]] = []
            yield from _at_once(work, [suspect], 1, again)
            for place, item in again:
                yield Done(place, item, error=died(work.name_of(item)))


def died(name: str, how: str = "out of memory, or a crash in a library") -> DiedError:
    """The error of an item whose process was ended twice."""
    return DiedError(f"{name}: the process that ran it was ended twice ({how})")


def _at_once(
    work: Work[Item, Shared, Result], items: Iterable[tuple[int, Item]], jobs: int, suspects: list[tuple[int, Item]]
) -> Iterator[Done[Item, Result]]:
    """Items in new processes.

    suspects: when a process is ended, nothing says which item it ran, so all items under way are added to this list.
    """
    from joblib.externals.loky import BrokenProcessPool

    left, pool = iter(items), _pool(work, jobs)
    under_way: dict[Any, tuple[int, Item]] = {}
    try:
        while True:
            for place, item in islice(left, AHEAD * jobs - len(under_way)):
                under_way[pool.submit(_in_process, item)] = place, item
            if not under_way:
                return
            broken = False
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                place, item = under_way.pop(future)
                try:
                    answer: Answer = future.result()
                except BrokenProcessPool:
                    suspects.append((place, item))
                    broken = True
                else:
                    yield opened(place, item, answer)
            if broken:
                pool.shutdown(kill_workers=True)
                for future, one in under_way.items():  # all have ended with their pool
                    if future.exception() is None:
                        yield opened(*one, future.result())
                    else:
                        suspects.append(one)
                under_way, pool = {}, _pool(work, jobs)
    finally:
        pool.shutdown(kill_workers=True)


def _pool(work: Work, jobs: int) -> ProcessPoolExecutor:
    from joblib.externals.loky import ProcessPoolExecutor

    threads = str(max(1, cores() // jobs))
    return ProcessPoolExecutor(
        jobs,
        initializer=_begin,
        initargs=(work.function, work.shared),
        env={name: os.environ.get(name, threads) for name in THREADS},
    )


_asked: list[Any] = []  # in a worker process: the function, and what all items share


def _begin(function: Any, shared: Any) -> None:
    import cv2

    die_with_parent()
    cv2.setNumThreads(1)  # one thread per process: the processes already use all cores
    _asked[:] = function, shared


def _in_process(item: Any) -> Answer:
    function, shared = _asked
    return answer_of(function, item, shared)


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
