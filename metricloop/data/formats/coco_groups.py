"""Which pictures of COCO files belong to one video: ids of videos hold within a file, or across files, as they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metricloop.data.formats.problem import Problem
from metricloop.data.formats.values import id_of


def video_groups(contents: dict[Path, dict[str, Any]], problems: list[Problem]) -> dict[Path, dict[str, str]]:
    """For each file: id of a video -> name of its group."""
    names = {path: _named(content) for path, content in contents.items()}
    used = {
        path: {key for entry in content["images"] if (key := id_of(entry.get("video_id"))) is not None}
        for path, content in contents.items()
    }
    start_again = len(contents) > 1 and _start_again([own for own in used.values() if own])
    groups: dict[Path, dict[str, str]] = {}
    for path, own in used.items():
        groups[path] = {}
        for key in own:
            apart = start_again and key not in names[path]
            groups[path][key] = names[path].get(key, f"{path.stem}:{key}" if apart else key)
        if start_again and any(key not in names[path] for key in own):
            action = "taken as different videos in each file"
            problems.append(Problem(str(path), "ids of videos start again in each file", action))
    return groups


def _named(content: dict[str, Any]) -> dict[str, str]:
    """id -> name of the videos that are listed with a name."""
    found = {}
    listed = content.get("videos")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        key, name = id_of(entry.get("id")), entry.get("name") or entry.get("file_name")
        if key is not None and isinstance(name, str) and name.strip():
            found[key] = name.strip()
    return found


def _start_again(used: list[set[str]]) -> bool:
    """Whether every file counts its videos without gaps from the same first number."""
    if len(used) < 2 or any(not all(key.isdigit() and len(key) < 10 for key in own) for own in used):
        return False
    numbers = [sorted(map(int, own)) for own in used]
    return len({own[0] for own in numbers}) == 1 and all(own[-1] - own[0] + 1 == len(own) for own in numbers)
