"""A small finished study made up on disk: pictures, labels, scores, subsets, results. Nothing in it was trained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from metricloop.data.tables import BOXES, IMAGES, SCORES, SUBSET, TRUTH, write_boxes, write_json, write_table

CLASSES = ["panda", "football"]
HISTORY = {"seed": pa.int32(), "iteration": pa.int32(), "loss": pa.float32()}
RATES = {"seed": pa.int32(), "iteration": pa.int32(), "images_per_s": pa.float32()}
RECIPE = "3f9a2c51d07e"


def arm(
    name: str, role: str, mean: float, gain: float | None, verdict: str | None, *, half: float = 0.03,
    policy: str = "best", metric: str | None = None, seeds: int = 3, images: int = 8, boxes: int = 16,
    needed: list[int | None] | None = None, group: str | None = None, **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    """One entry of comparison.json; the interval is gain ± half. changes: any other keys."""

    def summary(level: float) -> dict[str, Any]:
        return {
            "mean": level,
            "sd": 0.011,
            "per_seed": [round(level + 0.01 * (s - (seeds - 1) / 2), 4) for s in range(seeds)],
        }

    def change(value: float, base: float) -> dict[str, Any]:
        p = {"better": 0.004, "worse": 0.02}.get(verdict or "", 0.31)
        return {
            "abs": value,
            "rel": value / base,
            "ci95": [value - half, value + half],
            "p": p / 4,
            "p_holm": p,
        }

    return {
        "name": name, "role": role, "group": group, "metric": metric, "direction": "higher" if metric else None,
        "policy": {"name": policy, **({"direction": "higher"} if metric else {})},
        "images": images, "boxes": boxes, "boxes_ratio": boxes / 16, "seeds": list(range(seeds)),
        "seeds_beyond": [], "baseline_seeds": None if gain is None else 3, "collapsed": [],
        "mAP": summary(mean), "mAR": summary(mean + 0.2), "mAP50": summary(mean + 0.25),
        "gain": None if gain is None
        else {"mAP": change(gain, mean - gain), "mAR": change(gain / 2, mean + 0.2 - gain)},
        "t": gain and gain / half * 2, "decided_at": 1 if verdict in ("better", "worse") else None, "goes_on": False,
        "shrunken_gain": gain and round(0.8 * gain, 6), "matches": None, "lead_over_it": None,
        "oracle_gap_closed": gain / 0.1 if gain and role == "treatment" else None,
        "verdict": verdict, "seeds_needed": needed, "unsafe_in_process": False,
    } | changes  # fmt: skip


def arms() -> list[dict[str, Any]]:
    """Five arms: one better, one undecided, the baseline, a winning oracle and a losing control."""
    return [
        arm("random", "baseline", 0.231, None, None, policy="random"),
        arm("object_count", "treatment", 0.301, 0.07, "better", metric="object_count"),
        arm("tightness", "treatment", 0.242, 0.011, "undecided", metric="tightness", needed=[14, 20]),
        arm("oracle", "control", 0.331, 0.1, "better", policy="oracle"),
        arm("inverse", "control", 0.171, -0.06, "worse", policy="inverse"),
    ]


def headline(name: str, names: list[str], gain: float, half: float = 0.03, p: float = 0.31) -> dict[str, Any]:
    """One entry of `headlines` in comparison.json; the gain in mAR is half that in mAP."""

    def change(value: float) -> dict[str, Any]:
        return {"abs": value, "rel": value / 0.2, "ci95": [value - half, value + half], "p": p / 2, "p_looks": p}

    told = "undecided" if p >= 0.05 else "better" if gain > half else "worse" if gain < -half else "undecided"
    gains = {"mAP": change(gain), "mAR": change(gain / 2)}
    return {"name": name, "arms": names, "gain": gains, "verdict": told, "stopped": []}


def comparison(entries: list[dict[str, Any]] | None = None, study: str = "drawn", **changes: Any) -> dict[str, Any]:
    """comparison.json after the first of two looks, with 3 seeds of every arm and of the baseline."""
    entries = arms() if entries is None else entries
    gains = {entry["name"]: entry["gain"]["mAP"]["abs"] for entry in entries if entry["role"] == "treatment"}
    controls, screened = sum(entry["role"] == "control" for entry in entries), changes.get("screened", [])
    return {
        "study": study,
        "budget": 0.25,
        "recipe": RECIPE,
        "split": "search",
        "search_images": 400,
        "looks": [
            {"arms": 3, "baseline": 3, "alpha": 0.02, "planned": True},
            {"arms": 6, "baseline": 6, "alpha": 0.03, "planned": True},
        ],
        "looks_taken": 1,
        "alpha": 0.05,
        "smallest_gain": 0.02,
        "family": {"treatment": len(gains) + len(screened), "control": controls},
        "screened": [],
        "noise": {"arm": 0.014, "baseline": 0.02, "image": 0.2},
        "headlines": [headline("all", list(gains), float(np.mean(list(gains.values()))), p=0.012)] if gains else [],
        "arms": entries,
    } | changes


def make_study(folder: Path, images: int = 48, size: int = 64, entries: list[dict[str, Any]] | None = None) -> Path:
    """Write the whole workspace to `folder`, two thirds of the images in the pool; returns `folder`."""
    rng = np.random.default_rng(7)
    table: dict[str, list] = {name: [] for name in IMAGES.names}
    boxes: dict[str, list] = {name: [] for name in BOXES.names}
    for i in range(images):
        rows = draw_picture(folder / f"pictures/{i:03d}.png", size, int(rng.integers(0, 4)), rng)
        split = ("pool", "pool", "pool", "pool", "search", "test")[i % 6]
        digest = hashlib.sha256((folder / f"pictures/{i:03d}.png").read_bytes()).hexdigest()
        record = (i, f"{i:03d}.png", digest, size, size, f"{i // 3}", split)
        for name, value in zip(IMAGES.names, record, strict=True):
            table[name].append(value)
        for x1, y1, x2, y2, label in rows:
            for name, value in zip(
                BOXES.names, (len(boxes["box_id"]) + 1, i, x1, y1, x2, y2, label, False), strict=True
            ):
                boxes[name].append(value)
    (folder / "pictures/annotations.json").write_text("{}")  # the source; the tables stand for what was read from it
    write_table(folder / "data/images.parquet", IMAGES, table)
    write_boxes(folder / "data", table, boxes)
    write_json(folder / "data/categories.json", CLASSES)
    write_truth(folder, boxes)
    rates = {"missing": 0.124, "moved": 0.201}
    damage = {"preset": "article", "strength": 0.5, "rates": rates, "hit": 0.325, "images_hit": 0.4, "notes": []}
    write_json(folder / "data/summary.json", {"damage": damage})
    (folder / "data/problems.csv").write_text(
        "file,problem,action\n003.jpg,truncated,left out\n009.jpg,box outside the image,clipped\n"
    )
    write_arms(folder, table, boxes, arms() if entries is None else entries, rng)
    write_json(folder / "comparison.json", comparison(entries))
    params = {
        "study": {"name": "drawn", "budget": 0.25},
        "data": {"source": "pictures/annotations.json", "root": "pictures"},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def draw_picture(path: Path, size: int, objects: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Discs (pandas) and squares (footballs) on noise; returns their boxes and labels, (x1, y1, x2, y2, label)."""
    canvas = rng.integers(60, 110, (size, size, 3)).astype(np.uint8)
    rows = []
    for _ in range(objects):
        radius = int(rng.integers(size // 12, size // 4))
        x, y = (int(v) for v in rng.integers(radius, size - radius, 2))
        label = int(rng.random() < 0.3)
        colour = (235, 235, 235) if label == 0 else (40, 160, 240)
        if label == 0:
            cv2.circle(canvas, (x, y), radius, colour, -1)
        else:
            cv2.rectangle(canvas, (x - radius, y - radius), (x + radius, y + radius), colour, -1)
        rows.append((x - radius, y - radius, x + radius, y + radius, label))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), canvas)
    return rows


