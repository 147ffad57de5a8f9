"""The labels of benchmarks/raccoon.sh: fifty are damaged, and a script repairs pictures of the queue as a person would.

usage: raccoon_labels.py damage CLEAN_FOLDER NEW_FOLDER LIST.json | plan WORKSPACE |
       repair CLEAN_FOLDER LIST.json QUEUE.json REPAIRED.json | compare-two WORKSPACE
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, urlsplit

import yaml

from metricloop import layout
from metricloop.study.edit_params import change_params

COUNT, SEED = 50, 3
LABELS = "annotations.json"
SETTINGS = (
    *("predict.folds=2", "predict.iterations=600", "confirm.when=never"),
    *("looks.arms=[10]", "looks.baseline=[10]", "looks.alpha=[0.05]"),
)
KEPT = ("random", "before_repair")  # the repaired labels, and the same images with the labels before


def damage(clean: Path, new: Path, listed: Path) -> None:
    """Copy the data set and damage fifty labels of the pool: remove 10, move 20 a little, put 20 in a wrong place.

    LIST.json: the file names of their pictures and the kinds.
    """
    shutil.copytree(clean, new)
    content = json.loads((clean / LABELS).read_text())
    images = {image["id"]: image for image in content["images"]}
    chance = random.Random(SEED)
    pool = [own for own in content["annotations"] if images[own["image_id"]]["split"] == "train"]
    kinds: dict[str, list[str]] = {}
    for number, label in enumerate(chance.sample(pool, COUNT)):
        image = images[label["image_id"]]
        kind = ("missing", "moved", "moved", "misplaced", "misplaced")[number % 5]
        kinds.setdefault(image["file_name"], []).append(kind)
        if kind == "missing":
            content["annotations"].remove(label)
        else:
            label["bbox"] = _changed(kind, label["bbox"], image["width"], image["height"], chance)
    (new / LABELS).write_text(json.dumps(content))
    listed.write_text(json.dumps(kinds))
    print(f"{COUNT} of {len(pool)} labels of the pool damaged, on {len(kinds)} pictures")


def _changed(kind: str, box: list[float], width: int, height: int, chance: random.Random) -> list[float]:
    """A box (xywh) that is moved by a third of its size and made smaller, or that lies anywhere, at half the size."""
    x, y, w, h = box
    if kind == "moved":
        x, y = (
            max(0, min(whole - side, place + 0.35 * side * chance.choice((-1, 1))))
            for place, side, whole in ((x, w, width), (y, h, height))
        )
        return [x, y, 0.7 * w, 0.7 * h]
    return [chance.uniform(0, width - w / 2), chance.uniform(0, height - h / 2), w / 2, h / 2]


def plan(workspace: Path) -> None:
    """Models of the audit that see enough, and one look at ten seeds of each arm."""
    change_params(workspace / layout.PARAMS, list(SETTINGS))


def repair(clean: Path, listed: Path, queue: Path, repaired: Path) -> None:
    """Give every picture of the queue its true boxes, as a person would, and say what the queue held."""
    content = json.loads((clean / LABELS).read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    images = {PurePosixPath(image["file_name"]).name: image for image in content["images"]}
    damaged = {PurePosixPath(name).name: kinds for name, kinds in json.loads(listed.read_text()).items()}
    tasks = json.loads(queue.read_text())
    found = []
    for task in tasks:
        name = PurePosixPath(parse_qs(urlsplit(task["data"]["image"]).query)["d"][0]).name
        image = images[name]
        true = [own for own in content["annotations"] if own["image_id"] == image["id"]]
        regions = [_region(k, own["bbox"], names[own["category_id"]], image) for k, own in enumerate(true)]
        task["annotations"] = [{"result": regions}]
        task.pop("predictions", None)
        found.append(damaged.get(name, []))
    repaired.write_text(json.dumps(tasks))
    for most in sorted({20, 40, 60, 80, len(tasks)}):
        if most <= len(tasks):
            print(f"the first {most} pictures of the queue hold {_told(found[:most])}")
    print(f"in all there are {_told(damaged.values())}")


def _region(number: int, box: list[float], name: str, image: dict) -> dict:
    x, y, w, h = box
    width, height = image["width"], image["height"]
    value = {"x": 100 * x / width, "y": 100 * y / height, "width": 100 * w / width, "height": 100 * h / height}
    return {
        "id": f"true{number}", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
        "original_width": width, "original_height": height,
        "value": value | {"rotation": 0, "rectanglelabels": [name]},
    }  # fmt: skip


def _told(kinds: Iterable[list[str]]) -> str:
    kinds = list(kinds)
    flat = [kind for own in kinds for kind in own]
    parts = ", ".join(f"{flat.count(kind)} {kind}" for kind in ("missing", "moved", "misplaced"))
    return f"{len(flat)} damaged labels ({parts}) on {sum(map(bool, kinds))} pictures"


def compare_two(workspace: Path) -> None:
    """Keep only two arms in arms.yaml, with ten seeds each: the study measures the repair and nothing else."""
    path = workspace / layout.ARMS
    arms = yaml.safe_load(path.read_text())
    arms["arms"] = {name: arms["arms"][name] for name in KEPT}
    arms["blocks"] = {f"{name}.{k}": {"arm": name, "seeds": f"{5 * k}-{5 * k + 4}"} for name in KEPT for k in (0, 1)}
    arms["batches"] = {}
    path.write_text(yaml.safe_dump(arms, sort_keys=False))


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {
        "damage": damage, "plan": plan, "repair": repair, "compare-two": compare_two
    }  # fmt: skip
    commands[command](*map(Path, paths))
