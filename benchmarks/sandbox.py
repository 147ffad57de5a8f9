"""The cost of the sandbox: a metric of about two milliseconds per frame, in the same two processes with and without
the sandbox's walls.

python -P benchmarks/sandbox.py PHOTOS > benchmarks/results/sandbox.md

PHOTOS is a folder of images; they are repeated up to 1,400. One process reads, checks and decodes, the other runs
the metric on shared memory. Both ways run in turn, several times; the result is a ratio of medians.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.pictures import SUFFIXES, shape
from metricloop.sandbox.child import Child
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.batch import SandboxedBatch
from metricloop.scoring.sandboxed import ENTRIES, INSIDE, Source, declared, packed
from metricloop.scoring.score_pool import CHUNK, score_pool

FRAMES, ROUNDS, STARTS, BATCHES = 1400, 5, 7, 100
METRIC = """
import cv2
import numpy as np
from metricloop.metrics.contract import metric


@metric(level="image", needs=("image",))
def detail(frame):
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    fine = cv2.GaussianBlur(grey, (0, 0), 1.0)
    coarse = cv2.GaussianBlur(grey, (0, 0), 2.0)
    edges = cv2.Canny(fine, 50, 150)
    return float(np.abs(fine.astype(np.float32) - coarse).mean() + edges.mean())


@metric(level="image")
def nothing(frame):
    return 0.0
"""


def photos(folder: Path) -> Dataset:
    """A pool of FRAMES images without labels: the images of the folder, repeated."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    facts = [(str(path.relative_to(folder)), *_facts(path)) for path in files]
    rows = [facts[k % len(facts)] for k in range(FRAMES)]
    name, digest, height, width = (np.array(column) for column in zip(*rows, strict=True))
    ids, none = np.arange(FRAMES), np.zeros(0, int)
    return Dataset(
        root=folder, class_names=("object",), image_id=ids, file=name, sha256=digest, width=width, height=height,
        group=name, split=name, box_id=none, boxes=np.zeros((0, 4), np.float32), labels=none, crowd=none > 0,
        offsets=np.zeros(FRAMES + 1, int),
    )  # fmt: skip


def _facts(path: Path) -> tuple[str, int, int]:
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), *shape(data)


@contextlib.contextmanager
def no_walls() -> Iterator[None]:
    """Run the same two processes without walls. The self-test is left out, because it would fail."""
    with mock.patch("metricloop.sandbox.walls.WALLS", frozenset()), mock.patch("metricloop.sandbox.supervisor.prove"):
        yield


def throughput(pool: Dataset, walled: bool) -> float:
    """Frames per second through `scoring.score_pool.score_pool`."""
    source = Source(METRIC, "detail.py")
    with contextlib.nullcontext() if walled else no_walls(), Sandbox(ENTRIES) as sandbox:
        foreign = SandboxedBatch(((source, declared(sandbox, source)["detail"]),), Limits())
        with mock.patch("metricloop.scoring.batch.sandbox", return_value=sandbox):
            began = time.perf_counter()
            columns = score_pool(pool, foreign)["detail"]
            seconds = time.perf_counter() - began
    assert not any(columns["error"])
    return len(pool) / seconds


def metric_milliseconds(pool: Dataset) -> float:
    """Median milliseconds of the metric in this process, without decoding."""
    from metricloop.data.frame import Frame
    from metricloop.data.pictures import read_picture
    from metricloop.scoring.metric_file import load

    cv2.setNumThreads(1)  # as in the sandbox
    detail = load(METRIC, "detail.py")["detail"]
    images = [read_picture(pool.root / str(pool.file[row])) for row in range(0, 350, 5)]
    frames = [Frame(0, i.shape[1], i.shape[0], np.zeros((0, 4)), np.zeros(0), image=i) for i in images]
    times = []
    for frame in frames:
        began = time.perf_counter()
        detail(frame)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def start_seconds() -> float:
    began = time.perf_counter()
    with Sandbox(ENTRIES):
        return time.perf_counter() - began


def batch_milliseconds(walled: bool) -> float:
    """Median time from sending a batch until the child reports that the walls are up and the code is imported."""
    source, times = Source(METRIC, "detail.py"), []
    arguments = {"filename": "detail.py", "memory_mb": 1024, "metric": "nothing", "first": 0}
    with (
        contextlib.nullcontext() if walled else no_walls(),
        Sandbox(ENTRIES) as sandbox,
        packed(source) as code,
        packed([]) as payload,
    ):
        for _ in range(BATCHES):
            began = time.perf_counter()
            with sandbox.child("score", f"{INSIDE}:send_scores", arguments, [code, payload]) as child:
                assert child.receive(10, "the start") == b"R"
                times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def memory_mb(pool: Dataset) -> tuple[float, float]:
    """Peak memory of the supervisor and of the largest child over the whole pool, in MB."""
    peaks, end = [], Child.end

    def noting(child: Child) -> str:
        said = end(child)
        peaks.append(child.peak / 2**20)
        return said

    with mock.patch.object(Child, "end", noting):
        throughput(pool, True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, max(peaks)


def main(folder: Path) -> None:
    pool = photos(folder)
    rates = {walled: [] for walled in (True, False)}
    for turn in range(ROUNDS):
        for walled in (True, False) if turn % 2 else (False, True):
            rates[walled].append(throughput(pool, walled))
    pairs = [a / b for a, b in zip(rates[True], rates[False], strict=True)]
    with_walls, without = (statistics.median(rates[walled]) for walled in (True, False))
    starts = statistics.median(start_seconds() for _ in range(STARTS))
    begin = {walled: batch_milliseconds(walled) for walled in (True, False)}
    own, child = memory_mb(pool)
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    width, height = int(np.median(pool.width)), int(np.median(pool.height))
    user = "root" if os.geteuid() == 0 else "an ordinary user"
    photos_in = len(set(pool.file))
    print(f"""# The cost of the sandbox

`python -P benchmarks/sandbox.py PHOTOS`, {date.today()}, {os.cpu_count()} cores ({cpu.strip()}),
kernel {platform.release()}, Python {platform.python_version()}, as {user}.
{photos_in} photos, repeated up to {FRAMES:,}, {width} x {height} pixels (median), {CHUNK} per batch. The metric alone
takes {metric_milliseconds(pool):.1f} ms a frame. One process reads, checks and decodes, the other scores.
Medians of {ROUNDS} rounds, in turn.

| | with walls | without | ratio | aim |
|---|---:|---:|---:|---:|
| throughput, decoding included, frames/s | {with_walls:.0f} | {without:.0f} | {with_walls / without:.2f} | 0.85 |
| lowest and highest ratio of a round | | | {min(pairs):.2f}, {max(pairs):.2f} | |
| begin a batch (fork, walls, import), ms | {begin[True]:.1f} | {begin[False]:.1f} | | < 10 |
| start, self-test included, s | {starts:.2f} | | | < 1 |
| peak memory of the supervisor, MB | {own:.0f} | | | |
| peak memory of a child, MB | {child:.0f} | | | |

A batch is {CHUNK * 3 * width * height / 1e6:.0f} MB of pixels. "Without" means the same supervisor, zygote and child,
with an empty list of walls and without the self-test.""")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
