"""Selection and comparison where the pool has a million images: time, memory and bytes of each stage.

python -P benchmarks/large_pool.py [IMAGES] [ARMS]

The tables are made up, seven boxes a picture; no picture is read, because neither stage reads any. Arms: the random
baseline, one that draws at random among the better half, one that drops boxes, and the others with a metric each. The
results of every arm are those of one made-up trial of four looks, moved a little.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from metricloop import layout
from metricloop.data.frame import Detections
from metricloop.data.loading import load
from metricloop.data.tables import IMAGES, SCORES, write_boxes, write_json, write_table
from metricloop.evaluation.coco import coco_evaluate, write_matches

IMAGES_USUAL, ARMS_USUAL = 1_000_000, 50
BOXES_EACH, HELD_OUT, SEEDS = 7, 5_000, 6
CLASSES = ["car", "person", "sign"]
HOME = Path(__file__).resolve().parents[1]


def workspace(folder: Path, n: int, arms: int) -> list[str]:
    """Make a workspace: a pool of n images, and HELD_OUT images each in search and test. Returns its arms' names."""
    rng = np.random.default_rng(0)
    total = n + 2 * HELD_OUT
    image_id = np.arange(total)
    split = np.array(["pool"] * n + ["search"] * HELD_OUT + ["test"] * HELD_OUT, object)
    names = [f"shard{k // 10_000:04d}/{k:08d}.jpg" for k in range(total)]
    images = {
        "image_id": image_id, "file": names, "sha256": [f"{k:064x}" for k in range(total)],
        "height": np.full(total, 720), "width": np.full(total, 1280), "group": [str(k) for k in range(total)],
        "split": split,
    }  # fmt: skip
    corner = rng.uniform(0, [1180, 620], (total * BOXES_EACH, 2))
    size = rng.uniform(10, 100, (total * BOXES_EACH, 2))
    boxes = {
        "box_id": np.arange(total * BOXES_EACH), "image_id": np.repeat(image_id, BOXES_EACH), "x1": corner[:, 0],
        "y1": corner[:, 1], "x2": corner[:, 0] + size[:, 0], "y2": corner[:, 1] + size[:, 1],
        "label": rng.integers(0, len(CLASSES), total * BOXES_EACH), "crowd": np.zeros(total * BOXES_EACH, bool),
    }  # fmt: skip
    write_table(folder / layout.IMAGES, IMAGES, images)
    write_boxes(folder / layout.DATA, images, boxes)
    write_json(folder / layout.DATA / "categories.json", CLASSES)
    write_json(folder / layout.SUMMARY, {"damage": None, "splits": {}, "grouping": [], "problem_kinds": []})
    (folder / "params.yaml").write_text("study: {name: s, budget: 0.25}\ndata: {source: none, root: .}\n")
    plan = _plan(folder, n, arms, rng)
    (folder / layout.ARMS).write_text(yaml.safe_dump(plan))
    _results(folder, list(plan["arms"]), rng)
    return list(plan["arms"])


def _plan(folder: Path, n: int, arms: int, rng: np.random.Generator) -> dict:
    """The plan. Writes the scores of its three metrics: two of images, of which one has many ties, and one of boxes."""
    for name, of_box, values in (
        ("quality", False, rng.normal(size=n)),
        ("crowding", False, rng.integers(0, 20, n).astype(float)),
        ("fit", True, rng.normal(size=n * BOXES_EACH)),
    ):
        rows = np.repeat(np.arange(n), BOXES_EACH) if of_box else np.arange(n)
        columns = {
            "image_id": rows, "box_id": np.arange(len(rows)) if of_box else [None] * n, "score": values,
            "error": [None] * len(rows),
        }  # fmt: skip
        write_table(folder / f"scores/made/{name}.parquet", SCORES, columns)
    policies = {"random": {"name": "random"}, "among": {"name": "among", "direction": "higher"},
                "boxes": {"name": "drop_worst", "direction": "higher"}}  # fmt: skip
    metrics = {"random": None, "among": "quality", "boxes": "fit"}
    for k in range(arms - len(policies)):
        policies[f"best{k:02d}"] = {"name": "best", "direction": ("higher", "lower")[k % 2]}
        metrics[f"best{k:02d}"] = ("quality", "fit", "quality", "crowding")[k % 4]
    entries = {}
    for arm, policy in policies.items():
        file = layout.IMAGES if metrics[arm] is None else f"scores/made/{metrics[arm]}.parquet"
        role = "baseline" if arm == "random" else "treatment"
        entries[arm] = {"role": role, "metric": metrics[arm], "a": file, "b": file, "policy": policy}
    blocks = {f"{arm}.0": {"arm": arm, "seeds": f"0-{SEEDS - 1}"} for arm in entries}
    return {"batches": {}, "arms": entries, "blocks": blocks}


def _results(folder: Path, arms: list[str], rng: np.random.Generator) -> None:
    """Results of every arm: detections near the labels of the search split, evaluated once, and moved a little."""
    search = load(folder / layout.DATA, folder, "search")
    found = []
    for row in range(len(search)):
        boxes = search.boxes[search.slice(row)]
        boxes = (boxes + rng.normal(0, 6, boxes.shape)).astype(np.float32)
        found.append(Detections(boxes, rng.random(len(boxes), np.float32), search.labels[search.slice(row)]))
    once = coco_evaluate(search, found)
    recipe = {"hash": "made up", "fields": {"iterations": 1000, "batch_size": 16}}
    for arm in arms:
        shift = rng.normal(0, 0.01, SEEDS)
        numbers = {str(s): once.numbers | {"mAP": once.numbers["mAP"] + shift[s]} for s in range(SEEDS)}
        write_json(folder / layout.numbers_file(f"{arm}.0"), {"arm": arm, "block": f"{arm}.0", "seeds": numbers})
        write_json(folder / layout.recipe_file(f"{arm}.0"), recipe)
        write_matches(folder / layout.matches_file(f"{arm}.0"), dict.fromkeys(range(SEEDS), once.matches))


def run(folder: Path, *words: str) -> tuple[float, float]:
    """Seconds of a stage, and its peak memory in GB."""
    began = time.perf_counter()
    stage = subprocess.Popen(
        [sys.executable, "-P", "-m", *words], cwd=folder, env=os.environ | {"PYTHONPATH": str(HOME)},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(stage.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)} in {folder}")
    return time.perf_counter() - began, used.ru_maxrss / 1e6


def main(n: int, arms: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = workspace(folder, n, arms)
        made = {arm: run(folder, "metricloop.tasks.select", arm) for arm in names}
        for arm in ("random", "among", "boxes", *names[3:7]):
            seconds, memory = made[arm]
            size = (folder / layout.subset_file(arm)).stat().st_size / 1e6
            print(f"select {arm}: {seconds:.1f} s, {memory:.2f} GB, manifest {size:.0f} MB", flush=True)
        print(f"select, all {arms} arms: {sum(s for s, _ in made.values()):.0f} s")
        seconds, memory = run(folder, "metricloop.tasks.compare")
        verdicts = len(json.loads((folder / layout.COMPARISON).read_text())["arms"])
        print(f"compare, {verdicts} arms: {seconds:.1f} s, {memory:.2f} GB")
        most = max(memory, *(m for _, m in made.values()))
        print(f"both: {sum(s for s, _ in made.values()) + seconds:.0f} s, at most {most:.2f} GB")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(IMAGES_USUAL, ARMS_USUAL)[len(given) :])
