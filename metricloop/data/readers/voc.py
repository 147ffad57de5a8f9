"""Pascal VOC: one XML file per picture, in `Annotations/` with pictures in `JPEGImages/`, or side by side.

VOC counts pixels from 1 and includes the last one, so a box that fills a picture reads (1, 1, width, height) and
becomes (0, 0, width, height): 1 is taken off xmin and ymin. Many tools write 0-based corners instead; a source with
any corner at 0 or below counts as 0-based, and its corners stay as they are. Objects marked `difficult` become crowd
regions, as in VOC's own evaluation: neither a hit nor a miss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from metricloop.data import door
from metricloop.data.formats.coco_boxes import around_turned
from metricloop.data.formats.label_pictures import Label, match_labels
from metricloop.data.formats.paths import parts_of
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import LOOKED_FOR, left_out, reasons
from metricloop.data.formats.source import (  # fmt: skip
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    make_record,
    unlabelled,
)
from metricloop.data.formats.split_names import split_of
from metricloop.data.formats.values import name_of, number, size_of, truth
from metricloop.data.formats.voc_lists import list_splits
from metricloop.data.formats.xml_text import XmlError, parse_xml, text_of_xml

SIDES = ("xmin", "ymin", "xmax", "ymax")
TURNED = ("cx", "cy", "w", "h", "angle")  # of <robndbox>, the angle in radians
_ROOT = re.compile(r"<(\w+:)?annotation[\s>/]")
_ANY = re.compile(r"<\w[^<>]*[\s>/]")  # a whole start tag of whatever


@dataclass(frozen=True)
class _Read:
    """One label file: its objects, and which of their boxes count whole pixels, as <bndbox> does."""

    rows: list[tuple[list[float], int, bool]]
    whole: list[bool]
    width: int | None
    height: int | None


def find_voc(place: Place) -> list[Path]:
    """The XML label files of a source folder, at most four levels down, sorted."""
    if not place.is_dir(place.source):
        return []
    return sorted(path for path in place.walk(place.source, [".xml"], deepest=4) if _is_label(place, path))


def _is_label(place: Place, path: Path) -> bool:
    head = text_of_xml(place.head(path, 4096))
    return bool(_ROOT.search(head)) or not _ANY.search(head)  # an empty file is a label file that was cut off


def read_voc(place: Place) -> Source:
    """Read every XML file of a folder; a file that cannot be parsed is left out with its picture.

    Errors: SourceError when none is usable.
    """
    problems: list[Problem] = []
    files = find_voc(place)
    splits = list_splits(place, files, problems)
    roots = {path: _parse(place, path, problems) for path in files}
    pictures = match_labels(place, [Label(path, _stated(root)) for path, root in roots.items()], problems)
    labels: dict[str, int] = {}
    records: list[Record] = []
    whole: list[np.ndarray] = []
    used: set[tuple[Path, str]] = set()
    for path, root in roots.items():
        home = next((home for home in splits if path.is_relative_to(home)), None)
        if home:
            used.add((home, path.stem))
        found = None if root is None else _objects(path, root, labels, problems)
        if found is None:
            continue
        if path not in pictures:
            wanted = LOOKED_FOR + (parts_of(_stated(root)) or (f"{path.stem}.*",))[-1][:200]
            problems.append(Problem(str(path), "labels without picture", left_out(len(found.rows), wanted)))
            continue
        if home and path.stem not in splits[home]:
            problems.append(Problem(str(path), "in no list of ImageSets/Main", "left out"))
            continue
        folders = path.parent.relative_to(place.source).parts
        split, origin = splits[home][path.stem] if home else (split_of(*folders), str(path.parent))
        fields = {"width": found.width, "height": found.height, "split": split, "origin": origin}
        records.append(make_record(pictures[path], found.rows, **fields))
        whole.append(np.array(found.whole, bool))
    for home, own in splits.items():
        for name in sorted(name for name in own if (home, name) not in used):
            problems.append(Problem(name, "listed in ImageSets/Main without a label file", "left out"))
    if not records:
        message = f"{place.source}: none of {len(files)} VOC label files can be used. {reasons(problems)}"
        raise SourceError(message, problems)
    problems += unlabelled(place, {file.parent for file in pictures.values()}, pictures.values())
    return Source("voc", tuple(sorted(labels)), tuple(_counted_from_0(records, whole, labels)), tuple(problems))


def _counted_from_0(records: list[Record], whole: list[np.ndarray], labels: dict[str, int]) -> list[Record]:
    """The records with corners counted from 0, and classes in the order of their names."""
    names = sorted(labels)  # the order of first sight would change with the files
    order = np.array([names.index(name) for name in labels], np.int64)
    zero_based = any((record.boxes[own, :2] <= 0).any() for record, own in zip(records, whole, strict=True))
    shift = np.array([0, 0, 0, 0] if zero_based else [1, 1, 0, 0], np.float64)
    return [
        replace(r, boxes=r.boxes - shift * own[:, None], labels=order[r.labels] if names else r.labels)
        for r, own in zip(records, whole, strict=True)
    ]


def _parse(place: Place, path: Path, problems: list[Problem]) -> ElementTree.Element | None:
    try:
        root, note = parse_xml(place.read_bytes(path))
    except (XmlError, door.DoorError) as error:
        problems.append(Problem(str(path), "label file cut off or damaged", f"left out with its picture ({error})"))
        return None
    if note:
        problems.append(Problem(str(path), "label file in another encoding", note))
    return root


def _stated(root: ElementTree.Element | None) -> str:
    """The picture that a label file names, with its folder if there is one."""
    if root is None:
        return ""
    return (root.findtext("filename") or root.findtext("path") or "").strip()


def _objects(path: Path, root: ElementTree.Element, labels: dict[str, int], problems: list[Problem]) -> _Read:
    """The objects of one label file, corners as written; classes not seen before are added to `labels`."""
    rows, whole = [], []
    for item in root.iter("object"):
        name = name_of(item.findtext("name") or "")
        if not name:
            problems.append(Problem(str(path), "unknown class", "dropped (object without a name)"))
            continue
        corners, is_turned = _corners(item)
        if corners is None:
            problems.append(Problem(str(path), "box is not four numbers", f"dropped ({name})"))
            continue
        if is_turned:
            problems.append(Problem(str(path), "turned box", f"the box around it is taken ({name})"))
        rows.append((corners, labels.setdefault(name, len(labels)), truth(item.findtext("difficult"))))
        whole.append(not is_turned)
    size = root.find("size")
    width, height = (size_of(size.findtext(side) if size is not None else None) for side in ("width", "height"))
    return _Read(rows, whole, width, height)


def _corners(item: ElementTree.Element) -> tuple[list[float] | None, bool]:
    """xyxy as written, None where there is no box; and whether it is the box around a turned one."""
    box, turned = item.find("bndbox"), item.find("robndbox")
    try:
        if box is not None:
            return [number((box.findtext(side) or "").strip()) for side in SIDES], False
        if turned is not None:
            return around_turned(*(number((turned.findtext(key) or "").strip()) for key in TURNED)), True
    except ValueError:
        pass
    return None, False


FORMAT = Format(
    sign="VOC XML files, here or up to four folders down",
    find=find_voc,
    read=lambda place, categories: read_voc(place),
    place=40,
)
