"""How many trials run at the same time, and how they are handed to the study's engine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.execution.capacity import ask
from metricloop.execution.engine import Work, in_order, open_engine
from metricloop.execution.local import cores
from metricloop.execution.ray_cluster import ClusterError
from metricloop.params import Params

Trial = TypeVar("Trial", bound="Labelled")
Inputs = TypeVar("Inputs")
Result = TypeVar("Result")
GPU_FILE = Path("/dev/nvidia0")  # there when NVIDIA's driver found a GPU

# A small detector keeps a GPU busy for a fifth of the time: starting its kernels takes a core longer than they run.
# benchmarks/results/gpu.md: with 8 trials on one card, all of them together are several times as fast as one alone.
GIB_PER_TRIAL = 8  # a ResNet-50 at 320 px with batches of 16 holds 4
CORES_PER_TRIAL = 2
MOST_ON_A_GPU = 8
CHAINS_PER_CORE = 4  # on a cluster: a chain is two processes here, which mostly wait, and takes 0.4 GB


class Labelled(Protocol):
    """A trial of any kind. label: begins its lines of progress."""

    @property
    def label(self) -> str: ...


def run_trials(
    function: Callable[[Trial, Inputs], Result],
    trials: Sequence[Trial],
    inputs: Inputs,
    params: Params,
    jobs: int | None = None,
) -> list[Result]:
    """Call function(trial, inputs) for every trial where the study's trials run; results in the order of `trials`.

    jobs: at the same time on this machine; by default as many as fit it.
    """
    engine, here = open_engine(params.execution), params.execution.engine == "local"
    if jobs is None:
        jobs = parallel_jobs(params) if here else 1
    cpus, gpus = needs(params)
    work = Work(
        function,
        inputs if here else portable(inputs),
        lambda trial: trial.label,
        jobs,
        cpus=cpus,
        gpus=gpus,
        tells=True,
    )
    return in_order(engine.run(work, trials))


def needs(params: Params) -> tuple[float, float | None]:
    """Cores and GPUs that a trial takes of a node; None for a share of a GPU that the first trial tells."""
    cpus, gpus = params.execution.cpus_per_trial, params.execution.gpus_per_trial
    if params.train.device == "cpu":
        gpus = 0.0
    return (params.train.threads if cpus == "auto" else cpus), (None if gpus == "auto" else gpus)


def portable(inputs: Inputs) -> Inputs:
    """The same inputs with absolute paths, for trials that run outside the workspace."""
    changes: dict[str, Any] = {}
    for name, value in vars(inputs).items():
        if isinstance(value, Dataset):
            changes[name] = replace(value, root=value.root.absolute())
        elif isinstance(value, Params):
            train, execution = value.train, value.execution
            if Path(train.weights).is_file():
                train = train.model_copy(update={"weights": str(Path(train.weights).absolute())})
            if "://" not in execution.store:
                place = Path(execution.store or layout.CACHE).absolute()
                place.mkdir(parents=True, exist_ok=True)  # a node that sees it there shares it
                execution = execution.model_copy(update={"store": str(place)})
            changes[name] = value.model_copy(update={"train": train, "execution": execution})
    return replace(inputs, **changes)  # type: ignore[type-var]


def parallel_jobs(params: Params, *, with_torch: bool = True) -> int:
    """How many trials run at the same time: run.parallel, or what fits this machine; at least one.

    On a CPU cores / threads fit. On a GPU its memory and the cores decide; one, if its memory cannot be told.
    with_torch: ask torch for the device. False looks for the driver's file instead, for callers that do not load torch.
    With a cluster: what it holds, but no more chains of stages than the cores of this machine can look after.
    Errors: DeviceError for a CUDA device that torch does not find; never without torch.
    """
    if params.execution.engine == "ray" and params.run.parallel == "auto":
        with suppress(ClusterError):  # a stage that needs the cluster says it better
            cpus, gpus = needs(params)
            return min(ask(params.execution).items(cpus, gpus or 0.0), CHAINS_PER_CORE * cores())
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
