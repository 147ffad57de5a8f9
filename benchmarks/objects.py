"""Metrics of the pixels in and around boxes: how fast they are, and how well they find boxes that do not fit.

python -P benchmarks/objects.py DATA... > benchmarks/results/objects.md

DATA is a folder with a data set in any format that ingest reads; "drawn" stands for 500 drawn scenes of 160 px. One
process, one thread. Speed: each metric alone, on decoded images, with the work that it could share with others.
Quality: AUROC of damaged boxes against unchanged boxes, presets unchanged, five seeds, up to SAMPLE boxes of either
kind per preset and strength. A box without a score gets the metric's median. Labels that are loose from the start
count as right.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import rankdata

from metricloop.data.damage import Corrupt, damage
from metricloop.data.formats import read
from metricloop.data.frame import Frame
from metricloop.data.ingest import IngestedTables, ingest
from metricloop.data.pictures import read_picture
from metricloop.drawing.scenes import draw_scenes
from metricloop.metrics.catalogue import crop, fit
from metricloop.metrics.contract import Metric, call_metric
from metricloop.scoring.metric_file import metrics_in

SAMPLE, SEEDS, TIMED, ROUNDS, SLOW = 300, range(5), 200, 3, "grabcut_tightness"
LOOSE = 1.2  # a box is called loose when its sides are this many times too long
SETTINGS = (("sloppy", 1.0, "scaled"), ("sloppy", 0.5, "scaled"), ("article", 0.5, "moved"))
FIT, LOOK = metrics_in(fit), metrics_in(crop)


def frames(root: Path, tables: IngestedTables, chosen: np.ndarray, boxes: np.ndarray) -> list[tuple[Frame, np.ndarray]]:
    """For each image in `chosen` (image_id of every box): its frame with its boxes, and their rows in `boxes`."""
    found = []
    for image in np.unique(chosen):
        rows = np.flatnonzero(chosen == image)
        picture = read_picture(root / tables.images["file"][int(image) - 1])
        height, width = picture.shape[:2]
        labels = np.zeros(len(rows), np.int64)
        found.append((Frame(int(image), width, height, boxes[rows], labels, image=picture), rows))
    return found


def pool(tables: IngestedTables) -> np.ndarray:
    """The rows of the boxes that may be damaged."""
    split = np.array(tables.images["split"])[tables.boxes["image_id"] - 1]
    return np.flatnonzero((split == "pool") & ~tables.boxes["crowd"])


def sample(tables: IngestedTables, preset: str, strength: float, kind: str) -> tuple[np.ndarray, ...]:
    """Damaged and unchanged boxes: image_id, xyxy, whether damaged, and how many times too long their sides are."""
    rows = pool(tables)
    image_id = tables.boxes["image_id"][rows]
    clean = np.stack([tables.boxes[name][rows] for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float32)
    width, height, group = (np.array(tables.images[name])[image_id - 1] for name in ("width", "height", "group"))
    parts = []
    for seed in SEEDS:
        made = damage(
            Corrupt(preset=preset, strength=strength, seed=seed), image_id=image_id, boxes=clean,
            labels=tables.boxes["label"][rows], groups=group.tolist(), width=width, height=height,
            class_names=tables.class_names,
        )  # fmt: skip
        kinds = dict(zip(made.truth["box_id"], made.truth["mistake"], strict=True))
        kept = np.array([row for row, k in enumerate(made.box_id) if kinds[int(k)] in ("none", kind)], int)
        sides = (made.boxes[:, 2:] - made.boxes[:, :2]).prod(axis=1)[kept]
        true = (clean[:, 2:] - clean[:, :2]).prod(axis=1)[made.origin[kept]]
        hit = np.array([kinds[int(k)] == kind for k in made.box_id[kept]], bool)
        parts.append((made.image_id[kept], made.boxes[kept], hit, np.sqrt(sides / true)))
    images, boxes, hit, factor = (np.concatenate(column) for column in zip(*parts, strict=True))
    rng = np.random.default_rng(0)
    _, once = np.unique(np.column_stack([images, boxes, hit]), axis=0, return_index=True)
    few = [rng.permutation(once[hit[once] == value])[:SAMPLE] for value in (False, True)]
    chosen = np.sort(np.concatenate(few))
    return images[chosen], boxes[chosen], hit[chosen], factor[chosen]


def auroc(scores: np.ndarray, hit: np.ndarray) -> float:
    """Probability that a damaged box scores lower than an unchanged one; nan counts as the median."""
    if not hit.any() or hit.all():
        return float("nan")
    ranks = rankdata(np.nan_to_num(scores, nan=float(np.nanmedian(scores))))
    return float((ranks[~hit].mean() - ((~hit).sum() + 1) / 2) / hit.sum())


def quality(root: Path, tables: IngestedTables, asked: dict[str, Metric]) -> tuple[dict[str, list[float]], list[str]]:
    columns: dict[str, list[float]] = {name: [] for name in asked}
    notes = []
    for preset, strength, kind in SETTINGS:
        images, boxes, hit, factor = sample(tables, preset, strength, kind)
        scores = {name: np.full(len(boxes), np.nan) for name in asked}
        for frame, rows in frames(root, tables, images, boxes):
            for name, function in asked.items():
                scores[name][rows] = call_metric(function, frame)
        loose = ~hit | (factor >= LOOSE)
        for name in asked:
            columns[name].append(auroc(scores[name], hit))
            if (preset, strength) == SETTINGS[0][:2]:
                columns[name].append(auroc(scores[name][loose], hit[loose]))
        middle = f", half of them by {np.median(factor[hit]):.2f} times or more" if kind == "scaled" else ""
        notes.append(f"{preset} {strength:g}: {hit.sum()} {kind}{middle}, {(~hit).sum()} unchanged")
    return columns, notes


def speed(root: Path, tables: IngestedTables, asked: dict[str, Metric]) -> dict[str, float]:
    """Boxes per second, medians over ROUNDS; every frame is created anew, so that it holds no earlier results."""
    rows = pool(tables)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:TIMED])
    boxes = np.stack([tables.boxes[name][rows] for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float32)
    pictures = [frame for frame, _ in frames(root, tables, tables.boxes["image_id"][rows], boxes)]
    rates = {}
    for name, function in asked.items():
        times = []
        for _ in range(1 if name == SLOW else ROUNDS):
            fresh = [Frame(f.image_id, f.width, f.height, f.boxes, f.labels, image=f.image) for f in pictures]
            began = time.perf_counter()
            for frame in fresh:
                call_metric(function, frame)
            times.append(time.perf_counter() - began)
        rates[name] = len(rows) / statistics.median(times)
    return rates


def main(folders: list[str]) -> None:
    cv2.setNumThreads(1)
    names = " ".join(Path(folder).name for folder in folders)
    info = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(": ")[2] for line in info if "model name" in line), "")
    print(f"""# Metrics of the pixels in and around boxes

`python -P benchmarks/objects.py {names}`, {date.today()}, one thread of {os.cpu_count()} cores
({cpu.strip()}), Python {platform.python_version()}, OpenCV {cv2.__version__}.""")
    with tempfile.TemporaryDirectory() as drawn:
        for folder in folders:
            root = Path(drawn) if folder == "drawn" else Path(folder)
            if folder == "drawn":
                draw_scenes(root, 500, 0)
            tables = ingest(read(root), root, corrupt=Corrupt(preset="none"))
            columns, notes = quality(root, tables, FIT)
            rates = speed(root, tables, FIT | LOOK)
            print(f"""
## {Path(folder).name}

AUROC. {"; ".join(notes)}. "Loose": the scaled boxes of sloppy 1 whose sides are {LOOSE} times too long or more.

| metric | sloppy 1 | of these, loose | sloppy 0.5 | article 0.5, moved | boxes/s |
|---|---:|---:|---:|---:|---:|""")
            for name in sorted(rates, key=lambda one: (one in LOOK, one == SLOW)):
                cells = [f"{value:.2f}" for value in columns.get(name, [])] or [""] * 4
                print(f"| {name} | {' | '.join(cells)} | {rates[name]:,.0f} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
