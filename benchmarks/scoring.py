"""The scoring engine: memory by the size of the pool, two processes against one, and a second run.

python -P benchmarks/scoring.py PHOTOS > benchmarks/results/scoring.md

PHOTOS is a folder of images. They are repeated up to the wanted sizes with random boxes, so that every image has its
own content for the store of scores. All image-level pixel metrics of the catalogue are scored as in the stage:
`python -P -m metricloop.tasks.score pictures` in a workspace.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np

from metricloop.data.pictures import SUFFIXES, shape
from metricloop.data.tables import BOXES, IMAGES, write_json, write_table
from metricloop.metrics.contract import spec_of
from metricloop.scoring.open_metrics import catalogue

SIZES = (1_000, 10_000, 50_000)
SPEED, ROUNDS = 20_000, 3
HOME = Path(__file__).resolve().parents[1]


def metrics() -> list[str]:
    """The image-level metrics that need pixels and nothing else, at a stated scale."""
    specs = [spec_of(function) for function in catalogue().values()]
    return [spec.name for spec in specs if spec.level == "image" and spec.needs == ("image",) and spec.side]


def workspace(folder: Path, photos: Path, n: int, jobs: int) -> Path:
    """A workspace with a pool of n images, two boxes each."""
    files = sorted(path for path in photos.rglob("*") if path.suffix.lower() in SUFFIXES)
    facts = [(str(path.relative_to(photos)), hashlib.sha256(path.read_bytes()).hexdigest(), *shape(path.read_bytes()))
             for path in files]  # fmt: skip
    rows = [facts[k % len(facts)] for k in range(n)]
    corner = np.random.default_rng(0).uniform(0, 50, (2 * n, 2)).astype(np.float32)
    images = {
        "image_id": range(n), "file": [row[0] for row in rows], "sha256": [row[1] for row in rows],
        "height": [row[2] for row in rows], "width": [row[3] for row in rows], "group": [str(k) for k in range(n)],
        "split": ["pool"] * n,
    }  # fmt: skip
    boxes = {
        "box_id": range(2 * n), "image_id": np.repeat(np.arange(n), 2), "x1": corner[:, 0], "y1": corner[:, 1],
        "x2": corner[:, 0] + 40, "y2": corner[:, 1] + 30, "label": [0] * 2 * n, "crowd": [False] * 2 * n,
    }  # fmt: skip
    write_table(folder / "data/images.parquet", IMAGES, {name: list(column) for name, column in images.items()})
    write_table(folder / "data/boxes.parquet", BOXES, {name: list(column) for name, column in boxes.items()})
    write_json(folder / "data/categories.json", ["thing"])
    (folder / "params.yaml").write_text(
        f"study: {{name: s}}\ndata: {{source: {photos}, root: {photos}}}\nscore: {{jobs: {jobs}}}\n"
    )
    listed = ", ".join(metrics())
    (folder / "arms.yaml").write_text(
        f"batches:\n  pictures: {{code: metrics/catalogue, needs: data/images.parquet, metrics: [{listed}]}}\n"
    )
    return folder


def run(folder: Path) -> tuple[float, float]:
    """Seconds, and the peak memory of the stage with its workers in MB (sum of their proportional set sizes)."""
    environment = os.environ | {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1"}
    began, peak = time.perf_counter(), 0.0
    stage = subprocess.Popen(
        [sys.executable, "-P", "-m", "metricloop.tasks.score", "pictures"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while stage.poll() is None:
        peak = max(peak, _memory(stage.pid))
        time.sleep(0.1)
    took = time.perf_counter() - began
    if stage.returncode:
        raise RuntimeError(f"metricloop.tasks.score ended with {stage.returncode} in {folder}")
    return took, peak


def _memory(pid: int) -> float:
    """Memory of a process and of all its children in MB."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_memory(int(child)) for child in (task / "children").read_text().split())
    except (OSError, ProcessLookupError):  # it is over
        pass
    return total


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def main(photos: Path) -> None:
    machine = f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"# Scoring\n\n`python -P benchmarks/scoring.py PHOTOS`, {date.today()}, {machine}.")
    print(f"{len(metrics())} image-level pixel metrics; the photos of {photos.name}, repeated.\n")
    with tempfile.TemporaryDirectory() as name:
        print("| images | first run, s | images/s | peak memory, MB | over 1,000 images | second run, s |")
        print("|---|---|---|---|---|---|")
        least = 0.0
        for n in SIZES:
            folder = workspace(Path(name) / str(n), photos, n, 2)
            first, peak = run(folder)
            least = least or peak
            again, _ = run(folder)
            print(
                f"| {n} | {first:.1f} | {n / first:.0f} | {peak:.0f} | {peak / least:.2f} | {again:.2f} |", flush=True
            )
        one, two, apart = (
            workspace(Path(name) / case, photos, n, jobs)
            for case, n, jobs in (("one", SPEED, 1), ("two", SPEED, 2), ("apart", SPEED // 2, 1))
        )
        twin = Path(shutil.copytree(apart, Path(name) / "twin"))
        times: dict[str, list[float]] = {"one": [], "two": [], "apart": []}
        for _ in range(ROUNDS):
            for folder in (one, two, apart, twin):
                shutil.rmtree(folder / ".metricloop/cache", ignore_errors=True)
            times["one"].append(run(one)[0])
            times["two"].append(run(two)[0])
            with ThreadPoolExecutor() as threads:  # the machine's limit: two stages that share nothing
                times["apart"].append(max(took for took, _ in threads.map(run, (apart, twin))))
        single, double, ideal = (statistics.median(times[case]) for case in ("one", "two", "apart"))
        print(
            f"\n{SPEED} images, the stage with its start, medians of {ROUNDS} rounds, in turn: one process "
            f"{single:.2f} s, two {double:.2f} s,\n{single / double:.2f}x. "
            f"Two separate stages at the same time with half of the images each, the limit of this machine: "
            f"{ideal:.2f} s, {single / ideal:.2f}x."
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
