"""What costs more with a larger pool, besides selection and comparison: starting a trial, its batches, shards, memory.

    python -P benchmarks/pool_size.py [LARGEST]

Made-up tables, seven boxes a picture; no picture is read. LARGEST: images of the largest draw that is made ready for
training, a quarter of its pool. Prints a Markdown table; each row is the price of one image, or of one shard of 32
images. The shards do nothing, on a cluster of this machine: what is counted is the time of the process that hands them
out.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.manifest import manifest
from metricloop.data.near_links import near_links
from metricloop.detector.engine import _batch, _epoch
from metricloop.execution import on_ray
from metricloop.execution.engine import Work
from metricloop.execution.settings import Execution
from metricloop.training.recipe import content_digest
from metricloop.training.trial import samples

BOXES_EACH, BATCH, SIZE = 7, 16, 320
FOUND = 20  # detections of a picture
SHARDS = 1_000


def pool_of(n: int) -> Dataset:
    """A made-up pool of n images."""
    rng, boxes = np.random.default_rng(0), BOXES_EACH * n
    corner = rng.uniform(0, 600, (boxes, 2))
    return Dataset(
        root=Path(),
        class_names=("car", "person", "sign"),
        image_id=np.arange(n),
        file=np.array([f"shard{k // 10_000:04d}/{k:08d}.jpg" for k in range(n)], object),
        sha256=np.array([f"{k:064x}" for k in range(n)], object),
        width=np.full(n, 1280, np.int32),
        height=np.full(n, 720, np.int32),
        group=np.array([str(k) for k in range(n)], object),
        split=np.array(["pool"] * n, object),
        box_id=np.arange(boxes),
        boxes=np.concatenate([corner, corner + 50], 1).astype(np.float32),
        labels=rng.integers(0, 3, boxes),
        crowd=np.zeros(boxes, bool),
        offsets=np.arange(n + 1) * BOXES_EACH,
    )


def clocked(function: Callable[[], object]) -> float:
    """Seconds of this process's CPU."""
    began = time.process_time()
    function()
    return time.process_time() - began


def memory(function: Callable[[], object]) -> tuple[int, int]:
    """Bytes that a function leaves in use, and those that it takes at most; of Python and NumPy alone."""
    tracemalloc.start()
    made = function()
    left, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return left, most


def detections_of(n: int) -> list[Detections]:
    """As out-of-fold models give them back."""
    rng = np.random.default_rng(0)
    return [
        Detections(rng.random((FOUND, 4), np.float32), rng.random(FOUND, np.float32), np.zeros(FOUND, np.int64))
        for _ in range(n)
    ]


def shards(ahead: int) -> float:
    """CPU milliseconds of the driver for each shard. ahead: how many shards each core has waiting for it."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    on_ray.AHEAD, usual = ahead, on_ray.AHEAD
    try:
        engine = on_ray.OnRay(Execution(engine="ray", address=f"127.0.0.1:{cluster.address.rpartition(':')[2]}"))
        work = Work(nothing, None)
        list(engine.run(work, range(50)))  # the worker has started
        return clocked(lambda: list(engine.run(work, range(SHARDS)))) / SHARDS * 1e3
    finally:
        on_ray.AHEAD = usual
        ray.shutdown()
        cluster.shutdown()


def nothing(item: int, shared: None) -> int:
    return item


def first_batch(n: int) -> list[int]:
    """The first batch of an epoch, for which the whole draw is shuffled."""
    _epoch.cache_clear()
    return _batch(n, BATCH, 0, 0)


def main(largest: int = 64_000) -> None:
    print("| what | images | price of an image |\n|---|---:|---:|")
    for n in (largest // 4, largest // 2, largest):
        pool = pool_of(4 * n)
        draw = manifest(pool, np.arange(0, 4 * n, 4))
        seconds = clocked(lambda: samples(pool, draw, SIZE))  # noqa: B023
        print(f"| make a draw ready for training | {n:,} | {seconds / n * 1e6:.1f} µs |", flush=True)

    def hashed() -> str:
        return content_digest(draw.to_pydict(), pool.sha256.tolist())

    print(f"| hash a draw | {n:,} | {clocked(hashed) / n * 1e6:.0f} µs |")
    print(f"| hash a draw, in memory | {n:,} | {memory(hashed)[1] / n:,.0f} bytes |", flush=True)
    for n in (250_000, 2_500_000, 25_000_000):
        seconds = clocked(lambda: first_batch(n))  # noqa: B023
        print(f"| shuffle a draw, once an epoch | {n:,} | {seconds / n * 1e9:.0f} ns |", flush=True)
    for n in (25_000, 100_000):
        rng = np.random.default_rng(0)
        hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
        thumbnails = rng.integers(0, 255, (n, 256)).astype(np.uint8)
        seconds = clocked(lambda: near_links(hashes, thumbnails))  # noqa: B023
        print(f"| look for near-duplicates | {n:,} | {seconds / n * 1e6:.0f} µs |", flush=True)
    for what, make in (
        (f"out-of-fold detections, {FOUND} a picture, in memory", detections_of),
        ("the pool in memory", pool_of),
    ):
        print(f"| {what} | {n:,} | {memory(lambda: make(n))[0] / n:,.0f} bytes |", flush=True)  # noqa: B023
    print(f"| the pool on its way to a node | {n:,} | {len(pickle.dumps(pool_of(n))) / n:.0f} bytes |", flush=True)
    for ahead in (on_ray.AHEAD, 500):
        print(f"| hand out a shard, {4 * ahead:,} under way | 32 | {shards(ahead):.2f} ms a shard |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
