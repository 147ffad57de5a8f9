"""The ids that a study's classes have in its data set, so that detections can be held against the original labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from metricloop.data import door
from metricloop.data.formats import open_place
from metricloop.data.urls import is_url


def category_ids(source: Path, class_names: Sequence[str]) -> list[int]:
    """The id of every class in the COCO files of a data set, in the order of `class_names`.

    source: a COCO file, or a folder with such files in it or in its folders. Where these do not name every class with
    an id of its own, such as in other formats, the ids are 1, 2, 3...
    """
    plain = list(range(1, len(class_names) + 1))
    for file in _files(source):
        ids = _ids_in(file)
        if all(name in ids for name in class_names):
            found = [ids[name] for name in class_names]
            return found if len(set(found)) == len(found) else plain
    return plain


def _files(source: Path) -> list[Path]:
    if is_url(source):
        place = open_place(source)
        folders = [source / name for name, is_dir in place.entries(source).items() if is_dir]
        return place.files(source, [".json"]) + [f for own in folders for f in place.files(own, [".json"])] or [source]
    return [source] if source.is_file() else sorted([*source.glob("*.json"), *source.glob("*/*.json")])


def _ids_in(file: Path) -> dict[str, int]:
    """Name -> id of the categories of a COCO file; {} for any other file."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(door.read_bytes(file, limit=door.TABLE)) if file.suffix == ".json" else {}
        entries = content.get("categories") if isinstance(content, dict) else None
        return {
            entry["name"]: entry["id"]
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("id"), int)
        }
    return {}
