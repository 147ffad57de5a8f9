"""The marks that a person made on the page of an audit: read from their file, and held against today's labels."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.text.clean import clean
from metricloop.text.numbers import count

WORDS = ("keep", "fix", "delete", "unsure")
SAME = 0.06  # px; as far as a box may differ that went through a file
LOAD = '"Load marks"'  # the button of the page
HEAD = 4096  # bytes of a file in which its kind stands
SHOWN = 3  # files that are offered at most
ALIKE = 0.9  # IoU from which two boxes of a class are one
Corners = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]  # xyxy, pixels
Text = Annotated[str, Field(max_length=4096)]


class MarksError(ValueError):
    """The marks cannot be used; the message says why and what to do."""


class Drawn(BaseModel):
    """A box as it should be. box: xyxy in pixels; label: the name of its class."""

    model_config = ConfigDict(frozen=True)
    box: Corners
    label: Text


class Entry(BaseModel):
    """What a person said about one finding, as the file of marks holds it.

    label, box: the label as it was when the page was made; None where the finding is about a whole image. seen: the box
    of the model. other: the file of the picture that this one repeats. to: the repaired label, where the mark is "fix".
    added: boxes that were missing and that the person drew.
    """

    model_config = ConfigDict(frozen=True)
    id: Text
    kind: Text
    file: Text
    sha256: Text
    box_id: int | None = None
    label: Text | None = None
    box: Corners | None = None
    seen: Drawn | None = None
    other: Text | None = None
    mark: Literal["keep", "fix", "delete", "unsure"]
    to: Drawn | None = None
    added: tuple[Drawn, ...] = ()


class MarksFile(BaseModel):
    """marks.json, as the page writes it. findings: how many the page listed."""

    model_config = ConfigDict(frozen=True)
    format: Literal["metricloop marks"]
    version: Literal[1]
    audit: Text
    study: Text
    findings: int
    marks: tuple[Entry, ...]


@dataclass(frozen=True)
class Mark:
    """A mark and what it is of. row: of the image; box: row of the label, -1 where there is none."""

    entry: Entry
    row: int
    box: int


def read_marks(path: Path) -> MarksFile:
    """Read a file of marks. Errors: MarksError."""
    if path.is_dir():
        raise MarksError(f"{path} is a folder; {_marks_in(path)}")
    if not path.is_file():
        raise MarksError(f"{path} does not exist; press Save on the page of the audit, and give the file that it saves")
    try:
        found = MarksFile.model_validate_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise MarksError(
            f"{path} is not a file of marks ({clean(where)}: {first['msg']}); give the marks.json that the page of an "
            "audit saved"
        ) from None
    twice = [name for name, times in Counter(entry.id for entry in found.marks).items() if times > 1]
    if twice:
        raise MarksError(f"{path} marks {clean(twice[0])} twice; save it again from the page of the audit")
    return found


def _marks_in(folder: Path) -> str:
    """What to give in place of a folder: the newest files of marks in it, if there are any."""
    found = []
    for path in folder.glob("*.json"):
        with suppress(OSError):
            with path.open("rb") as stream:
                head = stream.read(HEAD)
            if re.search(rb'"format"\s*:\s*"metricloop marks"', head):
                found.append((path.stat().st_mtime, path))
    newest = [str(path) for _, path in sorted(found, reverse=True)[:SHOWN]]
    if not newest:
        return "give the marks.json that the page of an audit saved; there is none in it"
    return f"give the file of marks in it: {' or '.join(newest)}"


def on_labels(marks: MarksFile, data: Dataset, done: Iterable[Entry] = (), again: str = "") -> list[Mark]:
    """Tell which image and label of `data` each mark is of; marks of `done` that were applied are left out.

    done: marks that were applied before. again: the command that makes a new audit, for the messages.
    Errors: MarksError when a picture or a label is not what it was when the page was made, when a label is marked in
    two ways, or a box cannot be used.
    """
    rows = {str(file): row for row, file in enumerate(data.file)}
    boxes = {int(number): box for box, number in enumerate(data.box_id)}
    known, found, stale = set(done), [], []
    for entry in marks.marks:
        row = rows.get(entry.file, -1)
        box = boxes.get(entry.box_id, -1) if entry.box_id is not None else -1
        if row >= 0 and data.sha256[row] == entry.sha256 and _still_there(entry, data, row, box):
            mark = Mark(_checked(entry, data, row), row, box)
            if not (entry in known and box < 0 and entry.mark == "fix" and not new_boxes(mark, labels_of(data, row))):
                found.append(mark)
        elif entry not in known:
            stale.append(entry.file)
    if stale:
        strangers = sum(file not in rows for file in stale)
        if strangers == len(marks.marks):
            raise MarksError(f"the marks are of another audit: none of their pictures is in this study ({marks.study})")
        more = f" and {count(len(stale) - 1, 'more finding')} have" if stale[1:] else " has"
        raise MarksError(
            f"the marks are of other labels than today's: {clean(stale[0], 80)}{more} changed since that audit, "
            f"perhaps by other marks; make a new one: {again} ({LOAD} on its page takes the marks of what is listed "
            "again)"
        )
    _one_way_each(found)
    return found


def _still_there(entry: Entry, data: Dataset, row: int, box: int) -> bool:
    """Whether the label of a finding is as the page showed it; an image needs none."""
    if entry.box_id is None:
        return True
    if (
        entry.box is None
        or box < 0
        or int(data.box_row[box]) != row
        or data.class_names[data.labels[box]] != entry.label
    ):
        return False
    return bool(np.abs(data.boxes[box] - np.array(entry.box)).max() <= SAME)


def _checked(entry: Entry, data: Dataset, row: int) -> Entry:
    """The entry with its new boxes cut at the edges of the picture. Errors: MarksError."""
    if entry.mark == "delete" and entry.box_id is None:
        raise MarksError(f"{clean(entry.id)} deletes a label, and the finding is of none; mark it anew on the page")
    if entry.mark == "fix" and entry.to is None and not entry.added:
        raise MarksError(f"{clean(entry.id)} is marked fix without a repaired box; mark it anew on the page")
    size = np.tile((float(data.width[row]), float(data.height[row])), 2)

    def usable(drawn: Drawn) -> Drawn:
        if drawn.label not in data.class_names:
            near = get_close_matches(drawn.label, data.class_names, 1)
            known = ", ".join(data.class_names[:20])
            hint = f"did you mean {near[0]!r}?" if near else f"the study has {known}"
            raise MarksError(f"{clean(entry.id)} names the class {drawn.label!r}, which is not in the study; {hint}")
        x1, y1, x2, y2 = np.clip(np.array(drawn.box), 0, size).tolist()
        if x2 - x1 < 1 or y2 - y1 < 1:
            raise MarksError(f"{clean(entry.id)} has a box of less than one pixel in the picture; draw it anew")
        return Drawn(box=(x1, y1, x2, y2), label=drawn.label)

    return entry.model_copy(
        update={"to": entry.to and usable(entry.to), "added": tuple(usable(one) for one in entry.added)}
    )


def _one_way_each(marks: list[Mark]) -> None:
    """Refuse a label that two marks would change in different ways."""
    ways: dict[int, Entry] = {}
    for mark in marks:
        if mark.box < 0 or mark.entry.mark not in ("fix", "delete"):
            continue
        first = ways.setdefault(mark.box, mark.entry)
        if (first.mark, first.to) != (mark.entry.mark, mark.entry.to):
            raise MarksError(
                f"box {mark.entry.box_id} of {clean(mark.entry.file, 80)} is marked in two ways ({first.id}, "
                f"{mark.entry.id}); open the file with {LOAD} on the page, undo one of them, and save"
            )


def labels_of(data: Dataset, row: int) -> list[Drawn]:
    """The labels of an image without its crowd regions."""
    own = data.slice(row)
    return [
        Drawn(box=tuple(data.boxes[box].tolist()), label=data.class_names[data.labels[box]])
        for box in range(own.start, own.stop)
        if not data.crowd[box]
    ]


def new_boxes(mark: Mark, there: Iterable[Drawn] = ()) -> list[Drawn]:
    """The boxes that a mark adds, without those that are there already. A fix of an image adds its `to`, too."""
    entry = mark.entry
    wanted = ([entry.to] if entry.mark == "fix" and entry.to and mark.box < 0 else []) + list(entry.added)
    kept: list[Drawn] = list(there)
    new = []
    for one in wanted:
        if not any(_alike(one, other) for other in kept):
            kept.append(one)
            new.append(one)
    return new


def _alike(one: Drawn, other: Drawn) -> bool:
    overlap = iou(np.array([one.box], np.float32), np.array([other.box], np.float32))
    return one.label == other.label and bool(overlap[0, 0] >= ALIKE)
