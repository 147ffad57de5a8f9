"""Speed of the metrics about labels: on a million images, and next to datumaro's validator on the same boxes.

python -P benchmarks/labels.py --peer VENV/bin/python > benchmarks/results/labels.md

The pool is synthetic: Poisson counts, log-normal sizes, a few boxes cut by the border or beyond it. --peer is a Python
that has datumaro; without it that part is left out. Both sides get their boxes in memory, in the form that they use;
reading and building them is not timed. They take turns, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.metrics.catalogue import control, geometry, integrity, labels
from metricloop.metrics.contract import Metric, call_metric
from metricloop.scoring.metric_file import metrics_in

IMAGES, PEER_IMAGES, BOXES, CLASSES, ROUNDS, PEER_ROUNDS = 1_000_000, 2000, 7, 20, 3, 7
ALL = {name: f for module in (labels, geometry, integrity, control) for name, f in metrics_in(module).items()}
# Our metrics that answer the questions of the validator's box statistics: sizes and shapes, outliers of a class, sides
# below a pixel, and the number of boxes per class.
LIKE_THE_PEER = ("object_count", "class_count", "object_area", "object_size", "aspect_ratio",
                 "size_outlier", "aspect_outlier", "degenerate")  # fmt: skip
PEER = """
import sys, time
import numpy as np
from datumaro.components.annotation import Bbox
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.plugins.validators import DetectionValidator

with np.load(sys.argv[1]) as saved:
    boxes, labels, offsets = (saved[name].tolist() for name in ("boxes", "labels", "offsets"))
items = []
for image, (start, stop) in enumerate(zip(offsets, offsets[1:])):
    found = [Bbox(a, b, c - a, d - b, label=k, id=i) for i, ((a, b, c, d), k)
             in enumerate(zip(boxes[start:stop], labels[start:stop]))]
    items.append(DatasetItem(id=str(image), annotations=found))
