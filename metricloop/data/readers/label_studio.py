"""Label Studio JSON: its plain export, a list of tasks with annotations, or JSON-MIN. Coordinates are percent.

Of several annotations of a task the newest counts, skipped ones do not; predictions are no labels. A region with the
word `crowd` in its meta text is a crowd region. Pictures are found by the path that Label Studio was given, also where
an upload has put eight letters in front of the name. Label Studio's COCO and YOLO exports are read as COCO and YOLO.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from metricloop.data import door
from metricloop.data.formats.label_studio_regions import Region, regions
from metricloop.data.formats.picture_index import Wanted, match_pictures
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
from metricloop.data.formats.values import truth
from metricloop.data.pictures import SUFFIXES

_TASKS = re.compile(r'"(data|annotations|completions|rectanglelabels|annotation_id)"\s*:')
NO_BOXES = ("brushlabels", "keypointlabels", "choices", "taxonomy", "rating", "textarea")


@dataclass
class _Task:
    """One picture as the file states it. rows: (xyxy in percent, name of the class, crowd)."""

    path: Path
    name: str
    size: tuple[int | None, int | None]
    split: str | None
    rows: list[tuple[list[float], str, bool]] = field(default_factory=list)


def find_label_studio(place: Place) -> list[Path]:
    """The files of a source: the file itself, or those of its folder."""
    if place.is_file(place.source):
        return [place.source] if place.source.suffix.lower() == ".json" and _is_export(place, place.source) else []
    return [path for path in place.files(place.source, [".json"]) if _is_export(place, path)]


def _is_export(place: Place, path: Path) -> bool:
    head = door.text_of(place.head(path, 1 << 16))[0].lstrip()
    return head.startswith("[") and bool(_TASKS.search(head))


def read_label_studio(place: Place) -> Source:
    """Read every export of a place. Errors: SourceError when no task names a picture that can be used."""
    problems: list[Problem] = []
    files = find_label_studio(place)
    odd: Counter[tuple[str, str, str]] = Counter()
    tasks = {
        (path, number): task
        for path in files
        for number, entry in enumerate(_load(place, path, problems))
        if (task := _task(path, number, entry, problems, odd)) is not None
    }
    problems += [Problem(file, kind, f"{action} ({count})") for (file, kind, action), count in sorted(odd.items())]
    wanted = {key: Wanted(task.name, task.path, (task.path.parent,)) for key, task in tasks.items()}
    pictures = match_pictures(place, dict(wanted), problems)
    names = sorted({name for task in tasks.values() for _, name, _ in task.rows})
    labels = {name: label for label, name in enumerate(names)}
    records: list[Record] = []
    for key, task in tasks.items():
        if key not in pictures:
            where = str(task.path.parent / task.name.lstrip("/"))
            problems.append(Problem(where, "labels without picture", left_out(len(task.rows))))
            continue
        records.append(_record(pictures[key], task, labels))
    if not records:
        message = f"{place.source}: no picture with labels can be read from {len(files)} Label Studio file(s). "
        raise SourceError(message + reasons(problems), problems)
    problems += unlabelled(place, (record.file.parent for record in records), [record.file for record in records])
    return Source("label-studio", tuple(names), tuple(records), tuple(problems))


def _load(place: Place, path: Path, problems: list[Problem]) -> list[Any]:
    try:
        content = json.loads(place.read_text(path, door.TABLE))
    except (door.DoorError, MemoryError, RecursionError, ValueError) as error:
        why = str(error) if isinstance(error, door.DoorError) else "cut off, nested too deeply, or no JSON"
        problems.append(Problem(str(path), "annotation file cannot be read", f"left out ({why})"))
        return []
    return content if isinstance(content, list) else []


def _task(
    path: Path, number: int, entry: Any, problems: list[Problem], odd: Counter[tuple[str, str, str]]
) -> _Task | None:
    """A task with a picture and an annotation; anything else is listed."""
    if not isinstance(entry, dict):
        return None
    data = entry["data"] if isinstance(entry.get("data"), dict) else entry
    name = _picture(data) or str(entry.get("file_upload") or "")
    if not name:
        problems.append(Problem(str(path), "task without a picture", f"left out (task {entry.get('id', number)})"))
        return None
    result = _result(path, entry, data, odd)
    if result is None:
        odd[str(path), "task without an annotation", "left out"] += 1
        return None
    stated = str(data.get("split", "")).strip().lower()
    found = list(regions(result))
    size = next((region.size for region in found if all(region.size)), (None, None))
    task = _Task(path, name, size, SPLITS.get(stated))
    for region in found:
        _take(region, task, odd)
    return task


def _picture(data: dict[str, Any]) -> str:
    """The picture that a task is about: its `image`, else the first value that looks like a path to a picture."""
    values = [data.get("image"), data.get("img"), *data.values()]
    names = [_path_of(value) for value in values if isinstance(value, str)]
    return next((name for name in names if Path(name).suffix.lower() in SUFFIXES), names[0] if names else "")


def _path_of(value: str) -> str:
    """The path in an address such as /data/local-files/?d=folder/a.jpg."""
    try:
        address = urlsplit(value.strip())
        served = parse_qs(address.query).get("d") if "local-files" in address.path else None
    except ValueError:
        return value
    return served[0] if served else value


def _result(path: Path, entry: dict[str, Any], data: dict[str, Any], odd: Counter[tuple[str, str, str]]) -> Any:
    """The regions of the annotation that counts; None without one."""
    made = entry.get("annotations", entry.get("completions"))
    if made is None and data is entry:  # JSON-MIN: lists of regions under the names of the tags
        lists = [value for value in entry.values() if isinstance(value, list)]
        found = [dict(one) for own in lists for one in own if isinstance(one, dict)]
        return [
            {"value": one, "original_width": one.get("original_width"), "original_height": one.get("original_height")}
            for one in found
        ]
    made = made if isinstance(made, list) else []
    kept = [one for one in made if isinstance(one, dict) and not truth(one.get("was_cancelled"))]
    if len(kept) > 1:
        odd[str(path), "several annotations of a task", "the newest taken"] += 1
    if not kept:
        return None
    return max(kept, key=lambda one: (truth(one.get("ground_truth")), str(one.get("updated_at") or ""))).get(
        "result", []
    )


def _take(region: Region, task: _Task, odd: Counter[tuple[str, str, str]]) -> None:
    """Add a region to its task."""
    path = str(task.path)
    if region.box is None:
        if region.kind not in NO_BOXES or region.names:
            odd[path, "region without a box", f"dropped, {region.kind}"] += 1
    elif not region.names:
        odd[path, "unknown class", "dropped, region without a class"] += 1
    else:
        if len(region.names) > 1:
            odd[path, "several classes for one box", f"the first taken, {region.names[0]}"] += 1
        if region.turned:
            odd[path, "turned box", f"the box around it is taken, {region.names[0]}"] += 1
        task.rows.append((region.box, region.names[0], region.crowd))


def _record(picture: Path, task: _Task, labels: dict[str, int]) -> Record:
    """In pixels where the size is declared, as EXIF needs; else as shares."""
    width, height = task.size
    known = bool(width and height)
    scale = (width, height, width, height) if width and height else (1,) * 4
    rows = [
        ([value * side / 100 for value, side in zip(box, scale, strict=True)], labels[name], crowd)
        for box, name, crowd in task.rows
    ]
    size = {"width": width, "height": height} if known else {}
    return make_record(picture, rows, split=task.split, relative=not known, **size)


FORMAT = Format(
    sign="a Label Studio JSON export (a list of tasks)",
    find=find_label_studio,
    read=lambda place, categories: read_label_studio(place),
    place=32,
)
