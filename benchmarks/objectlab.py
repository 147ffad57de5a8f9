"""ObjectLab's scores, cleanlab's and ours: the same numbers, and the time they take.

python -P benchmarks/objectlab.py PYTHON [IMAGES] > benchmarks/results/objectlab.md

PYTHON is the interpreter of an environment with cleanlab. The images are synthetic: about as many objects as in COCO,
and detections near them and elsewhere. Both score the same images in turn, several times; the result is a ratio of
medians. For this comparison our code uses cleanlab's constants, and its distances in pixels.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue import objectlab
from metricloop.metrics.catalogue._overlap import overlap

ROUNDS, CLASSES, FOUND = 5, 5, 100
LOW, HIGH, PER_PIXEL = 0.5, 0.95, 0.1  # cleanlab's thresholds, and how fast its similarity falls with distance
PEER = Path(__file__).with_name("peers") / "cleanlab_objectlab.py"


def drawn(images: int, seed: int = 0) -> list[Frame]:
    """Images of 640 x 480 with about seven labels and FOUND detections each, a few confident ones."""
    rng = np.random.default_rng(seed)
    return [_drawn(rng, number) for number in range(images)]


def _drawn(rng: np.random.Generator, number: int) -> Frame:
    def boxes(count: int) -> np.ndarray:
        corner, size = rng.uniform(0, (560, 400), (count, 2)), rng.uniform(12, (300, 240), (count, 2))
        return np.concatenate([corner, np.minimum(corner + size, (640, 480))], axis=1)

    n = int(rng.poisson(7))
    own, labels = boxes(n), rng.integers(0, CLASSES, n)
    near = rng.integers(0, n, FOUND // 2) if n else np.zeros(0, int)
    around = own[near] + rng.normal(0, 6, (len(near), 4))
    around[:, 2:] = np.maximum(around[:, 2:], around[:, :2] + 4)
    guess = rng.uniform(size=len(near)) < 0.85
    named = np.where(guess, labels[near], rng.integers(0, CLASSES, len(near))) if n else near
    found = np.concatenate([around, boxes(FOUND - len(near))]).clip(0, 640)
    scores = np.where(rng.uniform(size=FOUND) < 0.1, rng.uniform(0.9, 1, FOUND), rng.beta(0.6, 4, FOUND))
    names = np.concatenate([named, rng.integers(0, CLASSES, FOUND - len(near))])
    order = np.argsort(-scores)
    predictions = Detections(found[order].astype(np.float32), scores[order].astype(np.float32), names[order])
    return Frame(number, 640, 480, own.astype(np.float32), labels, predictions=predictions)


def write(path: Path, frames: list[Frame]) -> None:
    """Write the file that the process with cleanlab reads."""
    found = [frame.predictions for frame in frames]
    np.savez(
        path,
        classes=CLASSES,
        boxes_per_image=[len(frame.boxes) for frame in frames],
        found_per_image=[len(one.scores) for one in found],
        boxes=np.concatenate([frame.boxes for frame in frames]).astype(np.float64),
        labels=np.concatenate([frame.labels for frame in frames]),
        found=np.concatenate([np.column_stack([one.boxes, one.scores]) for one in found]).astype(np.float64),
        found_labels=np.concatenate([one.labels for one in found]),
    )


def as_cleanlab(frames: list[Frame]) -> dict[str, np.ndarray]:
    """Our scores of all images with cleanlab's constants; nothing from an earlier call is reused."""
    for frame in frames:
        for key in [key for key in vars(frame) if key.startswith("_")]:
            del frame.__dict__[key]
    alike = [objectlab.similarity(overlap(frame), frame, objectlab.ALPHA, PER_PIXEL, 1) for frame in frames]
    floor = min(float(matrix.min(initial=1.0)) for matrix in alike)
    boxes = [
        objectlab.box_scores(frame, matrix, LOW, HIGH, 1.0, floor) for frame, matrix in zip(frames, alike, strict=True)
    ]
    quality = np.array([objectlab.quality(one, objectlab.TEMPERATURE) for one in boxes])
    return {
        "overlooked": np.concatenate([one.overlooked for one in boxes]),
        "located": np.concatenate([one.located for one in boxes]),
        "swapped": np.concatenate([one.swapped for one in boxes]),
        "quality": quality,
    }


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The greatest absolute difference; infinite where only one of the two is nan."""
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    return float(np.nanmax(np.abs(ours - theirs), initial=0.0))


def main(python: str, images: int = 400) -> None:
    frames = drawn(images)
    seconds: dict[str, list[float]] = {"all": [], "quality": [], "ours": []}
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.npz", Path(scratch) / "out.npz"
        write(source, frames)
        command = [python, str(PEER), str(source), str(target)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        ) as peer:
            assert peer.stdin
            assert peer.stdout
            version = peer.stdout.readline().strip()
            as_cleanlab(frames)  # warm
            for _ in range(ROUNDS):
                for what in ("all", "quality"):
                    print(what, file=peer.stdin, flush=True)
                    seconds[what].append(float(peer.stdout.readline()))
                seconds["ours"].append(timed(lambda: as_cleanlab(frames)))
            peer.stdin.close()
        theirs = np.load(target)
        ours = as_cleanlab(frames)
        apart = {name: difference(values, theirs[name]) for name, values in ours.items()}
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {what: [a / b for a, b in zip(seconds[what], seconds["ours"], strict=True)] for what in ("all", "quality")}
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    labels = sum(len(frame.boxes) for frame in frames)
    rows = "\n".join(f"| {name} | {len(ours[name]):,} | {value:.1e} |" for name, value in apart.items())
    print(f"""# ObjectLab's scores: cleanlab and metricloop

`python -P benchmarks/objectlab.py PYTHON {images}`, {date.today()}, {os.cpu_count()} cores ({cpu.strip()}),
Python {platform.python_version()}, NumPy {np.__version__}, cleanlab {version}.
{images} drawn images of 640 x 480, {labels:,} labels, {images * FOUND:,} detections of {CLASSES} classes; cleanlab's
constants in both. Medians of {ROUNDS} rounds, in turn. Ours computes all four scores in one pass.

| | cleanlab, s | metricloop, s | ratio | lowest, highest | aim |
|---|---:|---:|---:|---:|---:|
| overlooked, badly located, swapped, label quality | {middle["all"]:.2f} | {middle["ours"]:.3f} | \
{middle["all"] / middle["ours"]:.0f} | {min(ratios["all"]):.0f}, {max(ratios["all"]):.0f} | 20 |
| label quality alone (ours: all four) | {middle["quality"]:.2f} | {middle["ours"]:.3f} | \
{middle["quality"] / middle["ours"]:.0f} | {min(ratios["quality"]):.0f}, {max(ratios["quality"]):.0f} | 20 |

| score | numbers | greatest difference (aim: 1e-6) |
|---|---:|---:|
{rows}""")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
