"""Oddities that do not depend on the format; the sets are COCO, or YOLO where names matter."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from odd_sets import WIDTH, Expected, coco, dump, names, pictures, save, scene, truth, write, yolo
from PIL import Image

from quirks import quirk

GROUPS, PICTURES = "What must not be split", "Pictures"


def _named(root: Path, files: dict[str, np.ndarray], boxes: dict) -> None:
    for name, image in files.items():
        save(root / name, image)
    yolo(root, boxes)


@quirk(GROUPS, "augmented copies (NAME.rf.HASH.jpg)", "any", "listed")
def roboflow_copies(root: Path) -> Expected:
    files, boxes = {}, {}
    for k in range(6):
        image, own = scene(k)
        for j, copy in enumerate((image, image[:, ::-1], image // 2)):
            name = f"images/p{k}_jpg.rf.{10**31 * (j + 1) + k:032d}.jpg"
            files[name] = np.ascontiguousarray(copy)
            boxes[name] = own if j != 1 else [(WIDTH - x2, y1, WIDTH - x1, y2) for x1, y1, x2, y2 in own]
    _named(root, files, boxes)
    return Expected(truth(boxes), listed=["augmented copies"], together=lambda file: file.split(".rf.")[0])


@quirk(GROUPS, "a picture and its copies (NAME.jpg, NAME_aug_1.jpg, NAME_flip.jpg)", "any", "listed")
def named_copies(root: Path) -> Expected:
    files, boxes = {}, {}
    for k in range(6):
        image, own = scene(k)
        for name, copy in (("", image), ("_aug_1", image // 2), ("_flip", image[:, ::-1])):
            files[f"images/p{k}{name}.jpg"] = np.ascontiguousarray(copy)
            mirrored = [(WIDTH - x2, y1, WIDTH - x1, y2) for x1, y1, x2, y2 in own]
            boxes[f"images/p{k}{name}.jpg"] = mirrored if name == "_flip" else own
    _named(root, files, boxes)
    return Expected(truth(boxes), listed=["augmented copies"], together=lambda file: PurePosixPath(file).name[:2])


def _recordings(root: Path) -> dict:
    files, boxes = {}, {}
    for recording in range(6):
        big = cv2.resize(scene(recording, 0)[0], (2 * WIDTH, 72))
        for frame in range(4):
            name = f"images/rec{recording}_{frame:04d}.jpg"
            image = big[:, 12 * frame : 12 * frame + WIDTH].copy()
            x = 8 + 15 * frame
            image[20:40, x : x + 20] = (250, 20 * recording, 90)
            files[name], boxes[name] = image, [(x, 20, x + 20, 40)]
    _named(root, files, boxes)
    return boxes


@quirk(GROUPS, "frames of recordings (rec0_0001.jpg)", "any", "listed")
def recordings(root: Path) -> Expected:
    boxes = _recordings(root)
    together = lambda file: PurePosixPath(file).stem.split("_")[0]  # noqa: E731
    return Expected(truth(boxes), listed=["frames of recordings"], together=together)


@quirk(GROUPS, "any other rule: data.group", "any", "listed")
def pattern(root: Path) -> Expected:
    boxes = pictures(root, [f"images/{k:02d} of tower {k % 5}.jpg" for k in range(15)])
    yolo(root, boxes)
    options = {"group": r"of (tower \d)"}
    return Expected(truth(boxes), listed=["15 of 15 names fit, 5 groups"], together=lambda f: f[-5], options=options)


@quirk(GROUPS, "one fixed camera, splits given", "any", "listed")
def fixed_camera(root: Path) -> Expected:
    background, _ = scene(3, 0)
    rng = np.random.default_rng(0)
    boxes: dict = {}
    for k in range(12):
        x, y = int(rng.integers(2, WIDTH - 20)), int(rng.integers(2, 50))
        image = background.copy()
        image[y : y + 14, x : x + 16] = rng.integers(0, 255, 3)
        name = f"{'train' if k < 8 else 'val'}/{k:02d}.png"
        save(root / name, image)
        boxes[name] = [(x, y, x + 16, y + 14)]
    for part in ("train", "val"):
        own = {name: box for name, box in boxes.items() if name.startswith(part)}
        dump(root / f"annotations/instances_{part}.json", coco(own, classes=["car"]))
    split = {name: "pool" for name in boxes if name.startswith("train")}
    return Expected(truth(boxes, ["car"]), split=split, listed=["fixed camera", "data.near_duplicates"])


@quirk(GROUPS, "two pictures only", "any", "refused")
def too_few(root: Path) -> Expected:
    dump(root / "a.json", coco(pictures(root, names(count=2))))
    return Expected(error="2 images form 2 groups")


@quirk(PICTURES, "a file name that is not UTF-8", "any", "left out")
def latin1(root: Path) -> Expected:
    boxes = pictures(root, names("images/"))
    yolo(root, boxes)
    os.rename(root / "images/00.jpg", os.fsencode(root / "images") + b"/caf\xe9.jpg")
    del boxes["images/00.jpg"]
    return Expected(truth(boxes), listed=["file name is not UTF-8"])


@quirk(PICTURES, "a link that leads nowhere, or out of the data set", "any", "left out")
def links(root: Path) -> Expected:
    boxes = pictures(root, names())
    pictures(root.parent, ["private.jpg"], first=70)
    (root / "gone.jpg").symlink_to("/nowhere/gone.jpg")
    (root / "private.jpg").symlink_to(root.parent / "private.jpg")
    dump(root / "a.json", coco(boxes | {"gone.jpg": [], "private.jpg": []}))
    return Expected(truth(boxes), listed=["link is broken", "link is not followed", "data.outside"])


@quirk(PICTURES, "a link that leads out, allowed by data.outside", "any", "read")
def allowed_links(root: Path) -> Expected:
    boxes = pictures(root.parent / "store", names())
    (root / "images").symlink_to(root.parent / "store")
    dump(root / "a.json", coco(boxes))
    return Expected(truth(boxes, prefix="images/"), options={"outside": [str(root.parent / "store")]})


@quirk(PICTURES, "cut off, a web page, a wrong checksum, empty", "any", "left out")
def broken(root: Path) -> Expected:
    boxes = pictures(root, names())
    bad = {"cut.jpg": b"", "page.jpg": b"<!DOCTYPE html>404", "empty.jpg": b""}
    bad["cut.jpg"] = (root / "00.jpg").read_bytes()[:-300]
    for name, data in bad.items():
        write(root / name, data)
    dump(root / "a.json", coco(boxes | {key: [(1, 1, 9, 9)] for key in bad}))
    return Expected(truth(boxes), listed=[*bad, "picture cannot be read"])


@quirk(PICTURES, "HEIC of a phone, with the extra metricloop[heif]", "any", "listed")
def heic(root: Path) -> Expected:
    pytest.importorskip("pillow_heif").register_heif_opener()
    files = names("images/", suffix=".heic")
    boxes = {}
    for k, name in enumerate(files):
        image, boxes[name] = scene(k)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / name, "HEIF", quality=95)
    yolo(root, boxes)
    return Expected(truth(boxes), listed=["HEIF picture"])
