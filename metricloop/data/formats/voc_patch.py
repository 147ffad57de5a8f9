"""Write the label files of a VOC data set anew with other labels: what has not changed stays as it is, to the byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.formats import open_place
from metricloop.data.formats.label_pictures import Label, match_labels
from metricloop.data.formats.place import Place
from metricloop.data.formats.values import name_of, number, size_of, truth
from metricloop.data.formats.writer import check_empty, counted
from metricloop.data.formats.xml_spans import Element, read_spans
from metricloop.data.label_changes import SAME, Labels, match
from metricloop.data.readers.voc import SIDES, find_voc
from metricloop.data.tables import replacing

DIGITS = 2  # of a pixel, where the source does not count in whole ones


@dataclass(frozen=True)
class _Style:
    """How a source counts. first: what the first pixel is called, 0 or 1; whole: whether all its corners are whole."""

    first: int
    whole: bool

    def corners(self, box: np.ndarray) -> list[str]:
        """A box, xyxy from 0 in pixels, as the texts of SIDES."""
        values = np.asarray(box, np.float64) + np.array([self.first, self.first, 0, 0])
        if self.whole:  # .5 goes up, so that a box of one pixel keeps it
            return [str(int(value)) for value in np.floor(values + 0.5)]
        return [f"{value:.{DIGITS}f}".rstrip("0").rstrip(".") for value in values]


@dataclass(frozen=True)
class _File:
    """One label file. objects: its elements <object> that hold a box and a class, as the reader takes them."""

    path: Path
    data: bytes
    root: Element
    objects: Sequence[Element]


def patch_voc(
    source: Path, root: Path, before: Dataset, after: Dataset, rows: Iterable[int], target: Path
) -> list[str]:
    """Write the source's label files and split lists to the folder `target`, some images with the labels of `after`.

    rows: these images; the files of all others are the same bytes, and in theirs only the objects that differ are not.
    before: the labels of today, to tell which object is which box; its box ids are those of `after`. Returns sentences
    for the terminal. Errors: ExportError.
    """
    place = open_place(source, root, True)
    files = [_read(place, path) for path in find_voc(place)]
    pictures = match_labels(place, [Label(file.path, _stated(file)) for file in files], [])
    style = _style(files)
    row_of = {str(root / file): row for row, file in enumerate(before.file)}
    named = {row_of.get(str(pictures[file.path])): file for file in files if file.path in pictures}
    changed: dict[Path, bytes] = {}
    lost = 0
    for row in sorted(set(rows)):
        file = named.get(row)
        if file is None or not _same_size(file, before, row):
            lost += 1
            continue
        text = _patched(file, before, after, row, style)
        if text != file.data:
            changed[file.path] = text
    check_empty(target)
    lists = [path for folder in place.folders(place.base, 3) if folder.name.lower() == "imagesets"
             for path in place.walk(folder, [".txt"])]  # fmt: skip
    for path in [*(file.path for file in files), *lists]:
        with replacing(target / Path(*place.parts(path))) as temporary:
            temporary.write_bytes(changed.get(path) or place.read_bytes(path))
    said = [f"{target}: {counted(len(files), 'label file')} as Pascal VOC, {len(changed)} of them changed"]
    if lost:
        said.append(
            f"{counted(lost, 'image')} left as they were: no label file is surely theirs, or it is not in UTF-8, "
            "or states another size"
        )
    return [*said, "all other label files are those of the source, to the byte"]


def _read(place: Place, path: Path) -> _File:
    data = place.read_bytes(path)
    root = read_spans(data)
    if root is None:
        return _File(path, data, Element("", 0, 0, 0, 0, ()), ())
    return _File(path, data, root, [item for item in root.all("object") if _box(data, item) is not None
                                    and name_of(item.text(data, "name"))])  # fmt: skip


def _same_size(file: _File, data: Dataset, row: int) -> bool:
    """Whether a file could be read, and states the size of the picture, or none: boxes are then in its pixels."""
    size = file.root.first("size") if file.root.tag else None
    stated = [size_of(size.text(file.data, side)) for side in ("width", "height")] if size else [None, None]
    return bool(file.root.tag) and stated in ([None, None], [int(data.width[row]), int(data.height[row])])


def _stated(file: _File) -> str:
    return (file.root.text(file.data, "filename") or file.root.text(file.data, "path")).strip()


def _box(data: bytes, item: Element) -> list[float] | None:
    """The corners of an object as written; None without a box."""
    box = item.first("bndbox")
    if box is None:
        return None
    try:
        return [number(box.text(data, side).strip()) for side in SIDES]
    except ValueError:
        return None


def _style(files: Sequence[_File]) -> _Style:
    boxes = [box for file in files for item in file.objects if (box := _box(file.data, item))]
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    return _Style(0 if (corners[:, :2] <= 0).any() else 1, bool((corners == np.round(corners)).all()))


def _patched(file: _File, before: Dataset, after: Dataset, row: int, style: _Style) -> bytes:
    """The bytes of a label file with the labels of one image."""
    data = file.data
    corners = np.array([_box(data, item) for item in file.objects], np.float64).reshape(-1, 4)
    boxes = (corners - np.array([style.first, style.first, 0, 0])).astype(np.float32)
    known = {name: label for label, name in enumerate(before.class_names)}
    labels = np.array([known.get(name_of(item.text(data, "name")), -1) for item in file.objects], int)
    crowd = np.array([truth(item.text(data, "difficult")) for item in file.objects], bool)
    own = before.slice(row)
    old = Labels(before.boxes[own], before.labels[own], before.crowd[own])
    partner = match(old, Labels(boxes, labels, crowd)).partner
    here = {int(after.box_id[box]): box for box in range(*after.offsets[row : row + 2])}
    edits: list[tuple[int, int, bytes]] = []  # from, to, what stands there now
    for place, item in enumerate(file.objects):
        if labels[place] < 0 or partner[place] < 0:  # a class that is not kept, or a box that was dropped
            continue
        box = here.pop(int(before.box_id[own][partner[place]]), None)
        if box is None:
            edits.append((_with_blanks(data, item.start), item.end, b""))
            continue
        if after.labels[box] != labels[place] and (name := item.first("name")):
            edits.append((name.inner, name.close, _name(after, box)))
        frame = item.first("bndbox")
        if np.abs(after.boxes[box] - boxes[place]).max() > SAME and frame is not None:
            for side, value in zip(SIDES, style.corners(after.boxes[box]), strict=True):
                if (element := frame.first(side)) and _differs(data, element, value):
                    edits.append((element.inner, element.close, value.encode()))
    edits += _added(file, after, list(here.values()), style)
    for start, end, text in sorted(edits, reverse=True):
        data = data[:start] + text + data[end:]
    return data


def _differs(data: bytes, element: Element, text: str) -> bool:
    return number(data[element.inner : element.close].decode("ascii", "replace").strip()) != float(text)


def _name(data: Dataset, box: int) -> bytes:
    return escape(str(data.class_names[data.labels[box]])).encode("ascii", "xmlcharrefreplace")  # of every encoding


def _with_blanks(data: bytes, start: int) -> int:
    """Where the blanks before an element begin."""
    return len(data[:start].rstrip(b" \t\r\n"))


def _added(file: _File, after: Dataset, boxes: Sequence[int], style: _Style) -> list[tuple[int, int, bytes]]:
    """New objects behind the last one, indented like it."""
    if not boxes or not file.root.tag:
        return []
    items = file.root.all("object")
    children = items or file.root.children
    last = children[-1].end if children else file.root.inner
    blanks = file.data[_with_blanks(file.data, children[-1].start) : children[-1].start] if children else b""
    newline, indent = _lines_of(blanks)
    step = indent if (indent.strip(b" ") == b"" and len(indent) <= 8) or b"\t" in indent else b" "
    text = b""
    for box in boxes:
        sides = dict(zip(SIDES, style.corners(after.boxes[box]), strict=True))
        lines = [(0, b"<object>"), (1, b"<name>" + _name(after, box) + b"</name>"), (1, b"<pose>Unspecified</pose>"),
                 (1, b"<truncated>0</truncated>"), (1, f"<difficult>{int(after.crowd[box])}</difficult>".encode()),
                 (1, b"<bndbox>"), *((2, f"<{side}>{value}</{side}>".encode()) for side, value in sides.items()),
                 (1, b"</bndbox>"), (0, b"</object>")]  # fmt: skip
        text += b"".join(newline + (indent + step * deep if newline else b"") + line for deep, line in lines)
    return [(last, last, text)]


def _lines_of(blanks: bytes) -> tuple[bytes, bytes]:
    """The line break and the indent of the blanks before an element."""
    found = re.fullmatch(rb".*?(\r?\n)([ \t]*)", blanks, re.DOTALL)
    return (found[1], found[2]) if found else (b"", b"")
