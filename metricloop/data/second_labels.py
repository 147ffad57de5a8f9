"""Read a second labelling of some images of the pool, and compare the pool's labels with it.

Nothing that scores, selects by scores or asks a language model reads the result.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.formats.folder_check import strays
from metricloop.data.formats.problem import Problem, RefusedError, reasons
from metricloop.data.formats.repaired import Repaired, read_repaired
from metricloop.data.second_opinion import SecondLabels, second_opinion
from metricloop.data.tables import TRUTH

VERSION = b'{"steps":'  # how a file of labels/ begins
Rows: TypeAlias = Sequence[tuple[Sequence[float], str, bool]]  # of an image: xyxy, class, crowd


class SecondLabelsError(RefusedError):
    """The second labelling cannot be used; the message says why."""


class Second(NamedTuple):
    """columns: of TRUTH, for all images of the pool. problems: what could not be read or matched. judged: images."""

    columns: dict[str, Any]
    problems: list[Problem]
    judged: int


def check_second(path: Path) -> None:
    """Refuse what DVC must not be let into. Errors: SecondLabelsError when it does not exist, or holds pipes, links
    that lead out and the like."""
    if not path.exists():
        raise SecondLabelsError(
            f"data.second_labels: {path.absolute()} does not exist; give the file or folder with the second labelling, "
            'or "" for none'
        )
    if path.is_dir() and (found := strays(path, links_out=True)):
        raise SecondLabelsError(f"data.second_labels: {path} holds what is no file: {reasons(found)}")
    if not (path.is_dir() or path.is_file()):
        raise SecondLabelsError(f"data.second_labels: {path} is neither a file nor a folder")


def second_labels(path: Path, images: Dataset, pool: Dataset, categories: Sequence[str], agree: float) -> Second:
    """Read a second labelling in any format, or a file of labels/, and compare the pool's labels with it.

    images: of all splits, to tell which picture is meant; their labels are not read. pool: with its crowd regions.
    categories: data.categories; where it names classes, others are left out. agree: IoU from which two boxes of one
    class are the same. Images that the labelling lacks are UNJUDGED.
    Errors: SourceError, SecondLabelsError when it names no image of the pool, or none of its classes.
    """
    check_second(path)
    found = _version(path, images) or read_repaired(path, images)
    problems = list(found.problems)
    pool_row = {int(number): row for row, number in enumerate(pool.image_id)}
    by_row = {pool_row.get(int(images.image_id[row])): labels for row, labels in found.images.items()}
    if held_out := len(found.images) - len(by_row.keys() - {None}):
        action = f"{held_out} left out: an audit is of the pool"
        problems.append(Problem(path.name, "pictures of the search and test split", action))
    by_row.pop(None, None)
    if not by_row:
        raise SecondLabelsError(f"data.second_labels: {path} names no image of the pool", problems)
    names = _class_names(by_row.values(), pool, categories, problems, path)
    second = {row: _labels(labels, names) for row, labels in by_row.items()}
    rows = [one for row in range(len(pool)) for one in second_opinion(pool, row, second.get(row), agree)]
    return Second({name: [row[name] for row in rows] for name in TRUTH.names}, problems, len(second))


def _labels(rows: Rows, names: Mapping[str, int | None]) -> SecondLabels:
    kept = [(box, names[name]) for box, name, crowd in rows if not crowd and names[name] is not None]
    return SecondLabels(
        np.array([box for box, _ in kept], float).reshape(-1, 4),
        np.array([label for _, label in kept], int),
        np.array([box for box, _, crowd in rows if crowd], float).reshape(-1, 4),
    )


def _class_names(
    labels: Iterable[Rows], pool: Dataset, categories: Sequence[str], problems: list[Problem], path: Path
) -> dict[str, int | None]:
    """The label of each class of the second labelling: by name, else by the name without case and blanks; -1 for one
    that the study lacks, None for one that data.categories leaves out."""
    counts = Counter(name for rows in labels for _, name, _ in rows)
    exact = {name: label for label, name in enumerate(pool.class_names)}
    loose: dict[str, list[int]] = {}
    for name, label in exact.items():
        loose.setdefault(_plain(name), []).append(label)
    names: dict[str, int | None] = {}
    for name, count in counts.items():
        near = loose.get(_plain(name), [])
        if name in exact:
            names[name] = exact[name]
        elif len(near) == 1:
            names[name] = near[0]
            action = f"taken for {pool.class_names[near[0]]!r} ({count} boxes)"
            problems.append(Problem(path.name, "class found by another spelling", f"{name!r} {action}"))
        elif categories:
            names[name] = None
        else:
            names[name] = -1
            close = get_close_matches(name, exact, 1)
            hint = f"; did it mean {close[0]!r}?" if close else ""
            action = f"{count} boxes of {name!r}: other class where they lie on a label, else not counted{hint}"
            problems.append(Problem(path.name, "class is not in the study", action))
    if counts and not any(label is not None and label >= 0 for label in names.values()):
        raise SecondLabelsError(
            f"data.second_labels: {path} has the classes {', '.join(sorted(counts)[:10])}, and none of the study's: "
            f"{', '.join(pool.class_names[:10])}; rename them in the file",
            problems,
        )
    return names


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _version(path: Path, data: Dataset) -> Repaired | None:
    """The labels of each image in a file that `metricloop import-labels` wrote; None for any other file.

    Images that a person handed back without changes are included. Of several imports, an image's last one counts.
    """
    if not path.is_file() or door.read_head(path, None, len(VERSION)) != VERSION:
        return None
    try:
        steps = json.loads(door.text_of(door.read_bytes(path, None, door.TABLE))[0])["steps"]
        given = [images for s in steps for images in (s.get("unchanged", {}), s["images"])]
        named = {file: [(row[:4], row[4], row[5]) for row in own] for images in given for file, own in images.items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise SecondLabelsError(f"data.second_labels: {path} is not a version of labels; restore it with git") from None
    rows = {str(file): row for row, file in enumerate(data.file)}
    problems = [
        Problem(file, "picture is not in the study's data set", "left out") for file in named if file not in rows
    ]
    return Repaired("metricloop", {rows[file]: own for file, own in named.items() if file in rows}, problems)
