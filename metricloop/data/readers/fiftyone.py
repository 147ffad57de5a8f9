"""FiftyOne's FiftyOneImageDetectionDataset: labels.json with boxes as shares, and the pictures in data/.

Labels are listed by the path of the picture below data/, without its extension. A detection with the attribute
`iscrowd` is a crowd region. FiftyOne's COCO, YOLO and VOC exports are read as COCO, YOLO and VOC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from metricloop.data import door
from metricloop.data.formats.picture_index import Wanted, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import reasons
from metricloop.data.formats.source import Format, Problem, Record, Source, SourceError, make_record, unlabelled
from metricloop.data.formats.values import name_of, number, truth

NAME = "labels.json"
_KEYS = re.compile(r'^\s*\{\s*"(classes|labels)"\s*:')


def find_fiftyone(place: Place) -> Path | None:
    """The labels.json of a source: the file itself, or the one in its folder."""
    path = place.source if place.is_file(place.source) else place.source / NAME
    if path.suffix.lower() != ".json" or not place.is_file(path):
        return None
    return path if _KEYS.match(door.text_of(place.head(path, 4096))[0]) else None


def read_fiftyone(place: Place) -> Source:
    """Read the data set. Errors: SourceError when no picture can be used."""
    path = find_fiftyone(place)
    problems: list[Problem] = []
    content = _load(place, path) if path else None
    if path is None or content is None:
        raise SourceError(f"{place.source}: no {NAME} with an object `labels`")
    names, labels = _names(content.get("classes")), content["labels"]
    known = {name: label for label, name in enumerate(names)}
    stated = {key: value for key, value in labels.items() if isinstance(value, list)}
    found = {key: _rows(path, key, value, known, problems) for key, value in stated.items()}
    pictures = _pictures(place, path, list(found), problems)
    records: list[Record] = []
    for key, rows in found.items():
        if key in pictures:
            records.append(make_record(pictures[key], rows, relative=True))
        else:
            where = str(path.parent / "data" / key)
            problems.append(Problem(where, "labels without picture", f"left out ({len(rows)} boxes)"))
    if not records:
        raise SourceError(f"{path}: no picture of {len(labels)} entries can be used. {reasons(problems)}", problems)
    problems += unlabelled(place, (record.file.parent for record in records), [record.file for record in records])
    return Source("fiftyone", tuple(known), tuple(records), tuple(problems))


def _load(place: Place, path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(place.read_text(path, door.TABLE))
    except (door.DoorError, MemoryError, RecursionError, ValueError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("labels"), dict) else None


def _names(classes: Any) -> list[str]:
    return [
        name_of(name) or f"category_{place}" for place, name in enumerate(classes if isinstance(classes, list) else [])
    ]


def _rows(
    path: Path, key: str, detections: list[Any], known: dict[str, int], problems: list[Problem]
) -> list[tuple[list[float], int, bool]]:
    """The detections of one picture; names that are not `known` are added."""
    rows = []
    for one in detections:
        label = one.get("label") if isinstance(one, dict) else None
        if isinstance(label, str) and name_of(label):
            label = known.setdefault(name_of(label), len(known))
        if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(known):
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
    sign="FiftyOne's labels.json with pictures in data/",
    find=find_fiftyone,
    read=lambda place, categories: read_fiftyone(place),
    place=25,
)
