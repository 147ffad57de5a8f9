"""What a format that is written has to define, and what every writer gets beside the data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from metricloop.data.dataset import Dataset

Note = Mapping[str, str | int | float]  # what is known of an image or box beyond its label: rank, suspicion, a score
SPLIT_NAMES = {"pool": "train", "search": "val", "test": "test"}


class Placing(StrEnum):
    """How a picture comes into a folder that is written. LINK: by a symbolic link. HARD: by a hard link, which needs
    the same file system. Where links are impossible, pictures are copied.
    """

    LINK = "link"
    HARD = "hard link"
    COPY = "copy"


class ExportError(ValueError):
    """The export is impossible: the draw or image does not exist, or the target cannot be used."""


class SeenBox(NamedTuple):
    """What a model sees: xyxy in pixels, the class's index, and its score."""

    box: tuple[float, float, float, float]
    label: int
    score: float


@dataclass(frozen=True)
class Notes:
    """What is known beyond the labels; formats show it where they have a place for it.

    images: image row -> note; boxes: box row -> note; seen: image row -> what a model sees there instead. A note's
    `rank` is the image's place in a queue of labels to look at, from 1. names: image row -> the name of its picture in
    a folder that is written, where it is not to be made from rank and id.
    """

    images: Mapping[int, Note] = field(default_factory=dict)
    boxes: Mapping[int, Note] = field(default_factory=dict)
    seen: Mapping[int, Sequence[SeenBox]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.images or self.boxes)

    def keys(self) -> list[str]:
        """The names of everything noted of boxes and images, in order of first sight."""
        return list(
            dict.fromkeys(key for notes in (self.boxes, self.images) for note in notes.values() for key in note)
        )


@dataclass(frozen=True)
class Writer:
    """How to write one format.

    title: its name in sentences; target: what is written, in words; suffix: of the file, "" where it is a folder;
    write: writes images in the order of the data set's rows, and returns sentences about what the format cannot hold
    and how to open the result. Its arguments: data set, notes, target, and how pictures come there.
    """

    title: str
    target: str
    suffix: str
    write: Callable[[Dataset, Notes, Path, Placing], list[str]]


def check_free(path: Path) -> None:
    """Refuse to write over a file that is there: it may be the data set's own labels. Errors: ExportError."""
    if path.exists() or path.is_symlink():
        raise ExportError(f"{path} exists already; name another file, or delete it first")


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds something, so that nothing in it is written over. Errors: ExportError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} is not empty; name another folder, or empty it")


def exact(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 box, 2 boxes.

    >>> counted(1, "image"), counted(3, "crowd region")
    ('1 image', '3 crowd regions')
    """
    plural = f"{noun}es" if noun.endswith("x") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