dataset = Dataset.from_iterable(items, categories=[f"c{k}" for k in range(int(sys.argv[2]))])
print("ready", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    DetectionValidator().compute_statistics(dataset)
    print(time.perf_counter() - began, flush=True)
"""


def synthetic(images: int, seed: int = 0) -> Dataset:
    """A pool of arrays alone, BOXES boxes an image on average, ten images to a group."""
    random = np.random.default_rng(seed)
    counts = random.poisson(BOXES, images)
    total, rows, ids = int(counts.sum()), np.repeat(np.arange(images), counts), np.arange(images)
    size = np.array([[640, 480], [1280, 720], [500, 375]], np.int32)[random.integers(0, 3, images)]
    half, centre = np.exp(random.normal(-2, 0.7, (total, 2))) / 2, random.random((total, 2))
    boxes = np.concatenate([centre - half, centre + half], axis=1).clip(-0.01, 1.01) * np.tile(size, 2)[rows]
    return Dataset(
        root=Path(),
        class_names=tuple(f"c{k}" for k in range(CLASSES)),
        image_id=ids,
        file=np.array([f"{k}.jpg" for k in range(images)], object),
        sha256=np.array([f"{k:064x}" for k in range(images)], object),
        width=size[:, 0].copy(),
        height=size[:, 1].copy(),
        group=np.array([f"video {k // 10}" for k in range(images)], object),
        split=np.full(images, "pool", object),
        box_id=np.arange(total),
        boxes=boxes.astype(np.float32),
        labels=random.zipf(1.5, total) % CLASSES,
        crowd=np.zeros(total, bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def seconds(pool: Dataset, chosen: dict[str, Metric]) -> dict[str, float]:
    """Seconds of each metric on a new pool. Work that several metrics share counts for the first of them."""
    fresh, scores, taken = replace(pool), {}, {}
    for name, function in chosen.items():
        began = time.perf_counter()
        scores[name] = call_metric(function, fresh)  # all kept until the end, as in the stage, which then writes them
        taken[name] = time.perf_counter() - began
    return taken


def whole(images: int) -> None:
    """Measure the seconds of every metric per round, and the peak memory in GB. Run in its own process; prints JSON."""
    pool = synthetic(images)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rounds = [seconds(pool, ALL) for _ in range(ROUNDS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"rounds": rounds, "made": made, "peak": peak, "boxes": len(pool.boxes)}))


@contextmanager
def validator(python: str, pool: Dataset) -> Iterator[subprocess.Popen]:
    """A process with datumaro and the same boxes: it runs once for every line it reads, and prints the seconds."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file.name, boxes=pool.boxes, labels=pool.labels, offsets=pool.offsets)
        command = [python, "-c", PEER, file.name, str(CLASSES)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process


def compare(python: str) -> str:
    """Run both in turn on the same boxes; returns the section as Markdown."""
    pool = synthetic(PEER_IMAGES, seed=1)
    taken: dict[str, list[float]] = {"theirs": [], "like": [], "all": []}
    with validator(python, pool) as process:
        assert process.stdin
        assert process.stdout
        for turn in range(PEER_ROUNDS + 1):
            process.stdin.write("\n")
            process.stdin.flush()
            theirs = float(process.stdout.readline())
            like = sum(seconds(pool, {name: ALL[name] for name in LIKE_THE_PEER}).values())
            everything = sum(seconds(pool, ALL).values())
            if turn:  # the first round warms up
                for name, value in zip(taken, (theirs, like, everything), strict=True):
                    taken[name].append(value)
        process.stdin.close()
    version = subprocess.run(
        [python, "-c", "from importlib.metadata import version; print(version('datumaro'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    rows = []
    for name, what in (
        ("theirs", f"datumaro {version}, `DetectionValidator.compute_statistics`"),
        ("like", f"ours, the {len(LIKE_THE_PEER)} box statistics"),
        ("all", f"ours, all {len(ALL)} metrics about labels"),
    ):
        ratios = [their / our for their, our in zip(taken["theirs"], taken[name], strict=True)]
        median = statistics.median(taken[name])
        rows.append(
            f"| {what} | {1000 * median:.2f} | {1e6 * median / len(pool.boxes):.3f} "
            f"| {statistics.median(ratios):.0f} | {min(ratios):.0f}, {max(ratios):.0f} |"
        )
    return f"""
## Compared with datumaro

The same {len(pool.boxes):,} boxes of {PEER_IMAGES:,} images, both in memory, in turn; medians of {PEER_ROUNDS}
rounds after one to warm up. The aim is to be 100 times faster per box on box statistics.

| | ms | microseconds per box | times faster | lowest, highest |
|---|---:|---:|---:|---:|
{chr(10).join(rows)}

The same in both: they compute the width, height, area and ratio of every box, count classes, find sides of about a
pixel, and find outliers of each class. Different: datumaro keeps names of items in Python dictionaries, gives mean,
deviation, minimum, maximum, median and a histogram of six measures per class, and checks attributes. Ours gives every
box a score for two measures, by median and MAD of logarithms (two medians per class and measure). "All" adds what
datumaro does not do: pairs of boxes (IoU, gaps), exact unions, positions, entropies, borders, groups. Most of the
difference in speed comes from the Python objects that datumaro works on.
"""


def main(peer: str | None, images: int) -> None:
    command = [sys.executable, "-P", __file__, "--whole", "--images", str(images)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    totals = [sum(taken.values()) for taken in said["rounds"]]
    each = {name: statistics.median(taken[name] for taken in said["rounds"]) for name in ALL}
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    rows = "\n".join(f"| {name} | {value:.3f} |" for name, value in each.items())
    print(f"""# Speed of the metrics about labels

`python -P benchmarks/labels.py`, {date.today()}, {os.cpu_count()} cores ({cpu.strip()}), one of them used;
load {os.getloadavg()[0]:.1f}; kernel {platform.release()}, Python {platform.python_version()}, NumPy {np.__version__}.
{images:,} synthetic images with {said["boxes"]:,} boxes of {CLASSES} classes; {ROUNDS} rounds, medians.

| | | aim |
|---|---:|---:|
| all {len(ALL)} metrics about labels, s | {statistics.median(totals):.2f} | < 10 |
| lowest and highest round, s | {min(totals):.2f}, {max(totals):.2f} | |
| per box, microseconds | {1e6 * statistics.median(totals) / said["boxes"]:.2f} | |
| peak memory with the pool and all scores, GB | {said["peak"]:.2f} | < 4 |
| of which before the first metric, GB | {said["made"]:.2f} | |

Work that several metrics share counts for the first of them: pairs and unions for `covered_area`, classes for
`class_count`, positions for `spatial_spread`.

| metric | s |
|---|---:|
{rows}
{compare(peer) if peer else ""}""")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="a Python that has datumaro")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.whole:
        whole(given.images)
    else:
        main(given.peer, given.images)