def write_truth(folder: Path, boxes: dict[str, list]) -> None:
    """Every third box counts as moved; the truth lists all boxes of the pool."""
    truth = {name: list(boxes[name]) for name in ("image_id", "box_id", "x1", "y1", "x2", "y2", "label")}
    truth["mistake"] = ["moved" if box_id % 3 == 0 else "none" for box_id in boxes["box_id"]]
    write_table(folder / "data/truth.parquet", TRUTH, truth)


def write_arms(folder: Path, images: dict[str, list], boxes: dict[str, list], entries: list[dict], rng: Any) -> None:
    """Scores for metrics, and subsets, results and models for every arm; arms.yaml and dvc.lock to go with them."""
    pool = [i for i, split in zip(images["image_id"], images["split"], strict=True) if split == "pool"]
    of_image = {i: [b for b, owner in enumerate(boxes["image_id"]) if owner == i] for i in pool}
    plan: dict[str, dict] = {"batches": {}, "arms": {}, "blocks": {}}
    lock: dict[str, Any] = {"schema": "2.0", "stages": {}}
    for entry in entries:
        name, metric = entry["name"], entry["metric"]
        source, order = "data/images.parquet", list(rng.permutation(pool))
        if metric:
            source = f"scores/labels/{metric}.parquet"
            order = write_scores(folder / source, metric, pool, of_image, boxes)
        write_subset(
            folder / f"subsets/{name}.parquet", order[: len(pool) // 4], of_image, boxes, draws=1 if metric else 3
        )
        plan["arms"][name] = {
            "role": entry["role"],
            "metric": metric,
            "a": source,
            "b": source,
            "policy": entry["policy"],
        }
        block = f"{name}.0"
        plan["blocks"][block] = {"arm": name, "seeds": f"0-{len(entry['seeds']) - 1}"}
        lock["stages"][f"select@{name}"] = {"outs": [{"path": f"subsets/{name}.parquet", "md5": md5_of(name)}]}
        per_seed = {
            str(seed): {name: entry[name]["per_seed"][k] for name in ("mAP", "mAP50", "mAR")}
            for k, seed in enumerate(entry["seeds"])
        }
        write_json(folder / f"results/{block}/metrics.json", {"arm": name, "block": block, "seeds": per_seed})
        write_curves(folder, block, entry["seeds"])
        fields = {"detector": "fcos_shufflenet", "image_size": 64, "iterations": 30, "batch_size": 8}
        write_json(folder / f"results/{block}/recipe.json", {"hash": RECIPE, "fields": fields})
    (folder / "arms.yaml").write_text(yaml.safe_dump(plan))
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


def md5_of(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()


def write_scores(path: Path, metric: str, pool: list[int], of_image: dict, boxes: dict) -> list[int]:
    """tightness scores every box, others score images by their number of boxes; returns the images, best first."""
    if metric == "tightness":
        rows = [
            (i, boxes["box_id"][b], float(boxes["x2"][b] - boxes["x1"][b]), None) for i in pool for b in of_image[i]
        ]
    else:
        rows = [(i, None, float(len(of_image[i])), None) for i in pool[:-1]]
        rows.append((pool[-1], None, float("nan"), "ValueError: nothing to count"))
    write_table(path, SCORES, dict(zip(SCORES.names, map(list, zip(*rows, strict=True)), strict=True)))
    best = {i: max((row[2] for row in rows if row[0] == i), default=0.0) for i in pool}
    return sorted(pool, key=lambda i: (-best[i] if best[i] == best[i] else np.inf, i))


def write_subset(path: Path, images: list[int], of_image: dict, boxes: dict, draws: int) -> None:
    """The first box of every third image is left out."""
    columns: dict[str, list] = {name: [] for name in SUBSET.names}
    for draw in range(draws):
        for n, i in enumerate(images):
            rows = of_image[i][1:] if n % 3 == 0 else of_image[i]
            for b in rows or [None]:
                place = (
                    [None] * 6 if b is None else [boxes[key][b] for key in ("box_id", "x1", "y1", "x2", "y2", "label")]
                )
                for name, value in zip(SUBSET.names, [draw, i, *place, "none" if b is None else "keep"], strict=True):
                    columns[name].append(value)
    write_table(path, SUBSET, columns)


def write_curves(folder: Path, block: str, seeds: list[int], iterations: int = 30) -> None:
    """A loss curve that falls, and a constant rate, one per seed."""
    losses = [(s, i, 2.0 * 0.95**i + 0.1 * s) for s in seeds for i in range(iterations)]
    rates = [(s, i, 40.0 + s) for s in seeds for i in range(iterations)]
    history, rate = folder / f"models/{block}/history.parquet", folder / f".metricloop/rates/{block}.parquet"
    for path, rows, fields in ((history, losses, HISTORY), (rate, rates, RATES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = dict(zip(fields, map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns, pa.schema(fields)), path)


def write_detections(folder: Path, arms: dict[str, float]) -> None:
    """Detections and matches of each arm's first block: the labels of the search split, moved by so many pixels.

    One false alarm is added in every image. The numbers of the block become those of these detections.
    """
    from metricloop.data.frame import Detections
    from metricloop.data.loading import load
    from metricloop.evaluation.coco import coco_evaluate, write_matches
    from metricloop.training.detect import prediction_columns
    from metricloop.training.evaluate_models import SEED_PREDICTIONS

    search = load(folder / "data", folder / "pictures", "search")
    for arm, shift in arms.items():
        found = []
        for row in range(len(search)):
            boxes, labels = search.boxes[search.slice(row)] + np.float32(shift), search.labels[search.slice(row)]
            boxes = np.concatenate([boxes, [[0, 0, 5, 5]]]).astype(np.float32)
            scores = np.linspace(0.9, 0.6, len(boxes)).astype(np.float32)
            found.append(Detections(boxes, scores, np.append(labels, 0)))
        evaluation, block = coco_evaluate(search, found), folder / f"results/{arm}.0"
        columns = prediction_columns(search, found)
        columns = {"seed": np.zeros(len(columns["score"]), int)} | columns
        write_table(block / "predictions.parquet", SEED_PREDICTIONS, columns)
        write_matches(block / "matches.parquet", {0: evaluation.matches})
        write_json(block / "metrics.json", {"arm": arm, "block": f"{arm}.0", "seeds": {"0": evaluation.numbers}})
