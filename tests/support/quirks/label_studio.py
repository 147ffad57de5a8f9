"""Oddities of Label Studio's JSON alone: uploads, several annotations, regions of all kinds."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from odd_sets import CLASSES, HEIGHT, WIDTH, Expected, dump, names, pictures, truth
from tool_sets import studio, studio_region, studio_task

from quirks import quirk

PICTURES, BOXES, SPLITS, ANNOTATIONS = "Finding the picture", "Boxes", "Splits", "Annotations of a task"


def _regions(own) -> list[dict]:
    return [studio_region(box, CLASSES[k % 2], k) for k, box in enumerate(own)]


@quirk(PICTURES, "uploads: letters in front of the name (0a1b2c3d-00.jpg)", "label-studio", "listed")
def uploads(root: Path) -> Expected:
    boxes = pictures(root / "pics", names())
    dump(root / "export.json", studio(boxes, "/data/upload/4/0a1b2c3d-{}".format))
    return Expected(
        truth(boxes, prefix="pics/"), listed=["picture found without what an export or upload put in front"]
    )


@quirk(PICTURES, "files that the tool serves (/data/local-files/?d=)", "label-studio", "read")
def served(root: Path) -> Expected:
    boxes = pictures(root / "a b", names())
    dump(root / "export.json", studio(boxes, lambda name: "/data/local-files/?d=" + quote(f"a b/{name}")))
    return Expected(truth(boxes, prefix="a b/"))


@quirk(BOXES, "a polygon or mask instead of a bbox", "label-studio", "read")
def shapes(root: Path) -> Expected:
    boxes = pictures(root, names())

    def region(box, label: str, k: int) -> dict:
        x1, y1, x2, y2 = (100 * side / (HEIGHT if place % 2 else WIDTH) for place, side in enumerate(box))
        polygon = {"points": [[x1, y1], [x2, (y1 + y2) / 2], [(x1 + x2) / 2, y2]], "polygonlabels": [label]}
        ellipse = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "radiusX": (x2 - x1) / 2, "radiusY": (y2 - y1) / 2}
        value = polygon if k % 2 else ellipse | {"rotation": 0, "ellipselabels": [label]}
        return studio_region(box, label, k) | {"type": "polygonlabels" if k % 2 else "ellipselabels", "value": value}

    dump(root / "export.json", studio(boxes, region=region))
    return Expected(truth(boxes))


@quirk(BOXES, "turned boxes", "label-studio", "listed")
def turned(root: Path) -> Expected:
    """A quarter turn about the upper left corner, or about the middle for an ellipse."""
    boxes = pictures(root, names(), boxes=1)
    tasks, want = [], {}
    for k, (name, ((x1, y1, x2, y2),)) in enumerate(boxes.items()):
        w, h = x2 - x1, y2 - y1
        region = studio_region((x1, y1, x2, y2), "cat")
        region["value"]["rotation"] = 90
        corners = (max(x1 - h, 0), y1, x1, min(y1 + w, HEIGHT))
        if k % 2:
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            place = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT}
            radii = {"radiusX": 50 * w / WIDTH, "radiusY": 50 * h / HEIGHT}
            region |= {"type": "ellipselabels", "value": place | radii | {"rotation": 90, "ellipselabels": ["cat"]}}
            corners = (max(x - h / 2, 0), max(y - w / 2, 0), min(x + h / 2, WIDTH), min(y + w / 2, HEIGHT))
        tasks.append(studio_task(name, [region]))
        want[name] = [(*map(float, corners), "cat", False)]
    dump(root / "export.json", tasks)
    return Expected(want, listed=["turned box"])


@quirk(BOXES, "masks of a brush, key points, a region without a class", "label-studio", "left out")
def no_regions(root: Path) -> Expected:
    boxes = pictures(root, names())
    tasks = studio(boxes)
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    brush = {"type": "brushlabels", "value": {"format": "rle", "rle": [1, 2], "brushlabels": ["cat"]}}
    point = {"type": "keypointlabels", "value": {"x": 10, "y": 20, "width": 0.5, "keypointlabels": ["cat"]}}
    bare = {"type": "rectangle", "value": {"x": 1, "y": 1, "width": 5, "height": 5}}
    tasks[0]["annotations"][0]["result"] += [own | size | {"id": f"x{k}"} for k, own in enumerate((brush, point, bare))]
    dump(root / "export.json", tasks)
    return Expected(
        truth(boxes), listed=["dropped, brushlabels", "dropped, keypointlabels", "dropped, region without a class"]
    )


@quirk(SPLITS, "a key of every picture names its split", "label-studio", "read")
def split_key(root: Path) -> Expected:
    boxes = pictures(root, names(count=12))
    parts = {name: ("train", "val", "test")[max(0, int(name[:2]) - 7) // 2] for name in boxes}
    dump(root / "export.json", [studio_task(n, _regions(own), split=parts[n]) for n, own in boxes.items()])
    split = {"train": "pool", "val": "search", "test": "test"}
    return Expected(truth(boxes), split={name: split[part] for name, part in parts.items()})


@quirk(ANNOTATIONS, "several of one task, skipped ones: the newest counts", "label-studio", "listed")
def several(root: Path) -> Expected:
    boxes = pictures(root, names())
    tasks = studio(boxes)
    for task in tasks:
        [new] = task["annotations"]
        old = {"result": [studio_region((1, 1, 9, 9), "cow")], "updated_at": "2026-01-01T00:00:00Z"}
        skipped = {"result": [studio_region((1, 1, 9, 9), "pig")], "updated_at": "2026-03-01", "was_cancelled": True}
        task["annotations"] = [old, new | {"updated_at": "2026-02-01T00:00:00Z"}, skipped]
    dump(root / "export.json", tasks)
    return Expected(truth(boxes), classes=["cat", "dog"], listed=["several annotations of a task"])


@quirk(ANNOTATIONS, "none: a model's predictions, or all skipped", "label-studio", "left out")
def predictions(root: Path) -> Expected:
    boxes = pictures(root, names())
    tasks = studio(boxes)
    tasks[0] |= {"annotations": [], "predictions": tasks[0]["annotations"]}
    tasks[1]["annotations"][0]["was_cancelled"] = True
    dump(root / "export.json", tasks)
    del boxes["00.jpg"], boxes["01.jpg"]
    return Expected(truth(boxes), listed=["task without an annotation"])


@quirk(ANNOTATIONS, "JSON-MIN, and no size of the picture", "label-studio", "read")
def json_min(root: Path) -> Expected:
    boxes = pictures(root, names())
    values = {name: [region["value"] for region in _regions(own)] for name, own in boxes.items()}
    dump(
        root / "export.json",
        [{"image": name, "id": k, "label": own, "annotation_id": k} for k, (name, own) in enumerate(values.items())],
    )
    return Expected(truth(boxes))


@quirk(ANNOTATIONS, "two classes for one box", "label-studio", "listed")
def two_classes(root: Path) -> Expected:
    boxes = pictures(root, names())
    tasks = studio(boxes)
    tasks[0]["annotations"][0]["result"][0]["value"]["rectanglelabels"] = ["cat", "dog"]
    dump(root / "export.json", tasks)
    return Expected(truth(boxes), listed=["several classes for one box"])
