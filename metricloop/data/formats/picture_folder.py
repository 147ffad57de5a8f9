"""Put the pictures of a data set into a folder that another tool reads, and tell afterwards which picture was which."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.formats.writer import ExportError, Note, Notes, Placing
from metricloop.data.tables import replacing
from metricloop.data.urls import path_of, stated

QUEUE = "queue.csv"
MADE = re.compile(r"(?:\d{4,}_)?(\d{6,})_(.+)")  # a name of `picture_name`


def picture_name(dataset: Dataset, notes: Notes, row: int) -> str:
    """The name of a picture in an exported folder: rank (if it has one), image id, and its own name.

    The id keeps pictures apart that share a name in different folders; the rank in front makes tools that sort by name
    show the worst first. Names in `notes.names` are taken as they are.
    """
    if row in notes.names:
        return notes.names[row]
    own = f"{int(dataset.image_id[row]):06d}_{Path(dataset.file[row]).name}"
    rank = notes.images.get(row, {}).get("rank")
    return own if rank is None else f"{int(rank):04d}_{own}"


def own_names(dataset: Dataset) -> dict[int, str]:
    """Image row -> the picture's own name; pictures whose names differ in nothing but folder and suffix have none."""
    names = [Path(file).name for file in dataset.file]
    stems = Counter(Path(name).stem.casefold() for name in names)
    return {row: name for row, name in enumerate(names) if stems[Path(name).stem.casefold()] == 1}


def made_of(name: str) -> tuple[int, str] | None:
    """The image id and the picture's own name in a name that `picture_name` made; None for another name.

    >>> made_of("0001_000042_a_1.jpg"), made_of("000042_a.jpg"), made_of("a.jpg")
    ((42, 'a_1.jpg'), (42, 'a.jpg'), None)
    """
    found = MADE.fullmatch(name)
    return (int(found[1]), found[2]) if found else None


def original(dataset: Dataset, row: int) -> str:
    """Where the picture of an image lies: its absolute path, or its URL."""
    return stated(os.path.abspath(dataset.root / dataset.file[row]))


def place_picture(dataset: Dataset, row: int, target: Path, placing: Placing) -> None:
    """Put a picture of a data set into a folder, as `place_file` does. Errors: ExportError."""
    place_file(original(dataset, row), target, placing, str(dataset.sha256[row]))


def place_file(picture: str, target: Path, placing: Placing, sha256: str | None = None) -> None:
    """Link or copy a picture, as `placing` says; where links are impossible, it is copied. Errors: ExportError.

    picture: an absolute path, or a URL, from which it is fetched; what is packed in a file is copied from it, too.
    sha256: of the picture, where known.
    A hard link is not the first choice: it changes a time of the original, by which studies notice that a picture was
    changed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not door.stands_alone(path_of(picture)):
        try:
            data = door.read_bytes(path_of(picture), sha256=sha256)
        except door.DoorError as error:
            raise ExportError(f"{picture} cannot be read: {error}") from None
        with replacing(target) as temporary:
            temporary.write_bytes(data)
        return
    ways: dict[Placing, list[Callable[[], None]]] = {
        Placing.COPY: [],
        Placing.HARD: [partial(os.link, os.path.realpath(picture), target)],
        Placing.LINK: [partial(target.symlink_to, picture)],
    }
    for way in ways[placing]:
        with suppress(OSError):  # another file system, one without links, or somebody else's file
            way()
            return
    try:
        shutil.copyfile(picture, target)
    except OSError as error:
        raise ExportError(f"{picture} cannot be copied to {target}: {error.strerror}") from None


def write_queue(dataset: Dataset, notes: Notes, folder: Path) -> list[str]:
    """Write queue.csv, the notes of a format that has no place for them: one line per noted box or image.

    Returns a sentence, or nothing where there are no notes.
    """
    if not notes:
        return []
    keys = notes.keys()
    with replacing(folder / QUEUE) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["picture", "file", "box_id", *keys], lineterminator="\n")
        writer.writeheader()
        for row in range(len(dataset)):
            own = dataset.slice(row)
            noted: list[tuple[int | str, Note]] = [
                (int(dataset.box_id[box]), notes.boxes[box]) for box in range(own.start, own.stop) if box in notes.boxes
            ]
            if not noted and row in notes.images:
                noted = [("", notes.images[row])]
            name = {"picture": _cell(picture_name(dataset, notes, row)), "file": _cell(str(dataset.file[row]))}
            for box_id, note in noted:
                writer.writerow({**name, "box_id": box_id, **{key: _cell(value) for key, value in note.items()}})
    return [f"{folder / QUEUE}: scores and suspicions, by picture and box"]


def _cell(value: object) -> object:
    """A value that a spreadsheet takes for text, not for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
