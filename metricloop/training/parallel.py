"""How many trials run at the same time, and the processes that they run in."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from metricloop.params import Params
from metricloop.runtime.stage_start import die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(function: Callable[[Item], Result], items: list[Item], jobs: int) -> list[Result]:
    """Call `function` for every item, in up to `jobs` new processes, which end with this one.

    Returns results in the order of `items`. With one job or one item, everything runs in this process.
    """
    if jobs <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=die_with_parent) as pool:
        return list(pool.map(function, items))


def parallel_jobs(params: Params) -> int:
    """How many trials run at the same time: cores / threads on a CPU, one on a GPU."""
    from metricloop.detector.engine import choose_device

    if choose_device(params.train.device).type != "cpu":
        return 1
    return trials_by_cores(params)


def trials_by_cores(params: Params) -> int:
    """How many trials of train.threads threads run at the same time on this computer's CPU; at least one."""
    return max(1, cores() // params.train.threads)


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
