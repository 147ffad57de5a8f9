"""FiftyOne's FiftyOneImageDetectionDataset: labels.json with boxes as shares, and the pictures in data/.

Labels are listed by the path of the picture below data/, without its extension. A folder per split, each with its own
labels.json, is one data set. A detection with the attribute `iscrowd` is a crowd region. FiftyOne's COCO, YOLO and VOC
exports are read as COCO, YOLO and VOC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from metricloop.data import door
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.picture_index import Wanted, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import left_out, reasons
from metricloop.data.formats.source import Format, Problem, Record, Source, SourceError, make_record, unlabelled
from metricloop.data.formats.split_names import splits_of_files
from metricloop.data.formats.values import id_of, name_of, number, truth

NAME = "labels.json"
_KEYS = re.compile(r'^\s*\{\s*"(classes|labels)"\s*:')


def find_fiftyone(place: Place) -> list[Path]:
    """The labels.json of a source: the file itself, or the one in its folder, or those of the folders of its splits."""
    if place.is_file(place.source):
        return [place.source] if place.source.suffix.lower() == ".json" and _is_fiftyone(place, place.source) else []
    own = place.source / NAME
    parts = [place.source / name / NAME for name, is_dir in place.entries(place.source).items() if is_dir]
    files = [own] if place.is_file(own) else [path for path in parts if place.is_file(path)]
    return [path for path in files if _is_fiftyone(place, path)]


def _is_fiftyone(place: Place, path: Path) -> bool:
    return bool(_KEYS.match(door.text_of(place.head(path, 4096))[0]))


def read_fiftyone(place: Place) -> Source:
    """Read the data set. Errors: SourceError when no picture can be used."""
    problems: list[Problem] = []
    files = find_fiftyone(place)
    contents = {path: content for path in files if (content := _load(place, path, problems)) is not None}
    named = [(path, _names(content.get("classes"))) for path, content in contents.items()]
    names, by_number = class_names_of(named, problems)
    known = {name: label for label, name in enumerate(names)}
    splits = splits_of_files(list(contents), place.base)
    records: list[Record] = []
    for path, content in contents.items():
        stated = {key: value for key, value in content["labels"].items() if isinstance(value, list)}
        found = {key: _rows(path, key, value, known, by_number[path], problems) for key, value in stated.items()}
        pictures = _pictures(place, path, list(found), problems)
        for key, rows in found.items():
            if key in pictures:
                records.append(make_record(pictures[key], rows, relative=True, split=splits[path], origin=str(path)))
            else:
                where = str(path.parent / "data" / key)
                problems.append(Problem(where, "labels without picture", left_out(len(rows))))
    if not records:
        count = sum(len(content["labels"]) for content in contents.values())
        message = f"{place.source}: no picture of {count} entries can be used. {reasons(problems)}"
        raise SourceError(message, problems)
    problems += unlabelled(place, (record.file.parent for record in records), [record.file for record in records])
    return Source("fiftyone", tuple(known), tuple(records), tuple(problems))


def _load(place: Place, path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        content = json.loads(place.read_text(path, door.TABLE))
    except (door.DoorError, MemoryError, RecursionError, ValueError) as error:
        why = str(error) if isinstance(error, door.DoorError) else "cut off, nested too deeply, or no JSON"
        problems.append(Problem(str(path), "annotation file cannot be read", f"left out ({why})"))
        return None
    if isinstance(content, dict) and isinstance(content.get("labels"), dict):
        return content
    problems.append(Problem(str(path), "annotation file cannot be read", "left out (no object `labels`)"))
    return None


def _names(classes: Any) -> list[tuple[str, str]]:
    """(number, name) of the classes that a file declares."""
    return [(str(k), name_of(name)) for k, name in enumerate(classes if isinstance(classes, list) else [])]


def _rows(
    path: Path,
    key: str,
    detections: list[Any],
    known: dict[str, int],
    by_number: dict[str, int],
    problems: list[Problem],
) -> list[tuple[list[float], int, bool]]:
    """The labels of one picture. known: class name to label, extended by new names; by_number: declared classes."""
    rows = []
    for one in detections:
        stated = one.get("label") if isinstance(one, dict) else None
        label = by_number.get(id_of(stated) or "") if not isinstance(stated, str) else None
        if isinstance(stated, str) and name_of(stated):
            label = known.setdefault(name_of(stated), len(known))
        if label is None:
            problems.append(Problem(str(path), "unknown class", f"dropped ({key})"))
            continue
        try:
            x, y, w, h = (number(value) for value in one["bounding_box"])
        except (KeyError, TypeError, ValueError):
            problems.append(Problem(str(path), "box is not four numbers", f"dropped ({key})"))
            continue
        attributes = one.get("attributes")
        crowd = truth((attributes if isinstance(attributes, dict) else {}).get("iscrowd"))
        rows.append(([x, y, x + w, y + h], label, crowd))
    return rows


def _pictures(place: Place, path: Path, keys: list[str], problems: list[Problem]) -> dict[Hashable, Path]:
    """The picture of each entry: the one of this name in data/, else the one that the name leads to anywhere."""
    folder = path.parent / "data"
    inside: dict[str, list[Path]] = {}
    for picture in place.walk(folder) if place.is_dir(folder) else []:
        inside.setdefault(picture.relative_to(folder).with_suffix("").as_posix(), []).append(picture)
    found: dict[Hashable, Path] = {key: inside[key][0] for key in keys if len(inside.get(key, ())) == 1}
    left: dict[Hashable, Wanted] = {key: Wanted(key, path, (folder,)) for key in keys if key not in found}
    return found | match_pictures(place, left, problems)


FORMAT = Format(
    sign="FiftyOne's labels.json with pictures in data/, here or in a folder per split",
    find=find_fiftyone,
    read=lambda place, categories: read_fiftyone(place),
    place=25,
)
