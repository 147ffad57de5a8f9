"""The result of every reader: pictures and labels as the files state them, not yet checked against the pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metricloop.data.pictures import SUFFIXES

# Names of splits in data sets -> pool | search | test.
SPLITS = {
    "train": "pool", "training": "pool", "trainval": "pool", "pool": "pool",
    "val": "search", "valid": "search", "validation": "search", "dev": "search", "search": "search",
    "test": "test", "testing": "test",
}  # fmt: skip

LISTED = 1000  # up to so many pictures without labels in a folder are listed one by one


class SourceError(ValueError):
    """The source holds nothing usable; the message says what was expected and what was found."""


class Problem(NamedTuple):
    """One row of problems.csv. `problem` is a kind that can be counted; `action` holds the details."""

    file: str
    problem: str
    action: str


@dataclass(frozen=True)
class Record:
    """One picture and its labels.

    boxes: (n, 4) float64 xyxy in pixels, or as shares of width and height where `relative`; labels: (n,) int64,
    index into class_names; crowd: (n,) bool, regions that are neither objects nor background;
    split: pool | search | test, or None; width, height: as declared, or None; lookalikes: (k, 4) xyxy pixels.
    """

    file: Path
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    split: str | None = None
    group: str | None = None
    width: int | None = None
    height: int | None = None
    lookalikes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    relative: bool = False


@dataclass(frozen=True)
class Source:
    """A whole data set as its files state it. problems: what was wrong in the files."""

    format: str
    class_names: tuple[str, ...]
    records: tuple[Record, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Format:
    """How to recognise and read one format.

    sign: the files to look for, in words; find: the label files of a file or folder, nothing if it has another
    format; read: the data set, `categories` being the classes that will be kept (none: all); place: formats are tried
    in this order, lowest first.
    """

    sign: str
    find: Callable[[Path], Any]
    read: Callable[[Path, Sequence[str]], Source]
    place: int


def make_record(file: Path, rows: Sequence[tuple[Sequence[float], int, bool]], **fields) -> Record:
    """A record from rows of (xyxy, label, crowd)."""
    boxes = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    labels = np.array([row[1] for row in rows], np.int64)
    return Record(absolute(file), boxes, labels, np.array([row[2] for row in rows], bool), **fields)


def merge(records: Iterable[Record], problems: list[Problem]) -> list[Record]:
    """One record per picture, sorted by file.

    A picture listed twice keeps the labels of both records, equal ones once, and the split nearest to the pool: a
    training picture must not be used for testing.
    """
    rank = [None, "pool", "search", "test"]
    merged: dict[Path, Record] = {}
    for record in sorted(records, key=lambda record: (str(record.file), rank.index(record.split))):
        known = merged.setdefault(record.file, record)
        if known is record:
            continue
        own = [(box.tobytes(), label) for box, label in zip(known.boxes, known.labels, strict=True)]
        new = [row for row, box in enumerate(record.boxes) if (box.tobytes(), record.labels[row]) not in own]
        merged[record.file] = replace(
            known,
            boxes=np.concatenate([known.boxes, record.boxes[new]]),
            labels=np.concatenate([known.labels, record.labels[new]]),
            crowd=np.concatenate([known.crowd, record.crowd[new]]),
        )
        if known.split == record.split:
            problems.append(Problem(str(record.file), "picture listed twice", "labels merged, equal boxes once"))
        else:
            action = f"kept in {known.split}, left out of {record.split}"
            problems.append(Problem(str(record.file), "picture in two splits", action))
    return list(merged.values())


def absolute(path: Path) -> Path:
    """Absolute and without `..`, symbolic links left as they are."""
    return Path(os.path.abspath(path))


def split_of(*names: str) -> str | None:
    """The split named by the first of `names` (folders, file stems) that names one; None without."""
    for name in names:
        for word in "".join(c.lower() if c.isalpha() else " " for c in name).split():
            if word in SPLITS:
                return SPLITS[word]
    return None


def list_pictures(folder: Path) -> list[Path]:
    """Picture files directly in `folder`, sorted; none if it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(absolute(path) for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def is_file(path: Path) -> bool:
    """Whether a path exists as a file; False also for names that the file system refuses."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def unlabelled(folders: Iterable[Path], named: Iterable[Path]) -> list[Problem]:
    """Problems for the pictures in `folders` that no label file or entry names; they are left out."""
    known = set(named)
    problems = []
    for folder in sorted(set(folders)):
        rest = [path for path in list_pictures(folder) if path not in known]
        if len(rest) > LISTED:  # labels for a part of a big collection
            problems.append(Problem(str(folder), "pictures without labels", f"{len(rest)} left out"))
        else:
            problems += [Problem(str(path), "picture without labels", "left out") for path in rest]
    return problems


def keep_categories(source: Source, categories: Sequence[str]) -> Source:
    """Keep these classes only, in this order. A picture that loses all its boxes is left out; a picture that had none
    before stays, as background.

    Errors: SourceError with the unknown class, and the classes of the source.
    """
    unknown = [name for name in categories if name not in source.class_names]
    if unknown:
        known = ", ".join(source.class_names)
        raise SourceError(f"data.categories names {', '.join(unknown)}; the source has {known}")
    new = np.full(len(source.class_names), -1)
    new[[source.class_names.index(name) for name in categories]] = np.arange(len(categories))
    records = []
    for record in source.records:
        labels = new[record.labels]
        kept = labels >= 0
        if kept.any() or not len(kept):
            records.append(replace(record, boxes=record.boxes[kept], labels=labels[kept], crowd=record.crowd[kept]))
    return replace(source, class_names=tuple(categories), records=tuple(records))
