"""What is asked about a data set before a study is made of it: label files of the same pictures, missing pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metricloop.data import door
from metricloop.data.formats.label_pictures import UNSURE
from metricloop.data.formats.problem import LOOKED_FOR
from metricloop.data.formats.source import Problem, Record, Source

SHARED = 0.5  # of the pictures of the smaller file: from here on two label files describe the same pictures
FEW = 0.05  # share of labelled pictures that may be missing before somebody is asked
GONE = "labels without picture"
REFUSED = "file is not opened"  # as `formats.read` tells of a link that leads out


class Labels(NamedTuple):
    """A label file, or a folder of label files: how many pictures it describes, and with how many boxes."""

    path: Path
    pictures: int
    boxes: int


class Clash(NamedTuple):
    """Label files that describe the same pictures. shared: how many pictures two of them share; differing: those of
    them whose boxes are not the same."""

    labels: Sequence[Labels]
    shared: int
    differing: int


class LeadsOut(NamedTuple):
    """A link, or a name in a label file, that leads out of the data set. folder: where all of these end."""

    path: str
    link: bool
    folder: str


class Missing(NamedTuple):
    """Labels whose pictures are not there: how many pictures, of how many that have labels, and the first of them.

    wanted: the name of that picture, where `first` names a label file, else ""; why: what is in doubt, "" if nothing.
    outside: what leads out of the data set to pictures, if anything does.
    """

    pictures: int
    of: int
    first: Problem
    wanted: str = ""
    why: str = ""
    outside: LeadsOut | None = None


def clash(source: Source) -> Clash | None:
    """The label files of a source that describe the same pictures in other words; None where there are none.

    Two files clash when at least half of the pictures of the smaller one are in both, and the boxes differ, or only one
    of the two says a split. A picture that two files put into different splits does not count: it is in neither's way.
    """
    by_file: dict[Path, list[Record]] = {}
    for record in source.records:
        by_file.setdefault(record.file, []).append(record)
    pictures = Counter(record.origin for record in source.records)
    shared: Counter[tuple[str, str]] = Counter()
    differing: Counter[tuple[str, str]] = Counter()
    unclear: Counter[tuple[str, str]] = Counter()
    for records in by_file.values():
        for one, other in combinations(sorted(records, key=lambda record: record.origin), 2):
            pair = (one.origin, other.origin)
            if "" in pair or one.origin == other.origin or _apart(one, other):
                continue
            shared[pair] += 1
            differing[pair] += not _same(one, other)
            unclear[pair] += one.split != other.split
    found = [
        pair
        for pair, count in shared.items()
        if count >= SHARED * min(pictures[name] for name in pair) and differing[pair] + unclear[pair]
    ]
    if not found:
        return None
    worst = max(found, key=lambda pair: shared[pair])
    named = sorted({name for pair in found for name in pair})
    boxes: Counter[str] = Counter()
    for record in source.records:
        boxes[record.origin] += len(record.boxes)
    labels = [Labels(Path(name), pictures[name], boxes[name]) for name in named]
    return Clash(_by_folder(labels), shared[worst], differing[worst])


def missing(source: Source | None, problems: Sequence[Problem]) -> Missing | None:
    """The labels whose pictures are not there, or cannot be told for certain; None where these are few.

    source: None where nothing of it could be used, for the reason that `problems` tell.
    """
    gone = {problem.file: problem for problem in problems if problem.problem in (GONE, UNSURE)}
    named = len({record.file for record in source.records}) if source else 0
    if not gone or len(gone) <= FEW * (named + len(gone)):
        return None
    first = next(iter(gone.values()))
    wanted = next((own.action.partition(LOOKED_FOR)[2].rstrip(")") for own in problems
                   if own.file == first.file and LOOKED_FOR in own.action), "")  # fmt: skip
    unsure = next((own for own in problems if own.problem == UNSURE and own.file == first.file), None)
    why = unsure.action.removeprefix("left out (").removesuffix(")") if unsure else ""
    return Missing(len(gone), named + len(gone), first, wanted, why, leads_out(problems))


def leads_out(problems: Sequence[Problem]) -> LeadsOut | None:
    """The first of the links and names that were not followed because they lead out of the data set; None if there are
    none that lead to something."""
    ends: dict[str, str] = {}
    for own in problems:
        if door.OUTSIDE in own.action and own.problem in (GONE, REFUSED):
            real = os.path.realpath(own.file)
            if os.path.exists(real):
                ends[own.file] = real if os.path.isdir(real) else os.path.dirname(real)
    if not ends:
        return None
    path = next(iter(ends))
    common = os.path.commonpath(ends.values())
    folder = common if len(Path(common).parts) > 2 else ends[path]  # not the root, nor a folder like /home
    link = os.path.realpath(path) != os.path.realpath(os.path.dirname(path)) + os.sep + os.path.basename(path)
    return LeadsOut(path, link, folder)


def _apart(one: Record, other: Record) -> bool:
    return one.split is not None and other.split is not None and one.split != other.split


def _same(one: Record, other: Record) -> bool:
    return np.array_equal(_sorted(one), _sorted(other))


def _sorted(record: Record) -> np.ndarray:
    rows = np.column_stack([record.labels, record.boxes])
    return rows[np.lexsort(rows.T[::-1])]


def _by_folder(labels: Sequence[Labels]) -> list[Labels]:
    """The same by folder, where each labelling is a folder of files."""
    folders: dict[Path, list[Labels]] = {}
    for own in labels:
        folders.setdefault(own.path.parent, []).append(own)
    if len(folders) < 2 or all(len(own) == 1 for own in folders.values()):
        return list(labels)
    return [
        Labels(folder, sum(one.pictures for one in own), sum(one.boxes for one in own))
        for folder, own in folders.items()
    ]
