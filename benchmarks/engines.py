"""The same scores and trials by the engines local and ray on this machine, with one process and with two.

    python -P benchmarks/engines.py WORKSPACE [IMAGES] [TRIALS] [ITERATIONS]

WORKSPACE: a finished study, whose pool is scored, repeated until there are IMAGES, and whose first arm is trained.
Prints a table. Starting processes and importing torch count; starting the cluster does not. Wants a quiet machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import PER_IMAGE, Dataset
from metricloop.data.pool import read_pool
from metricloop.execution.engine import Engine, Work, in_order
from metricloop.execution.local import Local
from metricloop.execution.settings import Execution
from metricloop.metrics.catalogue.crop import object_brightness
from metricloop.metrics.catalogue.picture import brightness
from metricloop.params import load_params
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.score_pool import score_pool
from metricloop.study.plan import load_plan
from metricloop.training.parallel import portable
from metricloop.training.trials import read_inputs, train, trial_of

CORES = (1, 2)


def repeated(pool: Dataset, images: int) -> Dataset:
    """A data set of `images` images: copies of the pool's, in turn, each with an id of its own."""
    rows = np.arange(images) % len(pool)
    spans = [np.arange(pool.offsets[row], pool.offsets[row + 1]) for row in rows]
    boxes = np.concatenate(spans)
    return replace(
        pool,
        **{name: getattr(pool, name)[rows] for name in PER_IMAGE if name != "image_id"},
        image_id=np.arange(images),
        box_id=np.arange(len(boxes)),
        **{name: getattr(pool, name)[boxes] for name in ("boxes", "labels", "crowd")},
        offsets=np.concatenate([[0], np.cumsum([len(span) for span in spans])]),
    )


@contextmanager
def on_ray(cores: int) -> Iterator[Engine]:
    """A cluster of one node with so many cores."""
    import ray
    from ray.cluster_utils import Cluster

    from metricloop.execution.on_ray import OnRay

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False})
    try:
        yield OnRay(Execution(engine="ray", address=f"127.0.0.1:{cluster.address.rpartition(':')[2]}"))
    finally:
        ray.shutdown()
        cluster.shutdown()


def clocked(function: Callable[[], object]) -> float:
    began = time.monotonic()
    function()
    return time.monotonic() - began


def main(folder: Path, images: int = 20_000, trials: int = 4, iterations: int = 150) -> None:
    """Measure, and print a Markdown table."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": str(os.nice(0))}
    os.chdir(folder)
    params = load_params()
    pool = repeated(read_pool(layout.DATA, params.data.folder.absolute()), images)
    batch = InProcessBatch((brightness, object_brightness))
    with tempfile.TemporaryDirectory() as store:
        settings = params.train.model_copy(update={"iterations": iterations})
        params = params.model_copy(
            update={"train": settings, "execution": params.execution.model_copy(update={"store": store})}
        )
        inputs = portable(read_inputs(params, "search", labels=False))
        arm = next(iter(load_plan()["arms"]))
        print("| engine | cores | scoring, images/s | trials, s |\n|---|---:|---:|---:|")
        for name in ("local", "ray"):
            for cores in CORES:
                with on_ray(cores) if name == "ray" else _here() as engine:
                    scored = clocked(lambda: score_pool(pool, batch, engine=engine, jobs=cores))  # noqa: B023
                    asked = [trial_of(f"{name} {cores} seed {seed}", arm, seed) for seed in range(trials)]
                    work = Work(train, inputs, lambda trial: trial.label, jobs=cores, tells=True)
                    made: list = []
                    trained = clocked(lambda: made.extend(in_order(engine.run(work, asked))))  # noqa: B023
                    for one in made:
                        one.clear_scratch()
                print(f"| {name} | {cores} | {images / scored:.0f} | {trained:.1f} |", flush=True)


@contextmanager
def _here() -> Iterator[Engine]:
    yield Local()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
