"""COCO JSON: one file, a folder with `annotations/instances_{train,val,test}*.json`, or one JSON per split folder.

Boxes are xywh in pixels. Beyond COCO, an image entry may say `split` (train, val, test), `group` or `video_id`, and
`lookalikes` (xywh boxes of things that an annotator may mistake for an object).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.formats.broken_json import salvage
from metricloop.data.formats.source import (  # fmt: skip
    SPLITS,
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    absolute,
    is_file,
    make_record,
    split_of,
    unlabelled,
)

PLACES = ("*.json", "annotations/*.json", "*/_annotations.coco.json", "*/annotations.json")


def find_coco(source: Path) -> list[Path]:
    """The COCO files of a source: the file itself, or files in the usual places of its folder that hold instances."""
    if source.is_file():
        return [source] if source.suffix.lower() == ".json" else []
    for pattern in PLACES:
        found = [path for path in sorted(source.glob(pattern)) if path.is_file() and _looks_like_coco(path)]
        named = [path for path in found if path.name.startswith("instances")]
        if found:
            return named or found
    return []


def _looks_like_coco(path: Path) -> bool:
    """Whether the first megabyte of a JSON file has COCO's keys. Captions and keypoints are no instances."""
    if path.name.startswith(("captions", "person_keypoints", "image_info", "stuff", "panoptic")):
        return False
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
    return any(key in head for key in (b'"images"', b'"annotations"'))


def read_coco(source: Path) -> Source:
    """Read every COCO file of `source`; a file that is cut off is read up to the cut.

    Errors: SourceError when no file of the source holds a single image entry that can be used.
    """
    problems: list[Problem] = []
    files = find_coco(source)
    contents = {path: content for path in files if (content := _load(path, problems)) is not None}
    names = {path: _category_names(content["categories"]) for path, content in contents.items()}
    shared = {key: name for own in names.values() for key, name in own.items()}
    for path, content in contents.items():
        if not names[path]:  # they come last in COCO's own files, so a file that is cut off has lost them
            numbers = sorted({str(entry.get("category_id")) for entry in content["annotations"]})
            names[path] = shared or {number: f"category_{number}" for number in numbers}
            problems.append(Problem(str(path), "no categories", f"named {', '.join(names[path].values())}"))
    class_names = list(dict.fromkeys(name for own in names.values() for name in own.values()))
    records: list[Record] = []
    for path, content in contents.items():
        labels = {key: class_names.index(name) for key, name in names[path].items()}
        split = split_of(path.stem, path.parent.name) if len(contents) > 1 else None
        records += _read_file(path, content, labels, split, problems)
    if not records:
        reasons = "; ".join(f"{p.file}: {p.problem}, {p.action}" for p in problems[:5])
        raise SourceError(f"{source}: no picture with labels can be read from {len(files)} COCO file(s). {reasons}")
    problems += unlabelled((record.file.parent for record in records), [record.file for record in records])
    return Source("coco", tuple(class_names), tuple(records), tuple(problems))


