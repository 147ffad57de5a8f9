"""The files of a COCO data set: where they lie, and what their lists hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from metricloop.data import door
from metricloop.data.formats.broken_json import salvage
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem
from metricloop.data.formats.values import id_of, name_of

# Files beside instances_*.json that describe the same pictures in another way.
LISTS = re.compile(r'"(?:images|annotations)"\s*:\s*\[')
OTHERS = ("captions", "person_keypoints", "image_info", "stuff", "panoptic")


def find_coco(place: Place) -> list[Path]:
    """The COCO files of a source: the file itself, or those of its folder, of `annotations/`, or of its subfolders.

    The first of these that has any counts. Files such as person_keypoints_*.json count where there are no others.
    """
    if place.is_file(place.source):
        return (
            [place.source] if place.source.suffix.lower() == ".json" and _looks_like_coco(place, place.source) else []
        )
    for folders in _folders(place):
        found = [path for folder in folders for path in place.files(folder, [".json"]) if _looks_like_coco(place, path)]
        if found:
            return [path for path in found if not path.name.startswith(OTHERS)] or found
    return []


def _folders(place: Place) -> list[list[Path]]:
    """Groups of folders in the order in which they are looked at."""
    below = [place.source / name for name, is_dir in place.entries(place.source).items() if is_dir]
    labels = [folder for folder in below if folder.name.lower().startswith(("annotation", "label"))]
    deeper = [folder / name for folder in below[:1000] for name, is_dir in place.entries(folder).items() if is_dir]
    return [[place.source], labels, below, deeper[:1000]]


def _looks_like_coco(place: Place, path: Path) -> bool:
    """Whether a file begins as a JSON object and its first megabyte has one of COCO's lists."""
    head = door.text_of(place.head(path))[0].lstrip()
    return head.startswith("{") and LISTS.search(head) is not None


def load_coco(place: Place, path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    """The parsed file with its three lists, or None; of a broken file the whole entries. Faults go to `problems`."""
    try:
        text = place.read_text(path, door.TABLE)
    except (door.DoorError, MemoryError) as error:
        problems.append(Problem(str(path), "annotation file cannot be read", f"left out ({error or 'no memory left'})"))
        return None
    cut = False
    content = None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        content, cut = salvage(text, error.pos), True
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        problems.append(
            Problem(str(path), "annotation file cannot be read", "left out (nested too deeply, or no JSON)")
        )
        return None
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
    last = id_of(content["annotations"][-1].get("image_id")) if content["annotations"] else None
    safe = {id_of(annotation.get("image_id")) for annotation in content["annotations"]} - {last}
    before = len(content["images"])
    content["images"] = [image for image in content["images"] if id_of(image.get("id")) in safe]
    content["annotations"] = [entry for entry in content["annotations"] if id_of(entry.get("image_id")) in safe]
    kept, boxes = len(content["images"]), len(content["annotations"])
    action = (
        f"kept {kept} pictures with {boxes} annotations; left out {before - kept} pictures whose labels may be lost"
    )
    problems.append(Problem(str(path), "annotation file cut off or damaged", action))


def category_names(content: dict[str, Any]) -> list[tuple[str, str]]:
    """(id, name) of the categories. Leaves out the parent entry that some exporters put first, if nothing is labelled
    with it.
    """
    used = {id_of(entry.get("category_id")) for entry in content["annotations"]}
    parents = {str(entry.get("supercategory")) for entry in content["categories"]}
    found = []
    for entry in content["categories"]:
        key = id_of(entry.get("id"))
        placeholder = str(entry.get("name")) in parents and entry.get("supercategory") == "none" and key not in used
        if key is not None and not placeholder:
            found.append((key, name_of(entry.get("name")) or f"category_{key}"))
    return found
