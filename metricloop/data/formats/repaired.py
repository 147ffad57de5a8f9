"""Read repaired labels of some images of a known data set, wherever the file lies, and tell which images they mean."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np

from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.formats import formats, open_place, recognise
from metricloop.data.formats.paths import TailIndex
from metricloop.data.formats.picture_folder import made_of
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem, SourceError
from metricloop.data.formats.repair import repair
from metricloop.data.formats.source import Record, Source, merge

WITHOUT_CROWDS = ("yolo",)  # formats that cannot hold crowd regions
NO_FILE = "no label file"
NOT_NAMED = "not taken as looked at; an empty label file says that a picture shows no object"


@dataclass(frozen=True)
class _Elsewhere(Place):
    """A label file whose pictures lie in the folder of a data set that is known already, `home`."""

    home: Path = Path()

    @property
    def base(self) -> Path:
        """The folder below which the pictures are looked for."""
        return self.home


@dataclass(frozen=True)
class Repaired:
    """images: row of the data set -> its labels as (xyxy in pixels, name of the class, crowd). problems: what could not
    be read, and pictures that are not in the data set."""

    format: str
    images: Mapping[int, Sequence[tuple[Sequence[float], str, bool]]]
    problems: Sequence[Problem]


def read_repaired(file: Path, dataset: Dataset, form: str = "auto") -> Repaired:
    """Read labels for images of `dataset` from a file or folder in any format that is read.

    A picture of a YOLO folder without a label file is not named; one with an empty file has no objects.
    Errors: SourceError when it has no known format, or names no image of the data set.
    """
    home = Path(os.path.abspath(dataset.root))
    name = recognise(file, outside=True) if form == "auto" else form
    known = open_place(file, home)
    place = _Elsewhere(known.source, known.roots, home=home)
    source: Source = formats()[name].read(place, ())
    problems = [one for one in source.problems if one.problem != "picture without labels"]
    found: dict[int, list[tuple[Sequence[float], str, bool]]] = {}
    which = _Which(dataset, home, place.roots)
    unnamed = {one.file for one in problems if one.problem == NO_FILE}
    problems = [_not_named(one) if one.problem == NO_FILE else one for one in problems]
    for record in merge(source.records, problems):
        if str(record.file) in unnamed:
            continue
        row = which.row(record.file)
        if row is None:
            problems.append(Problem(str(record.file), "picture is not in the study's data set", "left out"))
            continue
        if row in found:
            problems.append(Problem(str(record.file), "image labelled twice", "the first labels taken"))
            continue
        found[row] = _rows(record, source, dataset, row, problems)
        if name in WITHOUT_CROWDS:
            found[row] += _crowds(dataset, row)
    if not found and all(str(record.file) in unnamed for record in source.records):
        raise SourceError(f"{file}: none of its {len(unnamed)} pictures has a label file; {NOT_NAMED}", problems)
    if not found:
        raise SourceError(
            f"{file}: none of its {len(source.records)} pictures is in the study's data set ({home})", problems
        )
    return Repaired(name, found, problems)


def _not_named(one: Problem) -> Problem:
    """The reader's record of a picture without a label file, where that does not mean a picture without objects."""
    _, _, looked_for = one.action.partition("; ")
    return one._replace(action=f"{NOT_NAMED}; {looked_for}")


def _rows(
    record: Record, source: Source, dataset: Dataset, row: int, problems: list[Problem]
) -> list[tuple[Sequence[float], str, bool]]:
    width, height = int(dataset.width[row]), int(dataset.height[row])
    turned = width != height and (record.width, record.height) == (height, width)
    fixed, notes = repair(record, width, height, _orientation(record.file) if turned else 1)
    problems += [Problem(str(dataset.file[row]), problem, action) for problem, action in notes]
    return [
        (box, source.class_names[label], bool(crowd))
        for box, label, crowd in zip(fixed.boxes.astype(np.float32).tolist(), fixed.labels, fixed.crowd, strict=True)
    ]


def _orientation(picture: Path) -> int:
    from PIL import Image

    try:
        with Image.open(picture if door.stands_alone(picture) else BytesIO(door.read_bytes(picture))) as opened:
            return int(opened.getexif().get(274, 1) or 1)
    except (OSError, ValueError):
        return 1


def _crowds(dataset: Dataset, row: int) -> list[tuple[Sequence[float], str, bool]]:
    own = dataset.slice(row)
    return [
        (dataset.boxes[box].tolist(), dataset.class_names[dataset.labels[box]], True)
        for box in range(own.start, own.stop)
        if dataset.crowd[box]
    ]


class _Which:
    """Which image of a data set a picture is: by its path, links followed, hard links too; by the name that an export
    gave it; by its contents; by the end of its path."""

    def __init__(self, dataset: Dataset, home: Path, roots: Sequence[str] | None):
        """roots: the folders whose files may be opened, None: all."""
        self.dataset, self.roots = dataset, roots
        self.real = {os.path.realpath(home / file): row for row, file in enumerate(dataset.file)}
        self.ids = {int(number): row for row, number in enumerate(dataset.image_id)}
        self.contents = {str(digest): row for row, digest in enumerate(dataset.sha256)}
        self.tails = TailIndex([Path(file).parts for file in dataset.file])

    def row(self, picture: Path) -> int | None:
        """The row of the image, None if it is none of them."""
        real = os.path.realpath(picture)
        if real in self.real:
            return self.real[real]
        if (row := self._hard_linked(real)) is not None:
            return row
        made = made_of(picture.name)
        if made and made[0] in self.ids and Path(self.dataset.file[self.ids[made[0]]]).name == made[1]:
            return self.ids[made[0]]
        try:
            digest = hashlib.sha256(door.read_bytes(real, self.roots)).hexdigest()
        except OSError:
            digest = ""
        return self.contents.get(digest, self.tails.find(str(picture)).row)

    def _hard_linked(self, real: str) -> int | None:
        """The row of the image whose file has this as a second name."""
        try:
            state = os.stat(real)
        except (OSError, ValueError):
            return None
        return self._numbers.get((state.st_dev, state.st_ino)) if state.st_nlink > 1 else None

    @cached_property
    def _numbers(self) -> dict[tuple[int, int], int]:
        """(device, inode) of every picture's file -> row."""
        found = {}
        for path, row in self.real.items():
            with suppress(OSError, ValueError):
                state = os.stat(path)
                found[state.st_dev, state.st_ino] = row
        return found
