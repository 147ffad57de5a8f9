"""COCO JSON: one file, a folder with `annotations/instances_{train,val,test}*.json`, or one JSON per split folder.

Boxes are xywh in pixels. Beyond COCO, an image entry may say `split` (train, val, test), `group` or `video_id`, and
`lookalikes` (xywh boxes of things that an annotator may mistake for an object).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data import door
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.coco_boxes import box_of
from metricloop.data.formats.coco_files import category_names, find_coco, load_coco
from metricloop.data.formats.coco_groups import video_groups
from metricloop.data.formats.picture_index import Wanted, leads_out, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import left_out, reasons
from metricloop.data.formats.source import (  # fmt: skip
    SPLITS,
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    make_record,
    unlabelled,
)
from metricloop.data.formats.split_names import splits_of_files
from metricloop.data.formats.values import id_of, size_of, truth

# Keys of an image entry that may name its picture, the best first.
NAMES = ("file_name", "filename", "path", "coco_url", "name", "flickr_url")


@dataclass(frozen=True)
class _File:
    """One COCO file. images: id -> entry; labels: id of a category -> index; rows: id of an image -> its labels."""

    path: Path
    images: dict[str, dict[str, Any]]
    labels: dict[str, int]
    groups: dict[str, str]
    split: str | None
    rows: dict[str, list[tuple[list[float], int, bool]]] = field(default_factory=dict)


def read_coco(place: Place) -> Source:
    """Read every COCO file of a place; a file that is cut off is read up to the cut.

    Errors: SourceError when no file of the source holds a single image entry that can be used.
    """
    problems: list[Problem] = []
    found = find_coco(place)
    contents = {path: content for path in found if (content := load_coco(place, path, problems)) is not None}
    class_names, labels = _classes(contents, problems)
    groups = video_groups(contents, problems)
    splits = splits_of_files(list(contents), place.base)
    files = [
        _File(path, _unique_images(path, content["images"], problems), labels[path], groups[path], splits[path])
        for path, content in contents.items()
    ]
    for file in files:
        _read_annotations(file, contents[file.path]["annotations"], problems)
    wanted = {
        (file.path, key): wanted_picture(file.path, image) for file in files for key, image in file.images.items()
    }
    pictures = match_pictures(place, wanted, problems)
    records = [record for file in files for record in _records(place, file, pictures, problems)]
    if not records:
        raise SourceError(
            f"{place.source}: no picture with labels can be read from {len(found)} COCO file(s). {reasons(problems)}",
            problems,
        )
    problems += unlabelled(place, (record.file.parent for record in records), [record.file for record in records])
    return Source("coco", class_names, tuple(records), tuple(problems))


def _classes(
    contents: dict[Path, dict[str, Any]], problems: list[Problem]
) -> tuple[tuple[str, ...], dict[Path, dict[str, int]]]:
    names = {path: category_names(content) for path, content in contents.items()}
    shared = list(dict.fromkeys(pair for own in names.values() for pair in own))
    for path, content in contents.items():
        if not names[path]:  # they come last in COCO's own files, so a file that is cut off has lost them
            keys = sorted({key for entry in content["annotations"] if (key := id_of(entry.get("category_id")))})
            names[path] = shared or [(key, f"category_{key}") for key in keys]
            told = ", ".join(name for _, name in names[path][:20])
            problems.append(Problem(str(path), "no categories", f"named {told}"))
    return class_names_of(names.items(), problems)


def _name(image: dict[str, Any]) -> str:
    return next((value for key in NAMES if isinstance(value := image.get(key), str) and value.strip()), "")


def _unique_images(path: Path, entries: list[dict[str, Any]], problems: list[Problem]) -> dict[str, dict[str, Any]]:
    """Image entries by id. If an id names two pictures, both are left out: their labels cannot be told apart."""
    images: dict[str, dict[str, Any]] = {}
    torn: set[str] = set()
    for entry in entries:
        key, name = id_of(entry.get("id")), _name(entry)
        if key is None or not name:
            told = f"left out (id {key}, {name[:200] or 'no name'})"
            problems.append(Problem(str(path), "image entry without id or file name", told))
        elif key not in images:
            images[key] = entry
        elif _name(images[key]) == name:
            problems.append(Problem(str(path), "doubled image entry", f"kept once (id {key}, {name[:200]})"))
        else:
            torn.add(key)
            problems.append(Problem(str(path), "image id used twice", f"both left out (id {key}, {name[:200]})"))
    return {key: entry for key, entry in images.items() if key not in torn}


def _read_annotations(file: _File, entries: list[dict[str, Any]], problems: list[Problem]) -> None:
    """Put the labels of one file into `rows`."""
    path = str(file.path)
    file.rows.update({key: [] for key in file.images})
    seen: dict[str, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        number, owner, category = (id_of(entry.get(key)) for key in ("id", "image_id", "category_id"))
        told = f"annotation {number}" if number else f"entry {place + 1}"
        if number is not None and number in seen:
            if _same(entry, seen[number]):
                problems.append(Problem(path, "doubled annotation entry", f"kept once ({told})"))
                continue
            problems.append(Problem(path, "doubled annotation id", f"kept under a new id ({told})"))
        seen[number or f"entry {place}"] = entry
        box, note = box_of(entry)
        if owner is None or owner not in file.images:
            action = f"dropped ({told}, image {owner})"
            problems.append(Problem(path, "annotation of an unknown or left-out image", action))
        elif category is None or category not in file.labels:
            action = f"dropped ({told}, category {category}, {_name(file.images[owner])[:200]})"
            problems.append(Problem(path, "unknown class", action))
        elif box is None:
            problems.append(Problem(path, "box is not four numbers", f"dropped ({told})"))
        else:
            if note:
                problems.append(Problem(path, note, f"the box around it is taken ({told})"))
            file.rows[owner].append((box, file.labels[category], truth(entry.get("iscrowd"))))


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    try:
        return a == b
    except RecursionError:
        return False


def _records(place: Place, file: _File, pictures: dict[Any, Path], problems: list[Problem]) -> list[Record]:
    records = []
    for key, image in file.images.items():
        picture = pictures.get((file.path, key))
        if picture is None:
            missing = str(file.path.parent / _name(image)[:1000].replace("\0", "?"))
            outside = leads_out(place, wanted_picture(file.path, image))
            why = door.OUTSIDE if outside else ""
            problems.append(Problem(missing, "labels without picture", left_out(len(file.rows[key]), why)))
        else:
            records.append(_record(file, key, image, picture, problems))
    return records


def _record(file: _File, key: str, image: dict[str, Any], picture: Path, problems: list[Problem]) -> Record:
    stated = image.get("split")
    known = SPLITS.get(str(stated).strip().lower())
    if stated is not None and known is None:
        action = f"taken as unsplit ({str(stated)[:40]!r} of {_name(image)[:200]})"
        problems.append(Problem(str(file.path), "unknown split", action))
    group, video = id_of(image.get("group")), id_of(image.get("video_id"))
    listed = image.get("lookalikes")
    lookalikes = [box for item in (listed if isinstance(listed, list) else []) if (box := box_of({"bbox": item})[0])]
    return make_record(
        picture, file.rows[key],
        split=known if stated is not None else file.split,
        group=group if group is not None else file.groups.get(video or ""),
        width=size_of(image.get("width")),
        height=size_of(image.get("height")),
        lookalikes=np.array(lookalikes, np.float64).reshape(-1, 4),
        origin=str(file.path),
    )  # fmt: skip


def wanted_picture(path: Path, image: dict[str, Any]) -> Wanted:
    """The picture that an image entry of a COCO file names."""
    return Wanted(_name(image), path, _near(path))


def _near(path: Path) -> tuple[Path, ...]:
    """Where the pictures of a COCO file usually lie: beside it, or beside the folder `annotations/` that holds it."""
    folders = [path.parent, path.parent / "images", path.parent / path.stem, path.parent / "data"]
    if path.parent.name.lower().startswith(("annotation", "label")):
        root, split = path.parent.parent, path.stem.removeprefix("instances_")
        folders += [root / "images" / split, root / split, root / "images", root, root / "data"]
    return tuple(folders)


FORMAT = Format(
    sign="a COCO JSON file, here, in annotations/ or in a folder per split",
    find=find_coco,
    read=lambda place, categories: read_coco(place),
    place=30,
)
