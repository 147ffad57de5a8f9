"""Small data sets on disk, most in COCO: pictures of noise, none like another, with one box each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (40, 30)


def noise(path: Path, seed: int) -> None:
    """Write a picture of noise, another one for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(path, quality=95)


def coco(names: Sequence[str], width: int = 10, category: str = "lion") -> dict[str, Any]:
    """One box of `width` x 12 px in every picture."""
    return {
        "images": [
            {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for number, name in enumerate(names, 1)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": [5, 6, width, 12]}
            for number in range(1, len(names) + 1)
        ],
        "categories": [{"id": 1, "name": category}],
    }


def make_set(folder: Path, count: int = 8, pictures: Path | None = None) -> Path:
    """FOLDER/labels.json and `count` pictures 0.jpg, 1.jpg, ... in `pictures`, by default FOLDER/images."""
    names = [f"{number}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        noise((pictures or folder / "images") / name, number)
    write(folder / "labels.json", coco(names))
    return folder


def write(path: Path, content: Any) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def label_files(folder: Path, form: str, count: int) -> Path:
    """FOLDER/images/00.jpg, 01.jpg, ... with a label file each. form: "yolo" or "voc"."""
    labels = folder / ("labels" if form == "yolo" else "annotations")
    labels.mkdir(parents=True)
    for number in range(count):
        noise(folder / f"images/{number:02}.jpg", number)
        if form == "yolo":
            (labels / f"{number:02}.txt").write_text("0 0.5 0.5 0.3 0.4\n")
        else:
            (labels / f"{number:02}.xml").write_text(
                f"<annotation><filename>{number:02}.jpg</filename><size><width>40</width><height>30</height></size>"
                "<object><name>lion</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
                "</object></annotation>"
            )
    if form == "yolo":
        (folder / "data.yaml").write_text("names: [lion]\ntrain: images\n")
    return folder
