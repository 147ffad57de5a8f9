"""YOLO: data.yaml, a list per split, labels/SPLIT/*.txt, and images/SPLIT/* as links to the pictures, or copies.

Ultralytics trains on the folder as it is: `train` and `val` are always there, and `path` is absolute where pictures are
symbolic links; a folder that holds the pictures themselves can move. YOLO has no crowd regions; they are left out.
Numbers are written whole, so that pixels survive.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from metricloop.data.dataset import Dataset
from metricloop.data.formats.picture_folder import picture_name, place_picture, write_queue
from metricloop.data.formats.writer import SPLIT_NAMES, Notes, Placing, Writer, counted, exact
from metricloop.data.tables import replacing
from metricloop.text.shell import command_line


def write_yolo(dataset: Dataset, notes: Notes, folder: Path, placing: Placing) -> list[str]:
    """Write the folder; a split of the data set becomes train, val or test."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    movable = True
    for row in range(len(dataset)):
        part, name = SPLIT_NAMES[dataset.split[row]], picture_name(dataset, notes, row)
        picture = folder / "images" / part / name
        place_picture(dataset, row, picture, placing)
        movable = movable and not picture.is_symlink()
        lists.setdefault(part, []).append(f"./images/{part}/{name}\n")
        label_file = (folder / "labels" / part / name).with_suffix(".txt")
        label_file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_text("".join(_lines(dataset, row)))
    for part, lines in lists.items():
        with replacing(folder / f"{part}.txt") as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
    _write_yaml(dataset, folder, lists, movable=movable)
    said = write_queue(dataset, notes, folder)
    if crowds := int(dataset.crowd.sum()):
        said.append(f"{counted(crowds, 'crowd region')} left out: YOLO has no place for them")
    if not lists["train"]:
        return [*said, "train is empty: these images are for evaluation"]
    line = command_line("yolo", "detect", "train", f"data={folder / 'data.yaml'}", "model=yolo11n.pt")
    return [*said, f"train: {line}"]


def _write_yaml(dataset: Dataset, folder: Path, lists: dict[str, list[str]], *, movable: bool) -> None:
    """movable: leave `path` out; Ultralytics then starts at the folder of data.yaml, wherever that has moved to."""
    start = {} if movable else {"path": str(folder.absolute())}
    content: dict[str, object] = {**start, **{part: f"{part}.txt" for part in lists}}
    note = (
        "# Ultralytics starts at the folder of this file; YOLOv5 needs a line `path: /that/folder`\n" if movable else ""
    )
    if lists["train"] and not lists["val"]:  # Ultralytics asks for the key
        content["val"] = "train.txt"
        note += "# These images have no val split; val is train, so that training starts. Do not believe its numbers.\n"
        (folder / "val.txt").unlink()
    content["names"] = dict(enumerate(dataset.class_names))
    with replacing(folder / "data.yaml") as temporary:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000)
        temporary.write_text(note + text, encoding="utf-8")


def _lines(dataset: Dataset, row: int) -> list[str]:
    own = dataset.slice(row)
    kept = ~dataset.crowd[own]
    corners = dataset.boxes[own][kept].astype(np.float64)
    size = np.array([dataset.width[row], dataset.height[row]], np.float64)
    centres, sides = (corners[:, :2] + corners[:, 2:]) / 2 / size, (corners[:, 2:] - corners[:, :2]) / size
    return [
        f"{label} {' '.join(map(exact, numbers))}\n"
        for label, numbers in zip(dataset.labels[own][kept], np.hstack([centres, sides]), strict=True)
    ]


WRITER = Writer("YOLO", "a folder", "", write_yolo)
