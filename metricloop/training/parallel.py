"""How many trials run at the same time, and the processes that they run in."""

from __future__ import annotations

import os
import subprocess
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

# A small detector keeps a GPU busy for a fifth of the time: starting its kernels takes a core longer than they run.
# benchmarks/results/gpu.md: with 8 trials on one card, all of them together are several times as fast as one alone.
GIB_PER_TRIAL = 8  # a ResNet-50 at 320 px with batches of 16 holds 4
CORES_PER_TRIAL = 2
MOST_ON_A_GPU = 8


def in_processes(function: Callable[[Item], Result], items: list[Item], jobs: int) -> list[Result]:
    """Call `function` for every item, in up to `jobs` new processes, which end with this one.

    Returns results in the order of `items`. With one job or one item, everything runs in this process.
    """
    if jobs <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=die_with_parent) as pool:
        return list(pool.map(function, items))


def parallel_jobs(params: Params, *, with_torch: bool = True) -> int:
    """How many trials run at the same time: run.parallel, or what fits this machine; at least one.

    On a CPU cores / threads fit. On a GPU its memory and the cores decide; one, if its memory cannot be told.
    with_torch: ask torch for the device. False looks for the driver's file instead, for callers that do not load torch.
    Errors: DeviceError for a CUDA device that torch does not find; never without torch.
    """
    wanted = params.train.device
    if with_torch:
        from metricloop.detector.engine import choose_device

        on_gpu = choose_device(wanted).type != "cpu"
    else:
        on_gpu = wanted.startswith("cuda") or (wanted == "auto" and GPU_FILE.exists())
    if params.run.parallel != "auto":
        return params.run.parallel
    if on_gpu:
        return max(1, min(cores() // CORES_PER_TRIAL, int(gpu_memory() / GIB_PER_TRIAL), MOST_ON_A_GPU))
    return max(1, cores() // params.train.threads)


def gpu_memory() -> float:
    """GiB of the smallest GPU, from NVIDIA's driver; 0 when it cannot be told."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        return min(float(line) for line in said.splitlines()) / 1024  # the driver counts in MiB
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
