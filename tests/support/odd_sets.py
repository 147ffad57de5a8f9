"""Small data sets with known boxes, drawn here, and what the stage ingest makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from metricloop.data.damage import Corrupt
from metricloop.data.formats import read
from metricloop.data.ingest import IngestedTables, ingest

WIDTH, HEIGHT = 96, 72
CLASSES = ("cat", "dog")
Boxes = dict[str, list[tuple[int, int, int, int]]]


def scene(seed: int, boxes: int = 2) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """A picture (RGB) unlike any other seed's, and boxes (xyxy, whole pixels) of rectangles on it."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    found = []
    for k in range(boxes):
        w, h = (int(v) for v in rng.integers(12, 24, 2))
        x = int(rng.integers(2, WIDTH // 2 - w - 2)) + (k % 2) * WIDTH // 2
        y = int(rng.integers(2, HEIGHT - h - 2))
        image[y : y + h, x : x + w] = rng.integers(0, 255, 3)
        found.append((x, y, x + w, y + h))
    return image, found


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    kind = suffix if suffix in (".png", ".bmp", ".webp", ".tif") else ".jpg"
    path.write_bytes(cv2.imencode(kind, image[..., ::-1])[1].tobytes())


def pictures(root: Path, names: Sequence[str], boxes: int = 2, first: int = 0) -> Boxes:
    """A scene per name below `root`, and its boxes."""
    found = {}
    for seed, name in enumerate(names, start=first):
        image, found[name] = scene(seed, boxes)
        save(root / name, image)
    return found


def names(folder: str = "", count: int = 10, suffix: str = ".jpg", start: int = 0) -> list[str]:
    return [f"{folder}{number:02d}{suffix}" for number in range(start, start + count)]


def coco(boxes: Boxes, name: Callable[[str], str] = str, classes: Sequence[str] = CLASSES) -> dict:
    """COCO's content; box k of a picture is of class k modulo the number of classes; ids from 1."""
    images, annotations = [], []
    for number, (file, own) in enumerate(boxes.items(), start=1):
        images.append({"id": number, "file_name": name(file), "width": WIDTH, "height": HEIGHT})
        for k, (x1, y1, x2, y2) in enumerate(own):
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": 1 + k % len(classes)}
            annotations.append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0})
    categories = [{"id": 1 + k, "name": label} for k, label in enumerate(classes)]
    return {"images": images, "annotations": annotations, "categories": categories}


def dump(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write(path: Path, text: str | bytes, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))


def yolo_line(box: Sequence[float], label: object) -> str:
    x1, y1, x2, y2 = box
    x, y, w, h = (x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT
    return f"{label} {x:.9f} {y:.9f} {w:.9f} {h:.9f}"


def yolo(root: Path, boxes: Boxes, lines: Callable[[Sequence], str] | None = None, yaml: str | None = "") -> None:
    """labels/ beside images/, and data.yaml (yaml: further lines; None: no file)."""
    for name, own in boxes.items():
        text = lines(own) if lines else "".join(yolo_line(box, k % 2) + "\n" for k, box in enumerate(own))
        write((root / name.replace("images/", "labels/", 1)).with_suffix(".txt"), text)
    if yaml is not None:
        write(root / "data.yaml", f"train: images\nnames: [cat, dog]\n{yaml}")


def voc_xml(name: str, own: Sequence[Sequence[float]], classes: Sequence[str] = CLASSES, shift: int = 1) -> str:
    """shift=1: counted from 1, the last pixel included."""
    objects = "".join(
        f"<object><name>{classes[k % len(classes)]}</name><difficult>0</difficult><bndbox><xmin>{x1 + shift}</xmin>"
        f"<ymin>{y1 + shift}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for k, (x1, y1, x2, y2) in enumerate(own)
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"


def voc(root: Path, boxes: Boxes, edit: Callable[[str, str], str] = lambda name, text: text) -> None:
    """Annotations/ beside JPEGImages/; names are of pictures in JPEGImages."""
    for name, own in boxes.items():
        write(root / "Annotations" / f"{Path(name).stem}.xml", edit(name, voc_xml(Path(name).name, own)))


def truth(boxes: Boxes, classes: Sequence[str] = CLASSES, prefix: str = "", crowd: bool = False) -> dict:
    """file -> [(x1, y1, x2, y2, class, crowd)], as `rows` returns them."""
    return {
        prefix + name: [(*map(float, box), classes[k % len(classes)], crowd) for k, box in enumerate(own)]
        for name, own in boxes.items()
    }


@dataclass(frozen=True)
class Expected:
    """What is right. boxes: as `truth`, None: not compared; listed: words that problems.csv holds; error: words of the
    refusal; split: file -> pool, search or test; together: file -> what must lie on one side of a split.
    """

    boxes: dict | None = None
    classes: Sequence[str] | None = None
    listed: Sequence[str] = ()
    error: str = ""
    split: Mapping[str, str] = field(default_factory=dict)
    together: Callable[[str], str] | None = None
    source: str = ""
    options: Mapping = field(default_factory=dict)


def ingested(source: Path, root: Path | None = None, outside: bool = False, **options) -> IngestedTables:
    """What the stage ingest makes of a source, without damage."""
    root = root or (source if source.is_dir() else source.parent)
    return ingest(read(source, root=root, outside=outside), root, corrupt=Corrupt(preset="none"), **options)


def rows(tables: IngestedTables) -> dict[str, list[tuple]]:
    """file -> [(x1, y1, x2, y2, class, crowd)], coordinates to 1/100 px, sorted."""
    found: dict[str, list[tuple]] = {file: [] for file in tables.images["file"]}
    for k, image in enumerate(tables.boxes["image_id"]):
        box = tuple(round(float(tables.boxes[side][k]), 2) for side in ("x1", "y1", "x2", "y2"))
        label = tables.class_names[int(tables.boxes["label"][k])]
        found[tables.images["file"][int(image) - 1]].append((*box, label, bool(tables.boxes["crowd"][k])))
    return {file: sorted(own) for file, own in found.items()}