def _load(path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    """The parsed file with its three lists, or None; of a broken file the whole entries. Faults go to `problems`."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    try:
        content = json.loads(text)
        cut = False
    except json.JSONDecodeError as error:
        content, cut = salvage(text, error.pos), True
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        problems.append(Problem(str(path), "not a readable COCO file", "left out (no list `images`)"))
        return None
    for key in ("images", "annotations", "categories"):
        entries = content.get(key)
        content[key] = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if cut:
        _drop_doubtful(path, content, problems)
    return content


def _drop_doubtful(path: Path, content: dict[str, Any], problems: list[Problem]) -> None:
    """Drop images of a cut-off file whose labels may be lost: images without any, and the last labelled image."""
    last = content["annotations"][-1].get("image_id") if content["annotations"] else None
    safe = {str(annotation.get("image_id")) for annotation in content["annotations"]} - {str(last)}
    before = len(content["images"])
    content["images"] = [image for image in content["images"] if str(image.get("id")) in safe]
    content["annotations"] = [entry for entry in content["annotations"] if str(entry.get("image_id")) in safe]
    kept, boxes = len(content["images"]), len(content["annotations"])
    action = (
        f"kept {kept} pictures with {boxes} annotations; left out {before - kept} pictures whose labels may be lost"
    )
    problems.append(Problem(str(path), "annotation file cut off or damaged", action))


def _category_names(categories: list[dict[str, Any]]) -> dict[str, str]:
    """Category id (as text) -> name. Leaves out the parent entry that some exporters put first."""
    parents = {str(entry.get("supercategory")) for entry in categories}
    return {
        str(entry["id"]): str(entry.get("name", f"category_{entry['id']}"))
        for entry in categories
        if "id" in entry and not (str(entry.get("name")) in parents and entry.get("supercategory") == "none")
    }


def _read_file(
    path: Path, content: dict[str, Any], labels: dict[str, int], split: str | None, problems: list[Problem]
) -> list[Record]:
    """The records of one file. labels: category id -> class index; split: from the file's name."""
    images = _unique_images(path, content["images"], problems)
    rows: dict[str, list[tuple[list[float], int, bool]]] = {key: [] for key in images}
    seen: dict[str, dict[str, Any]] = {}
    for entry in content["annotations"]:
        number, owner, category = (str(entry.get(key)) for key in ("id", "image_id", "category_id"))
        box = _box(entry)
        if entry == seen.get(number):
            problems.append(Problem(str(path), "doubled annotation entry", f"kept once (annotation {number})"))
            continue
        if "id" in entry and number in seen:
            problems.append(Problem(str(path), "doubled annotation id", f"kept under a new id (annotation {number})"))
        seen[number] = entry
        if owner not in images:
            action = f"dropped (annotation {number}, image {owner})"
            problems.append(Problem(str(path), "annotation of an unknown or left-out image", action))
        elif category not in labels:
            action = f"dropped (annotation {number}, category {category}, {images[owner]['file_name']})"
            problems.append(Problem(str(path), "unknown class", action))
        elif box is None:
            problems.append(Problem(str(path), "box is not four numbers", f"dropped (annotation {number})"))
        else:
            rows[owner].append((box, labels[category], bool(entry.get("iscrowd", 0))))
    records = []
    for key, image in images.items():
        file = _find_picture(path, image["file_name"])
        if file is None:
            missing = absolute(path.parent / image["file_name"])
            problems.append(Problem(str(missing), "labels without picture", f"left out ({len(rows[key])} boxes)"))
            continue
        records.append(_record(file, image, rows[key], split, path, problems))
    return records


def _unique_images(path: Path, entries: list[dict[str, Any]], problems: list[Problem]) -> dict[str, dict[str, Any]]:
    """Image entries by id. If an id names two pictures, both are left out: their labels cannot be told apart."""
    images: dict[str, dict[str, Any]] = {}
    torn: set[str] = set()
    for entry in entries:
        key, name = str(entry.get("id")), entry.get("file_name")
        if "id" not in entry or not isinstance(name, str) or not name:
            problems.append(Problem(str(path), "image entry without id or file name", f"left out ({entry})"))
        elif key not in images:
            images[key] = entry
        elif images[key]["file_name"] == name:
            problems.append(Problem(str(path), "doubled image entry", f"kept once (id {key}, {name})"))
        else:
            torn.add(key)
            problems.append(Problem(str(path), "image id used twice", f"both left out (id {key}, {name})"))
    return {key: entry for key, entry in images.items() if key not in torn}


def _record(
    file: Path, image: dict[str, Any], rows: list, split: str | None, path: Path, problems: list[Problem]
) -> Record:
    stated = image.get("split")
    if stated is not None and SPLITS.get(str(stated).lower()) is None:
        problems.append(Problem(str(path), "unknown split", f"taken as unsplit ({stated!r} of {image['file_name']})"))
    group = image.get("group", image.get("video_id"))
    lookalikes = [box for item in image.get("lookalikes", []) if (box := _box({"bbox": item}))]
    return make_record(
        file, rows,
        split=SPLITS.get(str(stated).lower()) if stated is not None else split,
        group=None if group is None else str(group),
        width=_whole_number(image.get("width")),
        height=_whole_number(image.get("height")),
        lookalikes=np.array(lookalikes, np.float64).reshape(-1, 4),
    )  # fmt: skip


def _whole_number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1e6 else None


def _box(entry: dict[str, Any]) -> list[float] | None:
    """xyxy of an annotation: its bbox, else what its polygons span; None when neither is numbers."""
    box, polygons = entry.get("bbox"), entry.get("segmentation")
    try:
        if box:
            x, y, w, h = (float(value) for value in box)
            return [x, y, x + w, y + h]
        if isinstance(polygons, list) and polygons:
            points = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons]).reshape(-1, 2)
            return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
    except (TypeError, ValueError):
        return None
    return None


def _find_picture(path: Path, name: str) -> Path | None:
    """The picture of an entry: beside the JSON file, or beside the folder `annotations/` that holds the JSON file."""
    name = name.replace("\\", "/")
    folders = [path.parent, path.parent / "images"]
    if path.parent.name.lower().startswith("annotation"):
        root, split = path.parent.parent, path.stem.removeprefix("instances_")
        folders += [root / "images" / split, root / split, root / "images", root]
    return next((absolute(folder / name) for folder in folders if is_file(folder / name)), None)


FORMAT = Format(
    sign="a COCO JSON file, here, in annotations/ or in a folder per split",
    find=find_coco,
    read=lambda source, categories: read_coco(source),
    place=30,
)
