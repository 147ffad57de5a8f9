"""How many trials run at the same time, and the processes that they run in."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from metricloop.params import Params
from metricloop.runtime.stage_start import die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")
GPU_FILE = Path("/dev/nvidia0")  # there when NVIDIA's driver found a GPU


def in_processes(function: Callable[[Item], Result], items: list[Item], jobs: int) -> list[Result]:
    """Call `function` for every item, in up to `jobs` new processes, which end with this one.

    Returns results in the order of `items`. With one job or one item, everything runs in this process.
    """
    if jobs <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=die_with_parent) as pool:
        return list(pool.map(function, items))


def parallel_jobs(params: Params, *, with_torch: bool = True) -> int:
    """How many trials run at the same time: cores / threads on a CPU, at least one; one on a GPU.

    with_torch: ask torch for the device. False looks for the driver's file instead, for callers that do not load torch.
    Errors: DeviceError for a CUDA device that torch does not find; never without torch.
    """
    wanted = params.train.device
    if with_torch:
        from metricloop.detector.engine import choose_device

        on_gpu = choose_device(wanted).type != "cpu"
    else:
        on_gpu = wanted.startswith("cuda") or (wanted == "auto" and GPU_FILE.exists())
    return 1 if on_gpu else max(1, cores() // params.train.threads)


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
