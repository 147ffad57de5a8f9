"""Write the COCO files of a data set anew with other labels: every entry that has not changed stays as it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.formats import open_place
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.coco_boxes import box_of
from metricloop.data.formats.coco_files import category_names, find_coco, load_coco
from metricloop.data.formats.paths import TailIndex
from metricloop.data.formats.picture_index import match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem
from metricloop.data.formats.values import id_of, truth
from metricloop.data.formats.writer import ExportError, check_empty, check_free, counted
from metricloop.data.label_changes import SAME, Labels, match
from metricloop.data.readers.coco import wanted_picture
from metricloop.data.tables import replacing

OUTLINE = "segmentation"
SHAPES = ("keypoints", "num_keypoints", "rle")  # they no longer fit a box that has changed, nor does its outline
DIGITS = 3  # of a pixel


@dataclass
class _File:
    """One COCO file. labels: id of a category -> class of the data set, -1 for one that it lacks; rows: id of an image
    -> row of the data set; indent: of its JSON; changed: whether it differs from the source's."""

    path: Path
    content: dict[str, Any]
    labels: dict[str, int]
    rows: dict[str, int]
    indent: int | None
    changed: bool = False


def patch_coco(
    source: Path, root: Path, before: Dataset, after: Dataset, rows: Iterable[int], target: Path
) -> list[str]:
    """Write the source's COCO files to `target`, with the labels of `after` for the images `rows`.

    A file in which nothing changes is copied byte for byte.
    before: the labels of today, to tell which annotation is which box; its box ids are those of `after`. Annotations
    keep their ids, also those that changed; new ones get ids above all others. target: a folder, or a .json file where
    the source is one file. Returns sentences for the terminal. Errors: ExportError.
    """
    problems: list[Problem] = []
    place = open_place(source, root, True)
    contents = {path: content for path in find_coco(place) if (content := load_coco(place, path, problems))}
    if problems:
        raise ExportError(f"{problems[0].file}: {problems[0].problem}; mend the source, or export in another format")
    files = _files(place, contents, root, before)
    named = target.suffix.lower() == ".json"
    if named and len(files) > 1:
        raise ExportError(f"the source has {len(files)} COCO files; name a folder for them instead of {target}")
    free = 1 + max((_number(entry) for file in files for entry in file.content["annotations"]), default=0)
    lost = 0
    for row in sorted(set(rows)):
        added, unnamed = _patch(files, before, after, row, free)
        free += added
        lost += unnamed
    paths = [target if named else target / os.path.relpath(file.path, place.folder) for file in files]
    for file, path in zip(files, paths, strict=True):
        if os.path.realpath(path) == os.path.realpath(file.path):
            raise ExportError(f"{path} is the source itself; name another place, so that both can be compared")
        check_free(path)
    if not named:
        check_empty(target)
    said = []
    for file, path in zip(files, paths, strict=True):
        with replacing(path) as temporary:
            if file.changed:
                text = json.dumps(file.content, indent=file.indent, ensure_ascii=False)
                temporary.write_text(f"{text}\n", encoding="utf-8")
            else:
                temporary.write_bytes(place.read_bytes(file.path, door.TABLE))
        entries = len(file.content["annotations"])
        said.append(f"{path}: {counted(len(file.content['images']), 'image')}, {counted(entries, 'annotation')}")
    if lost:
        said.append(f"{counted(lost, 'image')} left as they were: no entry of the source names their picture surely")
    return [*said, "ids, names and all entries that were not repaired are those of the source"]


def _files(place: Place, contents: dict[Path, dict[str, Any]], root: Path, data: Dataset) -> list[_File]:
    names, labels = class_names_of(((path, category_names(one)) for path, one in contents.items()), [])
    known = {name: label for label, name in enumerate(data.class_names)}
    named = {
        (path, number): wanted_picture(path, entry)
        for path, content in contents.items()
        for number, entry in enumerate(content["images"])
    }
    found = match_pictures(place, named, [])
    row_of = {os.path.abspath(root / file): row for row, file in enumerate(data.file)}
    tails = TailIndex([Path(file).parts for file in data.file])  # for pictures that are not there
    files = []
    for path, content in contents.items():
        rows = {}
        for number, entry in enumerate(content["images"]):
            picture = found.get((path, number))
            row = tails.find(named[path, number].name).row if picture is None else row_of.get(str(picture))
            key = id_of(entry.get("id"))
            if key is not None and row is not None:
                rows[key] = row
        classes = {key: known.get(names[label], -1) for key, label in labels[path].items()}
        head = re.match(rb"\s*\{\r?\n( +)", door.read_head(path, None, 200))
        files.append(_File(path, content, classes, rows, len(head[1]) if head else None))
    return files


