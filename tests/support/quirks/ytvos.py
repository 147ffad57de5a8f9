"""Oddities of YouTube-VOS data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from odd_sets import HEIGHT, WIDTH, Expected, dump, save, scene
from PIL import Image

from quirks import quirk

MASKS, LAYOUT = "Masks", "Layouts"


def _set(root: Path, edit=lambda mask: mask, kind: str = "P", videos: int = 6):
    want, meta = {}, {}
    for video in range(videos):
        meta[f"{video:04x}"] = {"objects": {"1": {"category": "cat "}, "2": {"category": "dog"}}}
        for frame in range(2):
            image, boxes = scene(10 * video + frame)
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            for k, (x1, y1, x2, y2) in enumerate(boxes, start=1):
                mask[y1:y2, x1:x2] = k
            name = f"{video:04x}/{frame:05d}"
            save(root / f"JPEGImages/{name}.jpg", image)
            path = root / f"Annotations/{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(edit(mask))
            if kind == "P":
                picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0] + [9] * 759)
            picture.save(path)
            want[f"JPEGImages/{name}.jpg"] = [
                (*map(float, box), ("cat", "dog")[k], False) for k, box in enumerate(boxes)
            ]
    dump(root / "meta.json", {"videos": meta})
    return want


@quirk(MASKS, "255 for what does not count", "ytvos", "listed")
def void(root: Path) -> Expected:
    def edit(mask):
        mask[:1] = 255
        return mask

    return Expected(_set(root, edit), listed=["objects [255] dropped"])


@quirk(MASKS, "numbers beyond 255", "ytvos", "listed")
def sixteen_bit(root: Path) -> Expected:
    def edit(mask):
        wide = mask.astype(np.uint16)
        wide[0, 0] = 60_000
        return wide

    return Expected(_set(root, edit, kind="I;16"), listed=["objects [60000] dropped"])


@quirk(MASKS, "colours instead of numbers", "ytvos", "left out")
def colours(root: Path) -> Expected:
    want = _set(root)
    for path in sorted((root / "Annotations/0000").iterdir()):
        Image.open(path).convert("RGB").save(path)
    kept = {file: own for file, own in want.items() if "/0000/" not in file}
    return Expected(kept, listed=["mask cannot be read"])


@quirk(MASKS, "a frame without mask, a mask without frame", "ytvos", "left out")
def gaps(root: Path) -> Expected:
    want = _set(root)
    (root / "JPEGImages/0000/00000.jpg").unlink()
    (root / "Annotations/0001/00001.png").unlink()
    del want["JPEGImages/0000/00000.jpg"], want["JPEGImages/0001/00001.jpg"]
    return Expected(want, listed=["labels without picture", "picture without labels"])


@quirk(LAYOUT, "a video whose name leads out of the data set", "ytvos", "left out")
def outside(root: Path) -> Expected:
    want = _set(root)
    path = root / "meta.json"
    path.write_text(
        path.read_text().replace('"videos": {', '"videos": {"../../x": {"objects": {"1": {"category": "a"}}}, ')
    )
    return Expected(want, listed=["name of a video is no folder name"])
