"""The result of every reader: pictures and labels as the files state them, not yet checked against the pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem, SourceError
from metricloop.data.formats.split_names import SPLITS, split_of

__all__ = ["SPLITS", "Format", "Problem", "Record", "Source", "SourceError", "absolute", "make_record", "split_of"]

WITHOUT = "picture without labels"  # a kind of problem
LISTED = 1000  # up to so many pictures without labels in a folder are listed one by one


@dataclass(frozen=True)
class Record:
    """One picture and its labels.

    boxes: (n, 4) float64 xyxy in pixels, or as shares of width and height where `relative`; labels: (n,) int64,
    index into class_names; crowd: (n,) bool, regions that are neither objects nor background;
    split: pool | search | test, or None; width, height: as declared, or None; lookalikes: (k, 4) xyxy pixels;
    origin: what gave the picture its split: a label file, a list, a key.
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
    origin: str = ""


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

    sign: the files to look for, in words; find: the label files of a place, nothing if it has another format; read:
    the data set, `categories` being the classes that will be kept (none: all); place: formats are tried in this order,
    lowest first. Both open files by the methods of the Place only.
    """

    sign: str
    find: Callable[[Place], Any]
    read: Callable[[Place, Sequence[str]], Source]
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
        own = {(box.tobytes(), int(label)) for box, label in zip(known.boxes, known.labels, strict=True)}
        new = [row for row, box in enumerate(record.boxes) if (box.tobytes(), int(record.labels[row])) not in own]
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


def unlabelled(place: Place, folders: Iterable[Path], named: Iterable[Path]) -> list[Problem]:
    """Problems for the pictures in `folders` that no label file or entry names; they are left out."""
    known = set(named)
    problems = []
    for folder in sorted(set(folders)):
        rest = [path for path in place.pictures_in(folder) if path not in known]
        if len(rest) > LISTED:  # labels for a part of a big collection
            problems.append(Problem(str(folder), "pictures without labels", f"{len(rest)} left out"))
        else:
            problems += [Problem(str(path), WITHOUT, "left out") for path in rest]
    return problems


def keep_categories(source: Source, categories: Sequence[str]) -> Source:
    """Keep these classes only, in this order. A picture that loses all its boxes is left out; a picture that had none
    before stays, as background.

    Errors: SourceError with the unknown class, and the classes of the source.
    """
    unknown = [name for name in categories if name not in source.class_names]
    if unknown:
        known, near = ", ".join(source.class_names), _nearest(unknown[0], source.class_names)
        hint = f"; did you mean {near!r}?" if near else ""
        raise SourceError(f"data.categories names {', '.join(unknown)}; the source has {known}{hint}")
    new = np.full(len(source.class_names), -1)
    new[[source.class_names.index(name) for name in categories]] = np.arange(len(categories))
    records = []
    for record in source.records:
        labels = new[record.labels]
        kept = labels >= 0
        if kept.any() or not len(kept):
            records.append(replace(record, boxes=record.boxes[kept], labels=labels[kept], crowd=record.crowd[kept]))
    return replace(source, class_names=tuple(categories), records=tuple(records))


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is nearest, whatever the case of its letters."""
    by_plain = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), by_plain, 1, cutoff=0.5)
    return by_plain[near[0]] if near else None