def _patch(files: Sequence[_File], before: Dataset, after: Dataset, row: int, free: int) -> tuple[int, bool]:
    """Put the labels of one image into its files; returns how many were added, and whether no file names it."""
    homes = [(file, key) for file in files for key, own in file.rows.items() if own == row]
    if not homes:
        return 0, True
    entries = [(file, entry) for file, key in homes for entry in _usable(file, key)]
    boxes = np.array([box_of(entry)[0] for _, entry in entries], np.float32).reshape(-1, 4)
    labels = np.array([file.labels[str(id_of(entry["category_id"]))] for file, entry in entries], int)
    crowd = np.array([truth(entry.get("iscrowd")) for _, entry in entries], bool)
    own = before.slice(row)
    old = Labels(before.boxes[own], before.labels[own], before.crowd[own])
    partner = match(old, Labels(boxes, labels, crowd)).partner
    here = {int(after.box_id[box]): box for box in range(*after.offsets[row : row + 2])}
    gone: set[int] = set()
    for place, (file, entry) in enumerate(entries):
        number = int(before.box_id[own][partner[place]]) if partner[place] >= 0 else -1
        box = here.pop(number, None)
        if box is None:
            gone.add(id(entry))
        elif np.abs(after.boxes[box] - boxes[place]).max() > SAME or after.labels[box] != labels[place]:
            _change(file, entry, after, box)
    for file, _ in homes:
        kept = [entry for entry in file.content["annotations"] if id(entry) not in gone]
        file.changed |= len(kept) < len(file.content["annotations"])
        file.content["annotations"] = kept
    file, key = homes[0]
    image = next(entry["id"] for entry in file.content["images"] if id_of(entry.get("id")) == key)
    for place, box in enumerate(here.values()):
        entry = {"id": free + place, "image_id": image, "iscrowd": int(after.crowd[box])}
        if any(OUTLINE in other for other in file.content["annotations"]):
            entry[OUTLINE] = []  # some programs want the key
        _change(file, entry, after, box)
        file.content["annotations"].append(entry)
    return len(here), False


def _usable(file: _File, image: str) -> list[dict[str, Any]]:
    """The annotations of an image that have a box and a class of the data set."""
    return [
        entry
        for entry in file.content["annotations"]
        if id_of(entry.get("image_id")) == image
        and file.labels.get(str(id_of(entry.get("category_id"))), -1) >= 0
        and box_of(entry)[0] is not None
    ]


def _change(file: _File, entry: dict[str, Any], data: Dataset, box: int) -> None:
    """Give an annotation the box and the class of a label."""
    file.changed = True
    x1, y1, x2, y2 = (float(value) for value in data.boxes[box])
    entry["category_id"] = _category(file, data, int(data.labels[box]))
    entry["bbox"] = [round(value, DIGITS) for value in (x1, y1, x2 - x1, y2 - y1)]
    entry["area"] = round((x2 - x1) * (y2 - y1), DIGITS)
    for shape in SHAPES:
        entry.pop(shape, None)
    if OUTLINE in entry:
        entry[OUTLINE] = []


def _category(file: _File, data: Dataset, label: int) -> Any:
    """The id of a class in a file; the class joins a file that lacks it."""
    keys = {key for key, own in file.labels.items() if own == label}
    for entry in file.content["categories"]:
        if id_of(entry.get("id")) in keys:
            return entry["id"]
    number = 1 + max((_number(entry) for entry in file.content["categories"]), default=0)
    file.content["categories"].append({"id": number, "name": data.class_names[label]})
    file.labels[str(number)] = label
    return number


def _number(entry: dict[str, Any]) -> int:
    """The id of an entry as a number; 0 for other ids."""
    key = id_of(entry.get("id"))
    return int(key) if key is not None and re.fullmatch(r"\d{1,18}", key) else 0
